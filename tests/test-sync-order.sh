#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The order of syncs, renames, links and unlinks: a power cut between any two calls
# leaves what docs/store.md promises. One run of each kind, judged call by call, where
# the power cuts of the other tests are samples; and the judge finds what is left out.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
requires strace
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
memory_directory
cd "$fast"
mkdir w
store=$fast/w/store

# image N FROM TO: an archive of noise chunks FROM to TO, and of a hole.
image() {
    "$python" -c 'import hashlib, sys
first, last = map(int, sys.argv[1:])
sys.stdout.buffer.write(bytes(65536) + b"".join(
    hashlib.shake_128(b"%d" % n).digest(16384) for n in range(first, last)))' "$2" "$3" >"image-$1"
    $cba make --fixed 16384 "image-$1" "v$1.cba"
}
image 1 0 8
image 2 4 12
image 3 20 22

# order [OPTION...] KIND COMMAND...: the order of its calls is right.
order() {
    local arguments=("$@") i

    for ((i = 0; i < $#; i++)); do
        case ${arguments[i]} in
        clone | store | compress) break ;;
        esac
    done
    "$python" "$srcdir/tests/faults/order.py" "${arguments[@]:0:i+1}" "$fast/w" "${arguments[@]:i+1}" \
        >"$tmp/breaches" 2>&1 || fail "$*: $(head -n 5 "$tmp/breaches")"
    judged=$((judged + 1))
}

# breach REGEX ARGUMENT...: as order, but with what was left out it is wrong.
breach() {
    local regex=$1

    shift
    if (order "$@") 2>"$tmp/err"; then
        fail "nothing was found wrong: $*"
    fi
    expect_stderr "$regex"
    found=$((found + 1))
}

judged=0 found=0

# killed ARGUMENT...: a clone that is killed when it wants to publish.
killed() {
    local got=0

    # In a shell of its own, which reports the kill.
    (strace -qq -f -o "$tmp/killed" -e trace="${KILL_AT:-renameat2}" \
        -e inject="${KILL_AT:-renameat2}:signal=KILL:when=${KILL_WHEN:-1}" \
        "$program" -q "$@"; exit $?) 2>/dev/null || got=$?
    [ "$got" = 137 ] || fail "the clone was not killed: $got"
}

test_all_kinds() {
    for sync in fs files; do
        rm -rf "$store"
        clone() {
            order "${injections[@]}" clone "$program" --quiet --sync "$sync" "$@"
        }
        injections=()
        clone v1.cba "$store/v1"       # a new store
        clone v1.cba "$store/v1"       # nothing to do
        clone v2.cba "$store/v2"       # an update
        clone v3.cba --force "$store/v1" # an exchange
        clone v1.cba --force "$store/v1" # nothing to fetch
        injections=(--inject renameat2:error=EINVAL)
        clone v3.cba --force "$store/v1" # the file system has no exchange
        clone v1.cba "$store/v4"
        injections=()
        order store "$ihop_store" protect "$store/v1"
        order store "$ihop_store" unprotect "$store/v1"
        order store "$ihop_store" remove "$store/v4"
        order store "$ihop_store" gc "$store"

        # What a killed clone has left: names that may not be durable, staged chunks.
        killed --sync "$sync" v1.cba "$store/v5"
        clone v1.cba "$store/v5"
        rm -rf "$store"
        KILL_AT=renameat KILL_WHEN=4 killed --sync "$sync" --jobs 1 v1.cba "$store/v1"
        [ -n "$(find "$store/.ihop/staging" -type f)" ] || fail "the killed clone has staged nothing"
        cp -a "$store" before
        clone v1.cba "$store/v1"
        rm -rf "$store"
        mv before "$store"
        order store "$ihop_store" gc "$store"

        # An update beside it: a released name goes and its chunks after it.
        clone v1.cba "$store/v1"
        clone v2.cba "$store/v2"
        order store "$ihop_store" gc --keep 1 "$store"

        # A rotten chunk is replaced.
        chunk=$($cba chunks "$store/v2" | tail -n 1)
        dd if=/dev/zero of="$chunk" bs=1 count=10 conv=notrunc status=none
        clone --recheck v2.cba "$store/v2"
        dd if=/dev/zero of="$chunk" bs=1 count=10 conv=notrunc status=none
        order store "$ihop_store" verify --repair --from v2.cba "$store"
        cmp <($cba image "$store/v2") image-2

        # A failed sync: nothing that it should have covered gets a name.
        rm -rf "$store"
        clone v1.cba "$store/v1"
        for when in 1 2 3; do
            order --exit 7 --inject syncfs:error=EIO:when=1+ clone "$program" -q --sync fs v2.cba "$store/f$when"
            order --exit 7 --inject "fsync:error=EIO:when=$when+" clone "$program" -q --sync files v2.cba "$store/f$when"
        done
    done
}

# What says which release boots: the first record, one over the spare, one where there is no exchange,
# and one after damage.
test_boot_selection() {
    rm -rf "$store"
    "$program" -q v1.cba "$store/v1"
    "$program" -q v2.cba "$store/v2"
    order store "$ihop_store" default "$store/v1"
    order store "$ihop_store" try "$store/v2"
    order store "$ihop_store" boot "$store"
    order --inject renameat2:error=EINVAL store "$ihop_store" boot "$store"
    order store "$ihop_store" boot "$store"
    order store "$ihop_store" good "$store"
    truncate -s 10 "$store/.ihop/boot"
    order store "$ihop_store" boot "$store"
    order clone "$program" -q --try v3.cba "$store/v3"
}

# The lowest version: recorded with the first release, raised, and raised when the release is there.
test_minimum() {
    rm -rf "$store"
    "$ihop_compress" -q --fixed-size 16384 --image-version 5 --minimum-version 5 image-2 five.cba
    clone=(clone "$program" -q --config "$fast/w" --allow-downgrade)
    order "${clone[@]}" v1.cba "$store/v1"
    order "${clone[@]}" five.cba "$store/v5"
    order store "$ihop_store" minimum -q --force --set 2 "$store"
    order "${clone[@]}" five.cba "$store/v5"
    rm "$store/.ihop/floor" "$store/.ihop/id"
    order store "$ihop_store" minimum -q --set 9 "$store"
    breach "the file /.ihop/floor gets its name before its data are durable" --fake fsync store "$ihop_store" minimum -q --set 10 "$store"
    breach "/.ihop/floor: the name is not durable at exit 0" --fake fsync store "$ihop_store" minimum -q --set 11 "$store"
}

# Where the kernel has no syncfs, each file and directory is synced by itself.
test_no_syncfs() {
    rm -rf "$store"
    for archive in v1 v1 v2; do
        order --inject syncfs:error=ENOSYS clone "$program" --quiet --force "$archive.cba" "$store/v1"
    done
    order --inject syncfs:error=ENOSYS store "$ihop_store" gc "$store"
    rm -rf "$store"
    got=0
    strace -qq -f -o /dev/null -e trace=syncfs,renameat2 -e inject=syncfs:error=ENOSYS \
        -e inject=renameat2:error=EIO "$program" -q v1.cba "$store/v1" 2>"$tmp/err" || got=$?
    [ "$got" = 7 ] || fail "it was published"
    order --inject syncfs:error=ENOSYS clone "$program" --quiet v1.cba "$store/v1"
}

# The layout of ihop 0.1.
test_original_layout() {
    rm -rf "$store"
    order clone "$program" --quiet --compat-store v1.cba "$store/v1"
    order clone "$program" --quiet v2.cba "$store/v2"
}

# Making room.
test_making_room() {
    if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=600k none w 2>/dev/null; then
        at_exit umount -l "$fast/w"
        for n in 1 2; do
            expect_exit 0 "$program" --quiet "v$n.cba" "$store/v$n"
        done
        image 4 40 64
        order clone "$program" --quiet --make-room v4.cba "$store/v4"
        [ ! -e "$store/v1" ] || fail "no room had to be made"
        umount w
    fi
}

# ihop-compress: the data, the name, the directory.
test_compress() {
    order compress "$ihop_compress" --quiet image-1 w/new.cba
    order compress "$ihop_compress" --quiet --force image-2 w/new.cba
    $cba key 1 one >/dev/null
    order compress "$ihop_compress" --quiet --add-signature one.sec w/new.cba
}

# Is it able to see a fault? Syncs that do nothing, each kind by itself.
fresh() {
    rm -rf "$store"
    "$program" --quiet --sync fs v1.cba "$store/v1"
}

test_finds_faults() {
    rm -rf "$store"
    breach "before the store's format" --fake fsync clone "$program" -q v1.cba "$store/v1"
    fresh
    breach "the chunk .* before its data are durable" --fake syncfs clone "$program" -q --sync fs v2.cba "$store/v2"
    fresh
    breach "/v1: the name is not durable at exit 0" --fake syncfs --fake fsync clone "$program" -q v1.cba "$store/v1"
    fresh
    breach "the chunk .* before its data are durable" --fake fsync clone "$program" -q --sync files v2.cba "$store/v2"
    fresh
    breach "/v2: the name is not durable at exit 0" --fake fsync clone "$program" -q --sync fs v2.cba "$store/v2"
    "$ihop_store" remove -q "$store/v1"
    breach "is removed before the name v. is durable" --fake syncfs store "$ihop_store" gc "$store"
    fresh
    breach "/v1: the name is not durable at exit 0" --fake fsync store "$ihop_store" remove "$store/v1"
    fresh
    breach "protected/v1: the name is not durable" --fake fsync store "$ihop_store" protect "$store/v1"
    "$ihop_store" default -q "$store/v1"
    breach "the file /.ihop/boot gets its name before its data are durable" --fake fsync store "$ihop_store" default -q "$store/v1"
    breach "/.ihop/boot: the name is not durable at exit 0" --fake fsync store "$ihop_store" default -q "$store/v1"
    breach "the archive .* before its data are durable" --fake fsync compress "$ihop_compress" -q image-1 w/third.cba
    breach "the archive .* before its data are durable" --fake fsync compress "$ihop_compress" -q --sign one.sec w/third.cba
    echo "measured: order of calls: $judged runs judged right, $found with syncs left out found wrong"
}

run_cases "$@"
