#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A chunk whose inode the file system cannot read counts as damaged, like a chunk whose content
# cannot be read: the others are checked all the same, and it is fetched again.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires strace
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
export ASAN_OPTIONS=detect_leaks=0
make_archives
store=$tmp/s
expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$store/v1"
bad=$(find "$store/chunks" -name '*.chunk' | sort | sed -n 1p)
rotten=$(find "$store/chunks" -name '*.chunk' | sort | tail -n 1)
printf x | dd of="$rotten" conv=notrunc status=none

# beside_bad PROGRAM...: looking at the open chunk fails. (?: not every machine has all.)
beside_bad() {
    strace -f -qq -o "$tmp/trace" -P "$bad" -e 'trace=?fstat,?newfstatat,?statx,?fstat64' \
        -e "inject=?fstat,?newfstatat,?statx,?fstat64:error=$error" "$@"
}

for error in EIO EUCLEAN; do
    expect_exit 7 beside_bad "$ihop_store" verify "$store"
    grep -q INJECTED "$tmp/trace"
    expect_stdout "^bad or missing: $bad"
    expect_stdout "^bad or missing: $rotten"
    expect_stderr '2 chunks are damaged and 0 are missing'
done
# A clone that looks closely replaces both.
expect_exit 0 beside_bad "$ihop_clone" --recheck "$tmp/www/solid.cba" "$store/v1"
expect_exit 0 "$ihop_store" verify --quiet "$store"
