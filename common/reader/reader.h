/* SPDX-License-Identifier: MIT */
/* reader: one interface to read ranges of an archive, wherever it is.
 *
 * Requests are submitted and complete later, several at a time, in any order;
 * a request's bytes arrive in order, and received grows as they do. One thread
 * drives a reader; only reader_wake may be called by others.
 */
#ifndef IHOP_READER_READER_H
#define IHOP_READER_READER_H

#include "base/err.h"
#include "base/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range_request {
    uint64_t offset;
    size_t size;
    uint8_t *data;   /* size bytes, the caller's; valid until done or cancelled */
    size_t received; /* set to 0 by submit */
    void *user;

    /* The reader's: its queue, and what it knows of earlier tries. */
    struct range_request *next;
    uint64_t due_ms;      /* not before */
    unsigned tries;       /* failed in a row */
    unsigned sent;        /* for whatever reason, meanwhile */
    size_t progress_mark; /* received when they began */
    unsigned redirects;
    unsigned went_home; /* the reader's successes + 1, when it last tried the first address */
    bool crowded;       /* was turned away beside others, likewise */
    bool any_tag;       /* waited for a look at the header: its entity tag is taken as it is */
};

struct reader_stats {
    uint64_t bytes;    /* of bodies, those of no use included */
    uint64_t requests; /* sent, redirects and retries included */
    uint64_t retries;
};

struct reader;

struct reader_ops {
    void (*submit)(struct reader *r, struct range_request *q);
    int (*step)(struct reader *r, int timeout_ms, struct range_request **done, struct err *e);
    void (*cancel)(struct reader *r);
    void (*wake)(struct reader *r);
    void (*close)(struct reader *r);
};

struct reader {
    const struct reader_ops *ops;
    const char *name;     /* for messages: the path, or the URL without secrets */
    const char *location; /* to record in a release, or NULL for a local file */
    bool location_lacks;  /* a query, user or password, which are not recorded */
    uint64_t size;        /* of the archive; 0 until the first request is done */
    unsigned parallel;    /* how many requests are useful at a time */
    struct reader_stats stats;
    /* For stats.bytes: nothing is asked for that could exceed it (0: no limit), which is
     * ERR_SPACE, and over_limit is set. */
    uint64_t limit;
    bool over_limit;
    /* The header checksum, once known: when the server hints that the archive may
     * have changed, the reader compares these bytes again. */
    bool has_canary;
    uint64_t canary_offset;
    uint8_t canary[64];
};

static inline void reader_submit(struct reader *r, struct range_request *q)
{
    q->received = 0;
    q->next = NULL;
    q->due_ms = 0;
    q->tries = 0;
    q->sent = 0;
    q->progress_mark = 0;
    q->redirects = 0;
    q->went_home = 0;
    q->crowded = q->any_tag = false;
    r->ops->submit(r, q);
}

/* Works for at most timeout_ms, or until something happens. Returns 1 with a
 * completed request, 0 (bytes may have arrived), or -1: the reader has failed
 * for good, after its retries; cancel and close it. */
static inline int reader_step(struct reader *r, int timeout_ms, struct range_request **done,
                              struct err *e)
{
    return r->ops->step(r, timeout_ms, done, e);
}

/* Forgets all requests; their data is not touched any more. */
static inline void reader_cancel(struct reader *r)
{
    r->ops->cancel(r);
}

/* Ends a step early. Any thread. */
static inline void reader_wake(struct reader *r)
{
    r->ops->wake(r);
}

static inline void reader_close(struct reader *r)
{
    if (r)
        r->ops->close(r);
}

static inline void reader_cleanup(struct reader **r)
{
    reader_close(*r);
}

/* Submits one request and waits for it. */
int reader_read(struct reader *r, uint64_t offset, size_t size, uint8_t *data, struct err *e)
    __attribute__((warn_unused_result));

#endif
