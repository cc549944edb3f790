/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "format/chunk_hash.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void support_assert_fails(int result, const struct err *e, enum err_kind kind, const char *part,
                          const char *file, int line)
{
    if (result >= 0) {
        print_error("it succeeded instead of failing with '%s'\n", part);
        _fail(file, line);
    }
    if (e->kind != kind || !strstr(e->text, part)) {
        print_error("kind %d instead of %d, or no '%s' in: %s\n", (int)e->kind, (int)kind, part,
                    e->text);
        _fail(file, line);
    }
}

int support_make_directory(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;

    if (asprintf(&path, "%s/ihop-unit.XXXXXX", base ? base : "/tmp") < 0 || !mkdtemp(path))
        return -1;
    *state = path;
    return 0;
}

/* What support_path handed out in the test at hand. */
static struct {
    char *items[256];
    size_t count;
} paths;

const char *support_path(const char *directory, const char *name)
{
    char **path = &paths.items[paths.count];

    assert_true(paths.count < COUNT(paths.items));
    assert_true(asprintf(path, "%s/%s", directory, name) >= 0);
    paths.count++;
    return *path;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int support_remove_directory(void **state)
{
    int r = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    while (paths.count > 0)
        free(paths.items[--paths.count]);
    free(*state);
    return r;
}

void support_write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

uint8_t *support_read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data;

    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    *size = (size_t)st.st_size;
    data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

void support_hash(const void *data, size_t size, uint8_t out[CHUNK_HASH_SIZE])
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);

    assert_non_null(h);
    assert_ok(chunk_hash(h, data, size, out, &e), e);
    chunk_hasher_free(h);
}

/* Knuth's MMIX generator; the high bits are the good ones. */
uint32_t support_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 32);
}

void support_fill(uint8_t *data, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(support_random(&seed) >> 24);
}

static void *make(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);

    assert_non_null(p);
    return p;
}

uint8_t *support_chunk(const struct image *image, size_t i)
{
    uint8_t *data = make(image->chunks.items[i].source_size, 1);

    support_fill(data, image->chunks.items[i].source_size, i + 1);
    return data;
}

/* The whole image, which is its chunks in order. */
static void hash_source(struct image *image)
{
    uint8_t *whole = make(image->source_size, 1), *at = whole;

    for (size_t i = 0; i < image->order_count; i++) {
        support_fill(at, image->chunks.items[image->order[i]].source_size, image->order[i] + 1);
        at += image->chunks.items[image->order[i]].source_size;
    }
    support_hash(whole, image->source_size, image->source_checksum);
    free(whole);
}

/* Apart from what returns it by value: gcc 14 drops stores to memory that leaves a
 * function only inside a returned struct. */
static void __attribute__((noinline))
make_image(struct image *image, const uint32_t *sizes, size_t count, size_t hash_length)
{
    uint8_t hash[CHUNK_HASH_SIZE];

    *image = (struct image){.application_version = strdup("test 1"),
                            .chunker = IMAGE_ROLLSUM,
                            .filter_bits = 15,
                            .min_chunk_size = 16384,
                            .max_chunk_size = 1 << 24,
                            .window_size = 64,
                            .chunks = {.hash_length = hash_length,
                                       .items = make(count, sizeof *image->chunks.items),
                                       .hashes = make(count, hash_length),
                                       .count = count},
                            .order = make(count, sizeof *image->order),
                            .order_count = count,
                            .has_archive = true,
                            .compression = IMAGE_NONE,
                            .header_size = 1000};
    image->archive_size = image->header_size;
    for (size_t i = 0; i < count; i++) {
        uint8_t *data;

        image->chunks.items[i] = (struct chunk){.archive_offset = image->archive_size,
                                                .archive_size = sizes[i],
                                                .source_size = sizes[i]};
        data = support_chunk(image, i);
        support_hash(data, sizes[i], hash);
        free(data);
        memcpy(image->chunks.hashes + i * hash_length, hash, hash_length);
        image->order[i] = (uint32_t)i;
        image->archive_size += sizes[i];
        image->source_size += sizes[i];
    }
    hash_source(image);
}

struct image support_image(const uint32_t *sizes, size_t count, size_t hash_length)
{
    struct image image;

    make_image(&image, sizes, count, hash_length);
    return image;
}
