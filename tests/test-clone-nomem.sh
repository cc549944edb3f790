#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each allocation of a clone fails in turn: the clone goes on without it, or ends with exit
# code 9 and one line, and never with a crash, a leak or a store that is not whole.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/faults.sh"
preload=$builddir/tests/faults/.libs/fail-malloc.so
# Their own allocations would fail as well, those at the start of a thread.
[[ $(ldd "$program") != *lib[at]san* ]] || skip "a sanitizer is in the way"
memory_directory
start_server "$srcdir/tests/data"

# starved ARCHIVE SAMPLE FULL [OPTION...]: each SAMPLE-th, FULL-th allocation.
starved() {
    fault "$fast/nomem" allocations.py --every "$(by_length "$2" "$3")" "${@:4}" \
        "$program" "$preload" "$1" || fail "allocations that failed: $*"
}

data=$srcdir/tests/data
# Nearly all of them are OpenSSL's, as it starts; ours are the last ones.
ours=400
starved "$data/update-v2.cba" 97 1 --before "$data/update-v1.cba"
starved "$data/update-v2.cba" 8 5 --before "$data/update-v1.cba" --last $ours
for codec in brotli lzma zstd; do
    starved "$data/$codec.cba" 8 1 --last $ours
done
starved "$data/brotli.cba" 97 11 --onward
starved "$url/brotli.cba" 97 7 --network

# Leaks are looked for by valgrind.
if [ "${IHOP_FAULTS:-}" = full ] && command -v valgrind >/dev/null; then
    cat >"$tmp/openssl" <<EOF_SUPPRESSION
{
    what OpenSSL does not free when it runs out of memory
    Memcheck:Leak
    fun:*alloc
    obj:*/libcrypto.so*
}
EOF_SUPPRESSION
    # Ours is to stay before valgrind's allocator.
    starved "$data/update-v2.cba" 0 9 --before "$data/update-v1.cba" --last $ours --under \
        "valgrind -q --soname-synonyms=somalloc=nouserintercepts --suppressions=$tmp/openssl \
        --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"
fi
