/* SPDX-License-Identifier: MIT */
#include "attach/attachment.h"

#include "attach/launch.h"
#include "attach/release_trust.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "store/release_image.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW_SIZE      12    /* of "parameter" in a record */
#define QUEUE_WAIT_MS 60000 /* for another ihop-attach, whose server may start slowly */

int attachment_begin(struct attachment *a, const struct attach_options *o, struct err *e)
{
    *a = (struct attachment){.o = o, .queue = -1, .job = {.lock = -1, .release = -1, .report = -1}};
    a->job.foreground = o->foreground;
    a->verity = o->verity_demand;
    a->channel = nbd_netlink_open(e);
    return a->channel ? record_queue(RECORD_DIRECTORY, QUEUE_WAIT_MS, &a->queue, e) : -1;
}

void attachment_free(struct attachment *a)
{
    const int fds[] = {a->job.lock, a->job.release, a->queue};

    nbd_netlink_close(a->channel);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* The keeper's directory is /, so a path must be absolute; a word without a slash is looked for by
 * whoever runs or loads it. */
static int set_program(char target[PATH_MAX], const char *word, struct err *e)
{
    char path[PATH_MAX];

    if (strchr(word, '/') && !realpath(word, path)) {
        err_sys(e, errno, "%s", word);
        e->kind = ERR_NOT_FOUND;
        return -1;
    }
    snprintf(target, PATH_MAX, "%s", strchr(word, '/') ? path : word);
    return strchr(target, '\n') ? err_set(e, ERR_USAGE, "the path of a program has a line break")
                                : 0;
}

/* Whoever demands signatures wants right bytes, too: the server hashes each chunk before its first
 * use, unless dm-verity verifies each block, or a parameter says otherwise. */
static int demand_hashing(const struct attach_options *o, char list[RECORD_LIST_SIZE],
                          struct err *e)
{
    static const char word[] = "verify=first\n";
    const struct signature_demand demand = key_options_demanded(&o->keys);
    size_t used = strlen(list);

    if (!demand.keys || o->verity)
        return 0;
    for (char *const *p = o->parameters; *p; p++)
        if (strncmp(*p, "verify=", 7) == 0)
            return 0;
    if (used + sizeof word + 2 * ROW_SIZE >= RECORD_LIST_SIZE)
        return err_set(e, ERR_USAGE, "the plugin's parameters are too long");
    strcpy(list + used, word);
    return 0;
}

static int set_parameters(char list[RECORD_LIST_SIZE], char *const *parameters, struct err *e)
{
    size_t used = 0;

    /* The record has a word before each. */
    list[0] = '\0';
    for (size_t more = ROW_SIZE; *parameters; parameters++, more += ROW_SIZE) {
        int n = snprintf(list + used, RECORD_LIST_SIZE - used, "%s\n", *parameters);

        if (strchr(*parameters, '\n'))
            return err_set(e, ERR_USAGE, "a parameter of the plugin has a line break");
        if (n < 0 || (size_t)n + more >= RECORD_LIST_SIZE - used)
            return err_set(e, ERR_USAGE, "the plugin's parameters are too long");
        used += (size_t)n;
    }
    return 0;
}

int attachment_choose_programs(struct attachment *a, bool defaults, struct err *e)
{
    const char *installed = PLUGIN_DIRECTORY "/nbdkit-ihop-plugin.so";
    const char *plugin = a->o->plugin                   ? a->o->plugin
                         : !defaults                    ? NULL
                         : access(installed, R_OK) == 0 ? installed
                                                        : "ihop";
    const char *nbdkit = a->o->nbdkit ? a->o->nbdkit : defaults ? "nbdkit" : NULL;
    struct record *r = &a->job.record;

    if ((nbdkit && set_program(r->nbdkit, nbdkit, e) < 0) ||
        (plugin && set_program(r->plugin, plugin, e) < 0))
        return -1;
    if (!defaults && !a->o->parameters[0])
        return 0;
    return set_parameters(r->parameters, a->o->parameters, e) < 0
               ? -1
               : demand_hashing(a->o, r->parameters, e);
}

int attachment_load_release(struct attachment *a, const char *id, struct err *e)
{
    const struct store_options reading = {.access = STORE_READ};
    CLEANUP(store_cleanup) struct store *store = NULL;
    CLEANUP(image_free) struct image image = {0};
    const struct signature_demand demand = key_options_demanded(&a->o->keys);
    struct record *r = &a->job.record;

    if (store_open(r->store, &reading, &store, e) < 0 ||
        store_release_find_image(store, r->release, id, &image, &a->job.release, e) < 0)
        return -1;
    if (image.source_size == 0)
        return err_set(e, ERR_USAGE, "release %s/%s is empty: no device has no bytes", r->store,
                       r->release);
    if (release_trust_check(&image, r->release, &demand, e) < 0 ||
        (demand.keys && release_trust_minimum(store, &image, r->release, e) < 0) ||
        (a->o->verity && release_trust_verity(&image, &a->verity, e) < 0))
        return err_context(e, "release %s/%s", r->store, r->release);
    text_hex(image.source_checksum, CHUNK_HASH_SIZE, r->id);
    r->size = image.source_size;
    return 0;
}

int attachment_launch(struct attachment *a, struct output *out, struct err *e)
{
    if (launch_keeper(&a->job, out, e) < 0)
        return -1;
    device_scan(a->job.index);
    return 0;
}
