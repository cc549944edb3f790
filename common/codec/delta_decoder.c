/* SPDX-License-Identifier: MIT */
#include "codec/delta_decoder.h"

#include "base/limits.h"
#include "codec/bsdiff_decoder.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* The library would read formats of before zstd 0.8, and skippable frames. */
static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};

void delta_decoder_init(struct delta_decoder *d)
{
    *d = (struct delta_decoder){0};
}

void delta_decoder_release(struct delta_decoder *d)
{
    ZSTD_freeDCtx(d->zstd);
    free(d->buffer);
    *d = (struct delta_decoder){0};
}

/* Decodes one zstd frame, all of the delta, to at most capacity bytes; *size is how many.
 *
 * The library would accept several frames in a row, so the size of the first frame is compared with
 * that of the delta. It refuses a frame that names a dictionary, because a prefix is none. Decoding
 * in one call takes no memory for a window, whatever the frame says: base and output are it. */
static int decode_frame(struct delta_decoder *d, struct delta_bytes delta, struct delta_bytes base,
                        uint8_t *out, size_t capacity, size_t *size, struct err *e)
{
    size_t n;

    if (!d->zstd && !(d->zstd = ZSTD_createDCtx()))
        return err_nomem(e, "preparing a decoder");
    if (delta.size < sizeof magic || memcmp(delta.data, magic, sizeof magic) != 0 ||
        ZSTD_findFrameCompressedSize(delta.data, delta.size) != delta.size)
        return err_set(e, ERR_ARCHIVE, "invalid zstd data");
    if (ZSTD_isError(ZSTD_DCtx_refPrefix(d->zstd, base.data, base.size)))
        return err_nomem(e, "preparing a decoder");
    n = ZSTD_decompressDCtx(d->zstd, out, capacity, delta.data, delta.size);
    if (ZSTD_isError(n))
        return err_set(e, ERR_ARCHIVE, "invalid zstd data: %s", ZSTD_getErrorName(n));
    *size = n;
    return 0;
}

static int decode_prefixed(struct delta_decoder *d, struct delta_bytes delta,
                           struct delta_bytes base, uint8_t *out, size_t out_size, struct err *e)
{
    size_t size;

    if (decode_frame(d, delta, base, out, out_size, &size, e) < 0)
        return -1;
    return size == out_size ? 0 : err_set(e, ERR_ARCHIVE, "invalid zstd data: too short");
}

/* The most that the program of a chunk has. */
static size_t program_room(size_t out_size)
{
    return out_size + bsdiff_control_limit(out_size);
}

static int grow_program(struct delta_decoder *d, size_t size, struct err *e)
{
    if (size <= d->buffer_size)
        return 0;
    free(d->buffer);
    d->buffer_size = 0;
    d->buffer = malloc(size);
    if (!d->buffer)
        return err_nomem(e, "preparing a decoder");
    d->buffer_size = size;
    return 0;
}

static int decode_bsdiff(struct delta_decoder *d, struct delta_bytes delta, struct delta_bytes base,
                         uint8_t *out, size_t out_size, struct err *e)
{
    struct delta_bytes program;
    size_t room = program_room(out_size);

    if (out_size > LIMIT_DELTA_BSDIFF)
        return err_set(e, ERR_ARCHIVE, "bsdiff data for a chunk of %zu bytes, at most %llu",
                       out_size, (unsigned long long)LIMIT_DELTA_BSDIFF);
    if (grow_program(d, room, e) < 0 ||
        decode_frame(d, delta, base, d->buffer, room, &program.size, e) < 0)
        return -1;
    program.data = d->buffer;
    return bsdiff_decode(program, base, out, out_size, e);
}

int delta_decoder_run(struct delta_decoder *d, enum delta_codec codec, struct delta_bytes delta,
                      struct delta_bytes base, uint8_t *out, size_t out_size, struct err *e)
{
    switch (codec) {
    case DELTA_ZSTD:
        return decode_prefixed(d, delta, base, out, out_size, e);
    case DELTA_BSDIFF:
        return decode_bsdiff(d, delta, base, out, out_size, e);
    default:
        return err_set(e, ERR_ARCHIVE, "a delta without a codec");
    }
}

size_t delta_decoder_memory(enum delta_codec codec, size_t out_size)
{
    size_t memory = 256 * KIB;

    if (codec == DELTA_BSDIFF && out_size <= LIMIT_DELTA_BSDIFF)
        memory += program_room(out_size);
    return memory;
}
