#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Started without standard input, output or error (an init script, cron), no program
# opens a file under one of their numbers: its messages would go into it.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
make_archives
start_server "$tmp/www" "path=/cut/ past=$solid_header : body=50000" \
    "path=/stall/ past=$solid_header : stall"

# The eight sets; bit N of the index: descriptor N is closed.
combinations=("" "<&-" ">&-" "<&- >&-" "2>&-" "<&- 2>&-" ">&- 2>&-" "<&- >&- 2>&-")

# without NUMBER COMMAND...: in place of this shell, without these descriptors.
without() {
    local number=$1

    shift
    eval "exec ${combinations[number]}"
    exec "$@"
}

# stands_in PID NUMBER: what was closed is /dev/null, and nothing of the program's is below 3.
stands_in() {
    local fd link

    for fd in 0 1 2; do
        link=$(readlink "/proc/$1/fd/$fd") || fail "descriptor $fd is closed with ${combinations[$2]}"
        (($2 & 1 << fd)) || continue
        [ "$link" = /dev/null ] || fail "descriptor $fd is $link with ${combinations[$2]}"
    done
}

waits_for_chunks() {
    [ "$(requests path=/stall/ "past=$solid_header")" -ge "$1" ]
}

is_open() {
    readlink "/proc/$pid/fd/"* | grep -e "$1" >/dev/null
}

ended() {
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
}

test_programs() {
    for set in 0 1 2 3 4 5 6 7; do
        # Bodies that are cut: sockets come and go, and each time there is a message.
        for sync in fs files; do
            got=0
            (without $set "$ihop_clone" --sync $sync -j 2 --retry 100 --retry-delay 0 "$url/cut/solid.cba" \
                "$tmp/s$set-$sync/r" </dev/null >"$tmp/out" 2>"$tmp/err") || got=$?
            equal $got 0 "exit code of ihop-clone with ${combinations[set]}"
            expect_exit 0 "$ihop_store" verify "$tmp/s$set-$sync"
            holds "$tmp/s$set-$sync/r" "$tmp/image"
        done
        (without $set "$ihop_clone" "$url/stall/solid.cba" "$tmp/stall$set/r" </dev/null >"$tmp/out" 2>"$tmp/err") &
        pid=$!
        wait_for 30 waits_for_chunks 1
        stands_in $pid $set
        ended
        rules "path=/cut/ past=$solid_header : body=50000" "path=/stall/ past=$solid_header : stall"

        # What is said about it goes nowhere; that stdout is closed is an error.
        for command in "list" "du" "verify" "gc" "info"; do
            got=0 want=0
            ((set & 2)) && want=7
            (without $set "$ihop_store" $command "$tmp/s$set-fs" </dev/null >"$tmp/out" 2>"$tmp/err") || got=$?
            equal $got $want "exit code of ihop-store $command with ${combinations[set]}"
        done
        mkfifo "$tmp/fifo$set"
        (without $set "$ihop_compress" "$tmp/fifo$set" "$tmp/a$set.cba" </dev/null >"$tmp/out" 2>"$tmp/err") &
        pid=$!
        exec 4>"$tmp/fifo$set"
        head -c 100000 "$tmp/image" >&4
        wait_for 30 is_open "/fifo$set\$"
        stands_in $pid $set
        cat "$tmp/image" >&4
        exec 4>&-
        got=0
        wait $pid || got=$?
        equal $got 0 "exit code of ihop-compress with ${combinations[set]}"
        expect_exit 0 "$ihop_clone" -q "$tmp/a$set.cba" "$tmp/c$set/r"
    done
}

# Standard input as an input of ours.
no_input() {
    expect_exit 7 bash -c 'exec "$@" <&-' sh "$@"
    expect_stderr "^ihop-[a-z]*: standard input is closed or cannot be read"
    one_line_on_stderr
}

test_no_input() {
    no_input "$ihop_clone" -q --seed - "$url/good/solid.cba" "$tmp/n/r"
    no_input "$ihop_clone" -q --seed - "$tmp/www/solid.cba" "$tmp/n/r"
    no_input "$ihop_clone" -q --dry-run --seed - "$tmp/www/solid.cba" "$tmp/n/r"
    no_input "$ihop_compress" - "$tmp/n.cba"
    [ ! -e "$tmp/n.cba" ] || fail "an archive of nothing"
    expect_exit 7 bash -c 'exec "$@" 0>/dev/null' sh "$ihop_compress" - "$tmp/n.cba"
    expect_stderr "standard input is closed or cannot be read"
}

# A result that nobody gets is an error.
test_closed_output() {
    expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$tmp/s0-fs/r"
    for command in "$ihop_clone --json $tmp/www/solid.cba $tmp/s0-fs/r" "$ihop_store list --json $tmp/s0-fs" \
        "$ihop_compress --info --json $tmp/www/solid.cba" "$ihop_clone --help"; do
        expect_exit 7 bash -c "exec $command >&-"
        expect_stderr "cannot write to standard output"
    done
}

# Where there is no /dev/null, as in a bare chroot, something else stands in.
test_no_dev_null() {
    if command -v strace >/dev/null; then
        expect_exit 0 strace -qq -f -o "$tmp/trace" -P /dev/null -e inject=openat:error=ENOENT \
            bash -c 'exec "$@" <&- 2>&-' sh "$ihop_clone" --retry 100 --retry-delay 0 "$url/cut/solid.cba" "$tmp/bare/r"
        grep -q 'openat.*/dev/null.*INJECTED' "$tmp/trace" || fail "nothing asked for /dev/null"
        holds "$tmp/bare/r" "$tmp/image"
        expect_exit 7 strace -qq -f -o "$tmp/trace" -P /dev/null -e inject=openat:error=ENOENT \
            bash -c 'exec "$@" <&-' sh "$ihop_compress" - "$tmp/n.cba"
        expect_stderr "standard input is closed or cannot be read"
    fi
}

# nbdkit does not start without them; should another version do so, nothing of ours is there.
test_nbdkit() {
    expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$tmp/s0-fs/r"
    if command -v nbdkit >/dev/null && [ -e "$plugin" ] && ! ldd "$plugin" | grep "lib[at]san" >/dev/null; then
        for set in 1 2 3 4 5 6 7; do
            rm -f "$tmp/pid" "$tmp/socket"
            (without $set nbdkit -f -U "$tmp/socket" -P "$tmp/pid" "$plugin" "$tmp/s0-fs/r" </dev/null >"$tmp/out" 2>"$tmp/err") &
            pid=$!
            wait_for 30 eval '[ -s "$tmp/pid" ] || ! kill -0 $pid'
            [ -s "$tmp/pid" ] || continue
            for fd in 0 1 2; do
                ! readlink "/proc/$pid/fd/$fd" | grep "^$tmp/s0-fs" >/dev/null ||
                    fail "descriptor $fd of the server is a file of the store"
            done
            ended
        done
    fi
}

run_cases "$@"
