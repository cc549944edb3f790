/* SPDX-License-Identifier: MIT */
/* support: what the unit tests share. Include it instead of cmocka.h, first. */
#ifndef IHOP_TESTS_UNIT_SUPPORT_H
#define IHOP_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "format/image.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Fails with the error's text. */
#define assert_ok(result, e)                                                                       \
    do {                                                                                           \
        if ((result) < 0)                                                                          \
            fail_msg("failed: %s", (e).text);                                                      \
    } while (0)

/* The call failed with this kind, and its text contains part. */
#define assert_fails(result, e, expected_kind, part)                                               \
    support_assert_fails((result), &(e), (expected_kind), (part), __FILE__, __LINE__)
void support_assert_fails(int result, const struct err *e, enum err_kind kind, const char *part,
                          const char *file, int line);

/* cmocka set-up and teardown: *state is the path of a fresh directory. */
int support_make_directory(void **state);
int support_remove_directory(void **state);

/* DIRECTORY/NAME; freed by support_remove_directory. */
const char *support_path(const char *directory, const char *name);

void support_write_file(const char *path, const void *data, size_t size);
/* The caller frees it. */
uint8_t *support_read_file(const char *path, size_t *size);

void support_hash(const void *data, size_t size, uint8_t out[CHUNK_HASH_SIZE]);

/* Numbers that look random and are the same on every machine. */
uint32_t support_random(uint64_t *seed);
void support_fill(uint8_t *data, size_t size, uint64_t seed);

/* A valid image of count chunks; chunk i has sizes[i] bytes, its content is
 * support_fill with seed i + 1, and they lie one after the other, uncompressed,
 * in an archive with a header of 1,000 bytes. The caller frees it. */
struct image support_image(const uint32_t *sizes, size_t count, size_t hash_length);

/* Content of chunk i of it; the caller frees it. */
uint8_t *support_chunk(const struct image *image, size_t i);

#endif
