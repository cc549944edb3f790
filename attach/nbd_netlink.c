/* SPDX-License-Identifier: MIT */
#include "attach/nbd_netlink.h"

#include "base/cleanup.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR_SIZE 512

struct nbd_netlink {
    struct mnl_socket *socket;
    uint32_t sequence;
    uint16_t family;
    uint32_t attributes; /* the highest number that the kernel knows */
};

static struct nlmsghdr *begin_message(struct nbd_message *m, uint16_t family, uint8_t command,
                                      uint8_t version)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(m->bytes);
    struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(header, sizeof *generic);

    header->nlmsg_type = family;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    generic->cmd = command;
    generic->version = version;
    return header;
}

static void put_sockets(struct nlmsghdr *header, const int *sockets, size_t count)
{
    struct nlattr *list = mnl_attr_nest_start(header, NBD_ATTR_SOCKETS);

    for (size_t i = 0; i < count; i++) {
        struct nlattr *item = mnl_attr_nest_start(header, NBD_SOCK_ITEM);

        mnl_attr_put_u32(header, NBD_SOCK_FD, (uint32_t)sockets[i]);
        mnl_attr_nest_end(header, item);
    }
    mnl_attr_nest_end(header, list);
}

static struct nlmsghdr *begin_setup(struct nbd_message *m, uint16_t family, uint8_t command,
                                    unsigned index, const struct nbd_setup *setup)
{
    struct nlmsghdr *header = begin_message(m, family, command, NBD_GENL_VERSION);

    mnl_attr_put_u32(header, NBD_ATTR_INDEX, index);
    if (setup->timeout_s > 0) {
        mnl_attr_put_u64(header, NBD_ATTR_TIMEOUT, setup->timeout_s);
        mnl_attr_put_u64(header, NBD_ATTR_DEAD_CONN_TIMEOUT, setup->dead_timeout_s);
    }
    mnl_attr_put_strz(header, NBD_ATTR_BACKEND_IDENTIFIER, setup->identifier);
    return header;
}

/* No client flags: with NBD_CFLAG_DISCONNECT_ON_CLOSE, any program that opens and closes the
 * device, such as udev's blkid, would take it away. */
void nbd_message_connect(struct nbd_message *m, uint16_t family, unsigned index,
                         const struct nbd_setup *setup, const int *sockets, size_t count)
{
    struct nlmsghdr *header = begin_setup(m, family, NBD_CMD_CONNECT, index, setup);

    mnl_attr_put_u64(header, NBD_ATTR_SIZE_BYTES, setup->size);
    mnl_attr_put_u64(header, NBD_ATTR_BLOCK_SIZE_BYTES, SECTOR_SIZE);
    mnl_attr_put_u64(header, NBD_ATTR_SERVER_FLAGS, setup->flags);
    put_sockets(header, sockets, count);
}

void nbd_message_reconfigure(struct nbd_message *m, uint16_t family, unsigned index,
                             const struct nbd_setup *setup, const int *sockets, size_t count)
{
    put_sockets(begin_setup(m, family, NBD_CMD_RECONFIGURE, index, setup), sockets, count);
}

void nbd_message_disconnect(struct nbd_message *m, uint16_t family, unsigned index)
{
    mnl_attr_put_u32(begin_message(m, family, NBD_CMD_DISCONNECT, NBD_GENL_VERSION), NBD_ATTR_INDEX,
                     index);
}

static int find_family(const struct nlattr *attribute, void *user)
{
    struct nbd_netlink *channel = user;

    if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
        mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
        channel->family = mnl_attr_get_u16(attribute);
    if (mnl_attr_get_type(attribute) == CTRL_ATTR_MAXATTR &&
        mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
        channel->attributes = mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

/* The kernel answers only the question for the family with more than an acknowledgement, and
 * CONNECT with a number that is known. */
static int take_answer(const struct nlmsghdr *header, void *user)
{
    return header->nlmsg_type == GENL_ID_CTRL
               ? mnl_attr_parse(header, sizeof(struct genlmsghdr), find_family, user)
               : MNL_CB_OK;
}

/* Sends a message and waits for its acknowledgement. Returns 0, or -1 with errno, which is the
 * kernel's answer. */
static int exchange(struct nbd_netlink *channel, struct nbd_message *m)
{
    struct nlmsghdr *header = (struct nlmsghdr *)m->bytes;
    unsigned port = mnl_socket_get_portid(channel->socket);
    uint8_t answer[8192] __attribute__((aligned(4)));
    int r = MNL_CB_OK;

    header->nlmsg_seq = ++channel->sequence;
    if (mnl_socket_sendto(channel->socket, header, header->nlmsg_len) < 0)
        return -1;
    while (r > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(channel->socket, answer, sizeof answer);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        r = mnl_cb_run(answer, (size_t)n, channel->sequence, port, take_answer, channel);
    }
    return r < 0 ? -1 : 0;
}

static int ask_family(struct nbd_netlink *channel)
{
    struct nbd_message m;
    struct nlmsghdr *header = begin_message(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);

    mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME);
    return exchange(channel, &m);
}

static void load_module(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        execlp("modprobe", "modprobe", "-q", "nbd", (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Without an identifier in the kernel nobody could tell what a device is, and a keeper that takes
 * over might put another image under a mounted file system. */
static int check_client(const struct nbd_netlink *channel, struct err *e)
{
    if (channel->attributes >= NBD_ATTR_BACKEND_IDENTIFIER)
        return 0;
    return err_set(e, ERR_NOT_FOUND,
                   "this kernel's NBD client is too old to know what it serves: use Linux 5.14 or "
                   "later, or nbdfuse and a loop device");
}

static int find_client(struct nbd_netlink *channel, struct err *e)
{
    channel->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
    if (!channel->socket || mnl_socket_bind(channel->socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return err_sys(e, errno, "cannot open a netlink socket");
    if (ask_family(channel) == 0)
        return check_client(channel, e);
    if (errno == ENOENT) {
        load_module();
        if (ask_family(channel) == 0)
            return check_client(channel, e);
    }
    if (errno != ENOENT)
        return err_sys(e, errno, "cannot ask the kernel for its NBD client");
    return err_set(e, ERR_NOT_FOUND,
                   "this kernel has no NBD client: load the module nbd (CONFIG_BLK_DEV_NBD; Debian "
                   "has it in each linux-image package), or use nbdfuse and a loop device");
}

struct nbd_netlink *nbd_netlink_open(struct err *e)
{
    CLEANUP(nbd_netlink_cleanup) struct nbd_netlink *channel = calloc(1, sizeof *channel);

    /* Before the module is looked for, which nobody else can load. */
    if (geteuid() != 0) {
        (void)err_set(e, ERR_REFUSED, "the kernel's NBD client is for root: run this with sudo");
        return NULL;
    }
    if (!channel) {
        err_nomem(e, "opening a netlink socket");
        return NULL;
    }
    return find_client(channel, e) < 0 ? NULL : STEAL(channel);
}

void nbd_netlink_close(struct nbd_netlink *channel)
{
    if (channel && channel->socket)
        mnl_socket_close(channel->socket);
    free(channel);
}

void nbd_netlink_cleanup(struct nbd_netlink **channel)
{
    nbd_netlink_close(*channel);
}

uint16_t nbd_netlink_family(const struct nbd_netlink *channel)
{
    return channel->family;
}

static enum err_kind kind_of(int errnum)
{
    switch (errnum) {
    case EBUSY:
        return ERR_BUSY;
    case ENODEV:
    case ENOENT:
        return ERR_NOT_FOUND;
    case EINVAL:
        return ERR_OTHER_IMAGE;
    case EPERM:
    case EACCES:
        return ERR_REFUSED;
    default:
        return ERR_IO;
    }
}

int nbd_netlink_send(struct nbd_netlink *channel, struct nbd_message *m, struct err *e)
{
    if (exchange(channel, m) == 0)
        return 0;
    err_sys(e, errno, "the kernel's NBD client refuses");
    e->kind = kind_of(e->sys_errno);
    return -1;
}
