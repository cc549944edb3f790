/* SPDX-License-Identifier: MIT */
#include "fetch/signature_area.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "fetch/beside.h"

#include <stdlib.h>
#include <string.h>

#define SUFFIX ".minisig"
/* Every signature begins so (minisign.h), but for empty lines that somebody put before it. */
#define FIRST_WORD "untrusted comment:"
/* The first request for a file beside the archive, which tells its size; none is smaller. */
#define FIRST_BYTES 128

static bool has_zero(const uint8_t *data, size_t size)
{
    return memchr(data, 0, size) != NULL;
}

bool signature_area_begins(const uint8_t *text, size_t size)
{
    size_t at = 0;

    while (at < size && (text[at] == '\n' || text[at] == '\r'))
        at++;
    return size - at >= strlen(FIRST_WORD) &&
           memcmp(text + at, FIRST_WORD, strlen(FIRST_WORD)) == 0;
}

/* Copies what was read with the header, and reads the rest if the signatures go on there. *text has
 * at most LIMIT_SIGNATURE_TEXT + 1 bytes: more would be refused in any case. */
static int read_area(struct reader *r, const struct signature_area *area, uint64_t area_size,
                     uint64_t offset, uint8_t **text, size_t *size, struct err *e)
{
    size_t most = (size_t)min_u64(area_size, LIMIT_SIGNATURE_TEXT + 1);
    size_t have = min_size(area->size, most);

    *size = signature_area_begins(area->data, have) && !has_zero(area->data, have) ? most : have;
    *text = malloc(*size + 1);
    if (!*text)
        return err_nomem(e, "reading an archive's signatures");
    memcpy(*text, area->data, have);
    return *size == have ? 0 : reader_read(r, offset + have, *size - have, *text + have, e);
}

static int read_whole(struct reader *r, uint8_t **text, size_t *size, struct err *e)
{
    uint8_t start[FIRST_BYTES];

    if (reader_read(r, 0, sizeof start, start, e) < 0)
        return -1;
    if (r->size > LIMIT_SIGNATURE_TEXT)
        return err_set(e, ERR_ARCHIVE, "%s has %llu bytes: that is no signature", r->name,
                       (unsigned long long)r->size);
    if (!signature_area_begins(start, sizeof start))
        return err_set(e, ERR_ARCHIVE, "%s is no signature", r->name);
    *size = (size_t)r->size;
    *text = malloc(*size);
    if (!*text)
        return err_nomem(e, "reading a signature");
    memcpy(*text, start, sizeof start);
    return reader_read(r, sizeof start, *size - sizeof start, *text + sizeof start, e);
}

/* Reads the file beside the archive. */
static int read_beside(struct reader *archive, const char *location, uint8_t **text, size_t *size,
                       struct err *e)
{
    CLEANUP(beside_close) struct beside b = {0};

    return beside_open(&b, archive, archive->settings, location, SUFFIX, e) < 0
               ? -1
               : read_whole(b.reader, text, size, e);
}

/* Whether another place may have what this one has not. */
static bool is_absent(enum err_kind kind)
{
    return kind == ERR_NOT_FOUND || kind == ERR_REFUSED || kind == ERR_ARCHIVE ||
           kind == ERR_PROTOCOL;
}

/* Looks beside the archive, then beside its mirrors. A place that could not be asked is worth
 * another run; where there is no signature the archive is refused. */
static int find_beside(struct reader *r, uint8_t **text, size_t *size, struct err *e)
{
    size_t mirrors = r->settings ? r->settings->mirror_count : 0;
    struct err why = ERR_INIT, unasked = ERR_INIT;

    for (size_t i = 0; i <= mirrors; i++) {
        why = (struct err)ERR_INIT;
        free(*text);
        *text = NULL;
        if (read_beside(r, i == 0 ? r->archive : r->settings->mirrors[i - 1], text, size, &why) ==
            0)
            return 0;
        if (!is_absent(why.kind))
            unasked = why;
    }
    *e = unasked.kind != ERR_NONE ? unasked : why;
    err_context(e, "%s is not signed inside, and its signature cannot be had from beside it",
                r->name);
    if (is_absent(e->kind))
        e->kind = ERR_ARCHIVE;
    return -1;
}

int signature_area_read(struct reader *r, const struct signature_area *area, uint64_t area_size,
                        bool demanded, struct image *image, struct err *e)
{
    CLEANUP_FREE uint8_t *text = NULL;
    struct err why = ERR_INIT;
    size_t size;

    if (read_area(r, area, area_size, image->header_size, &text, &size, e) < 0)
        return -1;
    /* Beside a file one may look without a demand: it costs nothing. */
    if (!signature_area_begins(text, size) && (demanded || !r->settings)) {
        free(text);
        text = NULL;
        if (find_beside(r, &text, &size, &why) < 0) {
            if (!demanded)
                return 0;
            *e = why;
            return -1;
        }
    }
    if (!demanded && (size > LIMIT_SIGNATURE_TEXT || !signature_area_begins(text, size)))
        return 0;
    return image_set_signatures(image, text, size, e);
}
