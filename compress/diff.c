/* SPDX-License-Identifier: MIT */
#include "compress/diff.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "compress/info.h"
#include "compress/lacking.h"
#include "compress/release_file.h"
#include "fetch/archive_header.h"
#include "fetch/delta_run.h"
#include "fetch/find_pack.h"
#include "fetch/plan.h"
#include "format/release.h"
#include "reader/open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Reading a header: the first bytes, and the rest. */
#define HEADER_REQUESTS 2

static int read_release(const char *path, struct image *image, struct err *e)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP_FREE uint8_t *data = NULL;
    size_t size;

    if (fd < 0)
        return err_sys(e, errno, "cannot open release %s", path);
    if (io_read_file(fd, LIMIT_RELEASE, "the release", &data, &size, e) < 0 ||
        release_parse(data, size, image, e) < 0)
        return err_context(e, "release %s", path);
    return 0;
}

static int read_old(const struct compress_options *o, struct image *image, struct err *e)
{
    return release_file_is(o->old) ? read_release(o->old, image, e)
                                   : info_read(o->old, &o->network, image, NULL, e);
}

/* What is being compared. */
struct comparison {
    const struct compress_options *o;
    const struct events *events;
    struct reader *reader;    /* of the new archive */
    struct delta_source pack; /* its reader is NULL when there is none */
    struct image own_old;     /* unless the pack has it */
    struct image new;
};

static const struct image *old_of(const struct comparison *c)
{
    return c->pack.reader ? &c->pack.old : &c->own_old;
}

/* Reads the new archive's header as a device does that has the old image. */
static int read_new(struct comparison *c, struct err *e)
{
    const struct trust trust = TRUST_ANY;
    struct archive_header_start start;
    const struct pack_wanted wanted = {.archive = c->reader,
                                       .start = &start,
                                       .settings = &c->o->network.http,
                                       .events = c->events};

    if (archive_header_read_start(c->reader, &start, e) < 0 ||
        find_pack_from(&wanted, &c->own_old, &c->pack, e) < 0)
        return -1;
    if (!c->pack.reader)
        return archive_header_read(c->reader, &start, &trust, &c->new, e);
    if (find_pack_read_header(&wanted, &c->pack, &trust, &c->new, e) < 0)
        return -1;
    /* A pack that turned out to be useless took the old image with it. */
    return c->pack.reader ? 0 : read_old(c->o, &c->own_old, e);
}

static int count_with_pack(struct comparison *c, struct plan *plan, struct diff_result *result,
                           struct err *e)
{
    result->has_pack = true;
    result->download_without = plan->cost.download + c->new.header_size;
    result->requests_without = plan->cost.requests + HEADER_REQUESTS;
    text_hex(c->pack.pack.old_source_checksum, DELTA_PACK_ID_DIGITS / 2, result->from);
    result->pack = strdup(c->pack.reader->name);
    if (!result->pack)
        return err_nomem(e, "comparing two images");
    if (delta_run_plan(&c->pack, NULL, plan, e) < 0 || plan_arrange(plan, &c->new, e) < 0)
        return -1;
    result->pack_download = c->pack.reader->stats.bytes + plan->pack.download;
    return 0;
}

static int count_difference(struct comparison *c, struct diff_result *result, struct err *e)
{
    CLEANUP(plan_free) struct plan plan = {0};
    CLEANUP_FREE bool *missing = lacking_find(old_of(c), &c->new, e);

    if (!missing || plan_make(&c->new, missing, &plan, e) < 0)
        return -1;
    if (c->pack.ready && plan.cost.fetched > 0 && count_with_pack(c, &plan, result, e) < 0)
        return -1;
    if (c->pack.reader)
        beside_count(&c->pack.beside);
    result->cost = plan.cost;
    result->download = c->reader->stats.bytes + plan.cost.download;
    result->requests = c->reader->stats.requests + plan.cost.requests;
    return 0;
}

static int check_diff_budget(const struct compress_options *o, const struct diff_result *result,
                             struct err *e)
{
    char a[TEXT_SIZE_BYTES], b[TEXT_SIZE_BYTES];

    if (result->download <= o->max_download)
        return 0;
    return err_set(e, ERR_SPACE,
                   "the update from %s to %s would download %s (%llu bytes), but --max-download "
                   "allows %s",
                   o->old, o->archive, text_size(result->download, a),
                   (unsigned long long)result->download, text_size(o->max_download, b));
}

int diff_run(const struct compress_options *o, const struct events *events,
             struct diff_result *result, struct err *e)
{
    struct comparison c = {.o = o, .events = events};
    int r = -1;

    *result = (struct diff_result){0};
    if (read_old(o, &c.own_old, e) == 0)
        c.reader = reader_open(o->archive, &o->network.http, e);
    if (c.reader && read_new(&c, e) == 0)
        r = count_difference(&c, result, e);
    delta_source_close(&c.pack);
    image_free(&c.own_old);
    image_free(&c.new);
    reader_close(c.reader);
    return r < 0 ? -1 : check_diff_budget(o, result, e);
}

void diff_free(struct diff_result *result)
{
    free(result->pack);
    result->pack = NULL;
}
