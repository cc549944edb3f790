/* SPDX-License-Identifier: MIT */
/* err: how errors are reported, everywhere.
 *
 * A fallible function returns 0 or -1 (or a pointer or NULL) and takes as its
 * last argument a struct err that the caller owns. Nothing is allocated, so an
 * error can be reported when memory is gone. The kind decides what happens next
 * (retry, exit code, errno for NBD); the text is for people and is never parsed.
 *
 * A text is one line without a full stop or newline: what failed, on which
 * object, why, and where there is one the remedy.
 */
#ifndef IHOP_BASE_ERR_H
#define IHOP_BASE_ERR_H

#include <stdint.h>

#define ERR_TEXT_SIZE 1024

enum err_kind {
    ERR_NONE = 0,
    ERR_USAGE,       /* bad command line, parameter or name */
    ERR_NETWORK,     /* worth trying again later */
    ERR_PROTOCOL,    /* the server misbehaves, or the archive changed while it was read */
    ERR_ARCHIVE,     /* archive invalid or not authentic */
    ERR_SPACE,       /* no space, no inodes, over a quota or a budget */
    ERR_IO,          /* local input or output failed */
    ERR_DAMAGED,     /* a local file exists, but its content is wrong */
    ERR_BUSY,        /* someone else holds a lock */
    ERR_MEMORY,      /* out of memory */
    ERR_NOT_FOUND,   /* no such archive or release */
    ERR_REFUSED,     /* access denied by the server, or its identity is wrong */
    ERR_OTHER_IMAGE, /* the name already holds a different image */
    ERR_CANCELLED,   /* another thread failed first; never reaches a user */
};

struct err {
    enum err_kind kind;
    int sys_errno;          /* 0 when no system call is behind it */
    uint64_t retry_after_s; /* the pause in seconds that the server asks for; 0: none */
    char text[ERR_TEXT_SIZE];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .kind = ERR_NONE                                                                           \
    }

/* Fills e and returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills e from an errno value, whose text is appended, and returns -1. The kind is ERR_SPACE for
 * ENOSPC, EDQUOT and EFBIG, ERR_MEMORY for ENOMEM and EAGAIN, and otherwise ERR_IO. */
int err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Fills e with ERR_MEMORY, "out of memory while <what>", and returns -1. */
int err_nomem(struct err *e, const char *what);

/* Puts "<context>: " before the text that e already has; returns -1. */
int err_context(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The documented exit code of the programs for this kind (0 for ERR_NONE). */
int err_exit_code(enum err_kind kind);

#endif
