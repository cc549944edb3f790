/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include "base/cleanup.h"

#include <string.h>

struct pinned {
    struct export *export;
    struct pinned *next;
};

void registry_init(struct registry *r, struct export_shared *shared)
{
    *r = (struct registry){.shared = shared};
    pthread_mutex_init(&r->lock, NULL);
}

void registry_free(struct registry *r)
{
    while (r->first) {
        struct pinned *p = r->first;

        r->first = p->next;
        export_free(p->export);
        free(p);
    }
    pthread_mutex_destroy(&r->lock);
}

struct export *registry_open(struct registry *r, const char *name, struct err *e)
{
    struct pinned *p;

    LOCK_SCOPE(&r->lock);
    for (p = r->first; p; p = p->next)
        if (strcmp(p->export->name, name) == 0)
            return p->export;
    p = malloc(sizeof *p);
    if (!p) {
        err_nomem(e, "opening an export");
        return NULL;
    }
    p->export = export_load(r->shared, name, e);
    if (!p->export) {
        free(p);
        return NULL;
    }
    export_make_room(p->export);
    p->next = r->first;
    r->first = p;
    return p->export;
}
