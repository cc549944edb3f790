#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The lowest version that a store takes: never lowered but by its operator, whatever is killed,
# fails, is full, read-only, damaged, lost, or comes from another store.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
memory_directory
cd "$fast"
tool=$ihop_store
[ ! -x "$builddir/.libs/ihop-store" ] || tool=$builddir/.libs/ihop-store
mkdir none

# archives: v1.cba to v7.cba; "template" has v1, the default.
archives() {
    local n

    [ ! -d template ] || return 0
    for n in 1:0 2:2 3:2 5:5 7:5; do
        noise image 20000 "image $n"
        expect_exit 0 "$ihop_compress" -q --fixed-size 20000 --image-version ${n%:*} --minimum-version ${n#*:} \
            image v${n%:*}.cba
    done
    clone template v1
    expect_exit 0 "$ihop_store" default -q template/v1
}

# clone STORE NAME [OPTION...]
clone() {
    expect_exit "${code:-0}" "$ihop_clone" --quiet --config none "${@:3}" "$2.cba" "$1/$2"
}

# is_minimum STORE N [RECORDED]
is_minimum() {
    expect_exit 0 "$ihop_store" minimum --json "$1"
    equal "$(json minimum) $(json recorded)" "$2 ${3:-True}" "minimum of $1"
}

fresh() {
    archives
    rm -rf s
    cp -a template s
}

test_command() {
    fresh
    expect_exit 0 "$ihop_store" minimum s
    expect_stdout '^minimum version:  *0$'
    expect_stdout '^newest version:  *1 \(v1\)$'
    expect_exit 0 "$ihop_store" minimum --set 3 s
    expect_stdout '^minimum version:  *3$'
    is_minimum s 3
    equal "$(json newest) $(json newest_release)" "1 v1" "newest"
    expect_exit 11 "$ihop_store" minimum --set 2 s
    one_line_on_stderr
    expect_stderr 's takes no version below 3: lowering that to 2 lets in again what was refused for ever, .*pass --force'
    is_minimum s 3
    expect_exit 0 "$ihop_store" minimum --set 2 --force --json s
    expect_stderr 'warning: s took no version below 3 before'
    equal "$(json before) $(json minimum)" "3 2" "before and after"
    expect_exit 0 "$ihop_store" minimum -q --set 18446744073709551615 s
    expect_exit 0 "$ihop_store" minimum --json s
    equal "$(json minimum)" 18446744073709551615 "the largest"
    expect_exit 2 "$ihop_store" minimum --set 18446744073709551616 s
    expect_exit 2 "$ihop_store" minimum --set -1 s
    expect_exit 2 "$ihop_store" minimum --force s
    expect_stderr 'force is for --set'
    expect_exit 10 "$ihop_store" minimum none
    # The file is as docs/store.md says.
    before=$(sed '/^check=/,$d' s/.ihop/floor | cksum)
    equal "$(sed -n 's/^check=//p' s/.ihop/floor)" "${before%% *}" "check"
    equal "$(sed -n 's/^store=//p' s/.ihop/floor)" "$(cat s/.ihop/id)" "name of the store"
    equal "$(sed -n 's/^minimum=//p' s/.ihop/floor)" 18446744073709551615 "the minimum in the file"
    # Somebody else may write it.
    printf 'beside=this\nstore=%s\nminimum=4\n' "$(cat s/.ihop/id)" >text
    printf 'check=%s\n' "$(cksum <text | cut -d' ' -f1)" >>text
    cp text s/.ihop/floor
    is_minimum s 4
}

# A store of an earlier version, and one that lost the file: the releases tell.
test_lost() {
    fresh
    clone s v5
    is_minimum s 5
    rm s/.ihop/floor
    is_minimum s 5 False
    code=5 clone s v3 --allow-downgrade
    # A run with nothing to do writes nothing; the next release writes it again.
    clone s v5
    is_minimum s 5 False
    clone s v7
    is_minimum s 5
    rm s/.ihop/floor s/.ihop/id
    for name in v5 v7; do
        expect_exit 0 "$ihop_store" remove -q s/$name
    done
    # It was recorded before the release that told it was gone.
    is_minimum s 5
    # Removed releases tell nothing, so the file is what counts.
    fresh
    clone s v5
    expect_exit 0 "$ihop_store" remove -q s/v5
    expect_exit 0 "$ihop_store" gc -q s
    is_minimum s 5
    code=5 clone s v3 --allow-downgrade
}

test_damaged() {
    fresh
    clone s v5
    for damage in 'truncate -s 50' 'truncate -s 0' 'sed -i s/^minimum=5/minimum=1/' 'sed -i /^check/d' 'sed -i /^store/d'; do
        cp s/.ihop/floor keep
        $damage s/.ihop/floor
        code=5 clone s v7
        one_line_on_stderr
        expect_stderr 's/.ihop/floor is damaged: .*the releases of the store demand 5: to record that, run: ihop-store minimum --force --set 5 s'
        code=5 clone s v5
        code=5 clone s v7 --dry-run
        expect_exit 5 "$ihop_store" verify --repair s
        expect_exit 7 "$ihop_store" minimum s
        expect_exit 7 "$ihop_store" default s/v5
        expect_exit 11 "$ihop_store" minimum --set 9 s
        # What boots needs no more than the releases.
        expect_exit 0 "$ihop_store" boot -n s
        expect_stderr 's/.ihop/floor is damaged'
        for command in list info verify du 'gc -n'; do
            # shellcheck disable=SC2086 # several words
            expect_exit 0 "$ihop_store" $command s
        done
        cp keep s/.ihop/floor
    done
    truncate -s 50 s/.ihop/floor
    clone_says=$("$ihop_clone" --config none v7.cba s/v7 2>&1) || true
    # What the message says to run mends it.
    PATH=$builddir:$PATH eval "${clone_says##*run: }" >"$tmp/out"
    is_minimum s 5
    clone s v7
}

test_another_store() {
    fresh
    clone s v2
    rm -rf other
    clone other v5
    is_minimum other 5
    cp other/.ihop/floor s/.ihop/
    code=5 clone s v7
    expect_stderr 's/.ihop/floor is that of another store \([0-9a-f]{16}, and this one is [0-9a-f]{16}\); the releases of the store demand 2'
    rm s/.ihop/id
    code=5 clone s v7
    expect_stderr "s/.ihop/floor may be another store's: s/.ihop/id is lost"
    expect_exit 0 "$ihop_store" minimum -q --force --set 2 s
    clone s v7
    is_minimum s 5
    # A store that is copied as a whole takes its minimum along.
    rm -rf copied
    cp -a s copied
    is_minimum copied 5
    code=5 clone copied v3 --allow-downgrade
    if command -v rsync >/dev/null; then
        rm -rf copied
        rsync -a s/ copied/
        is_minimum copied 5
    fi
    # A directory, a link, a large file: none of ours.
    rm s/.ihop/floor
    mkdir s/.ihop/floor
    code=7 clone s v5 --allow-downgrade
    expect_stderr "s/.ihop/floor is none of ihop's files .*: move it away"
    [ -d s/.ihop/floor ] || fail "the directory is gone"
}

test_read_only() {
    [ "$(id -u)" = 0 ] || skip "mounting needs root"
    fresh
    mkdir -p ro
    mount -t tmpfs -o size=8m none ro 2>/dev/null || skip "nothing may be mounted here"
    at_exit umount -l "$fast/ro"
    cp -a s ro/s
    clone ro/s v2
    clone ro/s v5
    expect_exit 0 "$ihop_store" minimum -q --force --set 2 ro/s
    mount -o remount,ro ro
    clone ro/s v2
    code=7 clone ro/s v5
    expect_stderr 'Read-only file system'
    code=7 clone ro/s v7
    expect_exit 0 "$ihop_store" minimum ro/s
    expect_exit 7 "$ihop_store" minimum --set 9 ro/s
    mount -o remount,rw ro
    is_minimum ro/s 2
    clone ro/s v5
    is_minimum ro/s 5
    umount ro
}

# No block is free for the record: nothing is published, and the minimum is as it was.
test_full_disk() {
    [ "$(id -u)" = 0 ] || skip "mounting needs root"
    fresh
    mkdir -p full
    mount -t tmpfs -o size=4m none full 2>/dev/null || skip "nothing may be mounted here"
    at_exit umount -l "$fast/full"
    cp -a s full/s
    # The chunks are there, so that the record is the first thing to be written.
    clone full/s v2
    clone full/s v5
    expect_exit 0 "$ihop_store" remove -q full/s/v5
    expect_exit 0 "$ihop_store" minimum -q --force --set 2 full/s
    if command -v strace >/dev/null && strace -qq -o /dev/null -e trace=getpid true 2>/dev/null; then
        expect_exit 6 strace -qq -f -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC "$program" \
            -q --config none v5.cba full/s/v5
        expect_stderr 'floor.new: No space left on device'
        [ ! -e full/s/v5 ] || fail "it was published"
        [ ! -e full/s/.ihop/floor.new ] || fail "floor.new was left"
        is_minimum full/s 2
    fi
    # Really full, while the chunks are there already.
    clone full/s v3
    head -c 16M /dev/zero >full/ballast 2>/dev/null || true
    expect_exit 6 "$ihop_store" minimum --set 9 full/s
    is_minimum full/s 2
    code=6 clone full/s v5
    is_minimum full/s 2
    rm full/ballast
    clone full/s v5
    is_minimum full/s 5
    umount full
}

# Two clones at once: whichever comes first, the minimum is the higher one.
test_two_at_once() {
    local i

    for i in $(seq "$(by_length 8 60)"); do
        fresh
        "$ihop_clone" -q --config none v2.cba s/v2 2>"$tmp/one" &
        one=$!
        "$ihop_clone" -q --config none v5.cba s/v5 2>"$tmp/two"
        got=0
        wait $one || got=$?
        if [ $got != 0 ] && { [ $got != 5 ] || ! grep -q 'below 5\|lower than 5' "$tmp/one"; }; then
            fail "exit code $got: $(cat "$tmp/one")"
        fi
        is_minimum s 5
    done
    # The one that has passed the door is stopped when the other one has raised the minimum since.
    fresh
    mkfifo seed
    "$ihop_clone" --config none --seed - v2.cba s/v2 <seed 2>"$tmp/one" &
    one=$!
    exec 7>seed
    wait_for 10 test -d s/.ihop/partial
    wait_for 10 test -e s/.ihop/partial/v2
    clone s v5
    exec 7>&-
    got=0
    wait $one || got=$?
    equal "$got" 5 "exit code of the slower clone"
    grep -q 'version 2 is below 5, the minimum that store s has accepted meanwhile' "$tmp/one" || fail "$(cat "$tmp/one")"
    [ ! -e s/v2 ] || fail "it was published"
    is_minimum s 5
}

# cuts MODE ARGUMENT...: floorcuts.py in a directory that is its own.
cuts() {
    local mode=$1

    shift
    archives
    rm -rf cuts
    mkdir cuts
    cp -a template ./*.cba cuts/
    "$python" "$srcdir/tests/faults/floorcuts.py" "$mode" "${@:1:$#-1}" "$program" "$tool" ${!#:+"${!#}"} \
        "$fast/cuts" >"$tmp/cuts" || return
    sed -e '$s/^/measured: /' "$tmp/cuts"
}

test_killed() {
    "$builddir/tests/faults/kill-at" "$tmp/report" 0 true 2>/dev/null || skip "nothing may be traced here"
    cuts kill --every "$(by_length 7 1)" "$builddir/tests/faults/kill-at" || fail "$(cat "$tmp/cuts")"
}

test_failing_calls() {
    requires strace
    strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
    cuts fail --every "$(by_length 7 1)" '' || fail "$(cat "$tmp/cuts")"
}

test_power_cuts() {
    requires_disks ext4
    at_exit release_disks "$fast"
    local plugin=$builddir/tests/faults/.libs/write-log.so

    cuts log --points "$(by_length 30 300)" "$plugin" || fail "$(cat "$tmp/cuts")"
    if [ "${IHOP_FAULTS:-}" = full ]; then
        for fs in xfs btrfs ext4-writeback; do
            cuts log --fs $fs --points 150 "$plugin" || fail "$(cat "$tmp/cuts")"
        done
    fi
    # It would have found a sync that is missing.
    ! cuts log --points 30 --faked "$plugin" || fail "no breach though no sync was made"
    grep -Eq 'the minimum is|nothing boots|minimum: ' "$tmp/cuts" || fail "other breaches than expected: $(cat "$tmp/cuts")"
}

run_cases "$@"
