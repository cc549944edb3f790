/* SPDX-License-Identifier: MIT */
#include "store/release_image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/lock.h"
#include "store/release_load.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define RETIRED  "retired"
#define WHERE    STORE_META "/" RETIRED "/"
#define ID_SHOWN 16 /* hex digits in messages */

static bool is_image(const struct image *image, const char *id, char hex[CHUNK_HASH_HEX])
{
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, hex);
    return !id || strncasecmp(hex, id, strlen(id)) == 0;
}

/* Takes a server's lock on a retired release. gc deletes one while it holds the exclusive lock, so
 * a file that still has its name once the lock is held stays. */
static bool lock_retired(const struct store *store, int dirfd, const char *name, int fd)
{
    struct err ignored = ERR_INIT;
    struct stat st, named;

    return store_lock_release(fd, store->path, &ignored) == 0 && fstat(fd, &st) == 0 &&
           fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == st.st_dev &&
           named.st_ino == st.st_ino;
}

/* What cannot be read there, or is no release, is none that anybody looks for. */
static bool take_retired(const struct store *store, int dirfd, const char *name, const char *id,
                         struct image *image, int *lock_fd)
{
    CLEANUP(image_free) struct image found = {0};
    struct err ignored = ERR_INIT;
    char hex[CHUNK_HASH_HEX];
    CLEANUP_FD int fd = -1;

    if (store_image_load(store, dirfd, WHERE, name, &found, &fd, &ignored) < 0 ||
        !is_image(&found, id, hex) || !lock_retired(store, dirfd, name, fd))
        return false;
    *image = found;
    found = (struct image){0};
    *lock_fd = steal_fd(&fd);
    return true;
}

static bool find_retired(const struct store *store, const char *id, struct image *image,
                         int *lock_fd)
{
    CLEANUP_FD int dirfd =
        store->meta_fd < 0 ? -1 : io_openat(store->meta_fd, RETIRED, O_RDONLY | O_DIRECTORY, 0);
    CLEANUP_DIR DIR *dir = dirfd < 0 ? NULL : io_opendirat(dirfd);
    struct dirent *entry;

    while (dir && (entry = io_readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' &&
            take_retired(store, dirfd, entry->d_name, id, image, lock_fd))
            return true;
    return false;
}

int store_release_find_image(const struct store *store, const char *name, const char *id,
                             struct image *image, int *lock_fd, struct err *e)
{
    CLEANUP(image_free) struct image named = {0};
    char hex[CHUNK_HASH_HEX];
    CLEANUP_FD int fd = -1;
    int r = store_release_load(store, name, &named, &fd, e);

    if (r == 0 && is_image(&named, id, hex)) {
        *image = named;
        named = (struct image){0};
        *lock_fd = steal_fd(&fd);
        return 0;
    }
    if (id && strlen(id) == CHUNK_HASH_HEX - 1 && find_retired(store, id, image, lock_fd)) {
        *e = (struct err)ERR_INIT;
        return 0;
    }
    if (r < 0)
        return e->sys_errno == ENOENT ? store_release_missing(store, name, e) : -1;
    return err_set(e, ERR_OTHER_IMAGE,
                   "release %s/%s is the image %.*s..., but id=%s is asked for: another image has "
                   "been cloned under this name",
                   store->path, name, ID_SHOWN, hex, id);
}
