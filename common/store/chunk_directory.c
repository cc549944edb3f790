/* SPDX-License-Identifier: MIT */
#include "store/chunk_directory.h"

#include "base/io.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool chunk_directory_is_of(const struct chunk_directory *d, const char *name)
{
    return d->digits[0] && memcmp(d->digits, name, d->store->fanout_digits) == 0;
}

static int open_chunk_directory(struct chunk_directory *d)
{
    d->fd = io_openat(d->store->chunks_fd, d->digits, d->flags | O_DIRECTORY, 0);
    d->open_errno = d->fd < 0 ? errno : 0;
    return d->fd < 0 ? -1 : 0;
}

int chunk_directory_enter(struct chunk_directory *d, const char *name)
{
    if (chunk_directory_is_of(d, name)) {
        errno = d->open_errno;
        return d->fd < 0 ? -1 : 0;
    }
    chunk_directory_leave(d);
    memcpy(d->digits, name, d->store->fanout_digits);
    return open_chunk_directory(d);
}

int chunk_directory_make(struct chunk_directory *d, const char *name, bool *made)
{
    if (chunk_directory_enter(d, name) == 0)
        return 0;
    if (errno != ENOENT || io_mkdirat(d->store->chunks_fd, d->digits) < 0)
        return -1;
    *made = true;
    return open_chunk_directory(d);
}

int chunk_directory_sync(const struct chunk_directory *d, struct err *e)
{
    char path[sizeof STORE_CHUNKS + sizeof d->digits];

    snprintf(path, sizeof path, STORE_CHUNKS "/%s", d->digits);
    return store_sync_directory(d->store, d->fd, path, e);
}

void chunk_directory_leave(struct chunk_directory *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    memset(d->digits, 0, sizeof d->digits);
}
