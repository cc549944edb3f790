/* SPDX-License-Identifier: MIT */
#include "base/input.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* False for a closed descriptor and for what takes its place (io_fill_standard). */
static bool is_readable(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_WRONLY;
}

static int open_standard(int *fd, struct err *e)
{
    if (!is_readable(STDIN_FILENO))
        return err_set(e, ERR_IO, "standard input is closed or cannot be read");
    *fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return *fd < 0 ? err_sys(e, errno, "cannot open standard input") : 0;
}

static int open_path(const char *path, const char *what, int *fd, struct err *e)
{
    do
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (*fd < 0 && errno == EINTR);
    if (*fd >= 0)
        return 0;
    err_sys(e, errno, "cannot open %s%s", what, path);
    if (e->sys_errno == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

/* A device such as /dev/zero gives bytes for ever. A device that has an end knows its size. */
static int check_input_type(const struct input *in, const struct input_words *w, bool chosen,
                            struct err *e)
{
    const char *type = NULL;
    struct stat st;

    if (fstat(in->fd, &st) < 0)
        return err_sys(e, errno, "cannot examine %s%s", w->what, in->name);
    if (S_ISDIR(st.st_mode))
        type = "directory";
    else if (isatty(in->fd))
        type = "terminal";
    if (type)
        return err_set(e, w->wrong, "%s%s is a %s: %s", w->what, in->name, type, w->instead);
    if (S_ISCHR(st.st_mode) && !chosen && in->size == 0)
        return err_set(e, ERR_IO, "%s%s is a character device that may never end: %s", w->what,
                       in->name, w->instead);
    return 0;
}

int input_open(const char *path, const struct input_words *words, struct input *in, struct err *e)
{
    bool standard = strcmp(path, "-") == 0;
    CLEANUP_FD int fd = -1;

    *in = (struct input){.fd = -1, .name = standard ? "standard input" : path};
    if ((standard ? open_standard(&fd, e) : open_path(path, words->what, &fd, e)) < 0)
        return -1;
    in->fd = fd;
    in->size = io_input_size(fd);
    if (check_input_type(in, words, standard, e) < 0) {
        in->fd = -1;
        return -1;
    }
    (void)steal_fd(&fd);
    return 0;
}
