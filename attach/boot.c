/* SPDX-License-Identifier: MIT */
#include "attach/attach.h"

#include "attach/attachment.h"
#include "attach/device.h"
#include "attach/launch.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "store/boot_selection.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The releases that are not to be chosen: those of the command line, and those that could not be
 * attached. */
struct skip_list {
    char **names; /* owned */
    size_t count, capacity;
};

static void skip_list_free(struct skip_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
}

static int skip_list_add(struct skip_list *list, const char *name, struct err *e)
{
    if (array_grow((void **)&list->names, &list->capacity, list->count, sizeof *list->names, e) < 0)
        return -1;
    list->names[list->count] = strdup(name);
    return list->names[list->count++] ? 0 : err_nomem(e, "choosing what boots");
}

/* What no release can help is found out before a trial is counted: no right to attach, no client in
 * the kernel, a device that is another program's, no nbdkit or none that loads the plugin. */
static int check_machine(const struct attach_options *o, struct err *e)
{
    CLEANUP(attachment_free) struct attachment a;
    struct device d;
    unsigned index;

    if (attachment_begin(&a, o, e) < 0 || attachment_choose_programs(&a, true, e) < 0 ||
        launch_check(&a.job, e) < 0)
        return -1;
    if (!o->operands[1])
        return 0;
    if (device_parse(o->operands[1], &index, e) < 0 ||
        device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
        return -1;
    if (d.connected && !d.is_ours)
        return err_set(e, ERR_OTHER_IMAGE, "/dev/nbd%u is used by another program", index);
    return 0;
}

static int choose_next(const struct attach_options *o, struct output *out,
                       const struct skip_list *skip, struct boot_choice *choice, struct err *e)
{
    const struct store_options reading = {.access = STORE_READ};
    const struct boot_request request = {.skip = (const char *const *)skip->names,
                                         .skip_count = skip->count,
                                         .events = &out->events};
    CLEANUP(store_cleanup) struct store *store = NULL;
    enum boot_role role;

    if (store_open(o->operands[0], &reading, &store, e) < 0)
        return -1;
    return boot_choose(store, &request, choice, &role, e);
}

/* The image that was looked at and counted, not another one that has got the name since. */
static int attach_choice(const struct attach_options *o, const struct boot_choice *choice,
                         struct attached *done, struct err *e)
{
    struct attach_options pinned = *o;
    CLEANUP_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s", o->operands[0], choice->name) < 0) {
        path = NULL;
        return err_nomem(e, "choosing what boots");
    }
    if (!pinned.id && choice->id[0])
        pinned.id = choice->id;
    return attach_release(&pinned, path, o->operands[1], done, e);
}

/* Attaches one choice after the other until one can be. */
static int attach_first(const struct attach_options *o, struct output *out, struct skip_list *skip,
                        struct attached *done, struct err *e)
{
    struct err why = ERR_INIT;

    for (;;) {
        struct boot_choice choice;

        if (choose_next(o, out, skip, &choice, e) < 0) {
            /* With nothing left, what went wrong with the last one tells more. */
            if (e->kind == ERR_NOT_FOUND && why.kind != ERR_NONE)
                *e = why;
            return -1;
        }
        why = (struct err)ERR_INIT;
        if (attach_choice(o, &choice, done, &why) == 0)
            return 0;
        err_context(&why, "%s cannot be attached", choice.name);
        output_note(out, "%s", why.text);
        if (skip_list_add(skip, choice.name, e) < 0)
            return -1;
    }
}

int boot_run(const struct attach_options *o, struct output *out, struct err *e)
{
    CLEANUP(skip_list_free) struct skip_list skip = {.count = 0};
    struct attached done;

    if (check_machine(o, e) < 0)
        return -1;
    for (size_t i = 0; i < o->skip_count; i++)
        if (skip_list_add(&skip, o->skips[i], e) < 0)
            return -1;
    if (attach_first(o, out, &skip, &done, e) < 0)
        return -1;
    attach_tell(out, &done);
    attach_print(o, &done);
    return 0;
}
