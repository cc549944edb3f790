#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The rules of the house: who includes whom, what common/ may call, what the
# plugin links, how the sources look (tests/lib/house.py has the list).
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3

test_sources() {
    expect_exit 0 python3 "$srcdir/tests/lib/house.py" "$srcdir"
    cat "$tmp/out"
}

# file PATH: written from stdin into a tree of sources, after the licence line.
file() {
    mkdir -p "$(dirname "$tmp/tree/$1")"
    { echo '/* SPDX-License-Identifier: MIT */' && cat; } >"$tmp/tree/$1"
}

# broken REGEX: house.py finds that rule broken in the tree, and nothing else.
broken() {
    expect_exit 1 python3 "$srcdir/tests/lib/house.py" "$tmp/tree"
    expect_stdout "$1"
    equal "$(wc -l <"$tmp/out")" "${lines:-1}" "rules that are broken, with: $1"
    rm -rf "$tmp/tree"
}

# Each rule is seen broken.
test_rules() {
    file common/base/a.c <<<'#include "store/store.h"'
    broken 'common/base/a.c:2: base may not include store/store.h'
    file common/store/a.c <<<'#include "manage/command.h"'
    broken 'common/store/a.c:2: manage/command.h is a header of the program in manage/'
    file clone/a.c <<<'#include "manage/command.h"'
    broken 'clone/a.c:2: manage/command.h is a header of the program in manage/'
    file bench/a.c <<<'#include "clone/clone.h"'
    broken 'bench/a.c:2: clone/clone.h is a header of the program in clone/'
    file plugin/a.c <<<'#include "fetch/plan.h"'
    broken 'plugin/a.c:2: plugin may not include fetch/plan.h'
    file clone/a.c <<<'#include "store/store_private.h"'
    broken 'store/store_private.h is for store/ alone'
    file clone/a.c <<<'#include "clone.h"'
    broken 'clone.h is included without its directory'
    file common/fetch/a.c <<<'#include <curl/curl.h>'
    broken '<curl/curl.h> may be included in'
    file store/a.c </dev/null
    lines=2 broken 'store:1: has the name of common/store'
    file common/attic/a.c </dev/null
    broken 'common/attic:1: no rule says whom it may include'
    file common/base/a.c <<<'printf("x");'
    broken 'common/ may not call printf'
    printf '%s\n' '/* a: what for. */' 'int a(struct err *e);' | file common/base/a.h
    broken 'not warn_unused_result: int a'
    file cli/a.h <<<'/* What for. */'
    broken 'cli/a.h:2: a header begins with a comment .*/\* a: '
    { echo 'static void a(void)' && echo '{' && seq 50 | sed 's/.*/    b();/' && echo '}'; } | file manage/a.c
    broken 'manage/a.c:3: a has 52 lines, at most 50'
    seq 600 | sed 's/.*//' | file cli/a.c
    broken 'cli/a.c:601: 601 lines, at most 600'
    for name in a b; do
        printf '%s\n' 'static int same(void)' '{' '}' | file compress/$name.c
    done
    lines=2 broken 'compress/b.c:3: same is the name of a function of another file, too'
    file cli/a.c <<<'#define LIMIT_A 1'
    broken 'cli/a.c:2: LIMIT_A is not defined in common/base/limits.h'
    # In a table a name may recur.
    for name in a b; do
        printf '%s\n' 'static int same(void)' '{' '}' 'const struct ops ops = {.run = same};' | file compress/$name.c
    done
    file bench/a.h </dev/null
    broken 'bench/a.h:2: a header begins'
    mkdir -p "$tmp/tree/tests"
    printf 'sleep %s\n' 5 | file tests/test-a.sh
    broken 'tests/test-a.sh:2: waits 5 s, not for a condition'
    mkdir -p "$tmp/tree/tests"
    : >"$tmp/tree/tests/a.sh"
    broken 'tests/a.sh:1: no SPDX line on top'
}

# nbdkit must not load curl or a codec with the plugin.
test_plugin_links() {
    if [ -e "$plugin" ]; then
        requires readelf
        readelf -d "$plugin" >"$tmp/dynamic"
        grep -q NEEDED "$tmp/dynamic" || fail "readelf shows nothing of $plugin"
        grep -E 'NEEDED.*lib(curl|brotli|lzma|zstd)' "$tmp/dynamic" >"$tmp/needed" || true
        [ ! -s "$tmp/needed" ] || fail "the plugin links $(cat "$tmp/needed")"
        # Nor carry a codec inside: convenience libraries are linked whole.
        if readelf --wide --syms "$plugin" | grep -E ' (decoder_run|reader_open_http)$' >"$tmp/inside"; then
            fail "the plugin holds code of codec/ or fetch/: $(cat "$tmp/inside")"
        fi
        echo "the plugin links no codec and no curl"
    else
        echo "not built, so its libraries were not looked at: $plugin"
    fi
}

# One look for all; versions differ in taste, so only the one that CI has (Debian 12's)
# counts.
test_formatting() {
    if ! command -v clang-format >/dev/null; then
        echo "not installed, so the formatting was not looked at: clang-format"
        return 0
    fi
    version=$(clang-format --version)
    if [[ $version != *"version 14."* ]]; then
        echo "not version 14, so the formatting was not looked at: $version"
        return 0
    fi
    find "$srcdir"/common "$srcdir"/cli "$srcdir"/plugin "$srcdir"/clone "$srcdir"/manage "$srcdir"/compress "$srcdir"/tests "$srcdir"/bench -name '*.[ch]' \
        ! -name '*.pb-c.*' -print0 >"$tmp/sources"
    expect_exit 0 xargs -0 -a "$tmp/sources" clang-format --style="file:$srcdir/.clang-format" \
        --dry-run -Werror
    echo "all is formatted"
}

run_cases "$@"
