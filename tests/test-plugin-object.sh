#!/bin/bash
# SPDX-License-Identifier: MIT
# The built plugin: what it links and what it shows. nbdkit must not load curl or
# a codec because of it, and its names must not clash with those of others.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
requires nm readelf

nm -D --defined-only "$plugin" | awk '{ print $3 }' | sort >"$tmp/symbols"
grep -v -E '^__?(asan|odr_asan|ubsan|tsan)' "$tmp/symbols" >"$tmp/ours"
diff - "$tmp/ours" <<'SYMBOLS'
ihop_debug_stats
plugin_init
SYMBOLS

readelf -d "$plugin" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' >"$tmp/needed"
expect_exit 0 cat "$tmp/needed"
expect_stdout '^libcrypto'
expect_exit 1 grep -E 'curl|lzma|zstd|brotli' "$tmp/needed"
