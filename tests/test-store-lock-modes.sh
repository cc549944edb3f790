#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which lock of a store each command takes: with another program's shared or exclusive
# lock it goes on, or says that the store is busy, with exit code 8.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires flock
cd "$tmp"
noise image-1 100000 one
noise image-2 100000 two
for n in 1 2; do
    $cba make --fixed 16384 image-$n v$n.cba
done
store=$tmp/s
expect_exit 0 "$ihop_clone" --quiet v1.cba "$store/v1"
expect_exit 0 "$ihop_clone" --quiet v2.cba "$store/old"
exec 9<"$store/.ihop/lock"

# with LOCK CODE COMMAND...: while somebody else holds it.
with() {
    local mode=$1 code=$2

    shift 2
    flock "$mode" 9
    expect_exit "$code" timeout 60 "$@"
    [ "$code" = 0 ] || expect_stderr "store $store is (in use|locked|busy)"
    flock -u 9
}

# Clean-ups are alone; what writes or must find everything keeps them away.
with -x 8 "$ihop_clone" --quiet v2.cba "$store/v2"
with -x 8 "$ihop_store" gc "$store"
with -x 8 "$ihop_store" gc --keep 1 "$store"
with -x 8 "$ihop_store" remove "$store/old"
with -x 8 "$ihop_store" protect "$store/old"
with -x 8 "$ihop_store" unprotect "$store/old"
with -x 8 "$ihop_store" verify "$store"
with -x 8 "$ihop_store" verify --repair --from v1.cba "$store"
with -x 0 "$ihop_store" list "$store"
with -x 0 "$ihop_store" info "$store/v1"
with -x 0 "$ihop_store" du "$store"
with -x 0 "$ihop_store" gc --dry-run "$store"
with -x 0 "$ihop_clone" --quiet --dry-run v2.cba "$store/v2"
with -x 0 "$ihop_clone" --quiet v1.cba "$store/v1" # nothing to do

with -s 8 "$ihop_store" gc "$store"
with -s 0 "$ihop_clone" --quiet v2.cba "$store/v2"
with -s 0 "$ihop_store" protect "$store/v2"
with -s 0 "$ihop_store" unprotect "$store/v2"
with -s 0 "$ihop_store" remove "$store/old"
with -s 0 "$ihop_store" verify "$store"
with -s 0 "$ihop_store" verify --repair --from v1.cba "$store"

# Each lets go of it at its end.
flock -n -x 9
