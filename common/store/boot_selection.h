/* SPDX-License-Identifier: MIT */
/* boot_selection: which release of a store boots, and what keeps a device alive that was given a
 * bad one.
 *
 * A release on trial boots so many times; each time is counted, durably, before anybody learns its
 * name. When it is found good it becomes the default, and the default before it is the last good
 * one. Otherwise the default boots again. docs/store.md ("Which release boots") has the rules and
 * the file, boot_record.h the text, boot_file.h how it is replaced.
 *
 * A release is chosen only if it is whole (release_whole.h) and its version is not below the
 * store's minimum (floor.h); one that is, and is the default, boots when nothing else can and none
 * that reaches the minimum was ever the default. No two commands write at a time: they hold the
 * publish lock (lock.h). Names identify releases; the image's id, which is recorded beside each,
 * keeps a trial and "good" from speaking of another image that got the name. Each function may be
 * called for a store that is open for reading, unless said otherwise. Thread-safe.
 */
#ifndef IHOP_STORE_BOOT_SELECTION_H
#define IHOP_STORE_BOOT_SELECTION_H

#include "base/err.h"
#include "base/events.h"
#include "store/boot_record.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

#define BOOT_TRIES 3 /* when nothing else is said */

/* Reads the record for showing it; all of it is empty when nobody has chosen anything. ERR_DAMAGED
 * or ERR_IO: it cannot be read, and *record has what could be saved. */
int boot_selection_read(const struct store *store, struct boot_record *record, struct err *e)
    __attribute__((warn_unused_result));

/* Whether this is the boot of the machine in which booted was recorded; true when it is not known.
 */
bool boot_is_this_boot(const struct boot_record *record);

/* Whether the tries of the trial are used up, and it is not what runs now. */
bool boot_trial_failed(const struct boot_record *record);

/* The role that keeps the release of this name from being removed, the first one of several;
 * BOOT_ROLES: none. A trial that has failed may go. */
enum boot_role boot_role_that_keeps(const struct boot_record *record, const char *name);

/* Fails when the release of this name must stay: ERR_BUSY, and the message says what to do. Also
 * when that cannot be known: ERR_DAMAGED, ERR_IO. */
int boot_check_removable(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

struct boot_request {
    const char *const *skip; /* names not to choose */
    size_t skip_count;
    bool dry_run;                /* counts and records nothing */
    const struct events *events; /* note: why a release was not chosen; or NULL */
};

/* Chooses what boots: the trial, if it has a try left and that could be counted; the default; the
 * last good one; or, when none of these can be had, the newest other release that is whole, which
 * begins a trial if the default is below the minimum. It is recorded as booted. *role tells why it
 * was chosen: BOOT_BOOTED for the newest other one without a trial.
 * ERR_NOT_FOUND: there is nothing to boot, or nobody has chosen anything yet. */
int boot_choose(const struct store *store, const struct boot_request *request,
                struct boot_choice *choice, enum boot_role *role, struct err *e)
    __attribute__((warn_unused_result));

/* Makes a release the default and ends the trial; the default before, if it is another one, is the
 * last good one. Refuses a release that is not whole, and with ERR_ARCHIVE one that is below the
 * minimum; ERR_DAMAGED, too, when the minimum is not known. */
int boot_set_default(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

enum boot_armed {
    BOOT_ARMED,
    BOOT_IS_DEFAULT,   /* it is the default: nothing to try */
    BOOT_WAS_GOOD,     /* it was the default before; only with once */
    BOOT_STILL_ARMED,  /* it is on trial, with tries left; only with once */
    BOOT_TRIED_BEFORE, /* it was on trial, and failed; only with once */
};

/* Puts a release on trial for so many boots. Refuses what boot_set_default refuses, and with
 * ERR_OTHER_IMAGE another image under the name of the default: there would be nothing to fall back
 * to. With once, an image that was tried before under this name is left alone, so that a script may
 * run again. *has_default tells whether there is anything to fall back to. */
int boot_try(const struct store *store, const char *name, unsigned tries, bool once,
             enum boot_armed *armed, bool *has_default, struct err *e)
    __attribute__((warn_unused_result));

enum boot_good {
    BOOT_MADE_DEFAULT,
    BOOT_ALREADY_DEFAULT, /* the default was booted */
    BOOT_FALLBACK,        /* something else was booted */
    BOOT_NOT_BOOTED,      /* name is not what was booted */
    BOOT_EARLIER_BOOT,    /* what was booted was recorded in an earlier boot */
    BOOT_NONE_BOOTED,     /* nothing was ever booted */
};

/* Says that what was booted works: a trial becomes the default, the default the last good one.
 * name, unless NULL, is what the caller believes to run. *booted is what was booted.
 * ERR_OTHER_IMAGE when another image has got the name since then; ERR_NOT_FOUND when nobody has
 * chosen anything. */
int boot_set_good(const struct store *store, const char *name, enum boot_good *outcome,
                  struct boot_choice *booted, struct err *e) __attribute__((warn_unused_result));

#endif
