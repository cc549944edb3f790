#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# nbdkit -u USER: the server reads the chunks as that user, with and without openat2; when
# that user may not read them it does not start, instead of failing each read.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
[ -z "$preload" ] || skip "built with a sanitizer, whose runtime does not end such a server"
requires setpriv
[ "$(id -u)" = 0 ] || skip "not root: a server cannot become another user"
refuse=$builddir/tests/faults/refuse-call

noise "$tmp/image" 2000000 1 700000 300000
expect_exit 0 "$ihop_compress" --quiet --fixed-size 65536 "$tmp/image" "$tmp/1.cba"
expect_exit 0 "$ihop_clone" --quiet "$tmp/1.cba" "$tmp/store/v1"
chmod 1777 "$tmp"

# served PARAMETER...: all bytes, by nobody.
served() {
    rm -f "$tmp/copy" "$tmp/run.socket"
    expect_exit 0 "${wrapper[@]}" nbdkit -u nobody -U "$tmp/run.socket" "$plugin" "$@" \
        --run "nbdcopy \"nbd+unix:///v1?socket=\$unixsocket\" '$tmp/copy'"
    cmp "$tmp/copy" "$tmp/image"
}

# refused REGEX PARAMETER...: it ends by itself, and says why.
refused() {
    local regex=$1

    shift
    rm -f "$tmp/run.socket"
    expect_exit 1 timeout 60 nbdkit -f -u nobody -U "$tmp/run.socket" "$plugin" "$@"
    expect_stderr "$regex"
    rm -f "$tmp/run.socket"
    # The command must not wait for a server that has gone.
    expect_exit 1 timeout 60 nbdkit -u nobody -U "$tmp/run.socket" "$plugin" "$@" \
        --run 'nbdinfo "nbd+unix:///v1?socket=$unixsocket"'
    expect_stderr "$regex"
}

wrapper=(env)

test_served() {
    served "$tmp/store/v1"
    served "store=$tmp/store"
    if "$refuse" openat2:ENOSYS true 2>/dev/null; then
        for error in ENOSYS EPERM EINVAL; do
            wrapper=("$refuse" openat2:$error)
            served "$tmp/store/v1"
        done
        wrapper=(env)
    fi
}

# A copy that only its owner may read.
test_private_copy() {
    (umask 077 && cp -r "$tmp/store" "$tmp/private")
    refused "release $tmp/private/v1 cannot be served: user 65534, .* may not read 27 of 28 chunks; .*chmod -R go\\+rX $tmp/private/chunks" \
        "$tmp/private/v1"
    refused "user 65534 may not read the store $tmp/private" "store=$tmp/private"
    chmod 755 "$tmp/private"
    refused "user 65534 may not read the chunks of store $tmp/private" "store=$tmp/private"
    # A daemon ends, too; its message is in the system's log.
    rm -f "$tmp/run.socket"
    expect_exit 0 nbdkit -u nobody -U "$tmp/run.socket" -P "$tmp/daemon" "$plugin" "$tmp/private/v1"
    wait_for 20 test -s "$tmp/daemon"
    at_exit kill "$(cat "$tmp/daemon")"
    wait_for 20 bash -c "! kill -0 $(cat "$tmp/daemon")"
    # As root, and as nobody once the advice was taken.
    compare "$tmp/image" "$tmp/private/v1"
    chmod -R go+rX "$tmp/private/chunks"
    served "$tmp/private/v1"
    # The release that is opened later, by its user.
    serve -u nobody -- "store=$tmp/private"
    code=0
    nbd 'pass' v1 >"$tmp/out" 2>&1 || code=$?
    [ $code -ne 0 ] || fail "a release was opened that nobody may not read"
    expect_log "cannot open release $tmp/private/v1: Permission denied"
    chmod 644 "$tmp/private/v1"
    nbd 'h.pread(100, 0)' v1
    stop_server
}

# One chunk.
test_one_chunk() {
    victim=$(find "$tmp/store/chunks" -name '*.chunk' -size -100k | sort | sed -n 1p)
    chmod 600 "$victim"
    refused "may not read 1 of 28 chunks" "$tmp/store/v1"
    # In a store that is served as a whole, at the time when the release is opened.
    serve -u nobody -- "store=$tmp/store"
    code=0
    nbd 'pass' v1 >"$tmp/out" 2>&1 || code=$?
    [ $code -ne 0 ] || fail "a release was opened whose chunks nobody may not read"
    expect_log "may not read 1 of 28 chunks"
    stop_server
    # Who wants no check gets what can be read.
    serve -u nobody -- "$tmp/store/v1" check=no
    nbd "$python_eio
eio(h, 0, 2000000)"
    expect_log "cannot open chunk $victim: Permission denied"
    stop_server
}

# One file that this user may not read does not hide the others.
test_one_file() {
    echo secret >"$tmp/store/secret"
    chmod 600 "$tmp/store/secret"
    chmod -R go+rX "$tmp/store/v1" "$tmp/store/chunks"
    rm -f "$tmp/run.socket"
    expect_exit 0 nbdkit -u nobody -U "$tmp/run.socket" "$plugin" "$tmp/store" \
        --run 'nbdinfo --list "$uri"'
    expect_stdout '^export="v1"'
}

run_cases "$@"
