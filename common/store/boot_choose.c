/* SPDX-License-Identifier: MIT */
#include "store/boot_selection.h"

#include "base/cleanup.h"
#include "store/boot_file.h"
#include "store/floor.h"
#include "store/lock.h"
#include "store/release_list.h"
#include "store/release_whole.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One search for what boots. */
struct boot_search {
    const struct store *store;
    const struct boot_request *request;
    struct boot_record record;
    struct err no_writing; /* why nothing can be recorded; ERR_NONE: it can */
    uint64_t minimum;      /* of the store (floor.h): nothing of a lower version boots */
    bool default_is_below; /* the default is whole, and below it: see take_newest, take_default */
};

static bool is_skipped(const struct boot_search *s, const char *name)
{
    for (size_t i = 0; i < s->request->skip_count; i++)
        if (strcmp(s->request->skip[i], name) == 0)
            return true;
    return false;
}

/* Records the choice as booted, in s->record as well. */
static int record_booted(struct boot_search *s, const struct boot_choice *choice,
                         enum boot_role role, struct err *e)
{
    struct boot_record r = s->record;

    if (s->request->dry_run)
        return 0;
    if (s->no_writing.kind != ERR_NONE) {
        *e = s->no_writing;
        return -1;
    }
    if (role == BOOT_TRIAL && strcmp(r.of[BOOT_TRIAL].name, choice->name) != 0) {
        r.of[BOOT_TRIAL] = *choice; /* a trial that begins by itself: see take_newest */
        r.tries = r.armed = BOOT_TRIES;
    }
    if (role == BOOT_TRIAL)
        r.tries--;
    r.of[BOOT_BOOTED] = *choice;
    (void)io_boot_id(r.boot_id);
    if (boot_file_replace(s->store, &r, e) < 0)
        return -1;
    s->record = r;
    return 0;
}

/* Whether the trial may boot, once more. */
static bool may_try(struct boot_search *s, const struct boot_choice *now)
{
    const struct boot_choice *trial = &s->record.of[BOOT_TRIAL];
    const struct events *events = s->request->events;

    if (strcmp(trial->name, now->name) == 0 && trial->id[0] && strcmp(trial->id, now->id) != 0)
        events_note(events,
                    "%s is not tried: it holds another image than when its trial began (ihop-store "
                    "try begins one)",
                    now->name);
    else if (s->no_writing.kind != ERR_NONE)
        events_note(events, "%s is not tried, as that cannot be counted: %s", now->name,
                    s->no_writing.text);
    else
        return true;
    return false;
}

/* Takes a release that was looked at. */
static bool take_looked_at(struct boot_search *s, const struct boot_choice *now,
                           enum boot_role role, struct boot_choice *choice)
{
    const struct events *events = s->request->events;
    struct err why = ERR_INIT;

    if (role == BOOT_TRIAL && !may_try(s, now))
        return false;
    if (record_booted(s, now, role, &why) < 0) {
        events_note(events, "%s %s: %s", now->name,
                    role == BOOT_TRIAL ? "is not tried, as that could not be counted"
                                       : "is not recorded as booted",
                    why.text);
        if (role == BOOT_TRIAL)
            return false;
    }
    *choice = *now;
    return true;
}

/* Looks at a release; false, and a note, when it cannot be had. */
static bool look_at_candidate(struct boot_search *s, const char *name, struct boot_choice *now,
                              uint64_t *version)
{
    const struct events *events = s->request->events;
    struct release_whole whole;
    struct err why = ERR_INIT;

    if (is_skipped(s, name) || store_release_whole(s->store, name, &whole, &why) < 0) {
        events_note(events, "%s is skipped: %s", name, why.kind ? why.text : "as it was asked");
        return false;
    }
    snprintf(now->name, sizeof now->name, "%s", name);
    strcpy(now->id, whole.id);
    *version = whole.version;
    return true;
}

/* Takes a release if it can be had and is not below the minimum. */
static bool take_release(struct boot_search *s, const char *name, enum boot_role role,
                         struct boot_choice *choice)
{
    struct boot_choice now;
    uint64_t version;

    if (!look_at_candidate(s, name, &now, &version))
        return false;
    if (version >= s->minimum)
        return take_looked_at(s, &now, role, choice);
    if (role == BOOT_DEFAULT)
        s->default_is_below = true;
    events_note(s->request->events,
                "%s is skipped: its version %llu is below %llu, the minimum of the store", name,
                (unsigned long long)version, (unsigned long long)s->minimum);
    return false;
}

static bool take_role(struct boot_search *s, enum boot_role role, struct boot_choice *choice)
{
    const struct boot_choice wanted = s->record.of[role];

    if (!wanted.name[0])
        return false;
    if (role == BOOT_TRIAL && s->record.tries == 0) {
        events_note(s->request->events, "the trial of %s has failed: its tries are used up",
                    wanted.name);
        return false;
    }
    return take_release(s, wanted.name, role, choice);
}

/* Whether the release has a role, so that it was looked at already. A trial that has failed is not
 * booted in any case. */
static bool was_looked_at(const struct boot_search *s, const char *name)
{
    for (enum boot_role role = 0; role < BOOT_BOOTED; role++)
        if (strcmp(s->record.of[role].name, name) == 0)
            return true;
    return false;
}

/* Takes the newest release that has no role: better than nothing. In place of a default that is
 * below the minimum it was not chosen by anybody yet, so it begins a trial: if it does not work,
 * there is take_default. */
static bool take_newest(struct boot_search *s, enum boot_role *role, struct boot_choice *choice)
{
    CLEANUP(store_release_list_free) struct store_release_list list = {0};
    struct err why = ERR_INIT;

    *role = s->default_is_below ? BOOT_TRIAL : BOOT_BOOTED;
    if (store_release_list_read(s->store, &list, &why) < 0)
        events_note(s->request->events, "%s", why.text);
    for (size_t i = list.count; i > 0; i--) {
        const char *name = list.items[i - 1].name;

        if (was_looked_at(s, name) || !take_release(s, name, *role, choice))
            continue;
        events_note(s->request->events,
                    "nothing that was chosen can be booted: this is %s, the newest other release "
                    "that is whole%s",
                    name, *role == BOOT_TRIAL ? ", on trial from now on" : "");
        return true;
    }
    return false;
}

/* The minimum is raised before the release that demands it is there, and long before that is known
 * to work. Until one that reaches it is the default, the default that was chosen before boots when
 * nothing else can: otherwise a power cut before the release has its name, or a trial that fails,
 * would leave a device that does not boot. */
static bool take_default(struct boot_search *s, struct boot_choice *choice)
{
    struct boot_choice now;
    uint64_t version;

    if (!s->default_is_below ||
        !look_at_candidate(s, s->record.of[BOOT_DEFAULT].name, &now, &version))
        return false;
    events_note(s->request->events,
                "warning: %s is below the minimum of the store, and boots all the same, as "
                "nothing that reaches the minimum can, and nothing that does was ever the default",
                now.name);
    return take_looked_at(s, &now, BOOT_DEFAULT, choice);
}

static int search_release(struct boot_search *s, struct boot_choice *choice, enum boot_role *role,
                          struct err *e)
{
    struct err why = ERR_INIT;
    enum boot_file_state state = boot_file_read(s->store, &s->record, &why);

    if (state == BOOT_FILE_NONE)
        return err_set(e, ERR_NOT_FOUND,
                       "no release of %s was chosen for booting: use ihop-store default %s RELEASE",
                       store_path(s->store), store_path(s->store));
    if (state == BOOT_FILE_DAMAGED)
        events_note(s->request->events, "%s; what is known of it is used", why.text);
    s->minimum = store_floor_for_boot(s->store, s->request->events);
    /* What could not be read may be whole, and newer than the spare: it must not be replaced. */
    if (why.kind == ERR_IO)
        s->no_writing = why;
    for (*role = BOOT_TRIAL; *role != BOOT_BOOTED; *role = *role == BOOT_TRIAL     ? BOOT_DEFAULT
                                                           : *role == BOOT_DEFAULT ? BOOT_GOOD
                                                                                   : BOOT_BOOTED)
        if (take_role(s, *role, choice))
            return 0;
    if (take_newest(s, role, choice))
        return 0;
    *role = BOOT_DEFAULT;
    if (take_default(s, choice))
        return 0;
    return err_set(e, ERR_NOT_FOUND, "store %s has no release that can be booted",
                   store_path(s->store));
}

int boot_choose(const struct store *store, const struct boot_request *request,
                struct boot_choice *choice, enum boot_role *role, struct err *e)
{
    struct boot_search s = {.store = store, .request = request, .no_writing = ERR_INIT};
    CLEANUP_FD int lock = -1;

    if (!request->dry_run)
        lock = store_publish_lock(store, &s.no_writing);
    return search_release(&s, choice, role, e);
}
