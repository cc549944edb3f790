/* SPDX-License-Identifier: MIT */
/* fuzz_response: the header of an HTTP response, line by line as libcurl hands it over, and what is
 * made of it. Input: the range asked for (offset, size - 1 and known total, each u32, little-
 * endian), then the lines. */
#include "fuzz.h"

#include "reader/http_response.h"

#include <stdlib.h>
#include <string.h>

static uint64_t get_u32(const uint8_t *data)
{
    return data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16 | (uint64_t)data[3] << 24;
}

/* Each line in an allocation of its own size, so that a sanitizer sees a byte beyond. */
static void feed(struct http_response *r, const uint8_t *line, size_t size)
{
    char *copy = malloc(size ? size : 1);

    if (!copy)
        return;
    memcpy(copy, line, size);
    http_response_line(r, copy, size);
    free(copy);
}

static void check_texts(const struct http_response *r)
{
    FUZZ_ASSERT(memchr(r->etag, 0, sizeof r->etag) && memchr(r->encoding, 0, sizeof r->encoding));
    FUZZ_ASSERT(memchr(r->challenge, 0, sizeof r->challenge) && memchr(r->date, 0, sizeof r->date));
    FUZZ_ASSERT(memchr(r->retry_after, 0, sizeof r->retry_after));
}

static void check_range(const struct http_response *r, uint64_t offset, uint64_t size,
                        uint64_t total)
{
    struct err e = ERR_INIT;

    if (http_response_check(r, offset, size, total, &e) < 0) {
        FUZZ_ASSERT((e.kind == ERR_PROTOCOL || e.kind == ERR_ARCHIVE) && e.text[0]);
        return;
    }
    /* What is accepted is that range and no other, of that archive. */
    FUZZ_ASSERT(r->has_range && !r->bad_range && !r->multipart && !*r->encoding);
    FUZZ_ASSERT(r->start == offset && r->end == offset + size - 1);
    FUZZ_ASSERT(r->total > r->end && (total == 0 || r->total == total));
    FUZZ_ASSERT(r->chunked || !r->has_length || r->length == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response r = {0};
    uint64_t offset, length, total;

    if (size < 12)
        return 0;
    offset = get_u32(data);
    length = get_u32(data + 4) + 1;
    total = get_u32(data + 8);
    data += 12;
    size -= 12;
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) + 1 : size;

        feed(&r, data, n);
        FUZZ_ASSERT(r.status == 0 || (r.status >= 100 && r.status <= 999));
        data += n;
        size -= n;
    }
    check_texts(&r);
    check_range(&r, offset, length, total);
    FUZZ_ASSERT(http_response_retry_after(&r, 0) <= HTTP_RETRY_AFTER_CAP);
    FUZZ_ASSERT(http_response_retry_after(&r, 4102444800) <= HTTP_RETRY_AFTER_CAP);
    return 0;
}
