/* SPDX-License-Identifier: MIT */
#include "plugin/export.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "format/facts.h"
#include "format/zero_chunks.h"
#include "plugin/lost_chunk.h"
#include "plugin/page_cache.h"
#include "plugin/stats.h"
#include "store/chunk_file.h"
#include "store/floor.h"
#include "store/missing.h"
#include "store/release_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ID_SHOWN 16 /* hex digits of an image's id in messages */

static void source_id(const struct image *image, char hex[CHUNK_HASH_HEX])
{
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, hex);
}

/* Fails because this user may not read some chunks: of a copy made under umask 077, for
 * example. */
static int deny(const struct export *x, size_t count, struct err *e)
{
    return err_set(
        e, ERR_IO,
        "release %s/%s cannot be served: user %ld, whom this server runs as, may not "
        "read %zu of %zu chunks; let that user read them (chmod -R go+rX %s/" STORE_CHUNKS ")",
        store_path(x->store), x->name, (long)geteuid(), count, x->image.chunks.count,
        store_path(x->store));
}

/* Zero chunks are served without their files, so those do not count. */
static int check_missing(const struct export *x, struct err *e)
{
    CLEANUP(store_missing_free) struct store_missing m = {0};
    uint64_t bytes = 0;
    size_t count = 0;

    if (store_find_missing(x->store, &x->image.chunks, STORE_CHECK_READABLE, NULL, NULL, &m, e) < 0)
        return -1;
    if (m.denied_count > 0)
        return deny(x, m.denied_count, e);
    for (size_t i = 0; i < x->image.chunks.count; i++)
        if (m.missing[i] && !x->image.chunks.items[i].zero) {
            bytes += x->image.chunks.items[i].source_size;
            count++;
        }
    if (count == 0)
        return 0;
    err_set(e, ERR_NOT_FOUND,
            "release %s/%s cannot be served: %zu of %zu chunks (%llu bytes) are missing or have "
            "the wrong size",
            store_path(x->store), x->name, count, x->image.chunks.count, (unsigned long long)bytes);
    return lost_chunk_add_remedy(x, e);
}

/* With keys, the release must be what they signed, and not below the store's minimum. Its name does
 * not matter when the whole id was asked for. */
static int check_signed(const struct export *x, struct err *e)
{
    const struct signature_demand *demand = &x->options->signed_by;
    bool any_name = x->options->id && strlen(x->options->id) == CHUNK_HASH_HEX - 1;
    struct facts facts;

    if (!demand->keys)
        return 0;
    if (signed_image_check_release(&x->image, any_name ? NULL : x->name, demand, e) < 0 ||
        facts_read(&x->image, &facts, e) < 0)
        return err_context(e, "release %s/%s", store_path(x->store), x->name);
    if (store_floor_check_served(x->store, x->name, facts.version, e) == 0)
        return 0;
    return err_context(e, "release %s/%s is not served", store_path(x->store), x->name);
}

/* Releases of ihop 0.1 do not say which chunks are zero. */
static int prepare_image(struct export *x, struct err *e)
{
    char hex[CHUNK_HASH_HEX];

    if (!x->image.has_archive && zero_chunks_find(&x->image, e) < 0)
        return -1;
    if (check_signed(x, e) < 0 || (x->options->check && check_missing(x, e) < 0))
        return -1;
    source_id(&x->image, hex);
    snprintf(x->description, sizeof x->description, "ihop release %s, image %.*s", x->name,
             ID_SHOWN, hex);
    return 0;
}

static int prepare_tables(struct export *x, struct err *e)
{
    if (chunk_map_init(&x->map, &x->image, e) < 0 ||
        chunk_fds_init(&x->fds, x->store, &x->image, &x->shared->budget, e) < 0)
        return -1;
    x->solid = calloc(x->image.chunks.count + 1, sizeof *x->solid);
    if (!x->solid)
        return err_nomem(e, "preparing an export");
    if (x->options->verify && !(x->verifier = verifier_new(&x->image, e)))
        return -1;
    return 0;
}

static void export_cleanup(struct export **x)
{
    export_free(*x);
}

struct export *export_load(struct export_shared *shared, const char *name, struct err *e)
{
    CLEANUP(export_cleanup) struct export *x = calloc(1, sizeof *x);

    if (!x) {
        err_nomem(e, "opening an export");
        return NULL;
    }
    x->shared = shared;
    x->options = &shared->options;
    x->store = shared->store;
    x->lock_fd = -1;
    x->user = geteuid();
    x->group = getegid();
    if (store_release_find_image(shared->store, name, x->options->id, &x->image, &x->lock_fd, e) <
        0)
        return NULL;
    snprintf(x->name, sizeof x->name, "%s", name);
    if (prepare_image(x, e) < 0 || prepare_tables(x, e) < 0)
        return NULL;
    return STEAL(x);
}

int export_check_again(const struct export *x, struct err *e)
{
    return x->options->check && (geteuid() != x->user || getegid() != x->group)
               ? check_missing(x, e)
               : 0;
}

void export_reserve(const struct export *x)
{
    chunk_fds_reserve(&x->fds, x->lock_fd);
}

void export_free(struct export *x)
{
    if (!x)
        return;
    chunk_fds_free(&x->fds);
    chunk_map_free(&x->map);
    verifier_free(x->verifier);
    free(x->solid);
    image_free(&x->image);
    if (x->lock_fd >= 0)
        close(x->lock_fd);
    free(x);
}

/* Part of one chunk: size bytes at offset in its file, to buf. */
struct part {
    size_t chunk;
    uint8_t *buf;
    size_t size;
    uint64_t offset;
    bool done;
};

/* Path of a chunk, for messages: made only when there is a message to write. */
struct chunk_path {
    char text[ERR_TEXT_SIZE / 2];
};

static const char *chunk_path(const struct export *x, size_t chunk, struct chunk_path *path)
{
    char below[STORE_CHUNK_PATH_SIZE];

    store_chunk_path(x->store, chunk_table_hash(&x->image.chunks, chunk),
                     x->image.chunks.hash_length, below);
    snprintf(path->text, sizeof path->text, "%.250s/%s", store_path(x->store), below);
    return path->text;
}

int export_verify(const struct export *x, size_t chunk, int fd, struct err *e)
{
    struct chunk_path path;

    if (!x->verifier || verifier_is_good(x->verifier, chunk))
        return 0;
    return verifier_check(x->verifier, chunk, fd, chunk_path(x, chunk, &path), e);
}

/* With cache=none: drops what was read from the page cache, as nbdkit's file plugin does. The
 * kernel drops whole pages only, so the page in which this part begins is still there since
 * the part before, and is dropped now. The read that reaches the chunk's end drops the
 * whole file: what the kernel read ahead for parts that came out of order would stay
 * otherwise. */
static void drop_pages(const struct export *x, int fd, const struct part *p)
{
    uint64_t end = p->offset + p->size;
    uint64_t start = p->offset - p->offset % 4096;

    if (end == x->image.chunks.items[p->chunk].source_size)
        start = end = 0; /* an end of 0: the whole file */
    page_cache_drop(fd, start, end - start);
}

static int read_from(const struct export *x, const struct part *p, int fd, struct err *e)
{
    ssize_t n = io_pread_full(fd, p->buf, p->size, p->offset);
    struct chunk_path path;

    if (n < 0)
        return err_sys(e, errno, "cannot read chunk %s", chunk_path(x, p->chunk, &path));
    if ((size_t)n < p->size)
        return err_set(e, ERR_DAMAGED, "chunk %s was cut short while in use",
                       chunk_path(x, p->chunk, &path));
    if (x->options->drop_cache)
        drop_pages(x, fd, p);
    return 0;
}

/* Reads from the file that has the chunk's name now, because the kept descriptor fails:
 * ihop-clone may have put a good file in place of the one that was opened. A good one is
 * used from now on, without a restart of the server. */
static int read_reopened(struct export *x, const struct part *p, const struct chunk_lease *kept,
                         struct err *e)
{
    struct chunk_lease fresh;
    struct chunk_path path;
    int r = 0;

    if (chunk_fds_open(&x->fds, p->chunk, &fresh, e) < 0)
        return -1;
    if (x->verifier)
        r = verifier_replace(x->verifier, p->chunk, kept, &fresh, chunk_path(x, p->chunk, &path),
                             e);
    if (r == 0)
        r = read_from(x, p, fresh.fd, e);
    if (r == 0 && !x->verifier)
        (void)chunk_fds_replace(kept, &fresh);
    chunk_fds_put(&x->fds, &fresh);
    return r;
}

static bool is_bad(const struct export *x, size_t chunk)
{
    return x->verifier && verifier_is_bad(x->verifier, chunk);
}

static int try_part(struct export *x, const struct part *p, struct err *e)
{
    struct chunk_lease lease;
    int r;

    if (chunk_fds_get(&x->fds, p->chunk, &lease, e) < 0)
        return -1;
    r = export_verify(x, p->chunk, lease.fd, e);
    if (r == 0)
        r = read_from(x, p, lease.fd, e);
    if (__builtin_expect(r < 0, 0) && lease.kept && !is_bad(x, p->chunk))
        r = read_reopened(x, p, &lease, e);
    chunk_fds_put(&x->fds, &lease);
    return r;
}

/* A read fails in these steps:
 * 1. the chunk cannot be opened, has other content than its name says (verify=first), or
 *    its file cannot be read to the end: try_part has the error;
 * 2. if the descriptor was a kept one, another file may have the chunk's name by now:
 *    read_reopened tries that one, and puts it in place of the old one if it is good;
 * 3. what is lost still is for lost_chunk_recover, which adds the remedy to the message;
 * 4. export_read gives up, and the client gets EIO for the whole request. */
static int read_part(struct export *x, const struct part *p, struct err *e)
{
    if (__builtin_expect(try_part(x, p, e) == 0, 1))
        return 0;
    return lost_chunk_recover(x, p->chunk, e) < 0 ? -1 : try_part(x, p, e);
}

/* Reads several parts by one system call. Those that it has not read, for whatever reason, are
 * left: a chunk that is not open yet, is to be hashed, or fails. */
static void read_batch(struct export *x, struct part *parts, size_t count)
{
    struct read_batch_item items[READ_BATCH_MAX];
    struct part *of[READ_BATCH_MAX];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        int fd = chunk_fds_kept(&x->fds, parts[i].chunk);

        if (fd < 0 || (x->verifier && !verifier_is_good(x->verifier, parts[i].chunk)))
            continue;
        of[n] = &parts[i];
        items[n++] = (struct read_batch_item){.fd = fd,
                                              .buf = parts[i].buf,
                                              .size = (uint32_t)parts[i].size,
                                              .offset = parts[i].offset};
    }
    if (n < 2)
        return;
    read_batch_run(&x->shared->batch, items, n);
    for (size_t i = 0; i < n; i++)
        if (items[i].done) {
            of[i]->done = true;
            if (x->options->drop_cache)
                drop_pages(x, items[i].fd, of[i]);
        }
}

static int read_parts(struct export *x, struct part *parts, size_t count, struct err *e)
{
    if (count > 1)
        read_batch(x, parts, count);
    for (size_t i = 0; i < count; i++)
        if (!parts[i].done && read_part(x, &parts[i], e) < 0) {
            stats_count(STATS_READ_ERRORS, 1);
            return -1;
        }
    return 0;
}

int export_read(struct export *x, void *buf, uint32_t count, uint64_t offset, struct err *e)
{
    struct part parts[READ_BATCH_MAX];
    uint8_t *at = buf;
    size_t i, n = 0;

    if (count == 0)
        return 0;
    i = chunk_map_find(&x->map, offset);
    stats_count(STATS_BYTES, count);
    for (; count > 0; i++) {
        struct part p = {
            .chunk = x->image.order[i],
            .buf = at,
            .size = (size_t)min_u64(count, x->map.starts[i + 1] - offset),
            .offset = offset - x->map.starts[i],
        };

        if (x->image.chunks.items[p.chunk].zero) {
            memset(at, 0, p.size);
            stats_count(STATS_ZERO_BYTES, p.size);
        } else {
            parts[n++] = p;
        }
        at += p.size;
        offset += p.size;
        count -= (uint32_t)p.size;
        if (n == READ_BATCH_MAX || count == 0) {
            if (read_parts(x, parts, n, e) < 0)
                return -1;
            n = 0;
        }
    }
    return 0;
}

/* A chunk that cannot be opened is left to the read that needs it. */
static void prefetch_chunk(struct export *x, size_t chunk, uint64_t offset, uint64_t size)
{
    struct chunk_lease lease;
    struct err ignored;

    if (x->image.chunks.items[chunk].zero || chunk_fds_get(&x->fds, chunk, &lease, &ignored) < 0)
        return;
    page_cache_fill(lease.fd, offset, size);
    chunk_fds_put(&x->fds, &lease);
    stats_count(STATS_PREFETCHED, 1);
}

void export_prefetch(struct export *x, uint64_t count, uint64_t offset)
{
    const uint64_t *starts = x->map.starts;
    size_t i = count > 0 ? chunk_map_find(&x->map, offset) : 0;

    for (; count > 0; i++) {
        uint64_t size = min_u64(count, starts[i + 1] - offset);

        prefetch_chunk(x, x->image.order[i], offset - starts[i], size);
        offset += size;
        count -= size;
    }
}

bool export_is_cold(struct export *x, uint64_t offset)
{
    size_t i = chunk_map_find(&x->map, offset), chunk = x->image.order[i];
    struct chunk_lease lease;
    struct err ignored;
    bool cold;

    if (x->image.chunks.items[chunk].zero || chunk_fds_get(&x->fds, chunk, &lease, &ignored) < 0)
        return false;
    cold = !page_cache_has(lease.fd, offset - x->map.starts[i]);
    chunk_fds_put(&x->fds, &lease);
    return cold;
}
