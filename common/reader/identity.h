/* SPDX-License-Identifier: MIT */
/* identity: what tells that all bytes of a run come from one and the same archive.
 *
 * A file on a server can be replaced while it is read, and a mirror may hold another one.
 * The header checksum stands for the whole archive. Once it is known, the reader compares
 * it with the archive again whenever there is reason for doubt: an entity tag (ETag) that
 * was not seen before, another mirror, a chunk with wrong content. The size of the archive
 * comes with each response, and is compared each time.
 *
 * A new entity tag by itself proves nothing: servers that share an address often give
 * different tags to the same file. Pure; for one thread.
 */
#ifndef IHOP_READER_IDENTITY_H
#define IHOP_READER_IDENTITY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_CHECKSUM_SIZE 64
#define IDENTITY_TAG_SIZE      128 /* longer entity tags are cut */
#define IDENTITY_TAGS          8   /* known at a time: of more, the oldest is forgotten */

struct identity {
    bool known; /* the header checksum */
    uint64_t checksum_offset;
    uint8_t checksum[IDENTITY_CHECKSUM_SIZE];
    char tags[IDENTITY_TAGS][IDENTITY_TAG_SIZE]; /* under which this archive was seen */
    size_t tag_count;
    unsigned harmless_tags; /* new ones that stood for the same archive */
};

/* From now on the archive is known by this header checksum, which stands at this offset. */
void identity_set(struct identity *i, uint64_t checksum_offset,
                  const uint8_t checksum[IDENTITY_CHECKSUM_SIZE]);

/* Compares the bytes that stand where the header checksum does. ERR_PROTOCOL when they
 * differ: the archive changed, or, with is_mirror, the mirror holds another one. name is the
 * archive's, for the message. */
int identity_check(const struct identity *i, const uint8_t bytes[IDENTITY_CHECKSUM_SIZE],
                   const char *name, bool is_mirror, struct err *e)
    __attribute__((warn_unused_result));

/* ERR_PROTOCOL when the archive's size is not what it was. before: 0 when not known yet. */
int identity_check_size(uint64_t before, uint64_t now, struct err *e)
    __attribute__((warn_unused_result));

/* Whether a response with this entity tag ("": it has none) is reason to compare the header
 * checksum again. That ends once new tags have turned out to be harmless often enough. */
bool identity_doubts(const struct identity *i, const char *tag);

/* Remembers the entity tag of bytes that belong to this archive. Before the header checksum
 * is known, those are the bytes of the header, whose checksum will show that they did. */
void identity_add_tag(struct identity *i, const char *tag);

/* The header checksum was compared because of this tag ("": of none) and is the same. */
void identity_accept_tag(struct identity *i, const char *tag);

/* For another server, whose tags are its own. */
void identity_forget_tags(struct identity *i);

#endif
