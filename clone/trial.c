/* SPDX-License-Identifier: MIT */
#include "clone/trial.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "format/facts.h"
#include "store/release_load.h"

#include <string.h>

static bool has_other_image(const struct boot_choice *c, const char *name, const char *id)
{
    return strcmp(c->name, name) == 0 && c->id[0] && strcmp(c->id, id) != 0;
}

int trial_check_name(const struct clone_options *o, const struct store *store,
                     const struct image *image, const struct events *events, struct err *e)
{
    struct boot_record r;
    struct err ignored = ERR_INIT;
    char id[CHUNK_HASH_HEX];

    /* A damaged record is reported by whoever needs it. */
    if (!store || boot_selection_read(store, &r, &ignored) < 0)
        return 0;
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, id);
    if (has_other_image(&r.of[BOOT_DEFAULT], o->release, id)) {
        if (o->try)
            return err_set(e, ERR_OTHER_IMAGE,
                           "%s/%s is the default: a trial of another image under its name would "
                           "leave nothing to fall back to: choose another name",
                           o->store, o->release);
        events_note(events,
                    "warning: %s/%s is the default: the new image boots without a trial "
                    "(another name and --try give it one)",
                    o->store, o->release);
    } else if (o->try) {
        return 0; /* with two names that take turns, the last good one is replaced each time */
    } else if (has_other_image(&r.of[BOOT_TRIAL], o->release, id)) {
        events_note(events, "warning: %s/%s is on trial: the new image is not, without --try",
                    o->store, o->release);
    } else if (has_other_image(&r.of[BOOT_GOOD], o->release, id)) {
        events_note(
            events,
            "warning: %s/%s is the last good one: a boot that falls back gets the new image",
            o->store, o->release);
    }
    return 0;
}

void trial_note_minimum(const struct clone_options *o, uint64_t minimum,
                        const struct events *events)
{
    const struct store_options reading = {.access = STORE_READ};
    CLEANUP(store_cleanup) struct store *store = NULL;
    CLEANUP(image_free) struct image image = {0};
    struct err ignored = ERR_INIT;
    struct boot_record r;
    struct facts facts;
    const char *name = r.of[BOOT_DEFAULT].name;

    if (store_open(o->store, &reading, &store, &ignored) < 0 ||
        boot_selection_read(store, &r, &ignored) < 0 || !*name ||
        store_release_metadata(store, name, &image, &ignored) < 0 ||
        facts_read(&image, &facts, &ignored) < 0 || facts.version >= minimum)
        return;
    events_note(
        events,
        "warning: the default, %s/%s, is below the minimum of the store from now on (%llu): "
        "the next boots try what reaches it, and it boots only if that fails",
        o->store, name, (unsigned long long)minimum);
}

int trial_arm(const struct clone_options *o, const struct events *events, enum boot_armed *armed,
              struct err *e)
{
    const struct store_options reading = {.access = STORE_READ};
    CLEANUP(store_cleanup) struct store *store = NULL;
    bool has_default;

    if (store_open(o->store, &reading, &store, e) < 0 ||
        boot_try(store, o->release, o->tries, true, armed, &has_default, e) < 0)
        return err_context(e, "%s/%s is complete, but not on trial (run the same command again)",
                           o->store, o->release);
    if (!has_default)
        events_note(
            events,
            "%s has no default, so there is nothing to fall back to: use ihop-store default",
            o->store);
    return 0;
}

static const struct {
    const char *word, *text;
} trials[] = {
    [BOOT_ARMED] = {"armed", "on trial"},
    [BOOT_IS_DEFAULT] = {"is_default", "not on trial, as it is the default"},
    [BOOT_WAS_GOOD] = {"was_good", "not on trial, as it was the default before (ihop-store try)"},
    [BOOT_STILL_ARMED] = {"still_armed", "on trial already"},
    [BOOT_TRIED_BEFORE] = {"tried_before",
                           "not on trial again, as its trial has failed (ihop-store try)"},
};

const char *trial_text(enum boot_armed armed)
{
    return trials[armed].text;
}

const char *trial_word(enum boot_armed armed)
{
    return trials[armed].word;
}
