/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "clone/clone.h"
#include "clone/options.h"
#include "clone/output.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

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

static int run(const struct options *o)
{
    struct clone_result result;
    struct err e = ERR_INIT;
    struct output out;

    output_init(&out, o);
    if (clone_run(o, &out.events, &result, &e) < 0)
        output_error(&out, &e);
    else
        output_result(&out, &result);
    if (fflush(stdout) != 0 && e.kind == ERR_NONE) {
        err_sys(&e, errno, "cannot write to standard output");
        e.kind = ERR_IO; /* full or not: it is not the store */
        output_error(&out, &e);
    }
    return err_exit_code(e.kind);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct err e = ERR_INIT;
    int code = 0;

    tune_malloc();
    umask(022); /* another user may serve the store */
    /* Errors of a write, not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (options_parse(argc, argv, &o, &e) < 0) {
        text_make_printable(e.text); /* it may repeat what the user wrote */
        fprintf(stderr, "ihop-clone: %s\n", e.text);
        code = err_exit_code(e.kind);
    } else if (o.help) {
        options_print_help();
    } else if (o.version) {
        puts("ihop-clone " PACKAGE_VERSION);
    } else {
        code = run(&o);
    }
    options_free(&o);
    return code;
}
