/* SPDX-License-Identifier: MIT */
#include "codec/encoder.h"

#include <stdlib.h>

static const struct encoder_ops *const table[] = {
    [IMAGE_NONE] = NULL,
    [IMAGE_LZMA] = &xz_encoder,
    [IMAGE_ZSTD] = &zstd_encoder,
    [IMAGE_BROTLI] = &brotli_encoder,
};

uint32_t encoder_max_level(enum image_compression id)
{
    return table[id] ? table[id]->max_level : 0;
}

void encoder_init(struct encoder *c, enum image_compression id, uint32_t level)
{
    *c = (struct encoder){.ops = table[id], .level = level};
}

void encoder_release(struct encoder *c)
{
    if (c->state)
        c->ops->close(c->state);
    free(c->out);
    c->state = NULL;
    c->out = NULL;
    c->capacity = 0;
}

static int grow_encoded(struct encoder *c, size_t size)
{
    if (c->ops->open && !c->state && !(c->state = c->ops->open()))
        return -1;
    if (size <= c->capacity)
        return 0;
    free(c->out);
    c->capacity = 0;
    c->out = malloc(size);
    if (!c->out)
        return -1;
    c->capacity = size;
    return 0;
}

int encoder_run(struct encoder *c, const uint8_t *in, size_t size, const uint8_t **stored,
                size_t *stored_size, struct err *e)
{
    enum encoded result = ENCODED_TOO_LONG;
    size_t n = size;

    if (c->ops) {
        if (grow_encoded(c, size) < 0)
            return err_nomem(e, "preparing an encoder");
        /* One byte less than the chunk: a reader takes a stored size equal to the source
         * size for "not compressed". */
        result = c->ops->encode(c->state, c->level, in, size, c->out, size - 1, &n);
        if (result == ENCODED_FAILED)
            return err_nomem(e, "compressing a chunk");
    }
    *stored = result == ENCODED_FITS ? c->out : in;
    *stored_size = result == ENCODED_FITS ? n : size;
    return 0;
}
