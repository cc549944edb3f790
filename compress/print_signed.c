/* SPDX-License-Identifier: MIT */
#include "compress/print_signed.h"

#include "base/cleanup.h"
#include "fetch/archive_header.h"
#include "reader/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The reader has found that the header belongs to its checksum, and sees to it that what is read
 * now is the same archive; that the bytes are the same is looked at again, since they are to be
 * signed. */
static int print_header_bytes(struct reader *r, const struct image *image, struct err *e)
{
    size_t size = (size_t)image->header_size - CHUNK_HASH_SIZE;
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    CLEANUP_FREE uint8_t *header = malloc(size);
    uint8_t hash[CHUNK_HASH_SIZE];

    if (!h)
        return -1;
    if (!header)
        return err_nomem(e, "reading an archive's header");
    if (reader_read(r, 0, size, header, e) < 0 || chunk_hash(h, header, size, hash, e) < 0)
        return -1;
    if (memcmp(hash, image->header_checksum, sizeof hash) != 0)
        return err_set(e, ERR_PROTOCOL, "%s changed while it was read", r->name);
    fwrite(header, 1, size, stdout); /* output_end checks for errors. */
    return 0;
}

int print_signed_run(const struct compress_options *o, struct err *e)
{
    const struct trust trust = TRUST_ANY;
    CLEANUP(reader_cleanup) struct reader *reader = NULL;
    CLEANUP(image_free) struct image image = {0};
    struct archive_header_start start;

    if (isatty(STDOUT_FILENO))
        return err_set(e, ERR_USAGE, "--print-signed prints bytes: send them to a file");
    reader = reader_open(o->archive, &o->network.http, e);
    if (!reader || archive_header_read_start(reader, &start, e) < 0 ||
        archive_header_read(reader, &start, &trust, &image, e) < 0)
        return -1;
    if (!*o->signing.print_signed)
        return print_header_bytes(reader, &image, e);
    fwrite(image.header_checksum, 1, sizeof image.header_checksum, stdout);
    return 0;
}
