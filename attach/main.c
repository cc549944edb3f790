/* SPDX-License-Identifier: MIT */
/* ihop-attach: makes a release a block device, and keeps it alive. */
#include "attach/attach.h"

#include <stdio.h>
#include <sys/stat.h>

static int run_action(const struct attach_options *o, struct output *out, struct err *e)
{
    if (o->common.help)
        attach_options_help();
    else if (o->common.version)
        puts("ihop-attach " PACKAGE_VERSION);
    else if (o->list)
        return list_run(o, e);
    else if (o->status)
        return status_run(o, e);
    else if (o->upgrade)
        return upgrade_run(o, out, e);
    else if (o->watch)
        return watch_run(o, out, e);
    else if (o->detach)
        return detach_run(o, out, e);
    else if (o->boot)
        return boot_run(o, out, e);
    else
        return attach_run(o, out, e);
    return 0;
}

int main(int argc, char **argv)
{
    struct attach_options o = {.list = false};
    struct output out;
    struct err e = ERR_INIT;
    int r;

    output_prepare();
    umask(022);
    r = attach_options_parse(argc, argv, &o, &e);
    output_init(&out, "ihop-attach", &o.common);
    if (r == 0)
        r = run_action(&o, &out, &e);
    r = output_end(&out, r, &e);
    attach_options_free(&o);
    return r;
}
