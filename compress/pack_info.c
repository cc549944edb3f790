/* SPDX-License-Identifier: MIT */
#include "compress/pack_info.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/json.h"
#include "compress/delta_report.h"
#include "compress/signature_output.h"
#include "fetch/delta_source.h"
#include "reader/open.h"

#include <stdio.h>
#include <string.h>

struct pack_info {
    const struct compress_options *o;
    struct reader *reader;
    struct delta_source source;
    struct delta_counts counts;
    struct image signed_by; /* has what signs the archive, and nothing else but what is signed */
    char old_source[CHUNK_HASH_HEX], header[CHUNK_HASH_HEX];
};

static int read_pack(struct pack_info *p, struct err *e)
{
    const struct delta_pack *pack = &p->source.pack;

    if (delta_source_read(&p->source, UINT64_MAX, e) < 0 ||
        delta_source_count(&p->source, &p->counts, e) < 0)
        return -1;
    text_hex(pack->old_source_checksum, CHUNK_HASH_SIZE, p->old_source);
    text_hex(pack->header_checksum, CHUNK_HASH_SIZE, p->header);
    memcpy(p->signed_by.header_checksum, pack->header_checksum, CHUNK_HASH_SIZE);
    return image_set_signatures(&p->signed_by, pack->signatures, pack->signatures_size, e);
}

static void print_pack_json(const struct pack_info *p)
{
    const struct delta_pack *pack = &p->source.pack;
    json_t *line = json_new_result(0);

    json_set_text(line, "pack", p->o->archive);
    json_set_number(line, "pack_size", p->reader->size);
    json_set_text(line, "old_source_checksum", p->old_source);
    json_set_number(line, "old_image_size", pack->old_source_size);
    json_set_text(line, "header_checksum", p->header);
    json_set_number(line, "header_size", pack->header_size);
    json_set_number(line, "archive_size", pack->archive_size);
    json_set_bool(line, "header_patch", pack->patch != NULL);
    json_set_number(line, "header_patch_size", pack->patch_size);
    json_set_number(line, "list_size", pack->list_size);
    delta_report_counts(line, &p->counts);
    signature_output_members(line, &p->signed_by, &p->o->signing.verify_keys);
    json_print(line);
}

static void print_bytes(const char *label, uint64_t bytes)
{
    char text[TEXT_SIZE_BYTES];

    printf("%s%s (%llu bytes)\n", label, text_size(bytes, text), (unsigned long long)bytes);
}

static void print_pack_text(const struct pack_info *p)
{
    const struct delta_pack *pack = &p->source.pack;

    puts("Delta pack:");
    print_bytes("  Pack size: ", p->reader->size);
    for (enum delta_codec c = 0; c < DELTA_CODECS; c++) {
        printf("  Deltas by %s: %zu, ", delta_report_codec(c), p->counts.deltas[c]);
        print_bytes("", p->counts.bytes[c]);
    }
    print_bytes("  List of deltas: ", pack->list_size);
    if (pack->patch)
        print_bytes("  Patch of the header: ", pack->patch_size);
    else
        puts("  Patch of the header: none, it is read from the archive");
    printf("From the image:\n  Source checksum: %s\n", p->old_source);
    print_bytes("  Source size: ", pack->old_source_size);
    printf("To the archive:\n  Header checksum: %s\n", p->header);
    signature_output_lines(&p->signed_by, &p->o->signing.verify_keys);
    print_bytes("  Header size: ", pack->header_size);
    print_bytes("  Archive size: ", pack->archive_size);
}

static int tell_pack(struct pack_info *p, struct output *out, bool *is_pack, struct err *e)
{
    *is_pack = false;
    if (!p->reader)
        return -1;
    p->source.reader = p->reader;
    p->source.alone = true;
    if (delta_source_probe(&p->source, is_pack, e) < 0)
        return -1;
    if (!*is_pack)
        return 0;
    if (!p->o->info)
        return err_set(e, ERR_USAGE, "%s is a delta pack: --info tells about it", p->o->archive);
    if (read_pack(p, e) < 0)
        return -1;
    output_clear(out);
    if (p->o->common.json)
        print_pack_json(p);
    else
        print_pack_text(p);
    return 0;
}

int pack_info_run(const struct compress_options *o, struct output *out, bool *is_pack,
                  struct err *e)
{
    struct pack_info p = {.o = o, .reader = reader_open(o->archive, &o->network.http, e)};
    int r = tell_pack(&p, out, is_pack, e);

    delta_source_close(&p.source);
    image_free(&p.signed_by);
    reader_close(p.reader);
    return r;
}
