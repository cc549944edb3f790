/* SPDX-License-Identifier: MIT */
/* http_queue: the requests that no transfer works on.
 *
 * New requests are taken in the order in which they came. A request that failed waits until
 * its time (history.due_ms) and then goes first. While enough of them wait, the server is in
 * trouble, and no new one is given out. So few wait at a time, and no function here takes
 * longer for more requests. For one thread; the requests belong to the caller. */
#ifndef IHOP_READER_HTTP_QUEUE_H
#define IHOP_READER_HTTP_QUEUE_H

#include "reader/reader.h"

#include <stddef.h>
#include <stdint.h>

struct http_queue {
    struct range_request *first, **last; /* new ones, linked by next */
    struct range_request *waiting;       /* in any order */
    unsigned waiting_count;
};

/* Also empties a queue that was in use. */
void http_queue_init(struct http_queue *queue);

/* The request waits if its due_ms is not 0. */
void http_queue_add(struct http_queue *queue, struct range_request *q);

/* Takes the next request that may start at the time now (io_now_ms); NULL: none may. While
 * most_waiting or more wait, no new one is given out. */
struct range_request *http_queue_take(struct http_queue *queue, uint64_t now,
                                      unsigned most_waiting);

/* Milliseconds until the next waiting request is due, at most most. */
int http_queue_ms(const struct http_queue *queue, uint64_t now, int most);

#endif
