/* SPDX-License-Identifier: MIT */
#include "plugin/lost_chunk.h"

#include "plugin/export.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 2, 3))) void err_append(struct err *e, const char *fmt, ...)
{
    size_t used = strlen(e->text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text + used, sizeof e->text - used, fmt, ap);
    va_end(ap);
}

/* The recorded URL is part of a command that people will paste into a shell. */
static bool is_safe_in_shell(const char *url)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789:/._~%+,@=-";

    return url && *url != '-' && url[strspn(url, safe)] == '\0';
}

/* Appends how to get chunks back: the command with this option, and what to do then. */
static int append_remedy(const struct export *x, const char *option, const char *then,
                         struct err *e)
{
    const char *url = x->image.archive_url;

    if (url && x->image.archive_url_lacks)
        err_append(
            e,
            "; to restore it, run ihop-clone %sagain with the archive's full address (%s and "
            "the query or password that is not recorded) and %s/%s%s",
            option, url, store_path(x->store), x->name, then);
    else if (is_safe_in_shell(url))
        err_append(e, "; to restore it, run: ihop-clone %s%s %s/%s%s", option, url,
                   store_path(x->store), x->name, then);
    else
        err_append(e, "; to restore it, run ihop-clone %sagain for %s/%s%s", option,
                   store_path(x->store), x->name, then);
    return -1;
}

int lost_chunk_add_remedy(const struct export *x, struct err *e)
{
    return append_remedy(x, "", "", e);
}

int lost_chunk_recover(const struct export *x, size_t chunk, struct err *e)
{
    /* A chunk that once hashed wrong stays refused (verifier.h). */
    if (x->verifier && verifier_is_bad(x->verifier, chunk))
        return append_remedy(x, "--recheck ", ", then restart this server", e);
    if (e->kind == ERR_NOT_FOUND || e->kind == ERR_DAMAGED)
        return append_remedy(x, "", "", e);
    return -1;
}
