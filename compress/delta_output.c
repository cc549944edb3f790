/* SPDX-License-Identifier: MIT */
#include "compress/delta_output.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

int delta_output_init(struct delta_output *o, struct output_file *file, size_t count, struct err *e)
{
    *o = (struct delta_output){.file = file, .count = count};
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->moved, NULL);
    o->waiting = calloc(count + 1, sizeof(struct delta_made *));
    return o->waiting ? 0 : err_nomem(e, "preparing a pack");
}

void delta_output_free(struct delta_output *o)
{
    for (size_t i = 0; o->waiting && i < o->count; i++)
        free(o->waiting[i]);
    free(o->waiting);
    delta_list_free(&o->list);
    pthread_cond_destroy(&o->moved);
    pthread_mutex_destroy(&o->lock);
}

/* ---- with the lock held ---- */

static int list_delta(struct delta_output *o, const struct delta_made *made, struct err *e)
{
    struct delta_list *list = &o->list;

    if (array_grow((void **)&list->items, &list->capacity, list->count, sizeof *list->items, e) < 0)
        return -1;
    list->items[list->count] = (struct delta){.offset = o->file->size,
                                              .size = (uint32_t)made->size,
                                              .chunk = made->chunk,
                                              .first_range = (uint32_t)list->range_count,
                                              .range_count = (uint8_t)made->base.count,
                                              .codec = (uint8_t)made->codec};
    for (size_t i = 0; i < made->base.count; i++) {
        if (array_grow((void **)&list->ranges, &list->range_capacity, list->range_count,
                       sizeof *list->ranges, e) < 0)
            return -1;
        list->ranges[list->range_count++] = made->base.ranges[i];
    }
    list->count++;
    return 0;
}

static int write_delta(struct delta_output *o, const struct delta_made *made, struct err *e)
{
    if (list_delta(o, made, e) < 0)
        return -1;
    o->next++;
    return output_file_write(o->file, made->data, made->size, e);
}

static int write_waiting(struct delta_output *o, struct err *e)
{
    while (o->next < o->count && o->waiting[o->next]) {
        CLEANUP_FREE struct delta_made *made = STEAL(o->waiting[o->next]);

        o->waiting_bytes -= made->size;
        if (write_delta(o, made, e) < 0)
            return -1;
    }
    pthread_cond_broadcast(&o->moved);
    return 0;
}

static int keep_for_later(struct delta_output *o, size_t i, const struct delta_made *made,
                          struct err *e)
{
    struct delta_made *kept = malloc(sizeof *kept + made->size);
    uint8_t *data = (uint8_t *)(kept + 1);

    if (!kept)
        return err_nomem(e, "keeping a delta");
    *kept = *made;
    memcpy(data, made->data, made->size);
    kept->data = data;
    o->waiting[i] = kept;
    o->waiting_bytes += made->size;
    return 0;
}

static int put_delta(struct delta_output *o, size_t i, const struct delta_made *made, struct err *e)
{
    while (!o->failed && o->next != i && o->waiting_bytes > 0 &&
           o->waiting_bytes + made->size > DELTA_OUTPUT_WAITING)
        pthread_cond_wait(&o->moved, &o->lock);
    if (o->failed)
        return err_set(e, ERR_CANCELLED, "another delta failed");
    if (o->next != i)
        return keep_for_later(o, i, made, e);
    return write_delta(o, made, e) < 0 ? -1 : write_waiting(o, e);
}

/* ---- for all threads ---- */

int delta_output_put(struct delta_output *o, size_t i, const struct delta_made *made, struct err *e)
{
    LOCK_SCOPE(&o->lock);

    if (put_delta(o, i, made, e) == 0)
        return 0;
    o->failed = true;
    pthread_cond_broadcast(&o->moved);
    return -1;
}

void delta_output_fail(struct delta_output *o)
{
    LOCK_SCOPE(&o->lock);

    o->failed = true;
    pthread_cond_broadcast(&o->moved);
}
