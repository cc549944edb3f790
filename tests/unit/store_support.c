/* SPDX-License-Identifier: MIT */
#include "store_support.h"

#include "format/release.h"
#include "store/publish.h"
#include "store/chunk_writer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store *store_support_open(const char *directory, enum store_sync sync, bool four_digits)
{
    struct store_options options = {
        .access = STORE_WRITE, .create = true, .four_digits = four_digits, .sync = sync};
    struct err e = ERR_INIT;
    struct store *s = NULL;

    assert_ok(store_open(support_path(directory, "store"), &options, &s, &e), e);
    return s;
}

void store_support_add(struct store *s, const struct image *image, size_t first, size_t count)
{
    struct store_writer *w = NULL;
    struct err e = ERR_INIT;
    struct store_adopted adopted = {0};

    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    for (size_t i = first; i < first + count; i++) {
        uint8_t *data = support_chunk(image, i);

        assert_ok(store_writer_add(w, chunk_table_hash(&image->chunks, i),
                                   image->chunks.hash_length, data,
                                   image->chunks.items[i].source_size, &e),
                  e);
        free(data);
    }
    assert_ok(store_writer_finish(w, &e), e);
    store_writer_close(w);
}

void store_support_publish(struct store *s, const char *name, const struct image *image)
{
    uint8_t *data = NULL;
    struct err e = ERR_INIT;
    size_t size;

    store_support_add(s, image, 0, image->chunks.count);
    assert_ok(release_encode(image, &data, &size, &e), e);
    assert_ok(store_publish(s, name, data, size, true, &e), e);
    free(data);
}

const char *store_support_chunk(const struct store *s, const struct image *image, size_t chunk)
{
    static char path[4096];
    char below[STORE_CHUNK_PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", store_path(s),
             store_chunk_path(s, chunk_table_hash(&image->chunks, chunk), image->chunks.hash_length,
                              below));
    return path;
}

void store_support_assert_missing(const struct store *s, const struct image *image,
                                  enum store_check check, const char *expected, size_t damaged)
{
    struct store_missing p;
    struct err e = ERR_INIT;
    size_t missing = 0;

    assert_ok(store_find_missing(s, &image->chunks, check, NULL, NULL, &p, &e), e);
    assert_int_equal(strlen(expected), image->chunks.count);
    for (size_t i = 0; i < image->chunks.count; i++) {
        if (p.missing[i] != (expected[i] == '-'))
            fail_msg("chunk %zu is %s", i, p.missing[i] ? "missing" : "there");
        missing += expected[i] == '-';
    }
    assert_int_equal(p.missing_count, missing);
    assert_int_equal(p.damaged_count, damaged);
    store_missing_free(&p);
}

void store_support_assert_chunk(const struct store *s, const struct image *image, size_t chunk)
{
    uint8_t *plain = support_chunk(image, chunk), *data;
    size_t size;

    data = support_read_file(store_support_chunk(s, image, chunk), &size);
    assert_int_equal(size, image->chunks.items[chunk].source_size);
    assert_memory_equal(data, plain, size);
    free(data);
    free(plain);
}

size_t store_support_count(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}
