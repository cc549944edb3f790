/* SPDX-License-Identifier: MIT */
/* http_queue: the requests that no transfer works on yet. New ones are taken in the order
 * in which they came; one that failed waits until its time (due_ms) and then goes first.
 * Few wait at a time, however many there are: while enough of them wait, no new one is
 * given out, for the server is in trouble. So nothing here depends on how many requests
 * there are. One thread; the requests belong to the caller. */
#ifndef IHOP_READER_HTTP_QUEUE_H
#define IHOP_READER_HTTP_QUEUE_H

#include "reader/reader.h"

#include <stddef.h>
#include <stdint.h>

struct http_queue {
    struct range_request *first, **last; /* new ones */
    struct range_request *waiting;       /* in any order */
    unsigned waiting_count;
};

/* Empties it, too. */
void http_queue_init(struct http_queue *queue);

/* To wait, if its due_ms is not 0. */
void http_queue_add(struct http_queue *queue, struct range_request *q);

/* Takes the next one that may start at the time now, or NULL. With most_waiting or more
 * waiting, none that is new. */
struct range_request *http_queue_take(struct http_queue *queue, uint64_t now,
                                      unsigned most_waiting);

/* Milliseconds until one that waits is due; most if that is less, or if none waits. */
int http_queue_ms(const struct http_queue *queue, uint64_t now, int most);

#endif
