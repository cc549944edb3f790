/* SPDX-License-Identifier: MIT */
/* release_file: whether a path that a user names is that of a release in a store. */
#ifndef IHOP_COMPRESS_RELEASE_FILE_H
#define IHOP_COMPRESS_RELEASE_FILE_H

#include <stdbool.h>

/* Judged by the file's first bytes. What is a URL or cannot be opened is none. */
bool release_file_is(const char *path);

#endif
