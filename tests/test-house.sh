#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The rules of the house: who includes whom, what common/ may call, what the
# plugin links, how the sources look (tests/lib/house.py has the list).
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3

expect_exit 0 python3 "$srcdir/tests/lib/house.py" "$srcdir"
cat "$tmp/out"

# nbdkit must not load curl or a codec with the plugin.
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

# One look for all; versions differ in taste, so only the one that CI has (Debian 12's)
# counts.
if ! command -v clang-format >/dev/null; then
    echo "not installed, so the formatting was not looked at: clang-format"
    exit 0
fi
version=$(clang-format --version)
if [[ $version != *"version 14."* ]]; then
    echo "not version 14, so the formatting was not looked at: $version"
    exit 0
fi
find "$srcdir"/common "$srcdir"/cli "$srcdir"/plugin "$srcdir"/clone "$srcdir"/manage "$srcdir"/compress "$srcdir"/tests "$srcdir"/bench -name '*.[ch]' \
    ! -name '*.pb-c.*' -print0 >"$tmp/sources"
expect_exit 0 xargs -0 -a "$tmp/sources" clang-format --style="file:$srcdir/.clang-format" \
    --dry-run -Werror
echo "all is formatted"
