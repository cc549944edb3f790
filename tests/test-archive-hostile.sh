#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each hostile archive of cba.py: ihop-clone exits with the documented code, says
# why in one line that names the archive, publishes nothing, writes nothing
# outside the store, and stays small in memory.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3

# A sanitizer's own memory is not ours to bound.
peak_limit_kib=65536
if grep -aq __asan_init "$ihop_clone"; then
    peak_limit_kib=0
fi

# Runs a command; writes its peak resident memory in KiB to $tmp/peak.
cat >"$tmp/peak.py" <<'EOF_PY'
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as f:
    f.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code if code >= 0 else 128 - code)
EOF_PY

# The state of everything around the store, names, sizes and contents.
around_store() {
    (cd "$tmp/world" && find . -path ./store -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
        find . -path ./store -prune -o -printf '%p %y %m\n' | sort)
}

assert_nothing_published() {
    [ ! -e "$tmp/world/store/v1" ] || fail "$1: a release appeared"
    if [ -d "$tmp/world/store" ]; then
        find "$tmp/world/store" -mindepth 1 -maxdepth 1 ! -name .ihop ! -name chunks >"$tmp/odd"
        [ ! -s "$tmp/odd" ] || fail "$1: left in the store: $(cat "$tmp/odd")"
        # Chunks that were good may stay; each must be what its name says.
        find "$tmp/world/store/chunks" -type f -name '*.chunk' >"$tmp/chunks" 2>/dev/null || true
        while read -r chunk; do
            hash=$(b2sum "$chunk" | cut -d' ' -f1)
            name=$(basename "$chunk" .chunk)
            [ "${hash:0:${#name}}" = "$name" ] || fail "$1: a bad chunk got the name $name"
        done <"$tmp/chunks"
    fi
}

run_case() {
    local name=$1 code=$2 regex=$3 flags=$4 archive=$tmp/world/$1.cba

    rm -rf "$tmp/world"
    mkdir -p "$tmp/world/other"
    echo "not yours" >"$tmp/world/other/file"
    $cba hostile "$name" "$archive"
    around_store >"$tmp/before"
    expect_exit "$code" timeout 300 python3 "$tmp/peak.py" "$tmp/peak" \
        "$ihop_clone" -q "$archive" "$tmp/world/store/v1"
    one_line_on_stderr
    expect_stderr "$regex"
    expect_stderr "$name\\.cba"
    around_store >"$tmp/after"
    diff "$tmp/before" "$tmp/after" >&2 || fail "$name: something outside the store changed"
    assert_nothing_published "$name"
    if [ "$flags" = bomb ] && [ "$peak_limit_kib" -gt 0 ]; then
        [ "$(cat "$tmp/peak")" -lt "$peak_limit_kib" ] ||
            fail "$name: $(cat "$tmp/peak") KiB of memory at the peak"
    fi
}

$cba list >"$tmp/cases"
count=0
while IFS=$'\t' read -r name code regex flags; do
    [ -z "${ONLY:-}" ] || [[ $name == $ONLY ]] || continue # ONLY=GLOB, by hand
    run_case "$name" "$code" "$regex" "$flags"
    echo "ok $name ($(cat "$tmp/peak") KiB)"
    count=$((count + 1))
done <"$tmp/cases"
[ "$count" -gt 0 ] || fail "no case was run"
echo "$count hostile archives refused"
