/* SPDX-License-Identifier: MIT */
#include "codec/decoder.h"

static const struct decoder_ops *const table[] = {
    [IMAGE_NONE] = &none_decoder,
    [IMAGE_LZMA] = &xz_decoder,
    [IMAGE_ZSTD] = &zstd_decoder,
    [IMAGE_BROTLI] = &brotli_decoder,
};

const struct decoder_ops *decoder_ops_of(enum image_compression id)
{
    return table[id];
}

void decoder_init(struct decoder *d, enum image_compression id)
{
    d->ops = decoder_ops_of(id);
    d->state = NULL;
}

void decoder_release(struct decoder *d)
{
    if (d->state)
        d->ops->close(d->state);
    d->state = NULL;
}

int decoder_run(struct decoder *d, const struct chunk *chunk, const uint8_t *in, uint8_t *out,
                const uint8_t **plain, struct err *e)
{
    if (chunk->archive_size == chunk->source_size) {
        *plain = in;
        return 0;
    }
    if (d->ops->open && !d->state && !(d->state = d->ops->open()))
        return err_nomem(e, "preparing a decoder");
    if (d->ops->decode(d->state, in, chunk->archive_size, out, chunk->source_size, e) < 0)
        return -1;
    *plain = out;
    return 0;
}
