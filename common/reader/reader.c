/* SPDX-License-Identifier: MIT */
#include "reader/reader.h"

#define STEP_MS 100

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
