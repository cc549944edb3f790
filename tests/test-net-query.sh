#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An archive whose address is in its query, or needs a password: neither is recorded. A
# program that needs the address later says that this is missing, and what to do.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"

# break_store: a chunk is gone.
break_store() {
    find "$tmp/s/chunks" -name '*.chunk' | sort | sed -n 1p | xargs rm
}

# lacks ADDRESS: what is recorded of it does not lead anywhere.
lacks() {
    rules
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" "$1" "$tmp/s/r"
    ! grep -rqa "s3cret\|t0ken" "$tmp/s" || fail "a secret in the store"
    expect_exit 0 "$ihop_store" info "$tmp/s/r"
    expect_stdout "query or password"
    break_store
    rules ": status=${2:-404}"
    expect_exit "${3:-10}" "$ihop_store" verify --repair "$tmp/s"
    expect_stderr "status ${2:-404}.*address recorded for release $tmp/s/r lacks the query or password.*pass --from URL"
    rules
    expect_exit 0 "$ihop_store" verify --repair --from "$1" "$tmp/s"
    holds "$tmp/s/r" "$tmp/image"
}

lacks "$url/get/apart.cba?file=v1&token=t0ken"
lacks "http://joe:s3cret@127.0.0.1:$server_port/get/apart.cba" 401 11

# nbdkit's advice.
if command -v nbdkit >/dev/null && [ -e "$plugin" ]; then
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/get/apart.cba?token=t0ken" "$tmp/s/r"
    break_store
    got=0
    . "$srcdir/tests/lib/nbdkit.sh"
    "${nbdkit[@]}" -U - "$plugin" store="$tmp/s" release=r --run true >"$tmp/out" 2>"$tmp/err" || got=$?
    [ "$got" -ne 0 ] || fail "nbdkit starts without a chunk"
    expect_stderr "run ihop-clone again with the archive's full address.*$tmp/s/r"
fi

# Without either, and with an address that was given to be recorded, nothing is missing.
for options in "" "--record-url $url/get/apart.cba"; do
    rules
    rm -rf "$tmp/s"
    # shellcheck disable=SC2086
    expect_exit 0 "$ihop_clone" "${quick[@]}" $options "$url/get/apart.cba${options:+?token=t0ken}" "$tmp/s/r"
    break_store
    rules ": status=404"
    expect_exit 10 "$ihop_store" verify --repair "$tmp/s"
    ! grep -q "lacks" "$tmp/err" || fail "an address lacks something: $(cat "$tmp/err")"
done
