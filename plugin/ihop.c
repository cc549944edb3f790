/* SPDX-License-Identifier: MIT */
/* nbdkit-ihop-plugin: serves the releases of a chunk store over NBD, read-only.
 *
 * This file is the glue: nbdkit's callbacks and its way to report errors.
 * export.h has what is served. All requests run in parallel; after ihop_after_fork
 * the globals below do not change, but for opened, which has a lock of its own.
 */
#include "config.h"

#include "plugin/exports.h"
#include "plugin/extents.h"
#include "plugin/options.h"
#include "plugin/readahead.h"
#include "plugin/stats.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "store/foreign.h"
#include "store/release_load.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#define PREFERRED_BLOCK 4096
#define LARGE_BLOCK     (128 * 1024)
#define CAPTIVE_LOOKS   100 /* of 10 ms each */

static struct options options = OPTIONS_INIT;
static struct export_shared shared;
static struct exports opened;
static bool is_ready;         /* shared and opened are initialized */
static pid_t starter;         /* the process before any fork */
static struct err refusal;    /* why no connection is served; of kind ERR_NONE otherwise */
static struct export *single; /* with release=: the one export, whatever name is asked for */

/* What nbdkit keeps for each connection. */
struct handle {
    struct export *export;
    struct readahead readahead;
};

/* Messages may carry names that a client sent. */
static int report_to_nbdkit(struct err *e)
{
    text_make_printable(e->text);
    nbdkit_error("%s", e->text);
    return -1;
}

static int ihop_config(const char *key, const char *value)
{
    return options_set(&options, key, value);
}

static int ihop_config_complete(void)
{
    return options_complete(&options);
}

static void ihop_dump_plugin(void)
{
    printf("ihop_version=%s\n", PACKAGE_VERSION);
    printf("ihop_exports=yes\n");
    printf("ihop_check=yes\n");
    printf("ihop_verify_first=yes\n");
    printf("ihop_verify_key=yes\n");
    printf("ihop_cache_none=yes\n");
    printf("ihop_max_fds=%u\n", FD_BUDGET_MAX);
}

/* Fails when the store has no release. Also says, once, which files in it are no exports. */
static int require_releases(struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};
    CLEANUP(store_names_free) struct store_names others = {0};
    char text[STORE_OTHERS_TEXT];

    if (store_scan(shared.store, &names, &others, e) < 0)
        return -1;
    if (others.count > 0) {
        store_others_tell(shared.store, &others, text);
        text_make_printable(text);
        fprintf(stderr, "nbdkit: ihop: %s\n", text);
    }
    if (names.count == 0)
        return err_set(e, ERR_NOT_FOUND,
                       "store %s has no release: run ihop-clone ARCHIVE %s/RELEASE first",
                       store_path(shared.store), store_path(shared.store));
    return 0;
}

/* When a large block is freed, as the buffer of a release is, glibc raises the size from which on
 * a block is given back to the kernel; each of nbdkit's threads then keeps its buffers for
 * ever, 8 MiB after one nbdcopy. */
static void tune_malloc(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

/* Runs before the fork, so that all errors reach the user. */
static int ihop_get_ready(void)
{
    const struct store_options access = {.access = STORE_READ};
    struct err e = ERR_INIT;

    starter = getpid();
    tune_malloc();
    if (options.release &&
        store_foreign_check(options.store, options.release, STORE_FOREIGN_READ, &e) < 0)
        return report_to_nbdkit(&e);
    if (store_open(options.store, &access, &shared.store, &e) < 0 ||
        fd_budget_init(&shared.budget, options.max_fds, &e) < 0)
        return report_to_nbdkit(&e);
    shared.options = options.export;
    exports_init(&opened, &shared);
    is_ready = true;
    if (options.release) {
        single = exports_open(&opened, options.release, &e);
        return single ? 0 : report_to_nbdkit(&e);
    }
    return require_releases(&e) < 0 ? report_to_nbdkit(&e) : 0;
}

/* Whether this process is the child of nbdkit --run. There the parent runs the command and has
 * the socket as well, so that a client would wait for ever for a server that has ended.
 * The parent of a daemon ends at once. */
static bool is_captive(void)
{
    const struct timespec pause = {.tv_nsec = 10000000L};

    if (getpid() == starter)
        return false;
    for (int i = 0; i < CAPTIVE_LOOKS && getppid() == starter; i++)
        nanosleep(&pause, NULL);
    return getppid() == starter;
}

/* Keeps in memory what is touched from now on, and what is there, code included. Not all of it at
 * once, as nbdkit --swap does: most of nbdkit's 200 MiB is never touched. A server whose memory
 * cannot be locked is better than none. */
static void lock_memory(void)
{
#ifdef MCL_ONFAULT
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        nbdkit_error("lock=on: memory cannot be locked: %s", strerror(errno));
#else
    nbdkit_error("lock=on: memory cannot be locked: this system has no MCL_ONFAULT");
#endif
}

/* By now nbdkit is the user that -u names, who may not be able to read: better no server than one
 * that fails each read. And the fork has made the table of descriptors as small as it
 * can be. */
static int ihop_after_fork(void)
{
    struct err e = ERR_INIT;

    if (options.lock)
        lock_memory(); /* a fork would lose it */
    if (single)
        export_reserve(single);
    if (options.uring)
        read_batch_init(&shared.batch);
    if (single ? export_check_again(single, &e) == 0
               : !options.export.check || store_check_readable(shared.store, &e) == 0)
        return 0;
    if (!is_captive())
        return report_to_nbdkit(&e);
    refusal = e;
    return 0;
}

static void ihop_unload(void)
{
    stats_print();
    if (is_ready) {
        exports_free(&opened);
        fd_budget_free(&shared.budget);
        read_batch_free(&shared.batch);
    }
    store_close(shared.store);
    options_free(&options);
}

/* nbdkit refuses a longer list as a whole. */
#define LISTED_MAX 10000U

static void note_unlisted(size_t count)
{
    static atomic_flag noted = ATOMIC_FLAG_INIT;

    if (count > LISTED_MAX && !atomic_flag_test_and_set(&noted))
        nbdkit_error("store %s has %zu releases: clients are told of the first %u; all can be "
                     "opened by name",
                     store_path(shared.store), count, LISTED_MAX);
}

static int list_store(struct nbdkit_exports *exports, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};

    if (store_release_names(shared.store, &names, e) < 0)
        return -1;
    note_unlisted(names.count);
    for (size_t i = 0; i < min_size(names.count, LISTED_MAX); i++)
        if (nbdkit_add_export(exports, names.names[i], NULL) < 0)
            return err_set(e, ERR_MEMORY, "cannot list release %s", names.names[i]);
    return 0;
}

static int ihop_list_exports(int readonly, int is_tls, struct nbdkit_exports *exports)
{
    struct err e = ERR_INIT;

    (void)readonly;
    (void)is_tls;
    if (single)
        return nbdkit_add_export(exports, "", single->description);
    return list_store(exports, &e) < 0 ? report_to_nbdkit(&e) : 0;
}

/* The default export has an empty name and not that of the release: filters that serve the
 * default export alone (scan) know it by that. */
static const char *ihop_default_export(int readonly, int is_tls)
{
    (void)readonly;
    (void)is_tls;
    return "";
}

static struct export *find_export(struct err *e)
{
    const char *name = nbdkit_export_name();

    if (refusal.kind != ERR_NONE) {
        *e = refusal;
        return NULL;
    }
    if (single)
        return single;
    if (!name || *name == '\0') {
        err_set(e, ERR_USAGE,
                "the client asked for no export: each release of %s is one, so connect to "
                "nbd://HOST/RELEASE (nbdinfo --list shows them), or serve one with release=",
                store_path(shared.store));
        return NULL;
    }
    return exports_open(&opened, name, e);
}

static void *ihop_open(int readonly)
{
    struct handle *h = calloc(1, sizeof *h);
    struct err e = ERR_INIT;

    (void)readonly;
    if (!h) {
        err_nomem(&e, "opening a connection");
        report_to_nbdkit(&e);
        return NULL;
    }
    h->export = find_export(&e);
    if (!h->export) {
        free(h);
        report_to_nbdkit(&e);
        return NULL;
    }
    return h;
}

static void ihop_close(void *handle)
{
    free(handle);
}

static const char *ihop_export_description(void *handle)
{
    const struct handle *h = handle;

    return h->export->description;
}

static int64_t ihop_get_size(void *handle)
{
    const struct handle *h = handle;

    return (int64_t)h->export->image.source_size; /* at most LIMIT_IMAGE */
}

static int ihop_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
    (void)handle;
    *minimum = 1;
    *preferred = PREFERRED_BLOCK;
    *maximum = UINT32_MAX;
    return 0;
}

/* All connections see the same bytes, for ever. */
static int ihop_can_multi_conn(void *handle)
{
    (void)handle;
    return 1;
}

static int ihop_can_extents(void *handle)
{
    (void)handle;
    return 1;
}

static int ihop_can_cache(void *handle)
{
    (void)handle;
    return NBDKIT_CACHE_NATIVE;
}

static int ihop_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct handle *h = handle;
    struct err e; /* without ERR_INIT, which would clear a kilobyte for each read */

    (void)flags;
    readahead_note(&h->readahead, h->export, count, offset);
    if (export_read(h->export, buf, count, offset, &e) < 0)
        return report_to_nbdkit(&e);
    return 0;
}

/* Never returns -1: the readahead and scan filters of nbdkit 1.32 would crash the server. */
static int ihop_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct handle *h = handle;

    (void)flags;
    export_prefetch(h->export, count, offset);
    return 0;
}

static int add_extent(void *user, uint64_t offset, uint64_t size, bool hole)
{
    return nbdkit_add_extent(user, offset, size,
                             hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0);
}

static int ihop_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                        struct nbdkit_extents *extents)
{
    struct handle *h = handle;

    return extents_find(h->export, offset, count, (flags & NBDKIT_FLAG_REQ_ONE) != 0, add_extent,
                        extents);
}

static struct nbdkit_plugin plugin = {
    .name = "ihop",
    .longname = "nbdkit ihop plugin",
    .version = PACKAGE_VERSION,
    .description = "Serves a release from an ihop chunk store, read-only",
    .magic_config_key = "path",
    .config = ihop_config,
    .config_complete = ihop_config_complete,
    .config_help = OPTIONS_HELP,
    .dump_plugin = ihop_dump_plugin,
    .get_ready = ihop_get_ready,
    .after_fork = ihop_after_fork,
    .unload = ihop_unload,
    .list_exports = ihop_list_exports,
    .default_export = ihop_default_export,
    .open = ihop_open,
    .close = ihop_close,
    .export_description = ihop_export_description,
    .get_size = ihop_get_size,
    .block_size = ihop_block_size,
    .can_multi_conn = ihop_can_multi_conn,
    .can_extents = ihop_can_extents,
    .can_cache = ihop_can_cache,
    .pread = ihop_pread,
    .cache = ihop_cache,
    .extents = ihop_extents,
};

/* nbdkit's header defines this one without declaring it. */
struct nbdkit_plugin *plugin_init(void);

NBDKIT_REGISTER_PLUGIN(plugin)
