/* SPDX-License-Identifier: MIT */
/* nbd_handshake: the client's side of the NBD handshake, up to the moment at which the socket can
 * be handed to the kernel.
 *
 * This is fixed newstyle negotiation with NBD_OPT_GO, for the default export, without TLS,
 * structured replies or anything else that the kernel's client does not speak. The server is
 * not trusted: all lengths and counts are bounded, and all of it has one deadline. Errors have
 * the kind ERR_PROTOCOL, or ERR_IO when the socket fails or patience is at its end. Thread-safe.
 */
#ifndef IHOP_ATTACH_NBD_HANDSHAKE_H
#define IHOP_ATTACH_NBD_HANDSHAKE_H

#include "base/err.h"

#include <stdint.h>

/* Transmission flags that matter here; <linux/nbd.h> has no name for the first. */
#define NBD_EXPORT_HAS_FLAGS  (1U << 0)
#define NBD_EXPORT_READ_ONLY  (1U << 1)
#define NBD_EXPORT_MULTI_CONN (1U << 8)

struct nbd_export {
    uint64_t size;  /* bytes */
    uint16_t flags; /* NBD_EXPORT_* and others, as the server sent them */
};

/* How long a server is waited for: until a time of io_now_ms, or until a descriptor is readable. */
struct nbd_patience {
    uint64_t until_ms;
    int stop; /* -1: none */
};

/* Does the handshake on a connected stream socket. On success the next byte on fd belongs to the
 * transmission phase; after a failure fd is of no use. */
int nbd_handshake(int fd, struct nbd_patience patience, struct nbd_export *export, struct err *e)
    __attribute__((warn_unused_result));

#endif
