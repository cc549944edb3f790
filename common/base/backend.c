/* SPDX-License-Identifier: MIT */
#include "base/backend.h"

#include <stdio.h>
#include <string.h>

#define WORD "ihop "

void backend_write(const char *release, const char *id, char *text, size_t size)
{
    snprintf(text, size, WORD "%s %s", release, id);
}

const char *backend_id(const char *text)
{
    return strncmp(text, WORD, strlen(WORD)) == 0 ? strrchr(text, ' ') + 1 : NULL;
}
