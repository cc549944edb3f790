#!/bin/bash
# SPDX-License-Identifier: MIT
# The forms of the command line, and what is said about a bad one: one line, and
# nbdkit does not start.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 100000
make_store "$tmp/image" "$tmp/store/v1"
cd "$tmp"
sum=$(b2sum "$tmp/image" | cut -d' ' -f1)

test_good() {
    compare image store/v1
    compare image "$tmp/store/v1"
    compare image ./store//v1
    compare image store=store release=v1
    compare image store=store/ release=v1
    compare image store release=v1
    compare image path=store/v1
    compare image store/v1 check=no verify=first cache=none maxfds=3 uring=off
    compare image store/v1 check=off cache=default verify=off
    compare image store/v1 id="$sum"
    compare image store/v1 id="${sum:0:13}"
    compare image store/v1 id="$(echo "${sum:0:20}" | tr a-f A-F)"
    ln -s store link
    compare image link/v1
    cd store
    compare ../image ./v1
    cd ..
}

# From a daemon, whose working directory is /.
test_daemon() {
    "${nbdkit[@]}" -U "$tmp/daemon" -P "$tmp/daemon.pid" "$plugin" store release=v1
    at_exit kill "$(cat daemon.pid)"
    nbdcopy "nbd+unix:///?socket=$tmp/daemon" copy
    cmp image copy
}

# Memory is locked where it may be, the 192 MiB that nbdkit never touches left out; and what may not
# be locked is served all the same.
test_lock() {
    local name lock resident

    for name in off on; do
        "${nbdkit[@]}" -U "$tmp/lock-$name" -P "$tmp/lock-$name.pid" "$plugin" store/v1 lock=$name
        at_exit kill "$(cat "lock-$name.pid")"
        nbdcopy "nbd+unix:///?socket=$tmp/lock-$name" copy
        cmp image copy
        lock=$(awk '/^VmLck/ { print $2 }' "/proc/$(cat "lock-$name.pid")/status")
        resident=$(awk '/^VmRSS/ { print $2 }' "/proc/$(cat "lock-$name.pid")/status")
        if [ $name = off ]; then
            equal "$lock" 0 "KiB locked"
        # Sanitizers leave mlockall out.
        elif [ "$(id -u)" = 0 ] && ! is_sanitized "$plugin"; then
            [ "$lock" -gt 0 ] && [ "$resident" -lt 65536 ] || fail "locked $lock KiB, resident $resident KiB"
        fi
    done
    if [ "$(id -u)" = 0 ] && ! is_sanitized "$plugin"; then
        rm -f run.socket
        # shellcheck disable=SC2016
        expect_exit 0 setpriv --bounding-set=-ipc_lock sh -c 'ulimit -l 0; exec "$@"' - "${nbdkit[@]}" -U run.socket \
            --run 'nbdcopy "$uri" copy' "$plugin" store/v1 lock=on
        expect_stderr 'lock=on: memory cannot be locked: '
        cmp image copy
    fi
}

# bad REGEX PARAMETER...
bad() {
    local regex=$1

    shift
    expect_exit 1 ihop_run true -- "$@"
    expect_stderr "^nbdkit: .*$regex"
    one_line_on_stderr
}

test_bad_parameters() {
    bad "unknown parameter 'colour'.*store" store/v1 colour=red
    bad "which release\?.*STORE/RELEASE"
    bad "which release\?" release=v1
    bad "store=.* is empty" store=
    bad "release=.* is empty" store=store release=
    bad "store= is given twice" store=store store=store release=v1
    bad "both name a store" store/v1 store=store
    bad "not a directory, so release=v1 has no store" store/v1 release=v1
    # With AddressSanitizer loaded first, nbdkit 1.32 hangs at exit after a message
    # made by strerror; with its own file plugin, too.
    if [ -z "$preload" ]; then
        bad "store nowhere: No such file" store=nowhere release=v1
        bad "store nowhere: No such file" nowhere/v1
        bad "verify-key=nothing: .*No such file" store/v1 verify-key=nothing
    fi
    bad "store image is not a directory" store=image release=v1
    bad "'v9' names no store: use STORE/RELEASE" v9
    bad "has no release v9; it has v1" store/v9
    bad "check=perhaps: the value must be yes or no" store/v1 check=perhaps
    bad "verify=always: the value must be off or first" store/v1 verify=always
    bad "verify-key=image: .*image" store/v1 verify-key=image
    mkdir keys
    bad "verify-key=keys: the directory keys has no key: put a public key there" store/v1 verify-key=keys
    bad "signatures=0: a number from 1 to" store/v1 signatures=0
    bad "signatures=65: a number from 1 to" store/v1 signatures=65
    bad "signatures=1 can never be met: verify-key= names 0 different keys" store/v1 signatures=1
    $cba key 1 key >ids
    bad "signatures=2 can never be met: verify-key= names 1 different key$" store/v1 signatures=2 \
        verify-key=key.pub verify-key=key.pub.pem
    bad "ihop 0.1 records nothing that could be signed" store/v1 verify-key=key.pub
    bad "cache=all: the value must be default or none" store/v1 cache=all
    bad "maxfds=x12: a whole number is expected" store/v1 maxfds=x12
    bad "maxfds=-1: a whole number" store/v1 maxfds=-1
    bad "maxfds=12x: a whole number" store/v1 maxfds=12x
    bad "id=xyz: up to 128 hex digits" store/v1 id=xyz
    bad "id=.* is empty" store/v1 id=
    bad "up to 128 hex digits" store/v1 "id=${sum}0"
    bad "id= is about one release" store id="$sum"
    bad "is the image ${sum:0:16}.*id=0123.*another image" store/v1 id=0123
    mkdir -p empty
    bad "empty is no store" empty
    cp "$srcdir/tests/data/demo-v1.cba" image.cba
    expect_exit 0 "$ihop_clone" --quiet image.cba fresh/v1
    rm fresh/v1
    bad "store .*/fresh has no release: run ihop-clone" fresh
    bad "begins with a dot" store=store release=..
    bad "contains a slash" store=store release=a/../v1
    bad "name of the chunk directory" store=store release=Chunks
    bad "control character" store=store release=$'a\tb'
    bad "longer than 200" store=store release="$(printf 'a%.0s' $(seq 201))"
    ln -s v1 store/alias
    bad "is a link, not a release" store/alias
    mkdir store/directory
    bad "is a directory, not a release" store=store release=directory
    mkfifo store/fifo
    bad "is a FIFO, not a release" store/fifo
    cp image.cba store
    bad "store/image.cba: this is a bita archive, not a release: clone it first" store/image.cba
    bad "image.cba: this is a bita archive, not a release: clone it first" ./image.cba
    bad "is an address: clone it first" http://localhost/image.cba
    bad "'store' and 'v1': use one word" store v1
    : >store/nothing
    bad "release .*/nothing: .*empty or cut short" store/nothing
}

test_help_and_capabilities() {
    local key

    expect_exit 0 ihop --dump-plugin --
    expect_stdout '^ihop_version=[0-9]'
    expect_stdout '^magic_config_key=path$'
    expect_stdout '^max_thread_model=parallel$'
    expect_exit 0 ihop --help --
    for key in store release id check verify verify-key signatures cache maxfds uring lock; do
        expect_stdout "^$key=[<a-z].* "
    done
}

run_cases "$@"
