/* SPDX-License-Identifier: MIT */
/* seed: takes chunks from a file or device that is likely to hold some, such as the
 * partition that a device runs from, before anything is downloaded.
 *
 * The seed is cut on all cores with the image's own chunker (chunker/cut.h). What it
 * holds need not be trusted, nor stand still: each chunk is hashed.
 */
#ifndef IHOP_FETCH_SEED_H
#define IHOP_FETCH_SEED_H

#include "base/err.h"
#include "fetch/deposit.h"
#include "base/events.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>

/* Searches the seed at path ("-": standard input) for chunks with missing[i]. Each
 * one found is staged (deposit NULL: only counted), and missing[i] becomes false;
 * *found counts them. Chunks of zeros are left alone: those cost nothing. Kinds:
 * ERR_NOT_FOUND and ERR_IO for the seed, and those of deposit_add. */
int seed_scan(const char *path, const struct image *image, bool *missing, struct deposit *deposit,
              unsigned jobs, const struct events *events, size_t *found, struct err *e)
    __attribute__((warn_unused_result));

#endif
