/* SPDX-License-Identifier: MIT */
#include "store/attached.h"

#include "base/backend.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define IDENTIFIER_SIZE 4096 /* an attribute of sysfs is a page at most */

static bool device_has(int block, const char *device, const char *id)
{
    char path[NAME_MAX + 16], text[IDENTIFIER_SIZE + 1];
    CLEANUP_FD int fd = -1;
    const char *found;
    ssize_t n;

    snprintf(path, sizeof path, "%s/backend", device);
    fd = io_openat(block, path, O_RDONLY, 0);
    n = fd < 0 ? -1 : io_read_full(fd, text, IDENTIFIER_SIZE);
    if (n < 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    found = backend_id(text);
    return found && strcmp(found, id) == 0;
}

bool attached_has_image(const char *sys_block, const struct image *image)
{
    CLEANUP_FD int block = open(sys_block, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *dir = block < 0 ? NULL : io_opendirat(block);
    char id[CHUNK_HASH_HEX];
    struct dirent *entry;

    text_hex(image->source_checksum, CHUNK_HASH_SIZE, id);
    while (dir && (entry = io_readdir(dir)) != NULL)
        if (strncmp(entry->d_name, "nbd", 3) == 0 && device_has(block, entry->d_name, id))
            return true;
    return false;
}
