/* SPDX-License-Identifier: MIT */
#include "store/boot_selection.h"

#include "base/cleanup.h"
#include "store/boot_file.h"
#include "store/lock.h"
#include "store/release_list.h"
#include "store/release_whole.h"

#include <stdio.h>
#include <string.h>

/* One search for what boots. */
struct boot_search {
    const struct store *store;
    const struct boot_request *request;
    struct boot_record record;
    struct err no_writing; /* why nothing can be recorded; ERR_NONE: it can */
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

    if (trial->id[0] && strcmp(trial->id, now->id) != 0)
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

/* Takes a release if it can be had. */
static bool take_release(struct boot_search *s, const char *name, enum boot_role role,
                         struct boot_choice *choice)
{
    const struct events *events = s->request->events;
    struct boot_choice now = {.id = ""};
    struct err why = ERR_INIT;

    snprintf(now.name, sizeof now.name, "%s", name);
    if (is_skipped(s, name) || store_release_whole(s->store, name, now.id, &why) < 0) {
        events_note(events, "%s is skipped: %s", name, why.kind ? why.text : "as it was asked");
        return false;
    }
    if (role == BOOT_TRIAL && !may_try(s, &now))
        return false;
    if (record_booted(s, &now, role, &why) < 0) {
        events_note(events, "%s %s: %s", name,
                    role == BOOT_TRIAL ? "is not tried, as that could not be counted"
                                       : "is not recorded as booted",
                    why.text);
        if (role == BOOT_TRIAL)
            return false;
    }
    *choice = now;
    return true;
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

/* Takes the newest release that has no role: better than nothing. */
static bool take_newest(struct boot_search *s, struct boot_choice *choice)
{
    CLEANUP(store_release_list_free) struct store_release_list list = {0};
    struct err why = ERR_INIT;

    if (store_release_list_read(s->store, &list, &why) < 0)
        events_note(s->request->events, "%s", why.text);
    for (size_t i = list.count; i > 0; i--) {
        const char *name = list.items[i - 1].name;

        if (was_looked_at(s, name) || !take_release(s, name, BOOT_BOOTED, choice))
            continue;
        events_note(s->request->events,
                    "nothing that was chosen can be booted: this is %s, the newest other release "
                    "that is whole",
                    name);
        return true;
    }
    return false;
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
    /* What could not be read may be whole, and newer than the spare: it must not be replaced. */
    if (why.kind == ERR_IO)
        s->no_writing = why;
    for (*role = BOOT_TRIAL; *role != BOOT_BOOTED; *role = *role == BOOT_TRIAL     ? BOOT_DEFAULT
                                                           : *role == BOOT_DEFAULT ? BOOT_GOOD
                                                                                   : BOOT_BOOTED)
        if (take_role(s, *role, choice))
            return 0;
    if (take_newest(s, choice))
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
