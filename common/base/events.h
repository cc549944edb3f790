/* SPDX-License-Identifier: MIT */
/* events: what the fetch engine tells while it works. The callbacks come from
 * any thread, one call at a time; they must not block for long. */
#ifndef IHOP_BASE_EVENTS_H
#define IHOP_BASE_EVENTS_H

#include <stdint.h>

enum events_phase {
    EVENTS_HEADER,   /* reading the archive's header */
    EVENTS_CHECKING, /* hashing chunks of the store; bytes are source bytes */
    EVENTS_SEEDING,  /* searching a seed; bytes are its bytes, the total 0 if not known */
    EVENTS_CHUNKS,   /* downloading; bytes are archive bytes */
    EVENTS_SYNCING,  /* making everything durable */
};

struct events_progress {
    enum events_phase phase;
    uint64_t bytes_done, bytes_total;
    uint64_t chunks_done, chunks_total;
};

struct events {
    /* At most ten times a second. */
    void (*progress)(void *user, const struct events_progress *p);
    /* Something worth a line: a retry, a redirect, an adopted chunk. */
    void (*note)(void *user, const char *text);
    void *user;
};

/* Formats a note, if anyone listens. */
void events_note(const struct events *events, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
