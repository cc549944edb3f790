#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gc, remove and protect are killed at their system calls (all of those that change
# something, a sample of the others), and their system calls fail: no release loses a
# chunk, an interrupted clone can go on, and the next gc leaves exactly what is needed.
set -euo pipefail
# In memory, if possible: hundreds of stores are copied, and no power is cut here.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/faults.sh"
requires strace
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
cd "$tmp"

# A store with two releases, one that was replaced, one that was removed, and what a
# clone that was killed has left: chunks under their names and staged ones.
noise first 262144 first
cat <(head -c 131072 first) <(noise own 98304 own && cat own) >second
noise third 131072 third
noise fourth 327680 fourth
for name in first second third fourth; do
    $cba make --fixed 32768 $name $name.cba
done
expect_exit 0 "$ihop_clone" --quiet third.cba template/a
expect_exit 0 "$ihop_clone" --quiet --force first.cba template/a
expect_exit 0 "$ihop_clone" --quiet second.cba template/b
expect_exit 0 "$ihop_clone" --quiet third.cba template/c
expect_exit 0 "$ihop_store" remove --quiet template/c
code=0
{ strace -qq -f -o /dev/null -e trace=renameat -e inject=renameat:signal=KILL:when=6 \
    "$ihop_clone" --quiet fourth.cba template/d || code=$?; } 2>/dev/null
equal $code 137 "exit code of the clone that was killed"
[ -n "$(find template/.ihop/staging -name '*.chunk')" ] || fail "nothing is staged"
[ -e template/.ihop/partial/d ] || fail "the clone did not announce itself"
equal "$(find template/.ihop/retired -type f | wc -l)" 2 "retired releases"

# Chunks cost nothing to copy this way: no one writes into a file that has its name.
fresh() {
    rm -rf s
    cp -al template s
}

chunks_of() {
    (cd "$1/chunks" && find . -name '*.chunk' | sort)
}

fresh
expect_exit 0 "$ihop_store" gc s
chunks_of s >live
chunks_of template >before
(cd template/.ihop/staging && find . -name '*.chunk' -printf '%f\n' | sort) >staged
equal "$(wc -l <live)" $((8 + 3 + 10)) "chunks that are needed"
equal "$(comm -13 live before | wc -l)" 4 "chunks that are not"

# Those that are needed, all of them and no other; but for a staged one that could
# not be read. (No release has it yet.)
compare_chunks() {
    chunks_of s >now
    if [ -n "${UNREAD:-}" ]; then
        diff <(grep -vFf staged now) <(grep -vFf staged live)
    else
        diff now live
    fi
}

# whole: nothing that is needed is gone, and the next gc makes an end of it.
whole() {
    local release

    for release in a b; do
        [ ! -e s/$release ] || continue
        [ $release = "${GONE:-}" ] || fail "release $release is gone ($*)"
    done
    "$ihop_store" verify --quiet s >out 2>err || { show_output; fail "not whole: $*"; }
    if [ -n "${RESUME:-}" ]; then
        "$ihop_clone" --quiet --max-download 0 fourth.cba s/d >out 2>err || { show_output; fail "cannot go on: $*"; }
        "$ihop_clone" --quiet --max-download 0 fourth.cba s/d >out 2>err || { show_output; fail "not complete: $*"; }
    fi
    "$ihop_store" gc --quiet s >out 2>err || { show_output; fail "the next gc fails: $*"; }
    [ -n "${GONE:-}" ] && [ ! -e "s/$GONE" ] || compare_chunks || fail "other chunks than those that are needed: $*"
    [ -z "$(ls s/.ihop/retired s/.ihop/staging | grep -v :)" ] || fail "something is left: $*"
}

# calls COMMAND...: system calls on the store that it makes, as NAME:NUMBER, to the file
# points: all that change it, and each N-th of the others (each in check-faults). What
# the dynamic linker does before is not of interest.
calls() {
    fresh
    strace -qq -f -o trace "$@" >out 2>err
    "$python" - "$(by_length 5 1)" >points <<'PYTHON'
import re, sys
changing = {"unlinkat", "renameat", "renameat2", "linkat", "mkdirat", "syncfs", "fsync", "utimensat"}
counts, begun, others, every = {}, False, 0, int(sys.argv[1])
for line in open("trace"):
    m = re.match(r"\d+ +(\w+)\(", line)
    if not m or m[1] in ("exit_group", "execve"):
        continue
    counts[m[1]] = counts.get(m[1], 0) + 1
    begun = begun or '"s"' in line and m[1] == "openat"
    if begun:
        others += m[1] not in changing
        if m[1] in changing or others % every == 0:
            print(f"{m[1]}:{counts[m[1]]}")
PYTHON
}

# kill_everywhere COMMAND...: prints how many points were hit.
kill_everywhere() {
    local point code kills=0 total

    calls "$@"
    total=$(wc -l <points)
    while read -r point; do
        fresh
        code=0
        { strace -qq -f -o /dev/null -e trace="${point%:*}" -e inject="${point%:*}:signal=KILL:when=${point#*:}" \
            "$@" >out 2>err || code=$?; } 2>/dev/null
        [ $code = 137 ] || { show_output; fail "exit code $code instead of 137 at $point: $*"; }
        kills=$((kills + 1))
        RESUME=$([ $((kills % 8)) != 0 ] || echo yes) whole "killed at $point: $*"
    done <points
    echo "measured: $kills of $total system calls were the last ones of: $*"
    [ $kills -ge "$total" ] && [ $kills -ge "$(by_length 5 15)" ] || fail "too few points"
}

test_killed() {
    kill_everywhere "$ihop_store" gc s
    at_least "$(grep -c '^unlinkat:' points || true)" 6 "unlinkat among the points"
    at_least "$(grep -c '^renameat:' points || true)" 4 "renameat among the points"
    GONE=a kill_everywhere "$ihop_store" remove s/a
    kill_everywhere "$ihop_store" protect s/a
}

# fails CODE REGEX CALL:NUMBER ERROR COMMAND...: one clear line, nothing lost.
fails() {
    local code=$1 regex=$2 point=$3 error=$4 got=0

    shift 4
    fresh
    strace -qq -f -o trace -e trace="${point%:*}" -e inject="${point%:*}:error=$error:when=${point#*:}" \
        "$@" >out 2>err || got=$?
    grep -q INJECTED trace || fail "$point did not fail: $*"
    [ $got = "$code" ] || { show_output; fail "exit code $got instead of $code, $error at $point: $*"; }
    one_line_on_stderr
    expect_stderr "^ihop-store: .*$regex"
    whole "$error at $point: $*"
}

# numbers_of CALL REGEX COMMAND...: which of the command's calls of CALL, counted from 1, the
# regular expression matches, as strace shows them with the paths of descriptors.
numbers_of() {
    local call=$1 regex=$2

    shift 2
    fresh
    strace -qq -f -y -o trace -e trace="$call" "$@" >out 2>err
    awk -v regex="$regex" '{ n++ } $0 ~ regex { print n }' trace
}

# Calls that fail.
test_failing_calls() {
    # Of the four kinds, the first and the last.
    removals=$(numbers_of unlinkat '/s/(\.ihop/retired|chunks/[0-9a-f]+)>' "$ihop_store" gc s)
    at_least "$(wc -l <<<"$removals")" 4 "replaced releases and chunks to remove"
    for n in $(sed -n '1p;2p;3p;$p' <<<"$removals"); do
        fails 7 "cannot remove s/.*(retired|chunks).*Input/output error" unlinkat:$n EIO "$ihop_store" gc s
    done
    fails 7 'cannot remove s/.*Read-only file system' "unlinkat:$(head -n 1 <<<"$removals")+" EROFS "$ihop_store" gc s
    for n in $(numbers_of syncfs 'syncfs\([0-9]' "$ihop_store" gc s); do
        fails 7 'durable.*Input/output error' syncfs:$n EIO "$ihop_store" gc s
    done
    renames=$(numbers_of renameat '\.chunk", [0-9]+<[^>]*/s/chunks' "$ihop_store" gc s)
    fails 7 's/chunks.*Input/output error' "renameat:$(sed -n 1p <<<"$renames")" EIO "$ihop_store" gc s
    fails 6 's/.*No space left' "renameat:$(sed -n 2p <<<"$renames")" ENOSPC "$ihop_store" gc s
    # The first listing of each directory; of the store's own, which is also read for a note about
    # foreign files, the last one.
    for directory in '/\.ihop/staging' '/\.ihop/staging/[0-9a-f]+' '/\.ihop/retired' '/\.ihop/partial' '/chunks' '/chunks/[0-9a-f]+'; do
        n=$(numbers_of getdents64 "/s$directory>" "$ihop_store" gc s | sed -n 1p)
        fails 7 'cannot list s.*Input/output error' "getdents64:$n" EIO "$ihop_store" gc s
    done
    n=$(numbers_of getdents64 '/s>' "$ihop_store" gc s | tail -n 2 | sed -n 1p)
    fails 7 'cannot list s.*Input/output error' "getdents64:$n" EIO "$ihop_store" gc s
    fails 7 'cannot remove release s/a.*Input/output error' renameat:1 EIO "$ihop_store" remove s/a
    fails 6 'cannot remove release s/a.*No space left' renameat:1 ENOSPC "$ihop_store" remove s/a
    GONE=a fails 7 's/.*durable.*Input/output error' fsync:1 EIO "$ihop_store" remove s/a
    fails 7 's/.*Input/output error' mkdirat:1 EIO "$ihop_store" protect s/a
    fails 7 's/.*durable.*Input/output error' fsync:1 EIO "$ihop_store" protect s/a
}

# System calls that open, read, list or change fail once: never is anything deleted
# that is needed, whatever the exit code.
test_any_call_fails() {
    calls "$ihop_store" gc s
    tried=0
    while read -r point; do
        fresh
        strace -qq -f -o trace -e trace="${point%:*}" -e inject="${point%:*}:error=EIO:when=${point#*:}" \
            "$ihop_store" gc s >out 2>err || true
        grep -q INJECTED trace || fail "$point did not fail"
        tried=$((tried + 1))
        UNREAD=yes whole "EIO at $point"
    done < <(grep -E '^(openat|openat2|pread64|read|newfstatat|fstat|getdents64|flock|unlinkat|syncfs|renameat|fsync|mkdirat):' points)
    echo "measured: $tried system calls of gc failed, each in turn"
    at_least $tried "$(by_length 15 40)" "system calls that failed"
}

run_cases "$@"
