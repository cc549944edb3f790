/* SPDX-License-Identifier: MIT */
#include "reader/identity.h"

#include <stdio.h>
#include <string.h>

#define HARMLESS_MAX 2 /* after so many, new entity tags raise no doubt any more */

void identity_set(struct identity *i, uint64_t checksum_offset,
                  const uint8_t checksum[IDENTITY_CHECKSUM_SIZE])
{
    i->checksum_offset = checksum_offset;
    memcpy(i->checksum, checksum, sizeof i->checksum);
    i->known = true;
}

int identity_check(const struct identity *i, const uint8_t bytes[IDENTITY_CHECKSUM_SIZE],
                   const char *name, bool is_mirror, struct err *e)
{
    if (memcmp(bytes, i->checksum, sizeof i->checksum) == 0)
        return 0;
    if (is_mirror)
        return err_set(e, ERR_PROTOCOL,
                       "%s: this mirror holds another archive than the run began with (another "
                       "header checksum)",
                       name);
    return err_set(e, ERR_PROTOCOL,
                   "%s: the archive changed while it was read (another header checksum): run again",
                   name);
}

int identity_check_size(uint64_t before, uint64_t now, struct err *e)
{
    if (before == 0 || before == now)
        return 0;
    return err_set(e, ERR_PROTOCOL,
                   "the archive changed while it was read: it had %llu bytes and now has %llu; run "
                   "again",
                   (unsigned long long)before, (unsigned long long)now);
}

static bool is_known_tag(const struct identity *i, const char *tag)
{
    for (size_t n = 0; n < i->tag_count; n++)
        if (strcmp(i->tags[n], tag) == 0)
            return true;
    return false;
}

static bool is_new_tag(const struct identity *i, const char *tag)
{
    return *tag && !is_known_tag(i, tag);
}

static void remember_tag(struct identity *i, const char *tag)
{
    if (!is_new_tag(i, tag))
        return;
    if (i->tag_count == IDENTITY_TAGS) {
        memmove(i->tags[0], i->tags[1], sizeof i->tags - sizeof i->tags[0]);
        i->tag_count--;
    }
    snprintf(i->tags[i->tag_count++], IDENTITY_TAG_SIZE, "%s", tag);
}

bool identity_doubts(const struct identity *i, const char *tag)
{
    return i->known && i->harmless_tags < HARMLESS_MAX && is_new_tag(i, tag);
}

void identity_add_tag(struct identity *i, const char *tag)
{
    if (!i->known && i->tag_count == 1 && is_new_tag(i, tag))
        i->harmless_tags++;
    remember_tag(i, tag);
}

void identity_accept_tag(struct identity *i, const char *tag)
{
    remember_tag(i, tag);
    i->harmless_tags += *tag != '\0';
}

void identity_forget_tags(struct identity *i)
{
    i->tag_count = 0;
    i->harmless_tags = 0;
}
