/* SPDX-License-Identifier: MIT */
/* delta_output: collects the deltas of a pack, which come in any order from several threads, and
 * writes them in the order of the chunk table.
 *
 * The thread that has the delta whose turn it is writes it and all after it that are there. What
 * comes before its turn waits in memory, up to DELTA_OUTPUT_WAITING bytes; beyond that its thread
 * waits.
 */
#ifndef IHOP_COMPRESS_DELTA_OUTPUT_H
#define IHOP_COMPRESS_DELTA_OUTPUT_H

#include "base/err.h"
#include "base/limits.h"
#include "codec/delta_encoder.h"
#include "compress/delta_base.h"
#include "compress/output_file.h"
#include "format/delta_list.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELTA_OUTPUT_WAITING (16 * MIB)

/* One delta. With DELTA_COPY there is no base. */
struct delta_made {
    uint32_t chunk; /* its number in the chunk table */
    enum delta_codec codec;
    struct delta_base base;
    const uint8_t *data;
    size_t size;
};

struct delta_output {
    struct output_file *file;

    pthread_mutex_t lock; /* protects all below, and file */
    pthread_cond_t moved; /* next has moved, or failed is set */
    bool failed;
    struct delta_made **waiting; /* those that came before their turn, with their data behind */
    size_t count, next;          /* of waiting; whose turn it is */
    size_t waiting_bytes;
    struct delta_list list;
};

/* For count deltas. The file must outlive the output. ERR_MEMORY; the caller calls
 * delta_output_free in any case. */
int delta_output_init(struct delta_output *o, struct output_file *file, size_t count, struct err *e)
    __attribute__((warn_unused_result));
void delta_output_free(struct delta_output *o);

/* Takes delta number i of the pack, and copies what it needs. Several threads may call; the call
 * may wait for deltas of lower numbers, until they are there or a call fails. ERR_MEMORY, and the
 * kinds of output_file_write. */
int delta_output_put(struct delta_output *o, size_t i, const struct delta_made *made, struct err *e)
    __attribute__((warn_unused_result));

/* Ends all waiting: a thread has failed elsewhere. */
void delta_output_fail(struct delta_output *o);

#endif
