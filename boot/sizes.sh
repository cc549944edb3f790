#!/bin/bash
# SPDX-License-Identifier: MIT
# What the programs of an initramfs take, with the libraries that they load: each file, stripped,
# then all of them in memory, and as cpio archives, compressed with zstd -19 and gzip -9.
#
#     boot/sizes.sh PROGRAM-OR-LIBRARY...
#     boot/sizes.sh build/ihop-attach build/ihop-attach-keeper build/.libs/nbdkit-ihop-plugin.so /usr/bin/nbdkit
#
# Debian's kernel adds zstd itself, so what counts there is the line of zstd.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/files"

# add FILE: a stripped copy. What cannot be stripped, a script for example, is copied.
add() {
    local copy
    copy=$tmp/files/$(basename "$1")
    [ ! -e "$copy" ] || return 0
    strip -o "$copy" "$1" 2>/dev/null || cp -L "$1" "$copy"
}

for file in "$@"; do
    # A program of a build directory may be a wrapper of libtool's.
    real=$(dirname "$file")/.libs/$(basename "$file")
    [ -e "$real" ] || real=$file
    add "$real"
    { ldd "$real" 2>/dev/null || true; } | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\).*/\1/p' \
        >"$tmp/libraries"
    while read -r library; do
        add "$library"
    done <"$tmp/libraries"
done

(cd "$tmp/files" && stat -c '%s %n' -- *) | sort -rn | awk '{ printf "%8.0f KiB  %s\n", $1 / 1024, $2; sum += $1 }
    END { printf "%8.0f KiB  in memory\n", sum / 1024 }'
for compress in 'zstd -19 -q -c' 'gzip -9 -c'; do
    size=$(cd "$tmp/files" && find . -type f | LC_ALL=C sort | cpio -o -H newc --quiet | $compress | wc -c)
    printf '%8d KiB  cpio, %s\n' $((size / 1024)) "${compress% -c}"
done
