/* SPDX-License-Identifier: MIT */
#include "attach/connections.h"

#include "attach/device.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TAKE_WAIT_MS  5000 /* until the kernel has noticed each death */
#define TAKE_PAUSE_US 500
#define KEEPER_FDS    64 /* a keeper has about ten, and its connections */

void connections_init(struct connections *c, unsigned count)
{
    c->count = count;
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        c->fds[i] = -1;
}

static int make_connection(struct server *server, uint64_t size, struct nbd_patience patience,
                           bool several, struct nbd_export *export, int *fd, struct err *e)
{
    CLEANUP_FD int connected = -1;
    struct nbd_export found;

    if (server_connect(server, patience, &connected, e) < 0 ||
        nbd_handshake(connected, patience, &found, e) < 0)
        return -1;
    if (found.size != size)
        return err_set(e, ERR_OTHER_IMAGE, "the server has %llu bytes, not %llu",
                       (unsigned long long)found.size, (unsigned long long)size);
    if (!(found.flags & NBD_EXPORT_READ_ONLY))
        return err_set(e, ERR_PROTOCOL, "the server's export is not read-only");
    if (several && !(found.flags & NBD_EXPORT_MULTI_CONN))
        return err_set(e, ERR_PROTOCOL, "the server allows one connection: use --connections 1");
    *export = found;
    *fd = steal_fd(&connected);
    return 0;
}

int connections_make(struct connections *c, struct server *server, uint64_t size,
                     struct nbd_patience patience, struct nbd_export *export, struct err *e)
{
    struct connections before = *c;

    for (unsigned i = 0; i < c->count; i++) {
        if (c->fds[i] >= 0 ||
            make_connection(server, size, patience, c->count > 1, export, &c->fds[i], e) == 0)
            continue;
        for (unsigned k = 0; k < c->count; k++)
            if (before.fds[k] < 0 && c->fds[k] >= 0)
                close(steal_fd(&c->fds[k]));
        return -1;
    }
    return 0;
}

unsigned connections_drop_dead(struct connections *c)
{
    unsigned empty = 0;

    for (unsigned i = 0; i < c->count; i++) {
        struct pollfd p = {.fd = c->fds[i]};

        if (c->fds[i] >= 0 && poll(&p, 1, 0) > 0)
            close(steal_fd(&c->fds[i]));
        empty += c->fds[i] < 0;
    }
    return empty;
}

void connections_end(struct connections *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->fds[i] >= 0)
            shutdown(c->fds[i], SHUT_RDWR);
    connections_close(c);
}

void connections_close(struct connections *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->fds[i] >= 0)
            close(steal_fd(&c->fds[i]));
}

int connections_connect(const struct connections *c, struct nbd_netlink *channel, unsigned index,
                        const struct nbd_setup *setup, struct err *e)
{
    struct nbd_message m;

    nbd_message_connect(&m, nbd_netlink_family(channel), index, setup, c->fds, c->count);
    return nbd_netlink_send(channel, &m, e);
}

int connections_probe(struct nbd_netlink *channel, unsigned index, const struct nbd_setup *setup,
                      struct err *e)
{
    struct nbd_message m;

    nbd_message_reconfigure(&m, nbd_netlink_family(channel), index, setup, NULL, 0);
    return nbd_netlink_send(channel, &m, e);
}

/* The kernel gives its timeout to each socket that it takes. */
static bool is_taken(int fd)
{
    struct timeval timeout = {.tv_sec = 0};
    socklen_t size = sizeof timeout;

    return getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size) == 0 &&
           (timeout.tv_sec > 0 || timeout.tv_usec > 0);
}

void connections_copy(struct connections *c, int keeper_pidfd)
{
    unsigned n = 0;

    for (int number = 3; number < KEEPER_FDS && n < c->count; number++) {
        int fd = pidfd_getfd(keeper_pidfd, number, 0);

        if (fd >= 0 && is_taken(fd))
            c->fds[n++] = fd;
        else if (fd >= 0)
            close(fd);
    }
}

static size_t list_untaken(const struct connections *c, int fds[LIMIT_CONNECTIONS])
{
    size_t n = 0;

    for (unsigned i = 0; i < c->count; i++)
        if (c->fds[i] >= 0 && !is_taken(c->fds[i]))
            fds[n++] = c->fds[i];
    return n;
}

int connections_replace(const struct connections *c, struct nbd_netlink *channel, unsigned index,
                        const struct nbd_setup *setup, struct err *e)
{
    uint64_t deadline = io_now_ms() + TAKE_WAIT_MS;
    int fds[LIMIT_CONNECTIONS];
    size_t n;

    while ((n = list_untaken(c, fds)) > 0) {
        struct nbd_message m;

        if (io_now_ms() >= deadline)
            return err_set(e, ERR_BUSY,
                           "another server, which is not known here, still serves the device");
        if (device_check(DEVICE_SYS_BLOCK, index, setup->identifier, e) < 0)
            return -1;
        nbd_message_reconfigure(&m, nbd_netlink_family(channel), index, setup, fds, n);
        if (nbd_netlink_send(channel, &m, e) < 0)
            return -1;
        if (list_untaken(c, fds) > 0)
            usleep(TAKE_PAUSE_US);
    }
    return 0;
}
