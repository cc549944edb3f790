#!/bin/bash
# SPDX-License-Identifier: MIT
# Valgrind finds nothing in the plugin: parallel reads, verification, extents, errors.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
requires valgrind
[ -z "$preload" ] || skip "built with a sanitizer"

noise "$tmp/image" 3000000 1 1000000 200000
make_store --layout 2 --min 5000 --max 60000 "$tmp/image" "$tmp/store/v1"

# A leak of nbdkit's own: it allocates, and no frame of the plugin is in between.
cat >"$tmp/nbdkit.supp" <<'EOF_SUPPRESSION'
{
    nbdkit 1.42 does not free a string when a connection ends
    Memcheck:Leak
    fun:malloc
    fun:strndup
    obj:*/nbdkit
}
EOF_SUPPRESSION

# NBDKIT_VALGRIND keeps the plugin loaded at the end, so that leaks have names.
export NBDKIT_VALGRIND=1
under_valgrind() {
    local code=0

    rm -f "$tmp/socket" "$tmp/pid"
    valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite --log-file="$tmp/valgrind" \
        --suppressions="$tmp/nbdkit.supp" \
        nbdkit -f -U "$tmp/socket" -P "$tmp/pid" "$plugin" "$@" 2>"$tmp/log" &
    server_job=$!
    wait_for 60 test -s "$tmp/pid"
    server=$(cat "$tmp/pid")
    at_exit kill "$server"
    nbdcopy --connections=4 "nbd+unix:///v1?socket=$tmp/socket" "$tmp/copy"
    cmp "$tmp/image" "$tmp/copy"
    nbdinfo --map "nbd+unix:///v1?socket=$tmp/socket" >/dev/null
    expect_exit 1 nbdinfo "nbd+unix:///v9?socket=$tmp/socket"
    kill "$server"
    wait "$server_job" || code=$?
    # Lines that begin otherwise are about itself: it does not know openat2.
    grep '^==' "$tmp/valgrind" >"$tmp/findings" || true
    [ "$code" = 0 ] && [ ! -s "$tmp/findings" ] || fail "$(head -c 4000 "$tmp/findings")"
}

under_valgrind "$tmp/store"
under_valgrind "$tmp/store" verify=first maxfds=5 cache=none
