/* SPDX-License-Identifier: MIT */
/* show-pack: reads a delta pack and decodes all of it, so that a test can compare with
 * another reader.
 *
 *     show-pack PACK NEW.cba OLD.cba OLD-IMAGE
 *
 * Prints what the pack says, one fact or delta on each line, as `cba.py pack-show` does. What is
 * not usable goes to standard error: "pack: ...", "header: ..." or "chunk N: ...", then the exit
 * code is 1.
 */
#include "base/limits.h"
#include "base/text.h"
#include "codec/decoder.h"
#include "codec/delta_decoder.h"
#include "format/archive.h"
#include "format/delta_list.h"
#include "format/delta_pack.h"
#include "format/header_patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes pack_file, new_file, old_file, old_image;
static struct image new_table, old_table;
static struct delta_decoder decoder;
static int result;

static int complain(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", what, e->text);
    result = 1;
    return -1;
}

static struct bytes read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct bytes b = {0};
    long size = -1;

    if (f && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size >= 0) {
        rewind(f);
        b = (struct bytes){malloc((size_t)size + 1), (size_t)size};
    }
    if (!b.data || fread(b.data, 1, b.size, f) != b.size) {
        perror(path);
        exit(2);
    }
    fclose(f);
    return b;
}

static void parse_table(const struct bytes *file, struct image *image)
{
    struct err e = ERR_INIT;
    uint64_t size;

    if (archive_parse_prefix(file->data, &size, &e) < 0 || size > file->size ||
        archive_parse(file->data, (size_t)size, file->size, image, &e) < 0) {
        fprintf(stderr, "an archive: %s\n", e.text);
        exit(2);
    }
}

static uint8_t *unpack(const uint8_t *data, size_t size, size_t plain, struct err *e)
{
    uint8_t *out = malloc(plain + 1);

    if (out && delta_decoder_run(&decoder, DELTA_ZSTD, (struct delta_bytes){data, size},
                                 (struct delta_bytes){NULL, 0}, out, plain, e) < 0) {
        free(out);
        return NULL;
    }
    return out;
}

static void show_facts(const struct delta_pack *p)
{
    char hex[CHUNK_HASH_HEX];

    text_hex(p->old_source_checksum, CHUNK_HASH_SIZE, hex);
    printf("old %s %llu\n", hex, (unsigned long long)p->old_source_size);
    text_hex(p->header_checksum, CHUNK_HASH_SIZE, hex);
    printf("archive %s %llu %llu\n", hex, (unsigned long long)p->header_size,
           (unsigned long long)p->archive_size);
    printf("patch %zu %zu\nlist %zu %zu\nsignatures %zu\n", p->patch_size, p->patch_plain,
           p->list_size, p->list_plain, p->signatures_size);
}

static int check_identity(const struct delta_pack *p, struct err *e)
{
    if (memcmp(p->old_source_checksum, old_table.source_checksum, CHUNK_HASH_SIZE) != 0 ||
        p->old_source_size != old_table.source_size ||
        memcmp(p->header_checksum, new_table.header_checksum, CHUNK_HASH_SIZE) != 0 ||
        p->header_size != new_table.header_size || p->archive_size != new_table.archive_size)
        return err_set(e, ERR_ARCHIVE, "it is for other images");
    return 0;
}

static void show_delta(const struct delta_list *list, const struct delta *item)
{
    static const char *const codecs[] = {"copy", "zstd", "bsdiff"};

    printf("chunk %u %s %u", item->chunk, codecs[item->codec], item->size);
    for (size_t i = 0; i < item->range_count; i++)
        printf(" %u+%u", list->ranges[item->first_range + i].block,
               list->ranges[item->first_range + i].count);
    printf("\n");
}

/* Of its exact size, so that a sanitizer sees each byte beyond. */
static struct bytes gather_base(const struct delta_list *list, const struct delta *item)
{
    size_t size = (size_t)delta_list_base_size(list, item, old_image.size), at = 0;
    struct bytes base = {malloc(size ? size : 1), size};

    for (size_t i = 0; base.data && i < item->range_count; i++) {
        const struct delta_range *r = &list->ranges[item->first_range + i];
        size_t begin = (size_t)(r->block * DELTA_BLOCK), n = (size_t)(r->count * DELTA_BLOCK);

        n = n < old_image.size - begin ? n : old_image.size - begin;
        memcpy(base.data + at, old_image.data + begin, n);
        at += n;
    }
    return base;
}

static int decode_content(const struct delta_list *list, const struct delta *item, uint8_t *out,
                          const uint8_t **plain, struct err *e)
{
    const struct chunk *chunk = &new_table.chunks.items[item->chunk];
    const uint8_t *data = pack_file.data + item->offset;
    struct decoder copies;
    struct bytes base;
    int r;

    *plain = out;
    if (item->codec == DELTA_COPY) {
        decoder_init(&copies, new_table.compression);
        r = decoder_run(&copies, chunk, data, out, plain, e);
        decoder_release(&copies);
        return r;
    }
    base = gather_base(list, item);
    r = delta_decoder_run(&decoder, item->codec, (struct delta_bytes){data, item->size},
                          (struct delta_bytes){base.data, base.size}, out, chunk->source_size, e);
    free(base.data);
    return r;
}

static void try_delta(const struct delta_list *list, const struct delta *item)
{
    const struct chunk *chunk = &new_table.chunks.items[item->chunk];
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);
    uint8_t *out = malloc(chunk->source_size), sum[CHUNK_HASH_SIZE];
    const uint8_t *plain;
    char what[32];

    snprintf(what, sizeof what, "chunk %u", item->chunk);
    if (!h || !out || decode_content(list, item, out, &plain, &e) < 0 ||
        chunk_hash(h, plain, chunk->source_size, sum, &e) < 0) {
        complain(what, &e);
    } else if (memcmp(sum, chunk_table_hash(&new_table.chunks, item->chunk),
                      new_table.chunks.hash_length) != 0) {
        err_set(&e, ERR_ARCHIVE, "its content does not match its hash");
        complain(what, &e);
    }
    free(out);
    chunk_hasher_free(h);
}

static void try_header(const struct delta_pack *p)
{
    struct header_patch_wanted wanted = {p->header_checksum, p->header_size, p->archive_size};
    struct err e = ERR_INIT;
    uint8_t *plain, *header = NULL;

    if (!p->patch)
        return;
    plain = unpack(p->patch, p->patch_size, p->patch_plain, &e);
    if (!plain || header_patch_apply(&old_table, plain, p->patch_plain, &wanted, &header, &e) < 0)
        complain("header", &e);
    else if (memcmp(header, new_file.data, (size_t)p->header_size) != 0)
        complain("header", &(struct err){.text = "it is another one"});
    free(header);
    free(plain);
}

static int read_list(const struct delta_pack *p, struct delta_list *list, struct err *e)
{
    struct delta_list_place place = {p->deltas_offset, pack_file.size, p->old_source_size};
    uint8_t *plain;
    int r;

    if (p->list_plain > delta_list_limit(&new_table))
        return err_set(e, ERR_ARCHIVE, "its list is too large");
    plain = unpack(p->list, p->list_size, p->list_plain, e);
    if (!plain)
        return -1;
    r = delta_list_decode(plain, p->list_plain, &new_table, &place, list, e);
    free(plain);
    return r;
}

static int show_pack(void)
{
    struct delta_pack p;
    struct delta_list list = {0};
    struct err e = ERR_INIT;
    uint64_t size = 0;

    if (pack_file.size < DELTA_PACK_PREFIX_SIZE)
        err_set(&e, ERR_ARCHIVE, "it is cut short");
    if (e.kind != ERR_NONE || delta_pack_parse_prefix(pack_file.data, &size, &e) < 0 ||
        delta_pack_parse(pack_file.data, (size_t)(size < pack_file.size ? size : pack_file.size),
                         &p, &e) < 0 ||
        check_identity(&p, &e) < 0 || read_list(&p, &list, &e) < 0)
        return complain("pack", &e);
    show_facts(&p);
    try_header(&p);
    for (size_t i = 0; i < list.count; i++) {
        show_delta(&list, &list.items[i]);
        try_delta(&list, &list.items[i]);
    }
    delta_list_free(&list);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s PACK NEW.cba OLD.cba OLD-IMAGE\n", argv[0]);
        return 2;
    }
    pack_file = read_whole(argv[1]);
    new_file = read_whole(argv[2]);
    old_file = read_whole(argv[3]);
    old_image = read_whole(argv[4]);
    parse_table(&new_file, &new_table);
    parse_table(&old_file, &old_table);
    delta_decoder_init(&decoder);
    (void)show_pack();
    delta_decoder_release(&decoder);
    image_free(&new_table);
    image_free(&old_table);
    free(pack_file.data);
    free(new_file.data);
    free(old_file.data);
    free(old_image.data);
    return result;
}
