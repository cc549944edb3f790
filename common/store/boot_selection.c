/* SPDX-License-Identifier: MIT */
#include "store/boot_selection.h"

#include "base/cleanup.h"
#include "store/boot_file.h"
#include "store/floor.h"
#include "store/lock.h"
#include "store/release_load.h"
#include "store/release_name.h"
#include "store/release_whole.h"

#include <stdint.h>
#include <string.h>

/* Reads what a command is about to change. A damaged record is not overwritten by anyone but
 * boot_choose and boot_set_default, which need nothing of what was lost. */
static int read_whole(const struct store *store, struct boot_record *record, struct err *e)
{
    struct err why = ERR_INIT;

    if (boot_file_read(store, record, &why) != BOOT_FILE_DAMAGED)
        return 0;
    *e = why;
    return -1;
}

int boot_selection_read(const struct store *store, struct boot_record *record, struct err *e)
{
    return read_whole(store, record, e);
}

bool boot_is_this_boot(const struct boot_record *record)
{
    char id[IO_BOOT_ID_SIZE];

    return !record->boot_id[0] || !io_boot_id(id) || strcmp(id, record->boot_id) == 0;
}

static bool is_named(const struct boot_record *r, enum boot_role role, const char *name)
{
    return r->of[role].name[0] && strcmp(r->of[role].name, name) == 0;
}

static bool is_same_image(const char *a, const char *b)
{
    return !*a || !*b || strcmp(a, b) == 0;
}

/* Whether both are the same image under the same name, as far as is known. */
static bool is_choice(const struct boot_choice *a, const struct boot_choice *b)
{
    return strcmp(a->name, b->name) == 0 && is_same_image(a->id, b->id);
}

bool boot_trial_failed(const struct boot_record *r)
{
    return r->of[BOOT_TRIAL].name[0] && r->tries == 0 &&
           !(is_choice(&r->of[BOOT_TRIAL], &r->of[BOOT_BOOTED]) && boot_is_this_boot(r));
}

enum boot_role boot_role_that_keeps(const struct boot_record *r, const char *name)
{
    for (enum boot_role role = 0; role < BOOT_ROLES; role++)
        if (is_named(r, role, name) && !(role == BOOT_TRIAL && boot_trial_failed(r)))
            return role;
    return BOOT_ROLES;
}

int boot_check_removable(const struct store *store, const char *name, struct err *e)
{
    static const char *const phrases[] = {"the default", "the last good one", "on trial",
                                          "what was booted"};
    struct boot_record r;
    enum boot_role role;

    if (read_whole(store, &r, e) < 0)
        return err_context(e,
                           "release %s/%s stays, as it is not known which releases boot (choose "
                           "again with ihop-store default)",
                           store_path(store), name);
    role = boot_role_that_keeps(&r, name);
    if (role == BOOT_ROLES)
        return 0;
    return err_set(
        e, ERR_BUSY,
        "release %s/%s is %s, and may be needed to boot: choose others first (ihop-store "
        "default, ihop-store selection)",
        store_path(store), name, phrases[role]);
}

/* ---- changes by command ---- */

/* Takes the lock and reads the record. The caller closes *lock. */
static int begin_change(const struct store *store, int *lock, struct boot_record *r, struct err *e)
{
    *lock = store_publish_lock(store, e);
    return *lock < 0 ? -1 : read_whole(store, r, e);
}

/* The release as it is now; fails unless it is whole. */
static int look_at_release(const struct store *store, const char *name, struct boot_choice *choice,
                           uint64_t *version, struct err *e)
{
    struct release_whole whole;

    *choice = (struct boot_choice){.id = ""};
    if (release_name_check(name, e) < 0 || store_release_whole(store, name, &whole, e) < 0)
        return -1;
    strcpy(choice->name, name);
    strcpy(choice->id, whole.id);
    *version = whole.version;
    return 0;
}

static int check_reaches(const struct store *store, const char *name, uint64_t version,
                         uint64_t minimum, struct err *e)
{
    if (version >= minimum)
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "%s/%s has the version %llu, which is below %llu, the minimum of the store: it "
                   "is not to boot any more (ihop-store minimum tells)",
                   store_path(store), name, (unsigned long long)version,
                   (unsigned long long)minimum);
}

/* look_at_release for a release that somebody chooses: it must not be below the minimum. */
static int look_at_choice(const struct store *store, const char *name, struct boot_choice *choice,
                          struct err *e)
{
    struct store_floor floor;
    uint64_t version;

    if (look_at_release(store, name, choice, &version, e) < 0 ||
        store_floor_read(store, &floor, e) < 0)
        return -1;
    return check_reaches(store, name, version, floor.minimum, e);
}

static void end_trial(struct boot_record *r)
{
    r->of[BOOT_TRIAL] = (struct boot_choice){.id = ""};
    r->tries = r->armed = 0;
}

/* Makes a release the default. The default before is the last good one, unless it has the same
 * name: then its image is gone, or it is still the default. */
static void become_default(struct boot_record *r, const struct boot_choice *choice)
{
    const struct boot_choice old = r->of[BOOT_DEFAULT];

    if (old.name[0] && strcmp(old.name, choice->name) != 0)
        r->of[BOOT_GOOD] = old;
    else if (is_named(r, BOOT_GOOD, choice->name))
        r->of[BOOT_GOOD] = (struct boot_choice){.id = ""};
    r->of[BOOT_DEFAULT] = *choice;
    end_trial(r);
}

int boot_set_default(const struct store *store, const char *name, struct err *e)
{
    CLEANUP_FD int lock = -1;
    struct boot_record r;
    struct boot_choice choice;
    struct err why = ERR_INIT;

    if ((lock = store_publish_lock(store, e)) < 0 || look_at_choice(store, name, &choice, e) < 0)
        return -1;
    /* This is the way out of a damaged record, too, but not of one that could not be read. */
    if (boot_file_read(store, &r, &why) == BOOT_FILE_DAMAGED && why.kind != ERR_DAMAGED) {
        *e = why;
        return -1;
    }
    become_default(&r, &choice);
    return boot_file_replace(store, &r, e);
}

/* Why the image is not to be tried: BOOT_ARMED when it is. */
static enum boot_armed known_image(const struct boot_record *r, const struct boot_choice *choice,
                                   bool once)
{
    if (is_choice(&r->of[BOOT_DEFAULT], choice))
        return BOOT_IS_DEFAULT;
    if (once && is_choice(&r->of[BOOT_TRIAL], choice))
        return r->tries > 0 ? BOOT_STILL_ARMED : BOOT_TRIED_BEFORE;
    return once && is_choice(&r->of[BOOT_GOOD], choice) ? BOOT_WAS_GOOD : BOOT_ARMED;
}

int boot_try(const struct store *store, const char *name, unsigned tries, bool once,
             enum boot_armed *armed, bool *has_default, struct err *e)
{
    CLEANUP_FD int lock = -1;
    struct boot_record r;
    struct boot_choice choice;

    if (begin_change(store, &lock, &r, e) < 0 || look_at_choice(store, name, &choice, e) < 0)
        return -1;
    *has_default = r.of[BOOT_DEFAULT].name[0] != '\0';
    *armed = known_image(&r, &choice, once);
    if (*armed != BOOT_ARMED)
        return 0;
    if (is_named(&r, BOOT_DEFAULT, name))
        return err_set(e, ERR_OTHER_IMAGE,
                       "%s/%s is the default and holds another image than when it was chosen, so "
                       "that nothing is left to fall back to: choose another default first",
                       store_path(store), name);
    /* If the trial fails, this is no good one. */
    if (is_named(&r, BOOT_GOOD, name))
        r.of[BOOT_GOOD] = (struct boot_choice){.id = ""};
    r.of[BOOT_TRIAL] = choice;
    r.tries = r.armed = tries;
    return boot_file_replace(store, &r, e);
}

/* ---- good ---- */

/* What there is to do when what was booted works. */
static enum boot_good judge_booted(const struct boot_record *r, const char *name)
{
    const struct boot_choice *booted = &r->of[BOOT_BOOTED];

    if (!booted->name[0])
        return BOOT_NONE_BOOTED;
    if (!boot_is_this_boot(r))
        return BOOT_EARLIER_BOOT;
    if (name && strcmp(name, booted->name) != 0)
        return BOOT_NOT_BOOTED;
    if (is_choice(booted, &r->of[BOOT_TRIAL]))
        return BOOT_MADE_DEFAULT;
    return is_named(r, BOOT_DEFAULT, booted->name) ? BOOT_ALREADY_DEFAULT : BOOT_FALLBACK;
}

/* The image that was booted must still have its name: another one was never seen to work. */
static int make_booted_default(const struct store *store, struct boot_record *r, struct err *e)
{
    const struct boot_choice booted = r->of[BOOT_BOOTED];
    struct boot_choice now;
    uint64_t version;

    /* A floor that cannot be read is no reason to take back what works: the boots say so. */
    if (look_at_release(store, booted.name, &now, &version, e) < 0 ||
        check_reaches(store, booted.name, version, store_floor_for_boot(store, NULL), e) < 0)
        return -1;
    if (!is_same_image(booted.id, now.id))
        return err_set(e, ERR_OTHER_IMAGE,
                       "%s/%s holds another image than the one that was booted, so it is not known "
                       "to be good: try it (ihop-store try)",
                       store_path(store), booted.name);
    become_default(r, &now);
    return boot_file_replace(store, r, e);
}

int boot_set_good(const struct store *store, const char *name, enum boot_good *outcome,
                  struct boot_choice *booted, struct err *e)
{
    CLEANUP_FD int lock = -1;
    struct boot_record r;
    struct err why = ERR_INIT;

    if (name && release_name_check(name, e) < 0)
        return -1;
    if (boot_file_read(store, &r, &why) == BOOT_FILE_NONE)
        return err_set(e, ERR_NOT_FOUND,
                       "no release of %s was chosen for booting: use ihop-store default",
                       store_path(store));
    /* A store that cannot be written to needs no lock when there is nothing to do. */
    if (why.kind == ERR_NONE && judge_booted(&r, name) != BOOT_MADE_DEFAULT) {
        *outcome = judge_booted(&r, name);
        *booted = r.of[BOOT_BOOTED];
        return 0;
    }
    if (begin_change(store, &lock, &r, e) < 0)
        return -1;
    *outcome = judge_booted(&r, name);
    *booted = r.of[BOOT_BOOTED];
    return *outcome == BOOT_MADE_DEFAULT ? make_booted_default(store, &r, e) : 0;
}
