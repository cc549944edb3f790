/* SPDX-License-Identifier: MIT */
/* xz_state: the stream of liblzma that a decoder or an encoder reuses. It is all in this header,
 * because xz_decoder.c and xz_encoder.c are in different libraries. */
#ifndef IHOP_CODEC_XZ_STATE_H
#define IHOP_CODEC_XZ_STATE_H

#include <lzma.h>
#include <stdlib.h>

/* NULL without memory. */
static inline void *xz_state_open(void)
{
    static const lzma_stream initial = LZMA_STREAM_INIT;
    lzma_stream *s = malloc(sizeof *s);

    if (s)
        *s = initial;
    return s;
}

static inline void xz_state_close(void *state)
{
    if (state)
        lzma_end(state);
    free(state);
}

#endif
