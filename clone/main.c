/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "clone/clone.h"
#include "clone/options.h"
#include "clone/output.h"

#include <stdio.h>
#include <sys/stat.h>

/* A run that is interrupted says that the next one adopts what it has fetched. */
static void prepare_for_end(const struct clone_options *o)
{
    if (!o->dry_run && !o->common.quiet)
        interrupt_catch("ihop-clone: interrupted: what has arrived stays; run the same command "
                        "again to go on from there\n");
}

static int run_parsed(struct clone_options *o, struct output *out, struct err *e)
{
    struct clone_result result;

    prepare_for_end(o);
    network_options_finish(&o->network, &out->events);
    if (trust_options_finish(&o->trust, e) < 0 || clone_run(o, &out->events, &result, e) < 0)
        return -1;
    clone_output_result(out, o, &result);
    return 0;
}

int main(int argc, char **argv)
{
    struct clone_options o = {0};
    struct err e = ERR_INIT;
    struct output out;
    int r, code;

    output_prepare();
    umask(022); /* A server that runs as another user may have to read the store. */
    memory_tune();
    r = clone_options_parse(argc, argv, &o, &e);
    output_init(&out, "ihop-clone", &o.common);
    if (r == 0 && o.common.help)
        clone_options_help();
    else if (r == 0 && o.common.version)
        puts("ihop-clone " PACKAGE_VERSION);
    else if (r == 0)
        r = run_parsed(&o, &out, &e);
    code = output_end(&out, r, &e);
    clone_options_free(&o);
    return code;
}
