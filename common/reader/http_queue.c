/* SPDX-License-Identifier: MIT */
#include "reader/http_queue.h"

void http_queue_init(struct http_queue *queue)
{
    *queue = (struct http_queue){0};
    queue->last = &queue->first;
}

void http_queue_add(struct http_queue *queue, struct range_request *q)
{
    if (q->history.due_ms > 0) {
        q->next = queue->waiting;
        queue->waiting = q;
        queue->waiting_count++;
        return;
    }
    q->next = NULL;
    *queue->last = q;
    queue->last = &q->next;
}

/* The link to the request that has been due for longest, or NULL. */
static struct range_request **find_due(struct http_queue *queue, uint64_t now)
{
    struct range_request **due = NULL;

    for (struct range_request **at = &queue->waiting; *at; at = &(*at)->next)
        if ((*at)->history.due_ms <= now &&
            (!due || (*at)->history.due_ms < (*due)->history.due_ms))
            due = at;
    return due;
}

static struct range_request *take_waiting(struct http_queue *queue, struct range_request **at)
{
    struct range_request *q = *at;

    *at = q->next;
    queue->waiting_count--;
    return q;
}

static struct range_request *take_first(struct http_queue *queue)
{
    struct range_request *q = queue->first;

    queue->first = q->next;
    if (!queue->first)
        queue->last = &queue->first;
    return q;
}

struct range_request *http_queue_take(struct http_queue *queue, uint64_t now, unsigned most_waiting)
{
    struct range_request **due = find_due(queue, now);

    if (due)
        return take_waiting(queue, due);
    return queue->first && queue->waiting_count < most_waiting ? take_first(queue) : NULL;
}

int http_queue_ms(const struct http_queue *queue, uint64_t now, int most)
{
    for (const struct range_request *q = queue->waiting; q; q = q->next)
        if (q->history.due_ms < now + (uint64_t)most)
            most = q->history.due_ms > now ? (int)(q->history.due_ms - now) : 0;
    return most;
}
