/* SPDX-License-Identifier: MIT */
#include "store/presence.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/release_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_BLOCK (256 * 1024)

const char *store_chunk_name(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char name[STORE_CHUNK_NAME_SIZE])
{
    char hex[CHUNK_HASH_HEX];

    text_hex(hash, hash_length, hex);
    snprintf(name, STORE_CHUNK_NAME_SIZE, "%.*s/%s.chunk", (int)store->folder_digits, hex, hex);
    return name;
}

static int not_a_file(const struct store *store, const char *name, struct err *e)
{
    return err_set(e, ERR_IO,
                   "%s/" STORE_CHUNKS "/%s is not a regular file or lies behind a link: "
                   "remove it and run ihop-clone again",
                   store->path, name);
}

int store_chunk_open(const struct store *store, const uint8_t *hash, size_t hash_length,
                     uint64_t size, struct err *e)
{
    char name[STORE_CHUNK_NAME_SIZE];
    CLEANUP_FD int fd = -1;
    struct stat st;

    store_chunk_name(store, hash, hash_length, name);
    if (store->chunks_fd >= 0)
        fd = io_open_beneath(store->chunks_fd, name, O_RDONLY);
    else
        errno = ENOENT;
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "chunk %s/" STORE_CHUNKS "/%s is missing", store->path,
                       name);
    if (fd < 0 && (errno == ELOOP || errno == EXDEV || errno == ENOTDIR || errno == ENXIO))
        return not_a_file(store, name, e);
    if (fd < 0)
        return err_sys(e, errno, "cannot open chunk %s/" STORE_CHUNKS "/%s", store->path, name);
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine chunk %s/" STORE_CHUNKS "/%s", store->path, name);
    if (!S_ISREG(st.st_mode))
        return not_a_file(store, name, e);
    if ((uint64_t)st.st_size != size)
        return err_set(e, ERR_DAMAGED,
                       "chunk %s/" STORE_CHUNKS "/%s has %lld bytes instead of %llu", store->path,
                       name, (long long)st.st_size, (unsigned long long)size);
    return steal_fd(&fd);
}

void store_presence_free(struct store_presence *p)
{
    free(p->missing);
    *p = (struct store_presence){0};
}

/* One run over the chunks of an image, in order of hash, so that each chunk
 * folder is opened once. */
struct survey {
    const struct store *store;
    const struct image *image;
    enum store_check check;
    store_check_progress progress;
    void *user;
    struct store_presence *out;

    char folder[5];         /* the open one */
    int folder_fd;          /* -1: it does not exist */
    struct image *vouchers; /* releases that we published; see vouched */
    size_t voucher_count;
    uint32_t **voucher_orders; /* their chunks in order of hash */
    struct chunk_hasher *hasher;
    uint8_t *block;
    uint64_t done, total;
};

/* Turns to the folder of the chunk with this name. */
static int enter_folder(struct survey *s, const char *name, struct err *e)
{
    unsigned digits = s->store->folder_digits;

    if (memcmp(s->folder, name, digits) == 0)
        return 0;
    if (s->folder_fd >= 0)
        close(s->folder_fd);
    memcpy(s->folder, name, digits);
    s->folder_fd = io_openat(s->store->chunks_fd, s->folder, O_PATH | O_DIRECTORY, 0);
    if (s->folder_fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return err_set(e, ERR_IO,
                       "%s/" STORE_CHUNKS "/%s is a link or a file instead of a folder: "
                       "move it away",
                       s->store->path, s->folder);
    if (s->folder_fd < 0 && errno != ENOENT)
        return err_sys(e, errno, "cannot open %s/" STORE_CHUNKS "/%s", s->store->path, s->folder);
    return 0;
}

/* Whether chunk has its name and size: 1, 0 when absent, 2 when the size is
 * wrong. */
static int examine(struct survey *s, size_t chunk, struct err *e)
{
    char name[STORE_CHUNK_NAME_SIZE];
    struct stat st;

    store_chunk_name(s->store, image_hash(s->image, chunk), s->image->hash_length, name);
    if (enter_folder(s, name, e) < 0)
        return -1;
    if (s->folder_fd < 0)
        return 0;
    if (fstatat(s->folder_fd, name + s->store->folder_digits + 1, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        return err_sys(e, errno, "cannot examine chunk %s/" STORE_CHUNKS "/%s", s->store->path,
                       name);
    }
    if (!S_ISREG(st.st_mode))
        return not_a_file(s->store, name, e);
    return (uint64_t)st.st_size == s->image->chunks[chunk].source_size ? 1 : 2;
}

/* Hashes the chunk's file: 1 when it is what its name says, else 0. A file that
 * cannot be read (a bad block) counts as damaged: a fresh copy mends it. */
static int content_is_good(struct survey *s, size_t chunk, struct err *e)
{
    uint64_t size = s->image->chunks[chunk].source_size, at = 0;
    CLEANUP_FD int fd =
        store_chunk_open(s->store, image_hash(s->image, chunk), s->image->hash_length, size, e);
    uint8_t hash[CHUNK_HASH_SIZE];

    if (fd < 0)
        return e->kind == ERR_NOT_FOUND || e->kind == ERR_DAMAGED ? 0 : -1;
    if (chunk_hash_begin(s->hasher, e) < 0)
        return -1;
    while (at < size) {
        ssize_t n = io_pread_full(fd, s->block, HASH_BLOCK, at);

        if (n <= 0)
            return 0;
        if (chunk_hash_update(s->hasher, s->block, (size_t)n, e) < 0)
            return -1;
        at += (uint64_t)n;
    }
    if (chunk_hash_end(s->hasher, hash, e) < 0)
        return -1;
    return at == size && memcmp(hash, image_hash(s->image, chunk), s->image->hash_length) == 0;
}

/* In a store that the original may write to, a chunk that belongs to a release
 * of ours was hashed and made durable when we published that. */
static bool vouched(const struct survey *s, size_t chunk)
{
    const uint8_t *hash = image_hash(s->image, chunk);

    for (size_t v = 0; v < s->voucher_count; v++)
        if (s->vouchers[v].hash_length == s->image->hash_length &&
            image_has_hash(&s->vouchers[v], s->voucher_orders[v], hash))
            return true;
    return false;
}

/* A release that cannot be read vouches for nothing. */
static int load_vouchers(struct survey *s, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};
    struct err ignored = ERR_INIT;

    if (store_release_names(s->store, &names, e) < 0)
        return -1;
    s->vouchers = calloc(names.count + 1, sizeof *s->vouchers);
    s->voucher_orders = calloc(names.count + 1, sizeof *s->voucher_orders);
    if (!s->vouchers || !s->voucher_orders)
        return err_nomem(e, "reading the releases");
    for (size_t i = 0; i < names.count; i++) {
        struct image *image = &s->vouchers[s->voucher_count];

        if (store_release_load(s->store, names.names[i], image, NULL, &ignored) < 0)
            continue;
        if (!image->has_archive) { /* the original's */
            image_free(image);
            continue;
        }
        s->voucher_orders[s->voucher_count++] = image_sort_by_hash(image, e);
        if (!s->voucher_orders[s->voucher_count - 1])
            return -1;
    }
    return 0;
}

static int begin_survey(struct survey *s, struct err *e)
{
    bool hash =
        s->check == STORE_CHECK_CONTENT || (s->check == STORE_CHECK_TRUST && !s->store->trusted);

    for (size_t i = 0; i < s->image->chunk_count; i++)
        s->total += s->image->chunks[i].source_size;
    if (!hash) {
        s->check = STORE_CHECK_SIZE;
        return 0;
    }
    if (s->check == STORE_CHECK_TRUST && load_vouchers(s, e) < 0)
        return -1;
    s->hasher = chunk_hasher_new(e);
    if (!s->hasher)
        return -1;
    s->block = malloc(HASH_BLOCK);
    return s->block ? 0 : err_nomem(e, "checking chunks");
}

static void end_survey(struct survey *s)
{
    for (size_t i = 0; i < s->voucher_count; i++) {
        image_free(&s->vouchers[i]);
        free(s->voucher_orders[i]);
    }
    free(s->vouchers);
    free(s->voucher_orders);
    free(s->block);
    chunk_hasher_free(s->hasher);
    if (s->folder_fd >= 0)
        close(s->folder_fd);
}

static int survey_chunk(struct survey *s, size_t chunk, struct err *e)
{
    int state = examine(s, chunk, e);
    bool hash = s->check == STORE_CHECK_CONTENT ||
                (s->check == STORE_CHECK_TRUST && state == 1 && !vouched(s, chunk));

    if (state == 1 && hash) {
        int good = content_is_good(s, chunk, e);

        state = good < 0 ? -1 : good ? 1 : 2;
        s->done += s->image->chunks[chunk].source_size;
        if (s->progress)
            s->progress(s->user, s->done, s->total);
    }
    if (state < 0)
        return -1;
    if (state != 1) {
        s->out->missing[chunk] = true;
        s->out->missing_count++;
        s->out->damaged_count += state == 2;
    }
    return 0;
}

static int run_survey(struct survey *s, struct err *e)
{
    CLEANUP_FREE uint32_t *sorted = image_sort_by_hash(s->image, e);

    if (!sorted || begin_survey(s, e) < 0)
        return -1;
    for (size_t i = 0; i < s->image->chunk_count; i++)
        if (survey_chunk(s, sorted[i], e) < 0)
            return -1;
    return 0;
}

int store_find_missing(const struct store *store, const struct image *image, enum store_check check,
                       store_check_progress progress, void *user, struct store_presence *p,
                       struct err *e)
{
    struct survey s = {.store = store,
                       .image = image,
                       .check = check,
                       .progress = progress,
                       .user = user,
                       .out = p,
                       .folder_fd = -1};
    int r;

    *p = (struct store_presence){.missing = calloc(image->chunk_count + 1, sizeof *p->missing)};
    if (!p->missing)
        return err_nomem(e, "checking chunks");
    if (!store || store->chunks_fd < 0) {
        for (size_t i = 0; i < image->chunk_count; i++)
            p->missing[i] = true;
        p->missing_count = image->chunk_count;
        return 0;
    }
    r = run_survey(&s, e);
    end_survey(&s);
    if (r < 0)
        store_presence_free(p);
    return r;
}
