/* SPDX-License-Identifier: MIT */
#include "signature/key_set.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct names {
    char **items;
    size_t count, capacity;
    size_t leftovers; /* that do not count, without those that begin with a dot */
};

static void free_key_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->items[i]);
    free(n->items);
}

void key_set_free(struct key_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->keys[i].path);
    free(set->keys);
    *set = (struct key_set){0};
}

const struct trusted_key *key_set_find(const struct key_set *set,
                                       const uint8_t bytes[PUBLIC_KEY_SIZE])
{
    for (size_t i = 0; i < set->count; i++)
        if (memcmp(set->keys[i].key.bytes, bytes, PUBLIC_KEY_SIZE) == 0)
            return &set->keys[i];
    return NULL;
}

int key_set_add_key(struct key_set *set, const struct public_key *key, const char *path,
                    struct err *e)
{
    char *copy;

    if (key_set_find(set, key->bytes))
        return 0;
    if (set->count == LIMIT_KEYS)
        return err_set(e, ERR_DAMAGED,
                       "key %s: there are %d trusted keys already, and no more can "
                       "be used",
                       path, LIMIT_KEYS);
    if (array_grow((void **)&set->keys, &set->capacity, set->count, sizeof *set->keys, e) < 0)
        return -1;
    copy = strdup(path);
    if (!copy)
        return err_nomem(e, "reading keys");
    set->keys[set->count++] = (struct trusted_key){.key = *key, .path = copy};
    return 0;
}

static int cannot_open_key(const char *path, struct err *e)
{
    err_sys(e, errno, "cannot open the key %s", path);
    if (e->sys_errno == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

/* Reads the key of the file open as fd. */
static int add_key_file(struct key_set *set, int fd, const char *path, struct err *e)
{
    CLEANUP_FREE uint8_t *text = NULL;
    struct public_key key;
    size_t size;

    if (io_read_file(fd, LIMIT_KEY_FILE, path, &text, &size, e) < 0)
        return -1;
    if (public_key_parse(text, size, &key, e) < 0)
        return err_context(e, "key %s", path);
    return key_set_add_key(set, &key, path, e);
}

/* Whether an entry of a directory is what an editor or a package manager leaves beside a file. */
static bool is_leftover(const char *name)
{
    static const char *const patterns[] = {
        ".*", "*~", "*.bak", "*.orig", "*.dpkg-*", "*.ucf-*", "*.rpmnew", "*.rpmorig", "*.rpmsave"};

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static int compare_key_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_key_names(int fd, const char *path, struct names *n, struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(fd);
    struct dirent *entry;

    if (!dir)
        return cannot_open_key(path, e);
    while ((entry = io_readdir(dir))) {
        if (is_leftover(entry->d_name)) {
            n->leftovers += entry->d_name[0] != '.';
            continue;
        }
        if (array_grow((void **)&n->items, &n->capacity, n->count, sizeof *n->items, e) < 0)
            return -1;
        n->items[n->count] = strdup(entry->d_name);
        if (!n->items[n->count])
            return err_nomem(e, "listing keys");
        n->count++;
    }
    if (errno != 0)
        return err_sys(e, errno, "cannot read the directory of keys %s", path);
    if (n->count > 1)
        qsort(n->items, n->count, sizeof *n->items, compare_key_names);
    return 0;
}

/* An entry that is no key is an error, also when the others are keys: it may be the broken copy of
 * one that somebody relies on, and a directory of such copies alone must not look like one where
 * nothing is demanded. */
static int add_key_entry(struct key_set *set, int directory, const char *path, const char *name,
                         struct err *e)
{
    CLEANUP_FREE char *full = NULL;
    CLEANUP_FD int fd = -1;

    if (asprintf(&full, "%s/%s", path, name) < 0) {
        full = NULL;
        return err_nomem(e, "reading keys");
    }
    fd = io_open_named(directory, name, 0);
    return fd < 0 ? cannot_open_key(full, e) : add_key_file(set, fd, full, e);
}

static int add_key_directory(struct key_set *set, int fd, const char *path, bool may_be_empty,
                             struct err *e)
{
    CLEANUP(free_key_names) struct names n = {0};

    if (list_key_names(fd, path, &n, e) < 0)
        return -1;
    for (size_t i = 0; i < n.count; i++)
        if (add_key_entry(set, fd, path, n.items[i], e) < 0)
            return -1;
    if (n.count > 0 || (may_be_empty && n.leftovers == 0))
        return 0;
    if (n.leftovers > 0)
        return err_set(e, ERR_DAMAGED,
                       "the directory %s has no key but what an editor or a package manager left "
                       "there: put a public key there, or remove that",
                       path);
    return err_set(e, ERR_DAMAGED, "the directory %s has no key: put a public key there", path);
}

int key_set_add(struct key_set *set, const char *path, struct err *e)
{
    CLEANUP_FD int fd = io_open_named(AT_FDCWD, path, 0);
    struct stat st;

    if (fd < 0)
        return cannot_open_key(path, e);
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine %s", path);
    return S_ISDIR(st.st_mode) ? add_key_directory(set, fd, path, false, e)
                               : add_key_file(set, fd, path, e);
}

int key_set_add_default(struct key_set *set, const char *directory, struct err *e)
{
    CLEANUP_FD int fd = io_open_named(AT_FDCWD, directory, O_DIRECTORY);

    if (fd < 0)
        return errno == ENOENT && !io_name_exists(directory) ? 0 : cannot_open_key(directory, e);
    return add_key_directory(set, fd, directory, true, e);
}
