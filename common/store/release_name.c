/* SPDX-License-Identifier: MIT */
#include "store/release_name.h"

#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>

bool release_name_is_fsck(const char *name)
{
    return strlen(name) == strlen("FSCK0000.REC") && strncasecmp(name, "FSCK", 4) == 0 &&
           strspn(name + 4, "0123456789") == 4 && strcasecmp(name + 8, ".REC") == 0;
}

static const char *broken_rule(const char *name)
{
    size_t size = strlen(name);

    if (size == 0)
        return "is empty";
    if (size > LIMIT_RELEASE_NAME)
        return "is longer than 200 bytes";
    if (name[0] == '.')
        return "begins with a dot";
    if (strchr(name, '/'))
        return "contains a slash";
    if (strcasecmp(name, "chunks") == 0)
        return "is the name of the chunk directory";
    if (strcasecmp(name, "lost+found") == 0 || release_name_is_fsck(name))
        return "is a name that fsck gives to what it finds";
    if (!text_is_utf8(name, size))
        return "is not valid UTF-8";
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7f ||
            ((unsigned char)name[0] == 0xc2 && (unsigned char)name[1] < 0xa0))
            return "contains a control character";
    return NULL;
}

int release_name_check(const char *name, struct err *e)
{
    const char *rule = broken_rule(name);

    if (rule)
        return err_set(e, ERR_USAGE, "'%.200s' cannot be the name of a release: it %s", name, rule);
    return 0;
}

int release_name_split(const char *path, char **store, const char **name, struct err *e)
{
    const char *slash = strrchr(path, '/');

    if (!slash && io_is_directory(AT_FDCWD, path, 0))
        return err_set(e, ERR_USAGE,
                       "'%.200s' names no release: use STORE/RELEASE, for example %.200s/v1", path,
                       path);
    if (!slash)
        return err_set(
            e, ERR_USAGE,
            "'%.200s' names no store: use STORE/RELEASE, for example images/%.200s, with "
            "a directory of its own for the store",
            path, path);
    if (release_name_check(slash + 1, e) < 0)
        return -1;
    *store = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (!*store)
        return err_nomem(e, "reading the command line");
    *name = slash + 1;
    return 0;
}
