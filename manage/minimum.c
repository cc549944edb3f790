/* SPDX-License-Identifier: MIT */
/* minimum: the command that shows and sets the lowest version that a store takes. */
#include "manage/command.h"

#include "base/text.h"
#include "store/floor.h"
#include "store/versions.h"

#include <stdio.h>

int command_set_minimum(void *options, const char *value, const char *unused, struct err *e)
{
    struct command_options *o = options;

    (void)unused;
    if (!text_parse_u64(value, 0, UINT64_MAX, &o->minimum))
        return err_set(e, ERR_USAGE, "--set takes a whole number from 0 to %llu, not '%s'",
                       (unsigned long long)UINT64_MAX, value);
    o->set = true;
    return 0;
}

static int show_minimum(struct command *s, const struct store_floor *floor, struct table *t,
                        json_t *result, struct err *e)
{
    struct store_versions v;

    if (store_versions_read(s->store, &v, e) < 0)
        return -1;
    json_set_number(result, "minimum", floor->minimum);
    json_set_bool(result, "recorded", floor->recorded);
    json_set_number(result, "newest", v.newest);
    if (v.newest > 0)
        json_set_text(result, "newest_release", v.newest_release);
    if (table_add(t, e, "minimum version:") < 0 ||
        table_add(t, e, "%llu%s", (unsigned long long)floor->minimum,
                  floor->recorded ? "" : " (not recorded: what the releases demand)") < 0 ||
        table_add(t, e, "newest version:") < 0)
        return -1;
    return v.newest == 0
               ? table_add(t, e, "-")
               : table_add(t, e, "%llu (%s)", (unsigned long long)v.newest, v.newest_release);
}

static int set_minimum(struct command *s, struct table *t, json_t *result, struct err *e)
{
    struct store_floor before, now;

    if (command_open(s, STORE_WRITE, e) < 0 ||
        store_floor_set(s->store, s->o.minimum, s->o.force, &before, e) < 0 ||
        store_floor_read(s->store, &now, e) < 0)
        return -1;
    if (now.minimum < before.minimum)
        output_note(&s->out,
                    "warning: %s took no version below %llu before: what it refused for its holes "
                    "it takes again",
                    s->path, (unsigned long long)before.minimum);
    json_set_number(result, "before", before.minimum);
    return show_minimum(s, &now, t, result, e);
}

static int minimum(struct command *s, struct table *t, json_t *result, struct err *e)
{
    struct store_floor floor;

    if (s->o.force && !s->o.set)
        return err_set(e, ERR_USAGE, "--force is for --set");
    if (s->o.set)
        return set_minimum(s, t, result, e);
    if (command_open(s, STORE_READ, e) < 0 || store_floor_read(s->store, &floor, e) < 0)
        return -1;
    return show_minimum(s, &floor, t, result, e);
}

int command_minimum(struct command *s, struct err *e)
{
    struct table t = {.columns = "ll"};
    json_t *result = command_result(s);

    return command_show(s, minimum(s, &t, result, e), &t, result);
}
