/* SPDX-License-Identifier: MIT */
/* reader: the interface to read ranges of an archive, wherever it is. open.h opens one.
 *
 * Requests are submitted and complete later, several at a time and in any order. The bytes of
 * one request arrive in order, and received grows as they do. One thread drives a reader;
 * other threads may call reader_wake only.
 */
#ifndef IHOP_READER_READER_H
#define IHOP_READER_READER_H

#include "base/err.h"
#include "reader/http_history.h"
#include "reader/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range_request {
    uint64_t offset;
    size_t size;
    uint8_t *data;   /* size bytes, the caller's; valid until done or cancelled */
    size_t received; /* set to 0 by submit */
    void *user;

    /* The reader's, while it has the request. */
    struct range_request *next;
    struct http_history history;
};

struct reader_stats {
    uint64_t bytes;    /* of bodies, of those that are no use, too */
    uint64_t requests; /* that were sent, redirects and retries included */
    uint64_t retries;
};

struct reader;

struct http_settings;

struct reader_ops {
    void (*submit)(struct reader *r, struct range_request *q);
    int (*step)(struct reader *r, int timeout_ms, struct range_request **done, struct err *e);
    void (*cancel)(struct reader *r);
    void (*wake)(struct reader *r);
    void (*close)(struct reader *r);
};

struct reader {
    const struct reader_ops *ops;
    const char *archive;                  /* the address or path that it was opened with */
    const struct http_settings *settings; /* those that it was opened with; NULL for a file */
    const char *name;                     /* for messages: the path, or the URL without secrets */
    const char *location;                 /* to record in a release, or NULL for a local file */
    bool location_lacks; /* location lacks the query, user or password of the address */
    uint64_t size;       /* of the archive; 0 until the first request is done */
    unsigned parallel;   /* how many requests are useful at a time */
    struct reader_stats stats;
    /* The limit on stats.bytes; 0: none. A request that could exceed it is not sent: that is
     * ERR_SPACE, and over_limit is set. */
    uint64_t limit;
    bool over_limit;
    struct identity identity; /* set by reader_set_identity */
};

static inline void reader_submit(struct reader *r, struct range_request *q)
{
    q->received = 0;
    q->next = NULL;
    q->history = (struct http_history){0};
    r->ops->submit(r, q);
}

/* Works for at most timeout_ms, or until something happens. Returns 1 with a completed
 * request, 0 (bytes may have arrived), or -1: the reader has failed for good, after its
 * retries, and can only be cancelled and closed. */
static inline int reader_step(struct reader *r, int timeout_ms, struct range_request **done,
                              struct err *e)
{
    return r->ops->step(r, timeout_ms, done, e);
}

/* Forgets all requests; from now on the reader does not touch their data. */
static inline void reader_cancel(struct reader *r)
{
    r->ops->cancel(r);
}

/* Ends a step early. May be called by any thread. */
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

/* Tells the reader the archive's header checksum and where it stands. From now on the reader
 * compares it again when a server's answers raise a doubt; ERR_PROTOCOL when it changed. */
static inline void reader_set_identity(struct reader *r, uint64_t checksum_offset,
                                       const uint8_t checksum[IDENTITY_CHECKSUM_SIZE])
{
    identity_set(&r->identity, checksum_offset, checksum);
}

/* Reads the header checksum again and compares it. 0 when it is the same, or was never set;
 * -1 with ERR_PROTOCOL when the archive changed, or with the kinds of reader_read. */
int reader_check_identity(struct reader *r, struct err *e) __attribute__((warn_unused_result));

#endif
