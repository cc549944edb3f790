/* SPDX-License-Identifier: MIT */
#include "plugin/exports.h"

#include "base/cleanup.h"
#include "store/release_name.h"

#include <stdio.h>
#include <string.h>

/* A name with its export, or one that is being loaded or could not be. */
struct pinned {
    char name[LIMIT_RELEASE_NAME + 1];
    struct export *export; /* NULL until it is loaded */
    struct err why;        /* the failure, for those who wait */
    bool loading;
    unsigned waiting; /* threads that need to know how the loading ends */
    struct pinned *next;
};

void exports_init(struct exports *r, struct export_shared *shared)
{
    *r = (struct exports){.shared = shared};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->loaded, NULL);
}

void exports_free(struct exports *r)
{
    while (r->first) {
        struct pinned *p = r->first;

        r->first = p->next;
        export_free(p->export);
        free(p);
    }
    pthread_cond_destroy(&r->loaded);
    pthread_mutex_destroy(&r->lock);
}

/* All functions below but exports_open are called with the lock. */

static struct pinned *find(const struct exports *r, const char *name)
{
    struct pinned *p = r->first;

    while (p && strcmp(p->name, name) != 0)
        p = p->next;
    return p;
}

static struct pinned *add_export(struct exports *r, const char *name)
{
    struct pinned *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->loading = true;
    p->next = r->first;
    r->first = p;
    return p;
}

static void forget_export(struct exports *r, const struct pinned *p)
{
    struct pinned **at = &r->first;

    while (*at && *at != p)
        at = &(*at)->next;
    if (*at)
        *at = p->next;
}

/* Waits for the thread that is loading the export. */
static struct export *join_loading(struct exports *r, struct pinned *p, struct err *e)
{
    struct export *export;

    p->waiting++;
    while (p->loading)
        pthread_cond_wait(&r->loaded, &r->lock);
    p->waiting--;
    export = p->export;
    if (export)
        return export;
    *e = p->why;
    if (p->waiting == 0)
        free(p); /* the thread that tried has taken it out of the list */
    return NULL;
}

/* Loads the export without the lock: a release that somebody has locked must keep neither other
 * exports nor the server's end waiting. */
static struct export *load_export(struct exports *r, struct pinned *p, struct err *e)
{
    struct export *export;

    pthread_mutex_unlock(&r->lock);
    export = export_load(r->shared, p->name, e);
    if (export)
        export_reserve(export);
    pthread_mutex_lock(&r->lock);
    p->export = export;
    p->loading = false;
    pthread_cond_broadcast(&r->loaded);
    if (export)
        return export;
    p->why = *e;
    forget_export(r, p);
    if (p->waiting == 0)
        free(p);
    return NULL;
}

struct export *exports_open(struct exports *r, const char *name, struct err *e)
{
    struct pinned *p;

    if (release_name_check(name, e) < 0)
        return NULL;
    LOCK_SCOPE(&r->lock);
    p = find(r, name);
    if (p)
        return p->loading ? join_loading(r, p, e) : p->export;
    p = add_export(r, name);
    if (!p) {
        err_nomem(e, "opening an export");
        return NULL;
    }
    return load_export(r, p, e);
}
