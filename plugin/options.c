/* SPDX-License-Identifier: MIT */
#include "plugin/options.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/release_name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

static int set_option_text(char **text, const char *key, const char *value)
{
    if (*text) {
        nbdkit_error("%s= is given twice", key);
        return -1;
    }
    if (*value == '\0') {
        nbdkit_error("%s= is empty", key);
        return -1;
    }
    *text = strdup(value);
    if (!*text) {
        nbdkit_error("out of memory");
        return -1;
    }
    return 0;
}

static int set_choice(bool *second, const char *key, const char *value, const char *off,
                      const char *on)
{
    if (strcmp(value, off) != 0 && strcmp(value, on) != 0) {
        nbdkit_error("%s=%s: the value must be %s or %s", key, value, off, on);
        return -1;
    }
    *second = strcmp(value, on) == 0;
    return 0;
}

/* Not all messages of nbdkit's own parsers name the parameter, hence this one. */
static int set_check(struct options *o, const char *value)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0) {
            o->export.check = i % 2 == 1;
            return 0;
        }
    nbdkit_error("check=%s: the value must be yes or no", value);
    return -1;
}

static int set_max_fds(struct options *o, const char *value)
{
    uint64_t n;

    if (!text_parse_u64(value, 0, UINT_MAX, &n)) {
        nbdkit_error("maxfds=%s: a whole number is expected", value);
        return -1;
    }
    o->max_fds = (unsigned)n;
    return 0;
}

/* The path is read at once, before nbdkit goes to another directory. */
static int add_keys(struct options *o, const char *path)
{
    struct err e = ERR_INIT;

    if (key_set_add(&o->keys, path, &e) == 0)
        return 0;
    nbdkit_error("verify-key=%s: %s", path, e.text);
    return -1;
}

static int set_signatures(struct options *o, const char *value)
{
    uint64_t n;

    if (!text_parse_u64(value, 1, LIMIT_KEYS, &n)) {
        nbdkit_error("signatures=%s: a number from 1 to %d is expected", value, LIMIT_KEYS);
        return -1;
    }
    o->signatures = (unsigned)n;
    return 0;
}

static int set_verify(struct options *o, const char *value)
{
    o->verify_given = true;
    return set_choice(&o->export.verify, "verify", value, "off", "first");
}

/* Whoever demands signatures wants right bytes, too: chunks are hashed, unless verify=off says that
 * something else looks at them, such as dm-verity. */
static int complete_keys(struct options *o)
{
    if (o->signatures > o->keys.count) {
        nbdkit_error("signatures=%u can never be met: verify-key= names %zu different key%s",
                     o->signatures, o->keys.count, text_s(o->keys.count));
        return -1;
    }
    if (o->keys.count > 0 && !o->verify_given)
        o->export.verify = true;
    o->export.signed_by = (struct signature_demand){.keys = o->keys.count > 0 ? &o->keys : NULL,
                                                    .needed = o->signatures};
    return 0;
}

static int set_id(struct options *o, const char *value)
{
    size_t digits = strspn(value, "0123456789abcdefABCDEF");

    if (value[digits] != '\0' || digits > 2 * CHUNK_HASH_SIZE) {
        nbdkit_error("id=%s: up to 128 hex digits are expected, the beginning of the image's "
                     "BLAKE2b-512",
                     value);
        return -1;
    }
    return set_option_text(&o->id, "id", value);
}

int options_set(struct options *o, const char *key, const char *value)
{
    if (strcmp(key, "path") == 0 && o->path) {
        nbdkit_error("'%s' and '%s': use one word, STORE/RELEASE, or store=STORE release=NAME",
                     o->path, value);
        return -1;
    }
    if (strcmp(key, "path") == 0)
        return set_option_text(&o->path, key, value);
    if (strcmp(key, "store") == 0)
        return set_option_text(&o->store, key, value);
    if (strcmp(key, "release") == 0)
        return set_option_text(&o->release, key, value);
    if (strcmp(key, "id") == 0)
        return set_id(o, value);
    if (strcmp(key, "check") == 0)
        return set_check(o, value);
    if (strcmp(key, "verify") == 0)
        return set_verify(o, value);
    if (strcmp(key, "verify-key") == 0)
        return add_keys(o, value);
    if (strcmp(key, "signatures") == 0)
        return set_signatures(o, value);
    if (strcmp(key, "cache") == 0)
        return set_choice(&o->export.drop_cache, key, value, "default", "none");
    if (strcmp(key, "maxfds") == 0)
        return set_max_fds(o, value);
    if (strcmp(key, "uring") == 0)
        return set_choice(&o->uring, key, value, "off", "on");
    if (strcmp(key, "lock") == 0)
        return set_choice(&o->lock, key, value, "off", "on");
    nbdkit_error("unknown parameter '%s' (store, release, id, check, verify, verify-key, "
                 "signatures, cache, maxfds, uring and lock are known)",
                 key);
    return -1;
}

static int report_option(const struct err *e)
{
    nbdkit_error("%s", e->text);
    return -1;
}

/* Splits the bare word: a directory is a store, anything else is STORE/RELEASE. */
static int split_path(struct options *o)
{
    struct err e = ERR_INIT;
    const char *name;

    if (o->store) {
        nbdkit_error("'%s' and store=%s both name a store: give one of them", o->path, o->store);
        return -1;
    }
    if (io_is_directory(AT_FDCWD, o->path, 0))
        return set_option_text(&o->store, "store", o->path);
    if (o->release) {
        nbdkit_error(
            "'%s' is not a directory, so release=%s has no store: use store=STORE release=%s",
            o->path, o->release, o->release);
        return -1;
    }
    if (strstr(o->path, "://")) {
        nbdkit_error("'%s' is an address: clone it first (ihop-clone %s STORE/RELEASE)", o->path,
                     o->path);
        return -1;
    }
    if (release_name_split(o->path, &o->store, &name, &e) < 0)
        return report_option(&e);
    return set_option_text(&o->release, "release", name);
}

/* Makes the path of the store absolute: nbdkit changes to / when it becomes a daemon. */
static int make_absolute(struct options *o)
{
    char *absolute;

    if (!io_is_directory(AT_FDCWD, o->store, 0)) {
        if (access(o->store, F_OK) < 0)
            nbdkit_error("store %s: %s", o->store, strerror(errno));
        else
            nbdkit_error("store %s is not a directory", o->store);
        return -1;
    }
    absolute = nbdkit_realpath(o->store);
    if (!absolute)
        return -1;
    free(o->store);
    o->store = absolute;
    return 0;
}

int options_complete(struct options *o)
{
    struct err e = ERR_INIT;

    if (o->path && split_path(o) < 0)
        return -1;
    if (!o->store) {
        nbdkit_error("which release? Use: nbdkit ihop STORE/RELEASE, or nbdkit ihop store=STORE");
        return -1;
    }
    if (o->release && release_name_check(o->release, &e) < 0)
        return report_option(&e);
    if (o->id && !o->release) {
        nbdkit_error("id= is about one release: add release=NAME");
        return -1;
    }
    o->export.id = o->id;
    return complete_keys(o) < 0 ? -1 : make_absolute(o);
}

void options_free(struct options *o)
{
    free(o->path);
    free(o->store);
    free(o->release);
    free(o->id);
    key_set_free(&o->keys);
}
