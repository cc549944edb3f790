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

# With all digits of its checksum, a second server finds the old image while a first one keeps it
# from a clean-up; when nobody has served it any more, the clean-up has taken it away.
by_id() {
    local old new

    rm -rf "$tmp/store"
    $cba make --fixed 50000 "$tmp/old" "$tmp/old.cba"
    $cba make --fixed 50000 "$tmp/new" "$tmp/new.cba"
    old=$(b2sum <"$tmp/old" | cut -c 1-128)
    new=$(b2sum <"$tmp/new" | cut -c 1-128)
    "$ihop_clone" -q "$tmp/old.cba" "$tmp/store/v1"
    serve "$tmp/store" release=v1
    "$ihop_clone" -q --force "$tmp/new.cba" "$tmp/store/v1"
    "$ihop_store" -q gc "$tmp/store"
    cmp "$tmp/old" <(ihop --run 'nbdcopy "$uri" -' "$tmp/store" release=v1 "id=$old")
    cmp "$tmp/old" <(ihop --run 'nbdcopy "$uri" -' "$tmp/store" release=v1 "id=${old^^}")
    cmp "$tmp/new" <(ihop --run 'nbdcopy "$uri" -' "$tmp/store" release=v1 "id=$new")
    "$ihop_store" -q remove "$tmp/store/v1"
    cmp "$tmp/old" <(ihop --run 'nbdcopy "$uri" -' "$tmp/store" release=v1 "id=$old")
    expect_exit 1 ihop --run true "$tmp/store" release=v1 "id=${old:0:127}"
    expect_stderr "has no release v1"
    "$ihop_clone" -q "$tmp/new.cba" "$tmp/store/v1"
    # The second one keeps it, too, when the first has ended.
    export server ihop_store tmp
    cmp "$tmp/old" <(ihop --run 'kill "$server"
        while kill -0 "$server" 2>/dev/null; do sleep 0.05; done
        "$ihop_store" -q gc "$tmp/store"
        nbdcopy "$uri" -' "$tmp/store" release=v1 "id=$old")
    "$ihop_store" -q gc "$tmp/store"
    expect_exit 1 ihop --run true "$tmp/store" release=v1 "id=$old"
    expect_stderr "is the image ${new:0:16}.*another image has been cloned"
}

by_id
