/* SPDX-License-Identifier: MIT */
#include "chunker/chunker.h"

#include "base/checked.h"
#include "base/limits.h"
#include "chunker/rolling.h"

#include <stdlib.h>
#include <string.h>

struct chunker {
    struct rolling rolling;
    struct buzhash_start start;
    uint32_t min_size, max_size;
    uint32_t length; /* of the chunk so far */
    bool has_sum;    /* whether sum is that of the last window */
    uint32_t sum;
    /* Two windows: the bytes before the current push, and space for as many bytes of the push,
     * so that both are contiguous. */
    uint8_t *edge;
};

static const struct rolling_ops *const algorithms[] = {[IMAGE_BUZHASH] = &buzhash_ops,
                                                       [IMAGE_ROLLSUM] = &rollsum_ops,
                                                       [IMAGE_FIXED_SIZE] = &fixed_ops};

/* ---- configuration ---- */

static int check_value(const char *what, uint64_t value, uint64_t min, uint64_t max, struct err *e)
{
    if (value >= min && value <= max)
        return 0;
    return err_set(e, ERR_USAGE, "the chunker's %s is %llu; %llu to %llu is possible", what,
                   (unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
}

int chunker_config_check(const struct chunker_config *config, struct err *e)
{
    if ((unsigned)config->algorithm > IMAGE_FIXED_SIZE)
        return err_set(e, ERR_USAGE, "unknown chunking algorithm %d", (int)config->algorithm);
    if (config->algorithm == IMAGE_FIXED_SIZE)
        return check_value("fixed size", config->max_size, 1, LIMIT_CHUNK, e);
    if (check_value("maximum size", config->max_size, 1, LIMIT_CHUNK, e) < 0 ||
        check_value("minimum size", config->min_size, 0, config->max_size, e) < 0 ||
        check_value("window", config->window_size, 1, min_u64(config->max_size, LIMIT_WINDOW), e) <
            0)
        return -1;
    return check_value("number of filter bits", config->filter_bits, 1, 32, e);
}

void chunker_config_of(const struct image *image, struct chunker_config *config)
{
    *config = (struct chunker_config){.algorithm = image->chunker,
                                      .filter_bits = image->filter_bits,
                                      .window_size = image->window_size,
                                      .min_size = image->min_chunk_size,
                                      .max_size = image->max_chunk_size};
}

void rolling_init(struct rolling *r, const struct chunker_config *config)
{
    r->ops = algorithms[config->algorithm];
    if (config->algorithm == IMAGE_FIXED_SIZE)
        return;
    r->window = config->window_size;
    r->mask = UINT32_MAX >> (32 - config->filter_bits);
    if (r->ops->init)
        r->ops->init(r);
}

/* ---- life ---- */

static void start_init(struct buzhash_start *s, const struct chunker_config *config)
{
    s->active = config->algorithm == IMAGE_BUZHASH;
    if (config->min_size > config->window_size)
        s->fed_from = config->min_size - config->window_size - 1;
}

struct chunker *chunker_new(const struct chunker_config *config, struct err *e)
{
    struct chunker *c;

    if (chunker_config_check(config, e) < 0)
        return NULL;
    c = calloc(1, sizeof *c);
    if (c) {
        rolling_init(&c->rolling, config);
        start_init(&c->start, config);
        c->max_size = config->max_size;
        c->min_size = config->algorithm == IMAGE_FIXED_SIZE ? c->max_size : config->min_size;
        /* The window may have no bytes, and calloc of nothing may return NULL. */
        c->edge = calloc(2, c->rolling.window + 1);
        c->start.first = calloc(1, c->rolling.window + 1);
    }
    if (!c || !c->edge || !c->start.first) {
        chunker_free(c);
        err_nomem(e, "starting a chunker");
        return NULL;
    }
    return c;
}

void chunker_free(struct chunker *c)
{
    if (!c)
        return;
    free(c->edge);
    free(c->start.first);
    free(c);
}

bool chunker_is_settled(const struct chunker *c)
{
    return !c->start.active;
}

/* ---- cutting ---- */

/* Rolls over size bytes at data. The window before data must be readable. */
static size_t roll(struct chunker *c, const uint8_t *data, size_t size, bool *hit)
{
    const struct rolling_ops *ops = c->rolling.ops;

    if (!c->has_sum)
        c->sum = ops->sum(&c->rolling, data);
    c->has_sum = true;
    return ops->roll(&c->rolling, &c->sum, data, size, hit);
}

/* Rolls over data[at] .. data[end - 1] and returns the index where it stopped. */
static size_t roll_push(struct chunker *c, const uint8_t *data, size_t at, size_t end, bool *hit)
{
    size_t window = c->rolling.window;

    if (at < end && at < window) {
        size_t edge_end = min_size(end, window);

        memcpy(c->edge + window, data, edge_end);
        at += roll(c, c->edge + window + at, edge_end - at, hit);
    }
    if (at < end && !*hit)
        at += roll(c, data + at, end - at, hit);
    return at;
}

/* Keeps the last window of the input so far, of which the last used bytes are at data. */
static void keep_window(struct chunker *c, const uint8_t *data, size_t used)
{
    size_t window = c->rolling.window, kept = used < window ? window - used : 0;

    memmove(c->edge, c->edge + window - kept, kept);
    memcpy(c->edge + kept, data + used - (window - kept), window - kept);
}

size_t chunker_push(struct chunker *c, const uint8_t *data, size_t size, bool *boundary)
{
    size_t end = min_size(size, c->max_size - c->length), at, left_out;
    bool hit = false;

    at = buzhash_start_push(&c->start, &c->rolling, c->length, c->min_size, data, end, &hit);
    if (!hit && c->length + at + 1 < c->min_size) {
        left_out = min_size(end - at, c->min_size - 1 - (c->length + at));
        at += left_out;
        c->has_sum = c->has_sum && left_out == 0;
    }
    if (!hit)
        at = roll_push(c, data, at, end, &hit);
    keep_window(c, data, at);
    c->length += (uint32_t)at;
    *boundary = hit || c->length == c->max_size;
    if (*boundary)
        c->length = 0;
    return at;
}
