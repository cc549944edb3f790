/* SPDX-License-Identifier: MIT */
/* limits: every maximum of the project, in one place. Sizes are in bytes. */
#ifndef IHOP_BASE_LIMITS_H
#define IHOP_BASE_LIMITS_H

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)

/* Dictionaries. 64 MiB holds about 800,000 chunks with 64-byte hashes: an image
 * of 50 GiB at bita's default chunk size. */
#define LIMIT_DICTIONARY (64 * MIB)
/* Entries of the chunk order take one byte in the dictionary and four in memory: an
 * image of 256 GiB at bita's default chunk size. */
#define LIMIT_ORDER            ((size_t)4 * 1024 * 1024)
#define LIMIT_METADATA_ENTRIES 4096
#define LIMIT_METADATA_BYTES   (1 * MIB) /* keys and values together */
#define LIMIT_NESTED_MESSAGE   (1 * MIB) /* one descriptor, one map entry */
#define LIMIT_VERSION_TEXT     256       /* application_version */
#define LIMIT_URL              4096

/* Chunks. bita's default maximum is 16 MiB and users rarely raise it. */
#define LIMIT_CHUNK        (64 * MIB)
#define LIMIT_WINDOW       (64 * KIB) /* of a chunker */
#define LIMIT_IMAGE        (UINT64_C(1) << 62)
#define LIMIT_HASH_MIN     4  /* bita compress --hash-length */
#define LIMIT_HASH_TRUSTED 16 /* shorter is no content address: --allow-short-hash */
#define LIMIT_HASH_PINNED  32 /* what a pinned header must have */

/* Names. */
#define LIMIT_RELEASE_NAME 200

/* Fetching. */
/* Small enough that several are in flight within the budget, large enough that
 * what a request costs (500 bytes, a round trip) does not count. */
#define LIMIT_RANGE       (2 * MIB)
#define LIMIT_REDIRECTS   5
#define LIMIT_CONNECTIONS 16
#define LIMIT_JOBS        64
#define LIMIT_RETRIES     1000
#define LIMIT_WAIT_S      (24 * 60 * 60) /* of a pause or timeout on a command line */

/* What the pipeline may hold at a time; an item over its share is admitted
 * alone. Received archive bytes; and decoders with their output. */
#define BUDGET_RECEIVED (12 * MIB)
#define BUDGET_DECODED  (24 * MIB)

/* Cutting an input. A piece is read and searched at a time, while it is in a core's
 * cache; chunks that span pieces are put together within CUT_SPANNING. */
#define CUT_PIECE    ((size_t)(512 * KIB))
#define CUT_SPANNING ((size_t)(32 * MIB))

/* A batch of staged chunks is committed at the first of these. */
#define BATCH_BYTES   (64 * MIB)
#define BATCH_CHUNKS  1024
#define BATCH_SECONDS 20

/* In a chunk file, an aligned run of zeros at least this long becomes a hole. */
#define HOLE_MIN ((size_t)(64 * KIB))

#endif
