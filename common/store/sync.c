/* SPDX-License-Identifier: MIT */
#include "store/store_private.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/chunk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

/* syncfs reports errors since the descriptor was opened from Linux 5.8 on, and
 * not on stacked, user-space and network file systems. */
static bool syncfs_tells_errors(int fd)
{
    static const unsigned long silent[] = {
        0x794c7630, /* overlayfs */
        0x65735546, /* FUSE */
        0x6969,     /* NFS */
        0x01021997, /* 9p */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
    };
    unsigned major = 0, minor = 0;
    struct utsname uts;
    struct statfs fs;

    if (uname(&uts) < 0 || fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (((unsigned long)fs.f_type & 0xffffffffUL) == silent[i])
            return false;
    return sscanf(uts.release, "%u.%u", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 8));
}

/* Kernels and filters of containers that do not know the call say so; where it is known it
 * fails because -1 is no file. */
static bool has_syncfs(void)
{
    return syncfs(-1) == 0 || !io_is_refused(errno);
}

void store_sync_choose(struct store *store, enum store_sync wanted)
{
    store->no_syncfs = !has_syncfs();
    store->sync_files = store->no_syncfs || wanted == STORE_SYNC_FILES ||
                        (wanted == STORE_SYNC_AUTO && !syncfs_tells_errors(store->root_fd));
}

int store_sync_directory(const struct store *store, int fd, const char *name, struct err *e)
{
    if (io_fsync(fd) < 0)
        return err_sys(e, errno, "cannot make %s/%s durable (fsync): check the storage",
                       store->path, name);
    return 0;
}

/* For a store without syncfs. The files in these directories were synced as they were written. */
static int sync_directories(const struct store *store, struct err *e)
{
    const struct {
        int fd;
        const char *name;
    } directories[] = {{store->chunks_fd, STORE_CHUNKS},
                       {store->partial_fd, STORE_META "/partial"},
                       {store->retired_fd, STORE_META "/retired"},
                       {store->meta_fd, STORE_META},
                       {store->root_fd, ""}};

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        if (directories[i].fd >= 0 &&
            store_sync_directory(store, directories[i].fd, directories[i].name, e) < 0)
            return -1;
    return 0;
}

int store_sync_all(const struct store *store, struct err *e)
{
    if (store->no_syncfs)
        return sync_directories(store, e);
    if (syncfs(store->root_fd) < 0)
        return err_sys(e, errno,
                       "cannot make %s durable (syncfs): what was not durable yet was "
                       "dropped; check the storage",
                       store->path);
    return 0;
}

int store_sync_parent(const struct store *store, struct err *e)
{
    CLEANUP_FD int parent = -1;

    /* syncfs reaches the new entry even if the parent directory is not readable. */
    if (!store->no_syncfs)
        return store_sync_all(store, e);
    parent = io_openat(store->root_fd, "..", O_RDONLY | O_DIRECTORY, 0);
    if (parent < 0)
        return err_sys(e, errno,
                       "cannot make the new store %s durable: there is no syncfs here, and "
                       "its parent directory cannot be opened",
                       store->path);
    return store_sync_directory(store, parent, "..", e);
}
