#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench-limit, which the benches take for the least that a clone can take, still does a
# clone's work: each chunk has its file, and those of a release are left out.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"

data=$srcdir/tests/data
expect_exit 0 "$ihop_clone" --quiet "$data/demo-v1.cba" "$tmp/s/v1"
expect_exit 0 "$builddir/bench-limit" "$data/demo-v2.cba" "$tmp/all"
all=$(find "$tmp/all" -type f | wc -l)
expect_exit 0 "$builddir/bench-limit" "$data/demo-v2.cba" "$tmp/new" "$tmp/s/v1"
new=$(find "$tmp/new" -type f | wc -l)
expect_exit 0 "$ihop_clone" --quiet --json "$data/demo-v2.cba" "$tmp/s/v2"
at_least "$all" 100 "chunks written"
at_least "$new" "$(json chunks_fetched)" "chunks written beside a release"
at_most "$new" $((all / 5)) "chunks written beside a release"
