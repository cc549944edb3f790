#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The fuzzers' committed corpora run through their entries. To fuzz:
#
#     ./configure --enable-fuzzers CC=clang --enable-sanitizers=address,undefined
#     make check && tests/fuzz/fuzz_archive CORPUS-COPY tests/fuzz/corpus/archive
#
# `cba.py corpus DIRECTORY` makes the seeds anew.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"

for name in archive attach boot codec delta_codec delta_pack release response signature signed_release store verity; do
    case $name in # not built --without-attach
        attach | verity) [ -e "$builddir/tests/fuzz/fuzz_$name" ] || continue ;;
    esac
    seeds=("$srcdir/tests/fuzz/corpus/$name"/*)
    [ -e "${seeds[0]}" ] || fail "no corpus for fuzz_$name"
    expect_exit 0 "$builddir/tests/fuzz/fuzz_$name" "${seeds[@]}"
    echo "fuzz_$name: ${#seeds[@]} inputs"
done
