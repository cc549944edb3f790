/* SPDX-License-Identifier: MIT */
#include "reader/file.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

/* The workers decode one range while the next is read. */
#define FILE_PARALLEL 2

struct file_reader {
    struct reader base;
    char *path;
    int fd, wake_fd;
    struct range_request *first, **last; /* the queue, linked by next */
};

static void file_submit(struct reader *r, struct range_request *q)
{
    struct file_reader *f = (struct file_reader *)r;

    *f->last = q;
    f->last = &q->next;
}

static void wait_for_wake(struct file_reader *f, int timeout_ms)
{
    struct pollfd p = {.fd = f->wake_fd, .events = POLLIN};
    eventfd_t count;

    if (poll(&p, 1, timeout_ms) > 0)
        (void)eventfd_read(f->wake_fd, &count);
}

static int file_step(struct reader *r, int timeout_ms, struct range_request **done, struct err *e)
{
    struct file_reader *f = (struct file_reader *)r;
    struct range_request *q = f->first;
    ssize_t n;

    if (!q) {
        wait_for_wake(f, timeout_ms);
        return 0;
    }
    f->first = q->next;
    if (!f->first)
        f->last = &f->first;
    n = io_pread_full(f->fd, q->data, q->size, q->offset);
    if (n < 0)
        return err_sys(e, errno, "cannot read archive %s", f->path);
    if ((size_t)n < q->size)
        return err_set(e, ERR_ARCHIVE, "archive %s is cut short: it ends before byte %llu", f->path,
                       (unsigned long long)(q->offset + q->size));
    q->received = q->size;
    r->stats.bytes += q->size;
    r->stats.requests++;
    *done = q;
    return 1;
}

static void file_cancel(struct reader *r)
{
    struct file_reader *f = (struct file_reader *)r;

    f->first = NULL;
    f->last = &f->first;
}

static void file_wake(struct reader *r)
{
    (void)eventfd_write(((struct file_reader *)r)->wake_fd, 1);
}

static void file_close(struct reader *r)
{
    struct file_reader *f = (struct file_reader *)r;

    if (f->fd >= 0)
        close(f->fd);
    if (f->wake_fd >= 0)
        close(f->wake_fd);
    free(f->path);
    free(f);
}

static const struct reader_ops file_ops = {
    .submit = file_submit,
    .step = file_step,
    .cancel = file_cancel,
    .wake = file_wake,
    .close = file_close,
};

/* Whether path looks like the address of a server without its http://: the first part has a
 * dot or colon, and more follows. */
static bool looks_like_address(const char *path)
{
    size_t host = strcspn(path, "/"), name = strspn(path, ".");

    return path[host] == '/' && name < host &&
           (memchr(path + name, '.', host - name) || memchr(path + name, ':', host - name));
}

static int no_archive_here(const char *path, struct err *e)
{
    if (looks_like_address(path))
        return err_set(e, ERR_NOT_FOUND,
                       "there is no archive %s (for one on a server, write http:// or https:// "
                       "before it)",
                       path);
    return err_set(e, ERR_NOT_FOUND, "there is no archive %s", path);
}

static int open_archive_file(struct file_reader *f, struct err *e)
{
    struct stat st;

    /* O_NONBLOCK: a FIFO is refused below, and must not block before that. */
    do
        f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return no_archive_here(f->path, e);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return err_sys(e, errno, "cannot open archive %s", f->path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_IO, "archive %s is not a regular file", f->path);
    f->base.size = (uint64_t)st.st_size;
    f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->wake_fd < 0)
        return err_sys(e, errno, "cannot make an eventfd");
    return 0;
}

struct reader *reader_open_file(const char *path, struct err *e)
{
    struct file_reader *f = malloc(sizeof *f);

    if (f) {
        *f = (struct file_reader){.base = {.ops = &file_ops, .parallel = FILE_PARALLEL},
                                  .path = strdup(path),
                                  .fd = -1,
                                  .wake_fd = -1};
        f->last = &f->first;
    }
    if (!f || !f->path) {
        err_nomem(e, "opening an archive");
        free(f);
        return NULL;
    }
    f->base.archive = f->base.name = f->path;
    if (open_archive_file(f, e) < 0) {
        file_close(&f->base);
        return NULL;
    }
    return &f->base;
}
