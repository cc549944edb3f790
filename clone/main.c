/* SPDX-License-Identifier: MIT */
#include "cli/output.h"
#include "clone/clone.h"
#include "clone/options.h"
#include "clone/output.h"

#include <malloc.h>
#include <stdio.h>

#define LARGE_BLOCK (512 * 1024)
#define HEAP_KEPT   (4 * 1024 * 1024)

/* glibc raises its threshold for blocks of their own as large ones are freed, and
 * then keeps them: 12 MiB more for a first clone of 640 MiB. Fixing it makes the
 * heap give back its end eagerly, which costs a page fault for each page that a
 * decoder then takes again: hence the second. */
static void tune_malloc(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
#endif
}

static int run(struct clone_options *o, struct output *out, struct err *e)
{
    struct clone_result result;

    http_flags_finish(&o->http, &out->events);
    if (clone_run(o, &out->events, &result, e) < 0)
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

    tune_malloc();
    output_prepare();
    r = clone_options_parse(argc, argv, &o, &e);
    output_init(&out, "ihop-clone", &o.common);
    if (r == 0 && o.common.help)
        clone_options_help();
    else if (r == 0 && o.common.version)
        puts("ihop-clone " PACKAGE_VERSION);
    else if (r == 0)
        r = run(&o, &out, &e);
    code = output_end(&out, r, &e);
    clone_options_free(&o);
    return code;
}
