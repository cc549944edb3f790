/* SPDX-License-Identifier: MIT */
/* boot: the commands about which release boots: default, try, good, boot, selection. */
#include "manage/command.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "store/boot_selection.h"
#include "store/foreign.h"

#include <stdio.h>
#include <string.h>

int command_add_skip(void *options, const char *name, const char *unused, struct err *e)
{
    struct command_options *o = options;

    (void)unused;
    if (array_grow((void **)&o->skips, &o->skip_capacity, o->skip_count, sizeof *o->skips, e) < 0)
        return -1;
    o->skips[o->skip_count++] = name;
    return 0;
}

/* Opens the store without a word about files in it that are no releases: these commands run at each
 * boot. Those that choose make .ihop in a store that has none. */
static int open_for_boot(struct command *s, enum store_access access, struct err *e)
{
    const struct store_options options = {.access = access, .wait_seconds = s->o.wait_seconds};

    if (s->names[0] && store_foreign_check(s->path, s->names[0], STORE_FOREIGN_READ, e) < 0)
        return -1;
    return store_open(s->path, &options, &s->store, e);
}

/* Prints what a command did about one release. */
static int report_boot(const struct command *s, const char *release, const char *outcome,
                       const char *text)
{
    json_t *result;

    if (s->o.common.json) {
        result = command_result(s);
        if (*release)
            json_set_text(result, "release", release);
        json_set_text(result, "outcome", outcome);
        json_print(result);
    } else if (!s->o.common.quiet) {
        printf("%s%s%s: %s\n", s->path, *release ? "/" : "", release, text);
    }
    return 0;
}

int command_default(struct command *s, struct err *e)
{
    if (open_for_boot(s, STORE_WRITE, e) < 0 || boot_set_default(s->store, s->names[0], e) < 0)
        return -1;
    return report_boot(s, s->names[0], "default", "the default");
}

int command_try(struct command *s, struct err *e)
{
    enum boot_armed armed;
    bool has_default;
    char text[64];

    if (open_for_boot(s, STORE_WRITE, e) < 0 ||
        boot_try(s->store, s->names[0], s->o.tries, false, &armed, &has_default, e) < 0)
        return -1;
    if (armed == BOOT_IS_DEFAULT)
        return report_boot(s, s->names[0], "is_default", "the default already: nothing to try");
    if (!has_default)
        output_note(
            &s->out,
            "%s has no default, so there is nothing to fall back to: use ihop-store default",
            s->path);
    snprintf(text, sizeof text, "on trial for the next %u boot%s", s->o.tries, text_s(s->o.tries));
    return report_boot(s, s->names[0], "armed", text);
}

int command_good(struct command *s, struct err *e)
{
    static const struct {
        const char *outcome, *text;
    } words[] = {
        [BOOT_MADE_DEFAULT] = {"made_default", "good, and the default from now on"},
        [BOOT_ALREADY_DEFAULT] = {"is_default", "the default already"},
        [BOOT_FALLBACK] = {"fallback", "booted as a fallback: nothing is changed"},
        [BOOT_NOT_BOOTED] = {"not_booted", "what was booted, and not the release that was named: "
                                           "nothing is changed"},
        [BOOT_EARLIER_BOOT] = {"earlier_boot", "chosen in an earlier boot, and this one was not "
                                               "recorded: nothing is changed"},
        [BOOT_NONE_BOOTED] = {"none_booted", "nothing was booted yet: nothing is changed"},
    };
    struct boot_choice booted;
    enum boot_good outcome;

    if (open_for_boot(s, STORE_READ, e) < 0 ||
        boot_set_good(s->store, s->names[0], &outcome, &booted, e) < 0)
        return -1;
    return report_boot(s, booted.name, words[outcome].outcome, words[outcome].text);
}

/* What a role is called in the JSON of boot. */
static const char *role_word(enum boot_role role)
{
    return role == BOOT_BOOTED ? "newest" : boot_role_name(role);
}

static int choose_boot(struct command *s, bool dry_run, struct boot_choice *choice,
                       enum boot_role *role, struct err *e)
{
    const struct boot_request request = {.skip = s->o.skips,
                                         .skip_count = s->o.skip_count,
                                         .dry_run = dry_run,
                                         .events = &s->out.events};

    return boot_choose(s->store, &request, choice, role, e);
}

int command_boot(struct command *s, struct err *e)
{
    struct boot_choice choice;
    enum boot_role role;
    json_t *result;

    if (open_for_boot(s, STORE_READ, e) < 0 || choose_boot(s, s->o.dry_run, &choice, &role, e) < 0)
        return -1;
    if (!s->o.common.json) {
        puts(choice.name);
        return 0;
    }
    result = command_result(s);
    json_set_text(result, "release", choice.name);
    json_set_text(result, "source_checksum", choice.id);
    json_set_text(result, "role", role_word(role));
    json_set_bool(result, "dry_run", s->o.dry_run);
    json_print(result);
    return 0;
}

/* ---- selection ---- */

static const char *role_text(const struct boot_record *r, enum boot_role role, char *text,
                             size_t size)
{
    const char *name = r->of[role].name;

    if (!*name)
        snprintf(text, size, "-");
    else if (role == BOOT_BOOTED)
        snprintf(text, size, "%.200s%s", name, boot_is_this_boot(r) ? "" : " (in an earlier boot)");
    else if (role != BOOT_TRIAL)
        snprintf(text, size, "%.200s", name);
    else if (boot_trial_failed(r))
        snprintf(text, size, "%.200s: failed, its %u tries are used up", name, r->armed);
    else if (r->tries == 0)
        snprintf(text, size, "%.200s: this is its last try", name);
    else
        snprintf(text, size, "%.200s: %u of %u tries left", name, r->tries, r->armed);
    return text;
}

static int show_role(const struct boot_record *r, enum boot_role role, struct table *t,
                     json_t *result, struct err *e)
{
    const struct boot_choice *c = &r->of[role];
    char text[LIMIT_RELEASE_NAME + 64], member[32];

    if (table_add(t, e, "%s:", boot_role_name(role)) < 0 ||
        table_add(t, e, "%s", role_text(r, role, text, sizeof text)) < 0)
        return -1;
    if (c->name[0])
        json_set_text(result, boot_role_name(role), c->name);
    snprintf(member, sizeof member, "%s_id", boot_role_name(role));
    if (c->id[0])
        json_set_text(result, member, c->id);
    return 0;
}

static int show_selection(struct command *s, struct table *t, json_t *result, struct err *e)
{
    struct boot_record r;
    struct boot_choice next;
    struct err why = ERR_INIT;
    enum boot_role role;

    if (open_for_boot(s, STORE_READ, e) < 0 || boot_selection_read(s->store, &r, e) < 0)
        return -1;
    for (enum boot_role i = 0; i < BOOT_ROLES; i++)
        if (show_role(&r, i, t, result, e) < 0)
            return -1;
    if (r.of[BOOT_TRIAL].name[0]) {
        json_set_number(result, "tries", r.tries);
        json_set_number(result, "armed", r.armed);
        json_set_bool(result, "trial_failed", boot_trial_failed(&r));
    }
    if (r.of[BOOT_BOOTED].name[0])
        json_set_bool(result, "this_boot", boot_is_this_boot(&r));
    if (choose_boot(s, true, &next, &role, &why) == 0)
        json_set_text(result, "next", next.name);
    else if (why.kind != ERR_NOT_FOUND)
        output_note(&s->out, "%s", why.text);
    if (table_add(t, e, "next:") < 0)
        return -1;
    return table_add(t, e, "%s", why.kind == ERR_NONE ? next.name : "-");
}

int command_selection(struct command *s, struct err *e)
{
    struct table t = {.columns = "ll"};
    json_t *result = command_result(s);

    return command_show(s, show_selection(s, &t, result, e), &t, result);
}
