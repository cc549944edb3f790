/* SPDX-License-Identifier: MIT */
/* limits: every maximum on what comes from outside: from archives, stores and servers, and
 * from a command line. What exceeds one is refused. Sizes are in bytes.
 *
 * What the program chooses itself is not here, but beside the code that it tunes: budgets of
 * memory, the sizes of buffers, batches and requests, pauses. Neither is the size of a field
 * in which a longer text is only cut. A name that begins with LIMIT_ is defined in this file
 * alone (tests/lib/house.py).
 */
#ifndef IHOP_BASE_LIMITS_H
#define IHOP_BASE_LIMITS_H

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)

/* ---- archives and stores ---- */

/* 64 MiB holds about 800,000 chunks with 64-byte hashes: an image of 50 GiB at bita's default
 * chunk size. */
#define LIMIT_DICTIONARY (64 * MIB)
/* A release holds a larger dictionary than its archive, 14 bytes more for each chunk, and perhaps
 * the archive's header as well. */
#define LIMIT_RELEASE (3 * LIMIT_DICTIONARY)
/* An entry of the chunk order takes one byte in the dictionary and four in memory. This many
 * are an image of 256 GiB at bita's default chunk size. */
#define LIMIT_ORDER            ((size_t)4 * 1024 * 1024)
#define LIMIT_METADATA_ENTRIES 4096
#define LIMIT_METADATA_BYTES   (1 * MIB) /* keys and values together */
#define LIMIT_NESTED_MESSAGE   (1 * MIB) /* one descriptor, one map entry */
#define LIMIT_VERSION_TEXT     256       /* application_version */
#define LIMIT_URL              4096

#define LIMIT_CHUNK        (64 * MIB) /* bita's default maximum is 16 MiB; few raise it */
#define LIMIT_WINDOW       (64 * KIB) /* of a chunker */
#define LIMIT_IMAGE        (UINT64_C(1) << 62)
#define LIMIT_HASH_MIN     4          /* bytes: bita compress --hash-length */
#define LIMIT_HASH_TRUSTED 16         /* a shorter hash is no content address: --allow-short-hash */
#define LIMIT_HASH_PINNED  32         /* what a pinned or signed header must have */
#define LIMIT_XZ_MEMORY    (80 * MIB) /* of a decoder: the dictionary of xz -9 is 64 MiB */

#define LIMIT_DELTA_BASE   (4 * MIB) /* that a delta is decoded against */
#define LIMIT_DELTA_RANGES 16        /* that a base is put together from */
#define LIMIT_DELTA_BSDIFF (4 * MIB) /* of a chunk whose delta has the codec DELTA_BSDIFF */

/* Of ihop.compatible and compatible= in device.conf. */
#define LIMIT_DEVICE_TYPE  128 /* bytes of a name */
#define LIMIT_DEVICE_TYPES 256 /* for which one image is */
#define LIMIT_DEVICE_CONF  (64 * KIB)

#define LIMIT_RELEASE_NAME 200
#define LIMIT_BOOT_TRIES   100 /* of a release on trial */

/* ---- signatures ---- */

#define LIMIT_SIGNATURE_TEXT    (64 * KIB) /* all signatures of one archive */
#define LIMIT_SIGNATURES        32         /* of one archive */
#define LIMIT_SIGNATURE_COMMENT 8192       /* each of a signature's two; minisign's own limit */
#define LIMIT_KEYS              64         /* that are trusted at a time */
#define LIMIT_KEY_FILE          ((size_t)(64 * KIB))

/* Of opening a secret key with its password: minisign's default takes 1 GiB and 2^23 steps. */
#define LIMIT_SCRYPT_MEMORY (1024 * MIB)
#define LIMIT_SCRYPT_WORK   (32 * MIB) /* N x r x p */

/* ---- servers ---- */

#define LIMIT_REDIRECTS       5          /* in a row */
#define LIMIT_HTTP_HEADER     (96 * KIB) /* libcurl has limits of its own, too */
#define LIMIT_HTTP_ERROR_BODY (64 * KIB) /* with a longer one, the connection is not kept */
/* The longest Retry-After that a run waits for, in seconds. With a longer one the run ends and
 * reports it: to come back earlier is not what the server wants, and whoever started the run
 * knows better what to do with an hour. */
#define LIMIT_RETRY_AFTER_S 300

/* ---- command lines ---- */

#define LIMIT_CONNECTIONS      16
#define LIMIT_JOBS             64
#define LIMIT_RETRIES          1000
#define LIMIT_WAIT_S           (24 * 60 * 60) /* of a pause or timeout */
#define LIMIT_PARTIAL_AGE_DAYS 36500
#define LIMIT_NBD_DEVICE       255 /* /dev/nbd255; the kernel makes more, 16 are usual */
#define LIMIT_DEAD_TIMEOUT_S   (366 * 24 * 60 * 60)
#define LIMIT_HEADER_FILE      ((size_t)(64 * KIB)) /* of --header @FILE, which may be a device */

#endif
