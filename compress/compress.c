/* SPDX-License-Identifier: MIT */
#include "compress/compress.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "chunker/cut.h"
#include "compress/chunk_packer.h"
#include "compress/metadata.h"
#include "compress/output_file.h"
#include "compress/signing.h"
#include "compress/source.h"
#include "format/archive.h"
#include "format/facts.h"

#include <stdio.h>
#include <string.h>

/* Without space for signatures: with at least this many bytes of chunk data, a gap of up to
 * OUTPUT_FILE_BLOCK bytes before it does not matter, whereas copying the data would. Nothing but
 * the size of the chunk data decides, so that the archive is the same on every machine. */
#define GAP_FROM (4 * MIB)

#define MADE_BY "ihop-compress " PACKAGE_VERSION

struct job {
    struct compress_options *o;
    const struct compress_events *events;
    struct source source;
    struct output_file output;
    struct chunk_packer *packer;
    struct image image; /* what is to be written */
};

/* ---- cutting ---- */

static ssize_t on_read(void *user, void *data, size_t size, struct err *e)
{
    struct job *j = user;

    return source_read(&j->source, data, size, e);
}

static int on_input(void *user, const uint8_t *data, size_t size, struct err *e)
{
    struct job *j = user;

    return source_show(&j->source, data, size, e);
}

static int on_image_chunk(void *user, const struct cut_chunk *chunk, struct err *e)
{
    struct job *j = user;

    return chunk_packer_chunk(j->packer, chunk->worker, chunk->index, chunk->data, chunk->size, e);
}

static void on_input_progress(void *user, uint64_t bytes_done)
{
    struct job *j = user;

    j->events->compressing(j->events->user, bytes_done, j->source.size);
}

static int cut(struct job *j, struct err *e)
{
    const struct compress_options *o = j->o;
    const struct chunk_packer_options pack = {.jobs = o->jobs,
                                              .compression = o->compression,
                                              .level = o->level,
                                              .hash_length = o->hash_length};
    const struct cut_options options = {.jobs = o->jobs,
                                        .name = j->source.image.name,
                                        .read = on_read,
                                        .chunk = on_image_chunk,
                                        .input = on_input,
                                        .progress = on_input_progress,
                                        .user = j};

    j->packer = chunk_packer_new(&pack, &j->output, e);
    if (!j->packer ||
        cut_input(j->source.image.fd, &o->chunker, &options, &j->image.source_size, e) < 0)
        return -1;
    chunk_packer_finish(j->packer, &j->image);
    return source_end(&j->source, j->image.source_checksum, e);
}

/* ---- hash tree ---- */

static int add_hash_tree(struct job *j, struct err *e)
{
    struct compress_options *o = j->o;
    char offset[FACTS_NUMBER_MAX];

    if (!o->verity)
        return 0;
    j->events->hashing(j->events->user);
    if (source_add_tree(&j->source, o->archive, e) < 0)
        return -1;
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)j->source.image.size);
    if (metadata_add_text(o, FACTS_ROOT_HASH, j->source.tree.root_hash, e) < 0 ||
        metadata_add_text(o, FACTS_HASH_OFFSET, offset, e) < 0)
        return -1;
    return metadata_finish(o, e);
}

/* ---- archive ---- */

static int describe_result(struct job *j, struct err *e)
{
    const struct compress_options *o = j->o;
    struct image *image = &j->image;

    /* Borrowed from the options: compress_run takes it back. */
    image->metadata = o->metadata;
    image->metadata_count = o->metadata_count;
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

/* Reads the header as a device will. Anything wrong with it is due to the options: a short hash
 * that two chunks share, more metadata or chunks than any reader accepts, or a hash tree beyond the
 * image's end. */
static int read_back(const struct job *j, const uint8_t *header, size_t size, uint64_t archive_size,
                     struct image *image, struct err *e)
{
    uint64_t expected;
    struct facts facts;

    if (archive_parse_prefix(header, &expected, e) == 0 &&
        archive_parse(header, size, archive_size, image, e) == 0) {
        if (facts_read(image, &facts, e) == 0)
            return 0;
        image_free(image);
    }
    if (e->kind == ERR_ARCHIVE)
        e->kind = ERR_USAGE;
    return err_context(e, "%s cannot be made like this (--hash-length %u, %zu chunks)",
                       j->o->archive, j->o->hash_length, j->image.chunks.count);
}

/* Space for signatures goes to the next multiple of OUTPUT_FILE_BLOCK, so that the header can be
 * inserted before the chunk data. */
static struct archive_layout choose_layout(const struct job *j)
{
    uint64_t space = max_u64(j->o->signing.space, signing_space(&j->o->signing));
    bool aligned = space > 0 || j->output.size >= GAP_FROM;

    return (struct archive_layout){.space = space, .alignment = aligned ? OUTPUT_FILE_BLOCK : 1};
}

/* Appends the signatures that are asked for to the header, and tells the image of them. */
static int sign_header(struct job *j, uint8_t **front, size_t *size, struct image *image,
                       struct err *e)
{
    CLEANUP(signature_list_free) struct signature_list list = {.text = NULL};
    size_t unverified;
    uint8_t *grown;

    if (j->o->signing.count == 0)
        return 0;
    j->events->signing(j->events->user);
    if (signature_list_begin(&list, image->header_checksum, NULL, 0, e) < 0 ||
        signing_run(&j->o->signing, &list, &unverified, e) < 0 ||
        image_set_signatures(image, (const uint8_t *)list.text, list.size, e) < 0)
        return -1;
    grown = realloc(*front, *size + list.size);
    if (!grown)
        return err_nomem(e, "writing the signatures");
    memcpy(grown + *size, list.text, list.size);
    *front = grown;
    *size += list.size;
    return 0;
}

static int write_archive(struct job *j, struct image *image, struct err *e)
{
    const struct archive_layout layout = choose_layout(j);
    CLEANUP_FREE uint8_t *front = NULL;
    CLEANUP(image_free) struct image read = {0};
    uint64_t data_offset;
    size_t size;

    if (archive_encode(&j->image, &layout, &front, &size, &data_offset, e) < 0 ||
        read_back(j, front, size, data_offset + j->output.size, &read, e) < 0 ||
        sign_header(j, &front, &size, &read, e) < 0)
        return -1;
    j->events->writing(j->events->user);
    if (output_file_publish(&j->output, front, size, data_offset, e) < 0)
        return -1;
    *image = read;
    read = (struct image){0};
    return 0;
}

static int run_compress(struct job *j, struct image *image, struct err *e)
{
    if (signing_check(&j->o->signing, e) < 0 || source_open(&j->source, j->o->image, e) < 0 ||
        output_file_open(&j->output, j->o->archive, j->o->force, j->source.image.fd, e) < 0 ||
        add_hash_tree(j, e) < 0 || cut(j, e) < 0 || describe_result(j, e) < 0)
        return -1;
    return write_archive(j, image, e);
}

int compress_run(struct compress_options *o, const struct compress_events *events,
                 struct image *image, struct err *e)
{
    struct job j = {.o = o, .events = events, .source = SOURCE_INIT, .output = OUTPUT_FILE_INIT};
    int r;

    r = run_compress(&j, image, e);
    j.image.metadata = NULL;
    j.image.metadata_count = 0;
    image_free(&j.image);
    chunk_packer_free(j.packer);
    output_file_close(&j.output);
    source_close(&j.source);
    return r;
}
