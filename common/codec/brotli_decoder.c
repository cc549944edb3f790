/* SPDX-License-Identifier: MIT */
#include "codec/decoder.h"

#include "base/checked.h"
#include "base/limits.h"

#include <brotli/decode.h>

/* This uses the stream interface, because the one-shot call accepts trailing bytes. Brotli
 * cannot reset a decoder, so each chunk has one of its own. */
static int brotli_decode(void *state, const uint8_t *in, size_t in_size, uint8_t *out,
                         size_t out_size, struct err *e)
{
    BrotliDecoderState *s = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    BrotliDecoderResult result;

    (void)state;
    if (!s)
        return err_nomem(e, "decoding brotli");
    result = BrotliDecoderDecompressStream(s, &in_size, &in, &out_size, &out, NULL);
    BrotliDecoderDestroyInstance(s);
    if (result != BROTLI_DECODER_RESULT_SUCCESS || in_size != 0 || out_size != 0)
        return err_set(e, ERR_ARCHIVE, "invalid brotli data");
    return 0;
}

/* The sum of the Huffman tables and the window. The window takes 16 MiB at most without the
 * large window extension, or about twice the output if that is less. */
static size_t brotli_memory(size_t out_size)
{
    return min_size(2 * out_size, 16 * MIB) + 256 * KIB;
}

const struct decoder_ops brotli_decoder = {
    .name = "brotli", .decode = brotli_decode, .memory = brotli_memory};
