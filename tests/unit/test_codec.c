/* SPDX-License-Identifier: MIT */
/* Each codec with data of the library's own encoder, and each fault. */
#include "support.h"

#include "codec/codec.h"

#include <brotli/encode.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define ROOM (1 << 20)

static size_t encode(enum image_compression id, const uint8_t *in, size_t size, uint8_t *out)
{
    size_t n = ROOM;

    switch (id) {
    case IMAGE_LZMA:
        n = 0;
        assert_int_equal(
            lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, in, size, out, &n, ROOM), LZMA_OK);
        return n;
    case IMAGE_ZSTD:
        n = ZSTD_compress(out, ROOM, in, size, 3);
        assert_false(ZSTD_isError(n));
        return n;
    case IMAGE_BROTLI:
        assert_true(BrotliEncoderCompress(6, 22, BROTLI_MODE_GENERIC, size, in, &n, out));
        return n;
    default:
        memcpy(out, in, size);
        return size;
    }
}

/* What all tests of one codec share: a plain text and its stream. */
struct sample {
    struct decoder decoder;
    uint8_t *plain, *stream, *out;
    size_t size, stream_size;
};

static void open_sample(struct sample *s, enum image_compression id, size_t size)
{
    *s = (struct sample){.size = size,
                         .plain = malloc(size + 1),
                         .stream = calloc(1, 2 * ROOM),
                         .out = malloc(size + 1)};
    for (size_t i = 0; i < size; i++)
        s->plain[i] = (uint8_t)((size_t) "pattern"[i % 7] + (i >> 10));
    s->stream_size = encode(id, s->plain, size, s->stream);
    decoder_init(&s->decoder, id);
}

static void close_sample(struct sample *s)
{
    decoder_release(&s->decoder);
    free(s->plain);
    free(s->stream);
    free(s->out);
}

/* Decodes from and to buffers of the exact sizes: a sanitizer sees every byte
 * read or written beyond. */
static int run(struct sample *s, const uint8_t *stream, size_t stream_size, size_t size,
               struct err *e)
{
    struct image_chunk chunk = {.archive_size = (uint32_t)stream_size,
                                .source_size = (uint32_t)size};
    uint8_t *in = malloc(stream_size ? stream_size : 1);
    const uint8_t *plain = NULL;
    int r;

    free(s->out);
    s->out = malloc(size);
    memcpy(in, stream, stream_size);
    r = decoder_run(&s->decoder, &chunk, in, s->out, &plain, e);
    if (r == 0)
        assert_memory_equal(plain, s->plain, size < s->size ? size : s->size);
    free(in);
    return r;
}

static const enum image_compression compressed[] = {IMAGE_LZMA, IMAGE_ZSTD, IMAGE_BROTLI};

static void round_trips(void **state)
{
    static const size_t sizes[] = {100, 4096, 100000, 300001};
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    for (size_t c = 0; c < COUNT(compressed); c++)
        for (size_t i = 0; i < COUNT(sizes); i++) {
            open_sample(&s, compressed[c], sizes[i]);
            assert_ok(run(&s, s.stream, s.stream_size, s.size, &e), e);
            /* and again with the same decoder */
            assert_ok(run(&s, s.stream, s.stream_size, s.size, &e), e);
            close_sample(&s);
        }
}

static void assert_all_refuse(struct sample *s, const char *name)
{
    static const uint8_t junk[100] = {0x42, 0x17, 0x99};
    struct err e = ERR_INIT;
    char text[64];

    snprintf(text, sizeof text, "invalid %s data", name);
    assert_fails(run(s, s->stream, s->stream_size, s->size - 1, &e), e, ERR_ARCHIVE, text);
    assert_fails(run(s, s->stream, s->stream_size, s->size + 1, &e), e, ERR_ARCHIVE, text);
    assert_fails(run(s, s->stream, s->stream_size, 1, &e), e, ERR_ARCHIVE, text);
    assert_fails(run(s, s->stream, s->stream_size + 1, s->size, &e), e, ERR_ARCHIVE, text);
    assert_fails(run(s, s->stream, s->stream_size + 4, s->size, &e), e, ERR_ARCHIVE, text);
    for (size_t cut = 1; cut < s->stream_size; cut += 1 + cut / 8)
        assert_fails(run(s, s->stream, s->stream_size - cut, s->size, &e), e, ERR_ARCHIVE, text);
    assert_fails(run(s, junk, sizeof junk, s->size, &e), e, ERR_ARCHIVE, text);
    /* A decoder that failed is as good as new. */
    assert_ok(run(s, s->stream, s->stream_size, s->size, &e), e);
    /* Two streams in a row, each of half of the chunk. */
    memcpy(s->stream + s->stream_size, s->stream, s->stream_size);
    assert_fails(run(s, s->stream, 2 * s->stream_size, 2 * s->size, &e), e, ERR_ARCHIVE, text);
}

static void faults(void **state)
{
    static const char *const names[] = {"xz", "zstd", "brotli"};
    struct sample s;

    (void)state;
    for (size_t c = 0; c < COUNT(compressed); c++) {
        open_sample(&s, compressed[c], 50000);
        assert_all_refuse(&s, names[c]);
        close_sample(&s);
    }
}

/* Equal sizes mean: stored as it is, whatever the codec. */
static void stored_chunks(void **state)
{
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    for (int id = IMAGE_NONE; id <= IMAGE_BROTLI; id++) {
        open_sample(&s, (enum image_compression)id, 1000);
        assert_ok(run(&s, s.plain, s.size, s.size, &e), e);
        close_sample(&s);
    }
}

static void none_is_never_shorter(void **state)
{
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    open_sample(&s, IMAGE_NONE, 1000);
    assert_fails(run(&s, s.plain, 1000, 999, &e), e, ERR_ARCHIVE,
                 "an uncompressed chunk of 999 bytes is stored in 1000");
    assert_fails(run(&s, s.plain, 999, 1000, &e), e, ERR_ARCHIVE,
                 "an uncompressed chunk of 1000 bytes is stored in 999");
    close_sample(&s);
}

/* bita's streaming encoder leaves the content size out. */
static void zstd_without_content_size(void **state)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    open_sample(&s, IMAGE_ZSTD, 200000);
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    s.stream_size = ZSTD_compress2(c, s.stream, ROOM, s.plain, s.size);
    assert_false(ZSTD_isError(s.stream_size));
    assert_true(ZSTD_getFrameContentSize(s.stream, s.stream_size) == ZSTD_CONTENTSIZE_UNKNOWN);
    assert_ok(run(&s, s.stream, s.stream_size, s.size, &e), e);
    ZSTD_freeCCtx(c);
    close_sample(&s);
}

/* xz -9 has a dictionary of 64 MiB and must pass; what demands more must not. */
static void xz_memory_limit(void **state)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    open_sample(&s, IMAGE_LZMA, 5000);
    for (uint32_t mib = 64; mib <= 128; mib *= 2) {
        lzma_lzma_preset(&options, 0);
        options.dict_size = mib << 20;
        s.stream_size = 0;
        assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, s.plain, s.size,
                                                   s.stream, &s.stream_size, ROOM),
                         LZMA_OK);
        if (mib == 64)
            assert_ok(run(&s, s.stream, s.stream_size, s.size, &e), e);
        else
            assert_fails(run(&s, s.stream, s.stream_size, s.size, &e), e, ERR_ARCHIVE,
                         "it demands more than 80 MiB");
    }
    close_sample(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(faults),
        cmocka_unit_test(stored_chunks),
        cmocka_unit_test(none_is_never_shorter),
        cmocka_unit_test(zstd_without_content_size),
        cmocka_unit_test(xz_memory_limit),
    };

    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
