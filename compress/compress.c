/* SPDX-License-Identifier: MIT */
#include "compress/compress.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "chunker/cut.h"
#include "compress/pack.h"
#include "compress/target.h"
#include "format/archive.h"
#include "format/chunk_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* From so much chunk data on, up to TARGET_BLOCK bytes of gap are nothing beside it,
 * and having to copy it would be something. It goes by the chunk data alone, so that
 * the archive is the same on every machine. */
#define GAP_FROM (4 * MIB)

#define MADE_BY "ihop-compress " PACKAGE_VERSION

struct job {
    const struct compress_options *o;
    const struct compress_events *events;
    int source_fd;
    const char *source_name;
    uint64_t source_size; /* as it was at the start, 0: not known */
    struct chunk_hasher *source_hasher;
    struct target target;
    struct pack *pack;
    struct image image; /* what is to be written */
};

/* ---- source ---- */

static int open_source(struct job *j, struct err *e)
{
    struct stat st;

    if (strcmp(j->o->image, "-") == 0) {
        j->source_name = "standard input";
        j->source_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    } else {
        j->source_name = j->o->image;
        j->source_fd = open(j->o->image, O_RDONLY | O_CLOEXEC);
    }
    if (j->source_fd < 0) {
        err_sys(e, errno, "cannot open %s", j->source_name);
        if (errno == ENOENT)
            e->kind = ERR_NOT_FOUND;
        return -1;
    }
    if (fstat(j->source_fd, &st) == 0 && (S_ISDIR(st.st_mode) || isatty(j->source_fd)))
        return err_set(e, ERR_USAGE, "%s is a %s: give an image, or - and a pipe", j->source_name,
                       S_ISDIR(st.st_mode) ? "folder" : "terminal");
    j->source_size = io_input_size(j->source_fd);
    return 0;
}

/* ---- cutting ---- */

static int on_input(void *user, const uint8_t *data, size_t size, struct err *e)
{
    struct job *j = user;

    return chunk_hash_update(j->source_hasher, data, size, e);
}

static int on_chunk(void *user, const struct cut_chunk *chunk, struct err *e)
{
    struct job *j = user;

    return pack_chunk(j->pack, chunk->worker, chunk->index, chunk->data, chunk->size, e);
}

static void on_progress(void *user, uint64_t bytes_done)
{
    struct job *j = user;

    j->events->compressing(j->events->user, bytes_done, j->source_size);
}

static int cut(struct job *j, struct err *e)
{
    const struct compress_options *o = j->o;
    const struct pack_options pack = {.jobs = o->jobs,
                                      .compression = o->compression,
                                      .level = o->level,
                                      .hash_length = o->hash_length};
    const struct cut_options options = {.jobs = o->jobs,
                                        .name = j->source_name,
                                        .chunk = on_chunk,
                                        .input = on_input,
                                        .progress = on_progress,
                                        .user = j};

    j->source_hasher = chunk_hasher_new(e);
    j->pack = pack_new(&pack, &j->target, e);
    if (!j->source_hasher || !j->pack || chunk_hash_begin(j->source_hasher, e) < 0 ||
        cut_input(j->source_fd, &o->chunker, &options, &j->image.source_size, e) < 0)
        return -1;
    pack_finish(j->pack, &j->image);
    return chunk_hash_end(j->source_hasher, j->image.source_checksum, e);
}

/* ---- archive ---- */

static int describe(struct job *j, struct err *e)
{
    const struct compress_options *o = j->o;
    struct image *image = &j->image;

    image->application_version = strdup(MADE_BY);
    if (!image->application_version)
        return err_nomem(e, "writing the header");
    image->chunker = o->chunker.algorithm;
    image->filter_bits = o->chunker.filter_bits;
    image->window_size = o->chunker.window_size;
    image->min_chunk_size = o->chunker.min_size;
    image->max_chunk_size = o->chunker.max_size;
    image->compression = o->compression;
    image->compression_level = o->level;
    return 0;
}

/* Reads the header as a device will. What is wrong with it then comes from what was
 * asked for: a short hash that two chunks share, more metadata or chunks than any
 * reader takes. */
static int read_back(const struct job *j, const uint8_t *header, size_t size, uint64_t archive_size,
                     struct image *image, struct err *e)
{
    const struct archive_policy policy = {.min_hash_length = LIMIT_HASH_MIN};
    uint64_t expected;

    if (archive_parse_prefix(header, &expected, e) == 0 &&
        archive_parse(header, size, archive_size, &policy, image, e) == 0)
        return 0;
    if (e->kind == ERR_ARCHIVE)
        e->kind = ERR_USAGE;
    return err_context(e, "%s cannot be made like this (--hash-length %u, %zu chunks)",
                       j->o->archive, j->o->hash_length, j->image.chunk_count);
}

static int write_archive(struct job *j, struct image *image, struct err *e)
{
    uint64_t alignment = j->target.size >= GAP_FROM ? TARGET_BLOCK : 1, data_offset;
    CLEANUP_FREE uint8_t *header = NULL;
    struct image read = {0};
    size_t size;

    if (archive_encode(&j->image, alignment, &header, &size, &data_offset, e) < 0 ||
        read_back(j, header, size, data_offset + j->target.size, &read, e) < 0)
        return -1;
    if (target_publish(&j->target, header, size, data_offset, e) < 0) {
        image_free(&read);
        return -1;
    }
    *image = read;
    return 0;
}

static int run(struct job *j, struct image *image, struct err *e)
{
    if (open_source(j, e) < 0 ||
        target_open(&j->target, j->o->archive, j->o->force, j->source_fd, e) < 0 || cut(j, e) < 0 ||
        describe(j, e) < 0)
        return -1;
    j->events->writing(j->events->user);
    return write_archive(j, image, e);
}

int compress_run(const struct compress_options *o, const struct compress_events *events,
                 struct image *image, struct err *e)
{
    struct job j = {.o = o, .events = events, .source_fd = -1, .target = TARGET_INIT};
    int r;

    /* Lent, and taken back before it is freed. */
    j.image.metadata = o->metadata;
    j.image.metadata_count = o->metadata_count;
    r = run(&j, image, e);
    j.image.metadata = NULL;
    j.image.metadata_count = 0;
    image_free(&j.image);
    pack_free(j.pack);
    chunk_hasher_free(j.source_hasher);
    target_close(&j.target);
    cleanup_fd(&j.source_fd);
    return r;
}
