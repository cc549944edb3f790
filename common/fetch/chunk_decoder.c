/* SPDX-License-Identifier: MIT */
#include "fetch/chunk_decoder.h"

#include <stdlib.h>
#include <string.h>

int chunk_decoder_init(struct chunk_decoder *d, const struct image *image, struct err *e)
{
    *d = (struct chunk_decoder){.image = image, .hasher = chunk_hasher_new(e)};
    if (!d->hasher)
        return -1;
    decoder_init(&d->decoder, image->compression);
    delta_decoder_init(&d->delta);
    return 0;
}

void chunk_decoder_release(struct chunk_decoder *d)
{
    decoder_release(&d->decoder);
    delta_decoder_release(&d->delta);
    chunk_hasher_free(d->hasher);
    free(d->output);
    *d = (struct chunk_decoder){0};
}

static bool is_stored_plain(const struct chunk *chunk)
{
    return chunk->archive_size == chunk->source_size;
}

static int grow_output(struct chunk_decoder *d, size_t size, struct err *e)
{
    uint8_t *grown;

    if (size <= d->output_size)
        return 0;
    grown = realloc(d->output, size);
    if (!grown)
        return err_nomem(e, "decoding a chunk");
    d->output = grown;
    d->output_size = size;
    return 0;
}

static int verify_content(struct chunk_decoder *d, size_t i, const uint8_t *plain, struct err *e)
{
    const struct chunk_table *chunks = &d->image->chunks;
    uint8_t hash[CHUNK_HASH_SIZE];

    if (chunk_hash(d->hasher, plain, chunks->items[i].source_size, hash, e) < 0)
        return -1;
    if (memcmp(hash, chunk_table_hash(chunks, i), chunks->hash_length) != 0)
        return err_set(e, ERR_ARCHIVE, "its content does not match its hash");
    return 0;
}

int chunk_decoder_run(struct chunk_decoder *d, size_t i, const uint8_t *in, const uint8_t **plain,
                      struct err *e)
{
    const struct chunk *chunk = &d->image->chunks.items[i];

    if (!is_stored_plain(chunk) && grow_output(d, chunk->source_size, e) < 0)
        return -1;
    if (decoder_run(&d->decoder, chunk, in, d->output, plain, e) < 0)
        return -1;
    return verify_content(d, i, *plain, e);
}

int chunk_decoder_run_delta(struct chunk_decoder *d, size_t i, const struct chunk_delta *delta,
                            const uint8_t **plain, struct err *e)
{
    size_t size = d->image->chunks.items[i].source_size;

    if (grow_output(d, size, e) < 0 || delta_decoder_run(&d->delta, delta->codec, delta->bytes,
                                                         delta->base, d->output, size, e) < 0)
        return -1;
    *plain = d->output;
    return verify_content(d, i, *plain, e);
}

size_t chunk_decoder_cost(const struct image *image, size_t i)
{
    const struct chunk *chunk = &image->chunks.items[i];

    if (is_stored_plain(chunk))
        return 0;
    return chunk->source_size + decoder_ops_of(image->compression)->memory(chunk->source_size);
}

void chunk_decoder_trim(struct chunk_decoder *d, size_t cost)
{
    if (cost <= CHUNK_DECODER_KEPT)
        return;
    decoder_release(&d->decoder);
    delta_decoder_release(&d->delta);
    free(d->output);
    d->output = NULL;
    d->output_size = 0;
}
