/* SPDX-License-Identifier: MIT */
/* exports: the exports opened so far, by name.
 *
 * A name that was opened once stays that image for the server's life, for all
 * connections: a reconnect must not find another image under a mounted file
 * system. So nothing is dropped before exports_free. Thread-safe, but for init
 * and free; while a release is loaded, others that open the same one wait for that.
 */
#ifndef IHOP_PLUGIN_EXPORTS_H
#define IHOP_PLUGIN_EXPORTS_H

#include "plugin/export.h"

#include <pthread.h>

struct exports {
    struct export_shared *shared;
    pthread_mutex_t lock;
    pthread_cond_t loaded; /* with lock: some loading has ended, well or not */
    struct pinned *first;  /* protected by lock */
};

void exports_init(struct exports *r, struct export_shared *shared);
void exports_free(struct exports *r);

/* The export of this name, loaded if it is new. It belongs to the exports. NULL: kinds as of
 * export_load. */
struct export *exports_open(struct exports *r, const char *name, struct err *e)
    __attribute__((warn_unused_result));

#endif
