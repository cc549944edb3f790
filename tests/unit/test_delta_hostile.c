/* SPDX-License-Identifier: MIT */
/* test_delta_hostile: frames and programs that no encoder of ours makes. */
#include "support.h"

#include "base/limits.h"
#include "codec/bsdiff_decoder.h"
#include "delta_support.h"
#include "format/columns.h"

#include <zstd.h>

/* ---- hostile frames ---- */

/* A frame of raw and repeated blocks, put together by hand. */
struct frame {
    uint8_t data[1 << 20];
    size_t size;
};

static void put(struct frame *f, const void *data, size_t size)
{
    assert_true(f->size + size <= sizeof f->data);
    memcpy(f->data + f->size, data, size);
    f->size += size;
}

#define PUT(f, ...) put(f, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

enum { RAW = 0, REPEATED = 1, LAST_BLOCK = 1 };

static void put_block(struct frame *f, unsigned type, unsigned last, size_t size)
{
    size_t head = size << 3 | type << 1 | last;

    PUT(f, (uint8_t)head, (uint8_t)(head >> 8), (uint8_t)(head >> 16));
}

static void begin_frame(struct frame *f, uint8_t window)
{
    f->size = 0;
    PUT(f, 0x28, 0xb5, 0x2f, 0xfd, 0x00, window);
}

static void refuses(struct frame *f, size_t size, const char *text)
{
    struct delta_bytes base = bytes_of("base", 4);
    struct err e = ERR_INIT;
    struct delta_decoder d;
    uint8_t *out = malloc(size);

    delta_decoder_init(&d);
    assert_fails(decode_exactly(&d, DELTA_ZSTD, bytes_of(f->data, f->size), base, out, size, &e), e,
                 ERR_ARCHIVE, text);
    assert_fails(decode_exactly(&d, DELTA_BSDIFF, bytes_of(f->data, f->size), base, out, size, &e),
                 e, ERR_ARCHIVE, text);
    delta_decoder_release(&d);
    free(out);
}

static void hostile_frames(void **state)
{
    struct frame *f = calloc(1, sizeof *f);

    (void)state;
    /* Skippable, alone and before a frame; a format of zstd 0.7; an empty delta. */
    PUT(f, 0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4);
    refuses(f, 4, "invalid zstd data");
    PUT(f, 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x40);
    put_block(f, REPEATED, LAST_BLOCK, 4);
    PUT(f, 'x');
    refuses(f, 4, "invalid zstd data");
    f->size = 0;
    PUT(f, 0x27, 0xb5, 0x2f, 0xfd, 0x00, 0x40, 1, 0, 0, 'x');
    refuses(f, 4, "invalid zstd data");
    f->size = 0;
    refuses(f, 4, "invalid zstd data");
    /* Made with a dictionary, whose number is 7. */
    PUT(f, 0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x40, 7);
    put_block(f, REPEATED, LAST_BLOCK, 4);
    PUT(f, 'x');
    refuses(f, 4, "invalid zstd data");
    /* A petabyte, as it says and as it is: 32 GiB in a megabyte. */
    f->size = 0;
    PUT(f, 0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x40, 0, 0, 0, 0, 0, 0, 4, 0);
    put_block(f, REPEATED, LAST_BLOCK, 4);
    PUT(f, 'x');
    refuses(f, 4, "invalid zstd data");
    begin_frame(f, 0xf0);
    while (f->size + 8 < sizeof f->data) {
        put_block(f, REPEATED, 0, 128 * 1024);
        PUT(f, 'x');
    }
    put_block(f, RAW, LAST_BLOCK, 0);
    refuses(f, 300000, "invalid zstd data");
    free(f);
}

/* A window of 2 TiB is nobody's memory, and blocks of nothing are only their own time. */
static void harmless_frames(void **state)
{
    struct frame *f = calloc(1, sizeof *f);
    struct err e = ERR_INIT;
    struct delta_decoder d;
    uint8_t out[1000];

    (void)state;
    delta_decoder_init(&d);
    for (unsigned window = 0; window < 22; window++) {
        begin_frame(f, (uint8_t)(window << 3));
        while (window == 0 && f->size + 8 < sizeof f->data)
            put_block(f, RAW, 0, 0);
        put_block(f, REPEATED, LAST_BLOCK, sizeof out);
        PUT(f, 'x');
        assert_ok(decode_exactly(&d, DELTA_ZSTD, bytes_of(f->data, f->size), bytes_of("b", 1), out,
                                 sizeof out, &e),
                  e);
        assert_int_equal(out[sizeof out - 1], 'x');
    }
    delta_decoder_release(&d);
    free(f);
}

/* ---- hostile programs ---- */

#define STEPS(...) {__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

enum { CHUNK = 20, BASE = 10 };

/* Numbers as they are in the control. The chunk has 20 bytes, and the base 10. */
static const struct hostile_program {
    uint64_t numbers[12];
    size_t count;
    const char *text; /* NULL: it is good */
} programs[] = {
    {STEPS(0, 10, 10), NULL},
    {STEPS(0, 0, 20), NULL},
    {STEPS(20, 0, 20), NULL},          /* at the base's end */
    {STEPS(0, 5, 5, 9, 5, 5), NULL},   /* from 10 back to 5 */
    {STEPS(0, 10, 9, 37, 1, 0), NULL}, /* from 19 back to 0 */
    {STEPS(0, 0, 0, 0, 10, 10), "a step that is not valid"},
    {STEPS(0, 10, 10, 0, 0, 0), "a step that is not valid"},
    {STEPS(0, 10, 9), "the steps end too early"},
    {STEPS(0, 9, 10), "the steps end too early"},
    {STEPS(0, 10, 5, 29, 10, 0), "a step that is not valid"},
    {STEPS(0, 10, 11), "a step that is not valid"},
    {STEPS(0, 11, 9), "a step that is not valid"},
    {STEPS(2, 10, 10), "a step that is not valid"},
    {STEPS(1, 10, 10), "a step that is not valid"}, /* before the base */
    {STEPS(22, 0, 20), "a step that is not valid"}, /* behind it */
    {STEPS(0, 1, UINT64_MAX), "a step that is not valid"},
    {STEPS(0, UINT64_MAX, 21), "a step that is not valid"},
    {STEPS(UINT64_MAX, 10, 10), "a step that is not valid"},
    {STEPS(0, 10, 10, 0), "invalid bsdiff data"},
    {STEPS(0, 10, 10, 0, 1), "invalid bsdiff data"},
    {STEPS(0, 10), "invalid bsdiff data"},
    {{0}, 0, "the steps end too early"},
};

/* What becomes of these numbers and 20 bytes; the caller knows how many the chunk has. */
static int run_program(const uint64_t *numbers, size_t count, size_t chunk, size_t base,
                       struct err *e)
{
    struct columns_writer w = {0};
    struct delta_decoder d;
    uint8_t *bytes = calloc(1, chunk + 1), *old = calloc(1, base + 1), *frame, *out;
    size_t size, program;
    int r;

    for (size_t i = 0; i < count; i++)
        columns_put(&w, numbers[i]);
    columns_put_bytes(&w, bytes, chunk);
    program = w.size;
    frame = malloc(ZSTD_compressBound(program));
    size = ZSTD_compress(frame, ZSTD_compressBound(program), w.data, program, 1);
    assert_false(ZSTD_isError(size));
    out = malloc(chunk);
    delta_decoder_init(&d);
    r = decode_exactly(&d, DELTA_BSDIFF, bytes_of(frame, size), bytes_of(old, base), out, chunk, e);
    delta_decoder_release(&d);
    free(w.data);
    free(bytes);
    free(old);
    free(frame);
    free(out);
    return r;
}

static void hostile_programs(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(programs); i++) {
        const struct hostile_program *p = &programs[i];
        int r = run_program(p->numbers, p->count, CHUNK, BASE, &e);

        if (p->text)
            assert_fails(r, e, ERR_ARCHIVE, p->text);
        else
            assert_ok(r, e);
    }
}

/* Steps of one new byte, and the first long ones of 200, whose control has a byte more; the last
 * one has the rest. Places go back to 0, because there is no base. */
static void many_steps(uint64_t *numbers, size_t count, size_t long_ones, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        size_t fresh = i + 1 == count ? size : i < long_ones ? 200 : 1;

        numbers[3 * i] = i == 0 ? 0 : 2 * numbers[3 * i - 1] - 1;
        numbers[3 * i + 2] = fresh;
        size -= fresh;
    }
}

/* A control may have a quarter of the chunk and 64 bytes, and a chunk 4 MiB. */
static void program_limits(void **state)
{
    enum { SIZE = 4000, COUNT_OF_STEPS = 354 };
    uint64_t numbers[3 * COUNT_OF_STEPS] = {0};
    uint8_t program[SIZE + SIZE], out[SIZE];
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(bsdiff_control_limit(SIZE), 1064);
    many_steps(numbers, COUNT_OF_STEPS, 0, SIZE); /* 353 * 3 + 4 bytes */
    assert_ok(run_program(numbers, COUNT(numbers), SIZE, 0, &e), e);
    memset(program, 0, sizeof program);
    assert_fails(bsdiff_decode(bytes_of(program, SIZE + 1065), bytes_of(NULL, 0), out, SIZE, &e), e,
                 ERR_ARCHIVE, "invalid bsdiff data: 5065 bytes for a chunk of 4000");
    assert_fails(bsdiff_decode(bytes_of(program, SIZE - 1), bytes_of(NULL, 0), out, SIZE, &e), e,
                 ERR_ARCHIVE, "invalid bsdiff data: 3999 bytes for a chunk of 4000");
    many_steps(numbers, COUNT_OF_STEPS, 2, SIZE); /* two longer steps, two longer ways back */
    assert_fails(run_program(numbers, COUNT(numbers), SIZE, 0, &e), e, ERR_ARCHIVE, "invalid");
    numbers[2] = LIMIT_DELTA_BSDIFF;
    assert_ok(run_program(numbers, 3, LIMIT_DELTA_BSDIFF, 0, &e), e);
    numbers[2]++;
    assert_fails(run_program(numbers, 3, LIMIT_DELTA_BSDIFF + 1, 0, &e), e, ERR_ARCHIVE,
                 "bsdiff data for a chunk of 4194305 bytes, at most 4194304");
}

/* A megabyte of steps that jump to and fro in the largest base, one byte each. */
static void hostile_time(void **state)
{
    enum { STEPS_COUNT = 170000, SIZE = LIMIT_DELTA_BSDIFF };
    uint64_t *numbers = calloc(3 * STEPS_COUNT, sizeof *numbers);
    struct err e = ERR_INIT;
    double begun = cpu_seconds();

    (void)state;
    for (size_t i = 0; i < STEPS_COUNT; i++) {
        uint64_t far = LIMIT_DELTA_BASE - 1;

        if (i > 0)
            numbers[3 * i] = i % 2 == 0 ? 2 * (far + 1) - 1 : 2 * (far - 1);
        numbers[3 * i + 1] = 1;
    }
    numbers[3 * STEPS_COUNT - 1] = SIZE - STEPS_COUNT;
    assert_ok(run_program(numbers, 3 * STEPS_COUNT, SIZE, LIMIT_DELTA_BASE, &e), e);
    assert_true(cpu_seconds() - begun < 5);
    free(numbers);
}

static void other_codecs(void **state)
{
    struct delta_decoder d;
    struct err e = ERR_INIT;
    uint8_t out[4];

    (void)state;
    delta_decoder_init(&d);
    assert_fails(
        delta_decoder_run(&d, DELTA_COPY, bytes_of("abcd", 4), bytes_of(NULL, 0), out, 4, &e), e,
        ERR_ARCHIVE, "a delta without a codec");
    assert_fails(
        delta_decoder_run(&d, DELTA_CODECS, bytes_of("abcd", 4), bytes_of(NULL, 0), out, 4, &e), e,
        ERR_ARCHIVE, "a delta without a codec");
    delta_decoder_release(&d);
    assert_int_equal(delta_decoder_memory(DELTA_ZSTD, 64 << 20), 256 << 10);
    assert_int_equal(delta_decoder_memory(DELTA_BSDIFF, 4000), (256 << 10) + 4000 + 1064);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_frames),   cmocka_unit_test(harmless_frames),
        cmocka_unit_test(hostile_programs), cmocka_unit_test(program_limits),
        cmocka_unit_test(hostile_time),     cmocka_unit_test(other_codecs),
    };

    return cmocka_run_group_tests_name("delta_hostile", tests, NULL, NULL);
}
