/* SPDX-License-Identifier: MIT */
#include "plugin/extents.h"

#include "base/checked.h"
#include "store/sparse.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files examined by one request, so that it takes milliseconds. */
#define PROBES_MAX 1024
/* About how many bytes one request hashes when chunks are verified: a tenth of a second or so. */
#define HASHED_MAX (16 * MIB)

struct walk {
    struct export *x;
    bool one;
    extent_fn fn;
    void *user;
    unsigned probes;
    uint64_t hashed;

    /* The extent that may still grow. */
    uint64_t offset, size;
    bool hole;
    bool done; /* one extent was asked for and is complete, or it has taken long enough */
};

static int flush(struct walk *w)
{
    int r = w->size > 0 ? w->fn(w->user, w->offset, w->size, w->hole) : 0;

    w->offset += w->size;
    w->size = 0;
    return r;
}

static int append_extent(struct walk *w, uint64_t size, bool hole)
{
    if (w->size > 0 && w->hole != hole) {
        if (w->one) {
            w->done = true;
            return 0;
        }
        if (flush(w) < 0)
            return -1;
    }
    w->hole = hole;
    w->size += size;
    return 0;
}

/* What it means that SEEK_DATA has failed: no data up to the end of a whole file is a hole. In a
 * file that was cut short it is none: a client would take zeros for the content. */
static bool is_hole(int fd, uint64_t end)
{
    struct stat st;

    return errno == ENXIO && fstat(fd, &st) == 0 && (uint64_t)st.st_size >= end;
}

/* Adds [at, end) of an open chunk file. The descriptor's position moves, but nobody uses it. */
static int add_file(struct walk *w, int fd, uint64_t at, uint64_t end)
{
    while (at < end && !w->done) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;
        uint64_t next;

        if (data < 0)
            return append_extent(w, end - at, is_hole(fd, end));
        if (data > (off_t)at) {
            next = min_u64((uint64_t)data, end);
            if (append_extent(w, next - at, true) < 0)
                return -1;
            at = next;
            continue;
        }
        hole = lseek(fd, (off_t)at, SEEK_HOLE);
        next = hole > (off_t)at ? min_u64((uint64_t)hole, end) : end;
        if (append_extent(w, next - at, false) < 0)
            return -1;
        at = next;
    }
    return 0;
}

/* Whether a file has no holes; that is remembered, so that it is not examined again. */
static bool is_solid(struct walk *w, size_t chunk, int fd)
{
    uint64_t size = w->x->image.chunks.items[chunk].source_size;
    bool solid = lseek(fd, 0, SEEK_HOLE) >= (off_t)size;

    if (solid)
        atomic_store_explicit(&w->x->solid[chunk], 1, memory_order_relaxed);
    return solid;
}

/* A store makes no hole shorter than HOLE_MIN. */
static bool may_have_holes(const struct walk *w, size_t chunk)
{
    return w->x->image.chunks.items[chunk].source_size >= HOLE_MIN &&
           !atomic_load_explicit(&w->x->solid[chunk], memory_order_relaxed);
}

/* Adds [at, end) of an open chunk file with holes. In a chunk that is not verified they do not
 * count: a client would take zeros for the content without a read. */
static int add_sparse(struct walk *w, size_t chunk, int fd, uint64_t at, uint64_t end)
{
    struct err ignored;

    if (w->x->verifier && !verifier_is_good(w->x->verifier, chunk)) {
        if (w->hashed >= HASHED_MAX) {
            w->done = true;
            return 0;
        }
        w->hashed += w->x->image.chunks.items[chunk].source_size;
        /* The read that follows will say what is wrong. */
        if (export_verify(w->x, chunk, fd, &ignored) < 0)
            return append_extent(w, end - at, false);
    }
    return add_file(w, fd, at, end);
}

static int add_chunk_extents(struct walk *w, size_t chunk, uint64_t at, uint64_t end)
{
    struct chunk_lease lease;
    struct err ignored;
    int r;

    if (w->x->image.chunks.items[chunk].zero)
        return append_extent(w, end - at, true);
    if (!may_have_holes(w, chunk))
        return append_extent(w, end - at, false);
    w->probes++;
    /* A chunk that cannot be opened is data: the read that follows will say what is wrong. */
    if (chunk_fds_get(&w->x->fds, chunk, &lease, &ignored) < 0)
        return append_extent(w, end - at, false);
    r = is_solid(w, chunk, lease.fd) ? append_extent(w, end - at, false)
                                     : add_sparse(w, chunk, lease.fd, at, end);
    chunk_fds_put(&w->x->fds, &lease);
    return r;
}

int extents_find(struct export *x, uint64_t offset, uint64_t count, bool one, extent_fn fn,
                 void *user)
{
    struct walk w = {.x = x, .one = one, .fn = fn, .user = user, .offset = offset};
    uint64_t end = offset + count;
    size_t i = count > 0 ? chunk_map_find(&x->map, offset) : 0;

    for (; offset < end && !w.done && w.probes < PROBES_MAX; i++) {
        uint64_t start = x->map.starts[i], next = min_u64(x->map.starts[i + 1], end);

        if (add_chunk_extents(&w, x->image.order[i], offset - start, next - start) < 0)
            return -1;
        offset = next;
    }
    return flush(&w);
}
