/* SPDX-License-Identifier: MIT */
#include "base/events.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

void events_note(const struct events *events, const char *fmt, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list ap;

    if (!events || !events->note)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    events->note(events->user, text);
}
