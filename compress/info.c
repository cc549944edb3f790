/* SPDX-License-Identifier: MIT */
#include "compress/info.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "fetch/archive_header.h"
#include "reader/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int info_read(const char *archive, const struct network_options *network, struct image *image,
              struct reader_stats *stats, struct err *e)
{
    const struct trust trust = TRUST_ANY;
    CLEANUP(reader_cleanup) struct reader *reader = reader_open(archive, &network->http, e);
    struct archive_header_start start;

    if (!reader || archive_header_read_start(reader, &start, e) < 0 ||
        archive_header_read(reader, &start, &trust, image, e) < 0)
        return -1;
    if (stats)
        *stats = reader->stats;
    return 0;
}

int info_read_beside(const char *archive, struct image *image, struct err *e)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE uint8_t *text = NULL;
    CLEANUP_FD int fd = -1;
    size_t size;

    if (image->signatures || reader_is_url(archive))
        return 0;
    if (asprintf(&path, "%s.minisig", archive) < 0) {
        path = NULL;
        return err_nomem(e, "looking for signatures");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open %s", path);
    if (io_read_file(fd, LIMIT_SIGNATURE_TEXT, path, &text, &size, e) < 0)
        return -1;
    return image_set_signatures(image, text, size, e);
}
