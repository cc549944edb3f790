/* SPDX-License-Identifier: MIT */
/* test_codec: each codec with data of the library's own encoder, and each fault. */
#include "support.h"

#include "codec/decoder.h"
#include "codec/encoder.h"

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
    struct chunk chunk = {.archive_size = (uint32_t)stream_size, .source_size = (uint32_t)size};
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

/* ---- encoders ---- */

struct encoded_sample {
    struct encoder encoder;
    const uint8_t *stored;
    size_t stored_size;
};

/* Encodes a buffer of the exact size, and decodes that again. */
static void there_and_back(struct encoded_sample *s, enum image_compression id,
                           const uint8_t *plain, size_t size)
{
    uint8_t *in = malloc(size), *out = malloc(size), *stored;
    struct chunk chunk = {.source_size = (uint32_t)size};
    const uint8_t *back = NULL;
    struct decoder decoder;
    struct err e = ERR_INIT;

    memcpy(in, plain, size);
    assert_ok(encoder_run(&s->encoder, in, size, &s->stored, &s->stored_size, &e), e);
    assert_true(s->stored_size > 0 && s->stored_size <= size);
    assert_true((s->stored == in) == (s->stored_size == size));
    stored = malloc(s->stored_size);
    memcpy(stored, s->stored, s->stored_size);
    chunk.archive_size = (uint32_t)s->stored_size;
    decoder_init(&decoder, id);
    assert_ok(decoder_run(&decoder, &chunk, stored, out, &back, &e), e);
    assert_memory_equal(back, plain, size);
    decoder_release(&decoder);
    free(stored);
    free(out);
    free(in);
}

static void fill_text(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)((size_t) "pattern"[i % 7] + (i >> 10));
}

static void every_level(void **state)
{
    struct encoded_sample s;
    uint8_t *plain = malloc(100000);

    (void)state;
    fill_text(plain, 100000);
    for (size_t c = 0; c < COUNT(compressed); c++)
        for (uint32_t level = 1; level <= encoder_max_level(compressed[c]); level++) {
            encoder_init(&s.encoder, compressed[c], level);
            there_and_back(&s, compressed[c], plain, 100000);
            assert_in_range(s.stored_size, 1, 20000);
            encoder_release(&s.encoder);
        }
    /* bita's .xz streams have this check, too; byte 7 says which. */
    encoder_init(&s.encoder, IMAGE_LZMA, 6);
    there_and_back(&s, IMAGE_LZMA, plain, 100000);
    assert_int_equal(s.stored[7], LZMA_CHECK_CRC64);
    encoder_release(&s.encoder);
    assert_int_equal(encoder_max_level(IMAGE_BROTLI), 11);
    assert_int_equal(encoder_max_level(IMAGE_LZMA), 9);
    assert_int_equal(encoder_max_level(IMAGE_ZSTD), 22);
    free(plain);
}

/* What does not get smaller is stored as it is: noise, and what is tiny. */
static void incompressible(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 100, 70000};
    struct encoded_sample s;
    uint8_t *plain = malloc(70000);

    (void)state;
    support_fill(plain, 70000, 5);
    for (int id = IMAGE_NONE; id <= IMAGE_BROTLI; id++) {
        encoder_init(&s.encoder, (enum image_compression)id, 6);
        for (size_t i = 0; i < COUNT(sizes); i++) {
            there_and_back(&s, (enum image_compression)id, plain, sizes[i]);
            assert_int_equal(s.stored_size, sizes[i]);
        }
        encoder_release(&s.encoder);
    }
    free(plain);
}

/* A stream exactly as long as the chunk would be taken for the chunk itself. With one byte
 * more to save each time, each codec comes by that length. */
static void a_stream_as_long_as_the_chunk(void **state)
{
    enum { NOISE = 4000, MOST = NOISE + 200 };
    uint8_t *plain = calloc(1, MOST);
    struct encoded_sample s;

    (void)state;
    support_fill(plain, NOISE, 7);
    for (size_t c = 0; c < COUNT(compressed); c++) {
        encoder_init(&s.encoder, compressed[c], 6);
        for (size_t size = NOISE; size <= MOST; size++)
            there_and_back(&s, compressed[c], plain, size);
        assert_true(s.stored_size < MOST); /* in the end it is worth it */
        encoder_release(&s.encoder);
    }
    free(plain);
}

/* The same chunk gives the same bytes, whatever the encoder did before: other sizes,
 * one that did not fit, or nothing. */
static void no_memory_of_earlier_chunks(void **state)
{
    static const size_t sizes[] = {40000, 1, 3000000, 40000, 70000, 5000, 40000};
    uint8_t *text = malloc(3000000), *noise = malloc(3000000), first[40000];
    struct encoded_sample s;
    size_t first_size = 0;

    (void)state;
    fill_text(text, 3000000);
    support_fill(noise, 3000000, 6);
    for (size_t c = 0; c < COUNT(compressed); c++) {
        encoder_init(&s.encoder, compressed[c], 5);
        for (size_t i = 0; i < COUNT(sizes); i++) {
            there_and_back(&s, compressed[c], noise, sizes[i] / 2 + 1);
            there_and_back(&s, compressed[c], text, sizes[i]);
            if (i == 0) {
                first_size = s.stored_size;
                memcpy(first, s.stored, first_size);
            } else if (sizes[i] == sizes[0]) {
                assert_int_equal(s.stored_size, first_size);
                assert_memory_equal(s.stored, first, first_size);
            }
            if (i == 3)
                encoder_release(&s.encoder);
        }
        encoder_release(&s.encoder);
    }
    free(text);
    free(noise);
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
        cmocka_unit_test(every_level),
        cmocka_unit_test(incompressible),
        cmocka_unit_test(a_stream_as_long_as_the_chunk),
        cmocka_unit_test(no_memory_of_earlier_chunks),
    };

    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
