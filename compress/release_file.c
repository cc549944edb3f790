/* SPDX-License-Identifier: MIT */
#include "compress/release_file.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "format/release.h"
#include "reader/open.h"

#include <fcntl.h>

bool release_file_is(const char *path)
{
    CLEANUP_FD int fd = reader_is_url(path) ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t start[sizeof RELEASE_MAGIC];
    ssize_t n = fd >= 0 ? io_pread_full(fd, start, sizeof start, 0) : -1;

    return n > 0 && release_has_magic(start, (size_t)n);
}
