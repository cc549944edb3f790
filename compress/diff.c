/* SPDX-License-Identifier: MIT */
#include "compress/diff.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "compress/info.h"
#include "compress/lacking.h"
#include "compress/release_file.h"
#include "fetch/plan.h"
#include "format/release.h"

#include <errno.h>
#include <fcntl.h>

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

static int count_difference(const struct image *old, const struct image *new,
                            struct diff_result *result, struct err *e)
{
    CLEANUP(plan_free) struct plan plan = {0};
    CLEANUP_FREE bool *missing = lacking_find(old, new, e);

    if (!missing || plan_make(new, missing, &plan, e) < 0)
        return -1;
    result->cost = plan.cost;
    result->download += plan.cost.download;
    result->requests += plan.cost.requests;
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

int diff_run(const struct compress_options *o, struct diff_result *result, struct err *e)
{
    CLEANUP(image_free) struct image old = {0};
    CLEANUP(image_free) struct image new = {0};
    struct reader_stats header;

    *result = (struct diff_result){0};
    if (read_old(o, &old, e) < 0 || info_read(o->archive, &o->network, &new, &header, e) < 0)
        return -1;
    result->download = header.bytes;
    result->requests = header.requests;
    return count_difference(&old, &new, result, e) < 0 ? -1 : check_diff_budget(o, result, e);
}
