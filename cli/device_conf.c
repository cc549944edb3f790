/* SPDX-License-Identifier: MIT */
#include "cli/device_conf.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "format/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define COMPATIBLE "compatible="

/* Takes one line, whose size is without its end. */
static int take_setting(const char *line, size_t size, char type[LIMIT_DEVICE_TYPE + 1],
                        struct err *e)
{
    const size_t key = sizeof COMPATIBLE - 1;

    if (size == 0 || *line == '#')
        return 0;
    if (size < key || memcmp(line, COMPATIBLE, key) != 0)
        return err_set(e, ERR_DAMAGED, "a line is none of compatible=NAME, # a remark, empty");
    if (*type)
        return err_set(e, ERR_DAMAGED, "compatible is there twice");
    if (!facts_is_device_type(line + key, size - key))
        return err_set(e, ERR_DAMAGED,
                       "compatible is no device type (1 to %d bytes, no control character, no "
                       "blank at an end)",
                       LIMIT_DEVICE_TYPE);
    memcpy(type, line + key, size - key);
    type[size - key] = '\0';
    return 0;
}

static int parse_device_conf(const char *text, size_t size, char type[LIMIT_DEVICE_TYPE + 1],
                             struct err *e)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size;

        if (take_setting(text, length, type, e) < 0)
            return -1;
        text += length + (end != NULL);
        size -= length + (end != NULL);
    }
    if (*type)
        return 0;
    return err_set(e, ERR_DAMAGED,
                   "it has no line compatible=NAME (a device without a type has no such file)");
}

int device_conf_read(const char *directory, char type[LIMIT_DEVICE_TYPE + 1], struct err *e)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE uint8_t *data = NULL;
    CLEANUP_FD int fd = -1;
    char found[LIMIT_DEVICE_TYPE + 1] = "";
    size_t size;

    if (asprintf(&path, "%s/" DEVICE_CONF_NAME, directory) < 0) {
        path = NULL;
        return err_nomem(e, "reading " DEVICE_CONF_NAME);
    }
    type[0] = '\0';
    fd = io_open_named(AT_FDCWD, path, 0); /* may be a link */
    if (fd < 0 && errno == ENOENT && !io_name_exists(path))
        return 0;
    if (fd < 0)
        return err_sys(e, errno, "cannot open %s, which says what type this device has", path);
    if (io_read_file(fd, LIMIT_DEVICE_CONF, path, &data, &size, e) < 0)
        return -1;
    if (parse_device_conf((const char *)data, size, found, e) < 0)
        return err_context(e, "%s", path);
    memcpy(type, found, sizeof found);
    return 0;
}

int device_type_check(const char *type, struct err *e)
{
    if (facts_is_device_type(type, strlen(type)))
        return 0;
    return err_set(e, ERR_USAGE,
                   "--compatible takes a device type: 1 to %d bytes, no control character, no "
                   "blank at an end",
                   LIMIT_DEVICE_TYPE);
}
