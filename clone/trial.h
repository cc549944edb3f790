/* SPDX-License-Identifier: MIT */
/* trial: what a clone does about which release boots (store/boot_selection.h): --try, and a word
 * when a release is replaced that may be needed to boot. One thread calls. */
#ifndef IHOP_CLONE_TRIAL_H
#define IHOP_CLONE_TRIAL_H

#include "base/err.h"
#include "base/events.h"
#include "clone/options.h"
#include "format/image.h"
#include "store/boot_selection.h"
#include "store/store.h"

#include <stdint.h>

/* Looks at the roles that the release's name has, before anything is fetched. ERR_OTHER_IMAGE: with
 * --try another image under the name of the default. Without it, a note says what replacing means.
 * store is open for reading. */
int trial_check_name(const struct clone_options *o, const struct store *store,
                     const struct image *image, const struct events *events, struct err *e)
    __attribute__((warn_unused_result));

/* Notes when the default has become one that is below the store's minimum. */
void trial_note_minimum(const struct clone_options *o, uint64_t minimum,
                        const struct events *events);

/* Puts the release, which is there now, on trial, unless its image was before (boot_try with once).
 */
int trial_arm(const struct clone_options *o, const struct events *events, enum boot_armed *armed,
              struct err *e) __attribute__((warn_unused_result));

/* What was done, for messages and for JSON. */
const char *trial_text(enum boot_armed armed);
const char *trial_word(enum boot_armed armed);

#endif
