/* SPDX-License-Identifier: MIT */
#include "codec/codec.h"

static const struct codec *const table[] = {
    [IMAGE_NONE] = &codec_none,
    [IMAGE_LZMA] = &codec_xz,
    [IMAGE_ZSTD] = &codec_zstd,
    [IMAGE_BROTLI] = &codec_brotli,
};

const struct codec *codec_get(enum image_compression id)
{
    return table[id];
}

void decoder_init(struct decoder *d, enum image_compression id)
{
    d->codec = codec_get(id);
    d->state = NULL;
}

void decoder_release(struct decoder *d)
{
    if (d->state)
        d->codec->close(d->state);
    d->state = NULL;
}

int decoder_run(struct decoder *d, const struct chunk *chunk, const uint8_t *in, uint8_t *out,
                const uint8_t **plain, struct err *e)
{
    if (chunk->archive_size == chunk->source_size) {
        *plain = in;
        return 0;
    }
    if (d->codec->open && !d->state && !(d->state = d->codec->open()))
        return err_nomem(e, "preparing a decoder");
    if (d->codec->decode(d->state, in, chunk->archive_size, out, chunk->source_size, e) < 0)
        return -1;
    *plain = out;
    return 0;
}
