/* SPDX-License-Identifier: MIT */
#include "attach/nbd_handshake.h"

#include "base/io.h"
#include "base/text.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAGIC_SERVER UINT64_C(0x4e42444d41474943) /* "NBDMAGIC" */
#define MAGIC_OPTION UINT64_C(0x49484156454f5054) /* "IHAVEOPT" */
#define MAGIC_REPLY  UINT64_C(0x0003e889045565a9)

#define FLAG_FIXED_NEWSTYLE 1U
#define FLAG_NO_ZEROES      2U

#define OPT_GO          7U
#define REP_ACK         1U
#define REP_INFO        3U
#define REP_IS_ERROR    (1U << 31)
#define INFO_EXPORT     0U
#define MAX_REPLIES     16   /* to one option; nbdkit sends three at most */
#define MAX_REPLY_BYTES 4096 /* a string has at most that many by the protocol */

struct session {
    int fd;
    struct nbd_patience patience;
};

struct greeting {
    uint64_t magic, option_magic;
    uint16_t flags;
} __attribute__((packed));

struct go_request {
    uint32_t client_flags;
    uint64_t magic;
    uint32_t option, size;
    uint32_t name_size; /* 0: the default export */
    uint16_t info_count;
} __attribute__((packed));

struct reply {
    uint64_t magic;
    uint32_t option, type, size;
} __attribute__((packed));

struct export_info {
    uint16_t type;
    uint64_t size;
    uint16_t flags;
} __attribute__((packed));

static int wait_for_socket(const struct session *s, short events, struct err *e)
{
    for (;;) {
        struct pollfd p[] = {{.fd = s->patience.stop, .events = POLLIN},
                             {.fd = s->fd, .events = events}};
        uint64_t now = io_now_ms();
        int r = now >= s->patience.until_ms ? 0 : poll(p, 2, (int)(s->patience.until_ms - now));

        if (r > 0 && p[0].revents != 0)
            return err_set(e, ERR_IO, "a signal ended the handshake with the NBD server");
        if (r > 0)
            return 0;
        if (r == 0)
            return err_set(e, ERR_IO, "the NBD server does not answer");
        if (errno != EINTR)
            return err_sys(e, errno, "waiting for the NBD server");
    }
}

static int receive(const struct session *s, void *buf, size_t size, struct err *e)
{
    uint8_t *at = buf;

    while (size > 0) {
        ssize_t n = recv(s->fd, at, size, MSG_DONTWAIT);

        if (n == 0)
            return err_set(e, ERR_PROTOCOL, "the NBD server ended the handshake");
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_sys(e, errno, "the NBD handshake failed");
        if (n < 0 && wait_for_socket(s, POLLIN, e) < 0)
            return -1;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
        if (size > 0 && io_now_ms() >= s->patience.until_ms)
            return err_set(e, ERR_IO, "the NBD server takes too long for its handshake");
    }
    return 0;
}

static int transmit(const struct session *s, const void *buf, size_t size, struct err *e)
{
    const uint8_t *at = buf;

    while (size > 0) {
        ssize_t n = send(s->fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_sys(e, errno, "the NBD handshake failed");
        if (n < 0 && wait_for_socket(s, POLLOUT, e) < 0)
            return -1;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int greet_server(const struct session *s, uint32_t *client_flags, struct err *e)
{
    struct greeting g;
    unsigned flags;

    if (receive(s, &g, sizeof g, e) < 0)
        return -1;
    if (be64toh(g.magic) != MAGIC_SERVER)
        return err_set(e, ERR_PROTOCOL, "what answers is no NBD server");
    flags = be16toh(g.flags);
    if (be64toh(g.option_magic) != MAGIC_OPTION || !(flags & FLAG_FIXED_NEWSTYLE))
        return err_set(e, ERR_PROTOCOL, "the NBD server knows only the old handshake");
    *client_flags = FLAG_FIXED_NEWSTYLE | (flags & FLAG_NO_ZEROES);
    return 0;
}

static int send_go(const struct session *s, uint32_t client_flags, struct err *e)
{
    const struct go_request r = {
        .client_flags = htobe32(client_flags),
        .magic = htobe64(MAGIC_OPTION),
        .option = htobe32(OPT_GO),
        .size = htobe32(sizeof r.name_size + sizeof r.info_count),
    };

    return transmit(s, &r, sizeof r, e);
}

/* Takes what the server says about the export; other information is left out. */
static int take_info(const uint8_t *data, size_t size, struct nbd_export *export, bool *known,
                     struct err *e)
{
    struct export_info info;

    if (size < sizeof info.type)
        return err_set(e, ERR_PROTOCOL, "the NBD server sent information of %zu bytes", size);
    memcpy(&info.type, data, sizeof info.type);
    if (be16toh(info.type) != INFO_EXPORT)
        return 0;
    if (size != sizeof info)
        return err_set(e, ERR_PROTOCOL, "the NBD server described its export in %zu bytes", size);
    memcpy(&info, data, sizeof info);
    export->size = be64toh(info.size);
    export->flags = be16toh(info.flags);
    *known = true;
    return 0;
}

static int refuse_go(uint32_t type, const uint8_t *data, size_t size, struct err *e)
{
    char text[256];

    snprintf(text, sizeof text, "%.*s", (int)(size < sizeof text ? size : sizeof text - 1),
             (const char *)data);
    text_make_printable(text);
    return err_set(e, ERR_PROTOCOL, "the NBD server refused with error %u%s%s",
                   type & ~REP_IS_ERROR, *text ? ": " : "", text);
}

static int receive_reply(const struct session *s, struct reply *r, uint8_t data[MAX_REPLY_BYTES],
                         struct err *e)
{
    if (receive(s, r, sizeof *r, e) < 0)
        return -1;
    r->type = be32toh(r->type);
    r->size = be32toh(r->size);
    if (be64toh(r->magic) != MAGIC_REPLY || be32toh(r->option) != OPT_GO)
        return err_set(e, ERR_PROTOCOL, "the NBD server sent something that is no reply");
    if (r->size > MAX_REPLY_BYTES)
        return err_set(e, ERR_PROTOCOL, "the NBD server sent a reply of %u bytes", r->size);
    return receive(s, data, r->size, e);
}

int nbd_handshake(int fd, struct nbd_patience patience, struct nbd_export *export, struct err *e)
{
    const struct session s = {.fd = fd, .patience = patience};
    struct nbd_export found = {0};
    bool known = false;
    uint32_t client_flags = 0;

    if (greet_server(&s, &client_flags, e) < 0 || send_go(&s, client_flags, e) < 0)
        return -1;
    for (int i = 0; i < MAX_REPLIES; i++) {
        uint8_t data[MAX_REPLY_BYTES];
        struct reply r;

        if (receive_reply(&s, &r, data, e) < 0)
            return -1;
        if (r.type & REP_IS_ERROR)
            return refuse_go(r.type, data, r.size, e);
        if (r.type == REP_INFO && take_info(data, r.size, &found, &known, e) < 0)
            return -1;
        if (r.type == REP_ACK && (!known || !(found.flags & NBD_EXPORT_HAS_FLAGS)))
            return err_set(e, ERR_PROTOCOL, "the NBD server did not describe its export");
        if (r.type == REP_ACK) {
            *export = found;
            return 0;
        }
    }
    return err_set(e, ERR_PROTOCOL, "the NBD server sends replies without an end");
}
