#!/bin/bash
# SPDX-License-Identifier: MIT
# A release is replaced or removed while it is served: the running server keeps
# the old image, for new connections too; a new server has the new one.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
requires flock

noise "$tmp/old" 500000 1
noise "$tmp/new" 700000 2

run() {
    local export=$1

    shift
    make_store --layout 2 "$tmp/old" "$tmp/store/v1"
    serve "$@"
    nbdcopy "nbd+unix:///$export?socket=$socket" "$tmp/copy"
    cmp "$tmp/old" "$tmp/copy"

    # gc must see that the old release is in use, whatever its name is now.
    ln "$tmp/store/v1" "$tmp/inode"
    expect_exit 1 flock --exclusive --nonblock "$tmp/inode" true
    make_store --layout 2 "$tmp/new" "$tmp/store/v1"
    expect_exit 1 flock --exclusive --nonblock "$tmp/inode" true
    flock --exclusive --nonblock "$tmp/store/v1" true

    nbdcopy "nbd+unix:///$export?socket=$socket" "$tmp/copy"
    cmp "$tmp/old" "$tmp/copy"
    compare "$tmp/new" "$tmp/store/v1"
    rm "$tmp/store/v1"
    nbdcopy "nbd+unix:///$export?socket=$socket" "$tmp/copy"
    cmp "$tmp/old" "$tmp/copy"
    stop_server
    flock --exclusive --nonblock "$tmp/inode" true
    rm "$tmp/inode"
}

run '' "$tmp/store" release=v1
run v1 "$tmp/store"
