/* SPDX-License-Identifier: MIT */
/* events: what the fetch engine reports while it works. The callbacks are called by any
 * thread, but never by two at a time; they must not block for long. */
#ifndef IHOP_BASE_EVENTS_H
#define IHOP_BASE_EVENTS_H

#include <stdint.h>

enum events_phase {
    EVENTS_HEADER,   /* reading the archive's header */
    EVENTS_CHECKING, /* hashing chunks of the store; bytes are source bytes */
    EVENTS_SEEDING,  /* searching a seed; bytes are the seed's; the total is 0 if not known */
    EVENTS_CHUNKS,   /* downloading; bytes are archive bytes */
    EVENTS_SYNCING,  /* making everything durable */
};

struct events_progress {
    enum events_phase phase;
    uint64_t bytes_done, bytes_total;
    uint64_t chunks_done, chunks_total;
};

struct events {
    /* Called at most ten times a second. */
    void (*progress)(void *user, const struct events_progress *p);
    /* Called with one line about something that happened, such as a retry. */
    void (*note)(void *user, const char *text);
    void *user;
};

/* Formats a note and reports it; does nothing when events or its note is NULL. */
void events_note(const struct events *events, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
