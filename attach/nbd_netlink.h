/* SPDX-License-Identifier: MIT */
/* nbd_netlink: the kernel's NBD client, told by generic netlink. This is the one module that knows
 * libmnl and the kernel's headers of nbd.
 *
 * A command is built as a message in a buffer, which tests can look at, and sent by
 * nbd_netlink_send, which waits for the kernel's answer. From one thread for each channel.
 */
#ifndef IHOP_ATTACH_NBD_NETLINK_H
#define IHOP_ATTACH_NBD_NETLINK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* 16 sockets, an identifier of 400 bytes and the numbers take less than 1 KiB. */
#define NBD_MESSAGE_SIZE 2048

struct nbd_message {
    uint8_t bytes[NBD_MESSAGE_SIZE] __attribute__((aligned(4)));
};

/* How the kernel is to drive a device. */
struct nbd_setup {
    uint64_t size;           /* bytes, a multiple of 512 */
    uint16_t flags;          /* of the export, from the handshake */
    unsigned timeout_s;      /* after which a request is sent again; 0: leave both as they are */
    unsigned dead_timeout_s; /* how long reads wait while no server is there */
    const char *identifier;  /* the kernel refuses a reconfiguration with another one */
};

/* The message that makes device number index of these sockets. */
void nbd_message_connect(struct nbd_message *m, uint16_t family, unsigned index,
                         const struct nbd_setup *setup, const int *sockets, size_t count);

/* The message that puts these sockets in place of dead ones, as many as there are, and sets the
 * timeouts. The kernel drops what is left over without a word: see connections.h. */
void nbd_message_reconfigure(struct nbd_message *m, uint16_t family, unsigned index,
                             const struct nbd_setup *setup, const int *sockets, size_t count);

/* The message that takes the device away, whoever uses it. */
void nbd_message_disconnect(struct nbd_message *m, uint16_t family, unsigned index);

struct nbd_netlink;

/* Opens a channel, and loads the kernel's module with its 16 devices where it can be loaded. Kinds:
 * ERR_NOT_FOUND when this kernel has no NBD client, or one that is too old, with what to do;
 * ERR_REFUSED for users other than root; ERR_IO, ERR_MEMORY. */
struct nbd_netlink *nbd_netlink_open(struct err *e) __attribute__((warn_unused_result));
void nbd_netlink_close(struct nbd_netlink *channel);
void nbd_netlink_cleanup(struct nbd_netlink **channel);

/* The number that stands for nbd in messages. */
uint16_t nbd_netlink_family(const struct nbd_netlink *channel);

/* Sends the message and waits until the kernel has carried it out. Kinds: ERR_BUSY when the
 * device has another user (EBUSY), ERR_NOT_FOUND when it is not connected or not there (ENODEV,
 * ENOENT), ERR_OTHER_IMAGE when a reconfiguration is EINVAL, as it is with another identifier;
 * ERR_REFUSED without the right to do it; ERR_IO. */
int nbd_netlink_send(struct nbd_netlink *channel, struct nbd_message *m, struct err *e)
    __attribute__((warn_unused_result));

#endif
