/* SPDX-License-Identifier: MIT */
#include "compress/chunk_source.h"

#include "base/cleanup.h"
#include "fetch/archive_header.h"
#include "reader/open.h"

int chunk_source_open(struct chunk_source *s, const char *archive,
                      const struct network_options *network, struct err *e)
{
    const struct trust trust = TRUST_ANY;
    struct archive_header_start start;

    *s = (struct chunk_source){.reader = reader_open(archive, &network->http, e)};
    pthread_mutex_init(&s->lock, NULL);
    if (!s->reader || archive_header_read_start(s->reader, &start, e) < 0)
        return -1;
    return archive_header_read(s->reader, &start, &trust, &s->image, e);
}

void chunk_source_close(struct chunk_source *s)
{
    reader_close(s->reader);
    image_free(&s->image);
    pthread_mutex_destroy(&s->lock);
    s->reader = NULL;
}

int chunk_source_read(struct chunk_source *s, uint64_t offset, size_t size, uint8_t *data,
                      struct err *e)
{
    LOCK_SCOPE(&s->lock);

    return reader_read(s->reader, offset, size, data, e);
}

int chunk_source_decode(const struct chunk_source *s, struct chunk_decoder *d, size_t i,
                        const uint8_t *bytes, const uint8_t **plain, struct err *e)
{
    char hex[CHUNK_HASH_HEX];

    if (chunk_decoder_run(d, i, bytes, plain, e) == 0)
        return 0;
    return err_context(e, "%s is damaged: chunk %s at byte %llu", s->reader->name,
                       chunk_table_hash_hex(&s->image.chunks, i, hex),
                       (unsigned long long)s->image.chunks.items[i].archive_offset);
}
