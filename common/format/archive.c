/* SPDX-License-Identifier: MIT */
#include "format/archive.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/archive_writer.h"
#include "format/dictionary.pb-c.h"
#include "format/image_builder.h"
#include "format/zero_chunks.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t magic[6] = ARCHIVE_MAGIC;
static const uint8_t old_magic[6] = {'\0', 'B', 'I', 'T', 'A', '1'};

/* What else often has an archive's name, recognised by its first bytes: a phrase for the
 * message that says what it is and what to do, or NULL. */
static const char *foreign_content(const uint8_t *prefix)
{
    static const struct {
        const char *start;
        size_t size;
        const char *what;
    } kinds[] = {
        {"<", 1, "a web page (a login page, or the wrong address)"},
        {"\xef\xbb\xbf<", 4, "a web page (a login page, or the wrong address)"},
        {"\r\n<", 3, "a web page (a login page, or the wrong address)"},
        {"\n<", 2, "a web page (a login page, or the wrong address)"},
        {"{", 1, "JSON text (an error of the server, or the wrong address)"},
        {"version https:", 14, "a Git LFS pointer: upload the archive itself"},
        {"\x1f\x8b", 2, "gzip data: put the .cba file there as it is"},
        {"\x28\xb5\x2f\xfd", 4, "zstd data: put the .cba file there as it is"},
        {"\xfd"
         "7zXZ",
         5, "xz data: put the .cba file there as it is"},
        {"BZh", 3, "bzip2 data: put the .cba file there as it is"},
        {"PK\x03\x04", 4, "a zip file: put the .cba file there as it is"},
        {"IHOP1", 6, "a release out of a store, not what it was made from"},
        {"IHOPD1", 6, "a delta pack, which ihop-clone alone takes in place of its archive"},
        {"hsqs", 4, "a squashfs image: make an archive of it with ihop-compress"},
        {"\xeb\x3c\x90", 3, "a disk image: make an archive of it with ihop-compress"},
        {"\xeb\x63\x90", 3, "a disk image: make an archive of it with ihop-compress"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 14,
         "zeros: an image perhaps, of which ihop-compress makes an archive, or a damaged file"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (memcmp(prefix, kinds[i].start, kinds[i].size) == 0)
            return kinds[i].what;
    return NULL;
}

static int no_archive(const uint8_t *prefix, struct err *e)
{
    const char *what = foreign_content(prefix);

    if (what)
        return err_set(e, ERR_ARCHIVE, "this is not a bita archive (wrong magic), but %s", what);
    return err_set(e, ERR_ARCHIVE,
                   "this is not a bita archive (wrong magic): ihop-compress makes one of an image");
}

int archive_parse_prefix(const uint8_t *prefix, uint64_t *header_size, struct err *e)
{
    uint64_t n = text_get_le64(prefix + 6);

    if (memcmp(prefix, magic, sizeof magic) != 0 &&
        memcmp(prefix, old_magic, sizeof old_magic) != 0)
        return no_archive(prefix, e);
    if (n > LIMIT_DICTIONARY)
        return err_set(e, ERR_ARCHIVE, "its dictionary claims %llu bytes (at most %llu)",
                       (unsigned long long)n, (unsigned long long)LIMIT_DICTIONARY);
    *header_size = n + ARCHIVE_OVERHEAD;
    return 0;
}

/* Compares the checksum before anything is decoded, so that most of what can go wrong on the way
 * ends here. */
static int check_checksum(const uint8_t *header, size_t size, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    const uint8_t *stored = header + size - CHUNK_HASH_SIZE;
    uint8_t sum[CHUNK_HASH_SIZE];

    if (!h || chunk_hash(h, header, size - CHUNK_HASH_SIZE, sum, e) < 0)
        return -1;
    if (memcmp(sum, stored, sizeof sum) != 0)
        return err_set(e, ERR_ARCHIVE, "its header checksum does not match its header");
    return 0;
}

static int add_archive_chunk(struct image_builder *b, struct dict_reader *r,
                             const struct dict_field *f, uint64_t data_offset,
                             uint64_t archive_size, struct err *e)
{
    const Ihop__ArchiveChunk *c =
        (const Ihop__ArchiveChunk *)dict_unpack(r, f, &ihop__archive_chunk__descriptor, e);
    struct chunk chunk = {0};
    uint64_t end;

    if (!c)
        return -1;
    chunk.archive_size = c->archive_size;
    chunk.source_size = c->source_size;
    if (chunk.archive_size == 0 || chunk.archive_size > LIMIT_CHUNK)
        return err_set(e, ERR_ARCHIVE,
                       "chunk %zu takes %u bytes of the archive (1 to %llu are "
                       "possible)",
                       b->image.chunks.count, chunk.archive_size, (unsigned long long)LIMIT_CHUNK);
    if (!checked_add_u64(data_offset, c->archive_offset, &chunk.archive_offset) ||
        !checked_add_u64(chunk.archive_offset, chunk.archive_size, &end) || end > archive_size)
        return err_set(e, ERR_ARCHIVE,
                       "chunk %zu lies beyond the end of the archive, which has %llu bytes: it is "
                       "cut short; upload it again",
                       b->image.chunks.count, (unsigned long long)archive_size);
    return image_builder_add_chunk(b, &c->checksum, &chunk, e);
}

static int parse_dictionary(struct image_builder *b, struct dict_reader *r, uint64_t data_offset,
                            uint64_t archive_size, struct err *e)
{
    struct dict_field f;
    enum dict_got got;

    while ((got = dict_next(r, &f, e)) == DICT_FIELD) {
        int added = f.number == ARCHIVE_FIELD_CHUNK_DESCRIPTORS
                        ? add_archive_chunk(b, r, &f, data_offset, archive_size, e)
                        : image_builder_add_field(b, &archive_fields, r, &f, e);

        if (added < 0)
            return -1;
    }
    if (got == DICT_FAILED)
        return -1;
    return b->image.has_archive ? 0 : err_set(e, ERR_ARCHIVE, "the dictionary has no compression");
}

int archive_parse(const uint8_t *header, size_t size, uint64_t archive_size, struct image *image,
                  struct err *e)
{
    CLEANUP(image_builder_free) struct image_builder b;
    CLEANUP(dict_reader_free) struct dict_reader r;
    uint64_t expected, data_offset;

    image_builder_init(&b, ERR_ARCHIVE);
    dict_reader_init(&r, NULL, 0, ERR_ARCHIVE);
    if (size < ARCHIVE_OVERHEAD)
        return err_set(e, ERR_ARCHIVE, "its header is cut short");
    if (archive_parse_prefix(header, &expected, e) < 0)
        return -1;
    if (size != expected)
        return err_set(e, ERR_ARCHIVE, "its header is cut short");
    if (check_checksum(header, size, e) < 0)
        return -1;
    data_offset = text_get_le64(header + size - CHUNK_HASH_SIZE - 8);
    if (data_offset < size || data_offset > archive_size)
        return err_set(e, ERR_ARCHIVE, "its chunk data offset %llu is out of range",
                       (unsigned long long)data_offset);
    dict_reader_init(&r, header + ARCHIVE_PREFIX_SIZE, size - ARCHIVE_OVERHEAD, ERR_ARCHIVE);
    if (parse_dictionary(&b, &r, data_offset, archive_size, e) < 0)
        return -1;
    b.image.archive_size = archive_size;
    b.image.header_size = size;
    memcpy(b.image.header_checksum, header + size - CHUNK_HASH_SIZE, CHUNK_HASH_SIZE);
    if (image_builder_finish(&b, image, e) < 0)
        return -1;
    if (zero_chunks_find(image, e) < 0) {
        image_free(image);
        return -1;
    }
    return 0;
}

/* base: where the places of chunks in the dictionary count from. */
static void put_archive_dictionary(struct dict_writer *w, const struct image *image, uint64_t base)
{
    const struct chunk_table *chunks = &image->chunks;

    archive_writer_begin(w);
    archive_writer_put_front(w, image);
    archive_writer_put_order(w, image->order, image->order_count);
    for (size_t i = 0; i < chunks->count; i++) {
        struct chunk chunk = chunks->items[i];

        chunk.archive_offset -= base;
        archive_writer_put_chunk(w, &chunk, chunk_table_hash(chunks, i), chunks->hash_length);
    }
    archive_writer_put_back(w, image);
}

int archive_encode(const struct image *image, const struct archive_layout *layout, uint8_t **header,
                   size_t *size, uint64_t *data_offset, struct err *e)
{
    struct dict_writer w = {0};
    uint64_t header_end, offset;

    put_archive_dictionary(&w, image, 0);
    header_end = w.size + ARCHIVE_OVERHEAD - ARCHIVE_PREFIX_SIZE;
    offset = (header_end + layout->space + layout->alignment - 1) / layout->alignment *
             layout->alignment;
    if (archive_writer_end(&w, offset, e) < 0) {
        free(w.data);
        return err_context(e, "writing an archive's header");
    }
    *header = w.data;
    *size = w.size;
    *data_offset = offset;
    return 0;
}

int archive_rebuild_header(const struct image *image, uint8_t **header, bool *same, struct err *e)
{
    uint64_t offset = archive_writer_data_offset(image);
    struct dict_writer w = {0};

    *same = false;
    *header = NULL;
    put_archive_dictionary(&w, image, offset);
    if (archive_writer_end(&w, offset, e) < 0) {
        free(w.data);
        return err_context(e, "making an archive's header again");
    }
    *same = w.size == image->header_size &&
            memcmp(w.data + w.size - CHUNK_HASH_SIZE, image->header_checksum, CHUNK_HASH_SIZE) == 0;
    if (*same)
        *header = w.data;
    else
        free(w.data);
    return 0;
}
