/* SPDX-License-Identifier: MIT */
#include "store/versions.h"

#include "base/cleanup.h"
#include "format/facts.h"
#include "store/release_load.h"

#include <stdio.h>

static int add_version(const struct store *store, const char *name, struct store_versions *v,
                       struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    struct err why = ERR_INIT;
    struct facts facts;

    if (store_release_metadata(store, name, &image, &why) < 0 ||
        facts_read(&image, &facts, &why) < 0) {
        if (why.kind != ERR_MEMORY)
            return 0;
        *e = why;
        return -1;
    }
    if (facts.version > v->newest) {
        v->newest = facts.version;
        snprintf(v->newest_release, sizeof v->newest_release, "%s", name);
    }
    if (facts.minimum > v->minimum)
        v->minimum = facts.minimum;
    return 0;
}

int store_versions_read(const struct store *store, struct store_versions *versions, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};
    struct store_versions v = {.newest = 0};

    if (store_release_names(store, &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (add_version(store, names.names[i], &v, e) < 0)
            return -1;
    *versions = v;
    return 0;
}
