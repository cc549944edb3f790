#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What ihop-attach refuses before it touches a device, each in one line: wrong usage, users who are
# not root, and a kernel without an NBD client. tests/test-vm-attach.sh has what needs one.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
program=$builddir/ihop-attach
[ -x "$program" ] || skip "built without ihop-attach"

# refuses CODE TEXT [ARGUMENT...]
refuses() {
    local code=$1 text=$2
    shift 2
    expect_exit "$code" "${as[@]}" "$program" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-attach: $text"
    [ ! -s "$tmp/out" ] || fail "something is on stdout: $*"
}

test_usage() {
    local action as=()

    refuses 2 'STORE/RELEASE is missing'
    refuses 2 'the store is missing' --boot
    refuses 2 'too many arguments' a/b /dev/nbd0 c
    refuses 2 'too many arguments' --list /dev/nbd0
    refuses 2 "unknown .*option '--bogus'" --bogus
    refuses 2 '.* exclude one another' --detach --status /dev/nbd0
    refuses 2 '.* exclude one another' --list --upgrade
    refuses 2 '.* exclude one another' --watch --upgrade
    refuses 2 '--verity is for attaching' --watch --verity /dev/nbd0
    for action in --detach --status --upgrade --watch; do
        refuses 2 'the device is missing' $action
        refuses 2 'too many arguments' $action /dev/nbd0 /dev/nbd1
        refuses 2 '/dev/sda is no NBD device' $action /dev/sda
        refuses 2 '/dev/nbd256 is no NBD device' $action /dev/nbd256
        refuses 2 '/dev/nbd is no NBD device' $action /dev/nbd
        refuses 2 '/dev/nbd0p1 is no NBD device' $action /dev/nbd0p1
    done
    refuses 2 '/dev/sda is no NBD device' a/b /dev/sda
    for action in --detach --status --watch; do
        refuses 2 'parameters after -- are for attaching' $action /dev/nbd0 -- verify=first
        for option in -C2 --timeout=1 --dead-timeout=1 --id=0 -f; do
            refuses 2 "$action takes no options for attaching" $action "$option" /dev/nbd0
        done
    done
    refuses 2 '--list takes no options for attaching' --list -f
    refuses 2 'parameters after -- are for attaching' --list -- a=b
    refuses 2 'the number of connections cannot be changed' --upgrade -C 3 /dev/nbd0
    refuses 2 'the image cannot be changed' --upgrade --id 0 /dev/nbd0
    refuses 2 '--skip is for --boot' --skip v1 a/b
    refuses 2 '--boot leaves its keeper in the background' --boot -f a
}

test_numbers() {
    local option value as=()

    for option in --connections --timeout --dead-timeout; do
        for value in 0 -1 x '' 1x 99999999999999999999; do
            refuses 2 "$option takes a whole number from 1 to [0-9]+, not '$value'" "$option" "$value" a/b
        done
    done
    refuses 2 '--connections .* from 1 to 16' --connections 17 a/b
    for value in '' g 0x1 ' 1' "$(printf '%0129d' 0)"; do
        refuses 2 "--id takes up to 128 hex digits, not '$value'" --id "$value" a/b
    done
}

# Nobody may look, but not attach; nor does it depend on what the kernel has.
test_nobody() {
    local as=(setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs)

    if [ "$(id -u)" = 0 ]; then
        requires setpriv
        chmod 755 "$tmp"
        cp "$program" "$tmp/ihop-attach"
        program=$tmp/ihop-attach
    else
        as=()
    fi
    refuses 11 "the kernel's NBD client is for root" "$tmp/store/v1"
    refuses 11 "the kernel's NBD client is for root" --boot "$tmp/store"
    refuses 10 '/dev/nbd200 is not attached' --status /dev/nbd200
    refuses 10 '/dev/nbd200 is not attached' --detach /dev/nbd200
    expect_exit 0 "${as[@]}" "$program" --list
    silent
    program=$builddir/ihop-attach
}

test_kernel_without_nbd() {
    local as=()

    [ "$(id -u)" = 0 ] || { echo "not root: left out"; return; }
    if [ -e /sys/module/nbd ] || [ -e /sys/block/nbd0 ] || modprobe -nq nbd 2>/dev/null; then
        echo "this kernel has an NBD client: left out; tests/test-vm-attach.sh has it"
        return
    fi
    for arguments in "$tmp/store/v1" "$tmp/store/v1 /dev/nbd0" "--boot $tmp/store" "-f $tmp/store/v1"; do
        # shellcheck disable=SC2086 # words
        refuses 10 'this kernel has no NBD client: .*CONFIG_BLK_DEV_NBD.*linux-image.*nbdfuse and a loop device$' $arguments
    done
    # Also as JSON, and with no device that could be seen.
    expect_exit 10 "$program" --json "$tmp/store/v1"
    expect_stdout '"error":"this kernel has no NBD client'
    refuses 10 'this kernel has no NBD client' --upgrade /dev/nbd0
    refuses 10 'this kernel has no NBD client' --watch /dev/nbd0
    refuses 10 '/dev/nbd0 is not attached' --detach /dev/nbd0
    [ ! -e /run/ihop-attach/nbd0 ] || fail "a record was written"
}

run_cases "$@"
