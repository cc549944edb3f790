/* SPDX-License-Identifier: MIT */
#include "reader/reader.h"

#define STEP_MS 100 /* any: a single request is waited for */

int reader_read(struct reader *r, uint64_t offset, size_t size, uint8_t *data, struct err *e)
{
    struct range_request q = {.offset = offset, .size = size, .data = data}, *done;
    int got;

    reader_submit(r, &q);
    while ((got = reader_step(r, STEP_MS, &done, e)) == 0)
        continue;
    if (got < 0)
        reader_cancel(r);
    return got < 0 ? -1 : 0;
}

int reader_check_identity(struct reader *r, struct err *e)
{
    const struct identity *i = &r->identity;
    uint8_t bytes[IDENTITY_CHECKSUM_SIZE];

    if (!i->known)
        return 0;
    if (reader_read(r, i->checksum_offset, sizeof bytes, bytes, e) < 0)
        return -1;
    return identity_check(i, bytes, r->name, false, e);
}
