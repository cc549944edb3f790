/* SPDX-License-Identifier: MIT */
#include "compress/add_signature.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "compress/output_file.h"
#include "compress/signing.h"
#include "format/archive.h"
#include "reader/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SUFFIX ".minisig"

/* With fewer bytes between header and chunk data than any signature takes, an archive has no space
 * for signatures. */
#define LEAST_SPACE 256

/* The archive to be signed. */
struct target {
    int fd;
    char *path; /* without links */
    struct stat st;
    struct image *image;
    uint64_t space; /* bytes between its header and its chunk data */
};

/* ---- opening ---- */

static int cannot_open_archive(const char *path, struct err *e)
{
    err_sys(e, errno, "cannot open %s", path);
    if (e->sys_errno == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

/* Opens and locks the file. *current tells whether it still has the name: somebody else may have
 * put a signed copy there. */
static int open_archive_locked(struct target *t, bool *current, struct err *e)
{
    struct stat named;

    t->fd = io_open_named(AT_FDCWD, t->path, 0);
    if (t->fd < 0)
        return cannot_open_archive(t->path, e);
    if (io_flock(t->fd, LOCK_EX) < 0 && !io_is_refused(errno) && errno != EBADF)
        return err_sys(e, errno, "cannot lock %s", t->path);
    if (fstat(t->fd, &t->st) < 0)
        return err_sys(e, errno, "cannot examine %s", t->path);
    if (!S_ISREG(t->st.st_mode))
        return err_set(e, ERR_USAGE, "%s is not a regular file: only an archive is signed",
                       t->path);
    *current =
        stat(t->path, &named) == 0 && named.st_ino == t->st.st_ino && named.st_dev == t->st.st_dev;
    return 0;
}

static int open_archive_file(struct target *t, const char *path, struct err *e)
{
    bool current = false;

    if (reader_is_url(path))
        return err_set(e, ERR_USAGE, "%s is a URL: an archive is signed where its file is", path);
    t->path = realpath(path, NULL);
    if (!t->path)
        return cannot_open_archive(path, e);
    while (!current) {
        cleanup_fd(&t->fd);
        t->fd = -1;
        if (open_archive_locked(t, &current, e) < 0)
            return -1;
    }
    return 0;
}

static int read_exactly(const struct target *t, uint64_t at, size_t size, uint8_t *data,
                        struct err *e)
{
    ssize_t n = io_pread_full(t->fd, data, size, at);

    if (n < 0)
        return err_sys(e, errno, "cannot read %s", t->path);
    return (size_t)n == size ? 0 : err_set(e, ERR_ARCHIVE, "%s is cut short", t->path);
}

static int parse_whole_header(struct target *t, const uint8_t *header, size_t size, struct err *e)
{
    if (archive_parse(header, size, (uint64_t)t->st.st_size, t->image, e) < 0)
        return err_context(e, "%s", t->path);
    t->space = text_get_le64(header + size - CHUNK_HASH_SIZE - 8) - size;
    return 0;
}

/* Reads the header as a device will: what no device takes is not signed either. */
static int read_target_header(struct target *t, struct err *e)
{
    uint8_t prefix[ARCHIVE_PREFIX_SIZE];
    CLEANUP_FREE uint8_t *header = NULL;
    uint64_t size;

    if (read_exactly(t, 0, sizeof prefix, prefix, e) < 0)
        return -1;
    if (archive_parse_prefix(prefix, &size, e) < 0)
        return err_context(e, "%s", t->path);
    header = malloc((size_t)size);
    if (!header)
        return err_nomem(e, "reading an archive's header");
    if (read_exactly(t, 0, (size_t)size, header, e) < 0)
        return -1;
    return parse_whole_header(t, header, (size_t)size, e);
}

/* ---- the signatures that are there ---- */

static int begin_inside(const struct target *t, struct signature_list *list, struct err *e)
{
    size_t size = (size_t)min_u64(t->space, LIMIT_SIGNATURE_TEXT);
    CLEANUP_FREE uint8_t *text = malloc(size + 1);

    if (!text)
        return err_nomem(e, "reading an archive's signatures");
    if (read_exactly(t, t->image->header_size, size, text, e) < 0)
        return -1;
    if (signature_list_begin(list, t->image->header_checksum, text, size, e) < 0)
        return err_context(e, "%s", t->path);
    return 0;
}

/* With an archive that has space, a file beside it does not count: it may be of an older archive.
 */
static int begin_beside(const struct target *t, const char *beside, struct signature_list *list,
                        struct err *e)
{
    CLEANUP_FD int fd = io_open_named(AT_FDCWD, beside, 0);
    CLEANUP_FREE uint8_t *text = NULL;
    size_t size;

    if (fd < 0 && errno != ENOENT)
        return err_sys(e, errno, "cannot open %s", beside);
    if (fd < 0)
        return signature_list_begin(list, t->image->header_checksum, NULL, 0, e);
    if (io_read_file(fd, LIMIT_SIGNATURE_TEXT, beside, &text, &size, e) < 0)
        return -1;
    if (signature_list_begin(list, t->image->header_checksum, text, size, e) < 0)
        return err_context(e, "%s", beside);
    return 0;
}

/* ---- writing ---- */

/* The new file looks to a server like the old one. Who may not give it to its owner keeps it. */
static int copy_mode(const struct output_file *file, const struct stat *st, struct err *e)
{
    if (fchown(file->fd, st->st_uid, st->st_gid) < 0 && errno != EPERM)
        return err_sys(e, errno, "cannot set the owner of %s", file->path);
    if (fchmod(file->fd, st->st_mode & 07777) < 0)
        return err_sys(e, errno, "cannot set the mode of %s", file->path);
    return 0;
}

static int write_inside(const struct target *t, const struct signature_list *list,
                        struct output_file *file, struct err *e)
{
    size_t fill = (size_t)min_u64(t->space, LIMIT_SIGNATURE_TEXT);
    CLEANUP_FREE uint8_t *space = calloc(1, fill);

    if (!space)
        return err_nomem(e, "writing the signatures");
    memcpy(space, list->text, list->size);
    if (output_file_open(file, t->path, true, -1, e) < 0 ||
        output_file_copy(file, t->fd, (uint64_t)t->st.st_size, t->path, e) < 0)
        return -1;
    if (io_pwrite_full(file->fd, space, fill, t->image->header_size) < 0)
        return err_sys(e, errno, "cannot write %s", t->path);
    return copy_mode(file, &t->st, e) < 0 ? -1 : output_file_finish(file, e);
}

static int write_beside(const struct target *t, const char *beside,
                        const struct signature_list *list, struct output_file *file, struct err *e)
{
    if (output_file_open(file, beside, true, -1, e) < 0 ||
        output_file_write(file, list->text, list->size, e) < 0)
        return -1;
    return copy_mode(file, &t->st, e) < 0 ? -1 : output_file_finish(file, e);
}

static int no_space(const struct target *t, const struct signature_list *list, struct err *e)
{
    return err_set(e, ERR_SPACE,
                   "%s has %llu bytes for signatures, and %zu are needed: make it with a larger "
                   "--signature-space",
                   t->path, (unsigned long long)t->space, list->size);
}

/* Signs, and decides where the result goes. */
static int sign_target(const struct compress_options *o, const struct target *t,
                       struct add_signature_result *result, struct output_file *file, struct err *e)
{
    CLEANUP(signature_list_free) struct signature_list list = {.text = NULL};
    CLEANUP_FREE char *beside = NULL;

    if (asprintf(&beside, "%s%s", t->path, SUFFIX) < 0) {
        beside = NULL;
        return err_nomem(e, "signing an archive");
    }
    result->beside = t->space < LEAST_SPACE;
    if ((result->beside ? begin_beside(t, beside, &list, e) : begin_inside(t, &list, e)) < 0)
        return -1;
    if (signing_run(&o->signing, &list, &result->unverified, e) < 0 ||
        image_set_signatures(t->image, (const uint8_t *)list.text, list.size, e) < 0)
        return -1;
    if (!result->beside && list.size > t->space)
        return no_space(t, &list, e);
    if ((result->beside ? write_beside(t, beside, &list, file, e)
                        : write_inside(t, &list, file, e)) < 0)
        return -1;
    result->path = strdup(result->beside ? beside : t->path);
    return result->path ? 0 : err_nomem(e, "signing an archive");
}

int add_signature_run(const struct compress_options *o, struct add_signature_result *result,
                      struct err *e)
{
    struct output_file file = OUTPUT_FILE_INIT;
    struct target t = {.fd = -1, .image = &result->image};
    int r;

    *result = (struct add_signature_result){.path = NULL};
    r = open_archive_file(&t, o->archive, e);
    if (r == 0)
        r = read_target_header(&t, e);
    if (r == 0)
        r = sign_target(o, &t, result, &file, e);
    output_file_close(&file);
    cleanup_fd(&t.fd);
    free(t.path);
    return r;
}

void add_signature_free(struct add_signature_result *result)
{
    image_free(&result->image);
    free(result->path);
}
