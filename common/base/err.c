/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    e->kind = kind;
    e->sys_errno = 0;
    e->retry_after_s = 0;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return -1;
}

static enum err_kind kind_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_SPACE;
    case ENOMEM:
    case EAGAIN: /* no thread: too little memory, or too many processes */
        return ERR_MEMORY;
    default:
        return ERR_IO;
    }
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    size_t used;

    e->kind = kind_of_errno(errnum);
    e->sys_errno = errnum;
    e->retry_after_s = 0;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    used = strlen(e->text);
    snprintf(e->text + used, sizeof e->text - used, ": %s", strerror(errnum));
    return -1;
}

int err_nomem(struct err *e, const char *what)
{
    err_set(e, ERR_MEMORY, "out of memory while %s", what);
    e->sys_errno = ENOMEM;
    return -1;
}

int err_context(struct err *e, const char *fmt, ...)
{
    char rest[ERR_TEXT_SIZE];
    va_list ap;
    size_t used;

    memcpy(rest, e->text, sizeof rest);
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    used = strlen(e->text);
    snprintf(e->text + used, sizeof e->text - used, ": %s", rest);
    return -1;
}

int err_exit_code(enum err_kind kind)
{
    switch (kind) {
    case ERR_NONE:
        return 0;
    case ERR_USAGE:
        return 2;
    case ERR_NETWORK:
        return 3;
    case ERR_PROTOCOL:
        return 4;
    case ERR_ARCHIVE:
        return 5;
    case ERR_SPACE:
        return 6;
    case ERR_IO:
    case ERR_DAMAGED:
    case ERR_CANCELLED:
        return 7;
    case ERR_BUSY:
        return 8;
    case ERR_MEMORY:
        return 9;
    case ERR_NOT_FOUND:
        return 10;
    case ERR_REFUSED:
        return 11;
    case ERR_OTHER_IMAGE:
        return 12;
    }
    return 7;
}
