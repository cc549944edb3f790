#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The storage fails: exit code 7 and one line, nothing of the failed batch gets a
# name, a failed sync is not tried again. Short writes and interrupted calls are
# no failure.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires strace
make_archives
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
archive=$tmp/www/solid.cba

# traced TRACE INJECTION ARGUMENT...: the calls that were injected are in $tmp/trace.
traced() {
    local calls=$1 injection=$2

    shift 2
    strace -qq -f -o "$tmp/trace" -e trace="$calls" -e inject="$injection" "$ihop_clone" "$@"
}

# fails CODE REGEX CALL:INJECTION [OPTION...]
fails() {
    local code=$1 regex=$2 call=${3%%:*} injection=${3#*:}

    shift 3
    rm -rf "$tmp/s"
    expect_exit "$code" traced "$call" "$call:$injection" --quiet --jobs 2 "$@" "$archive" "$tmp/s/r"
    grep -q INJECTED "$tmp/trace" || fail "nothing was injected into $call"
    one_line_on_stderr
    expect_stderr "^ihop-clone: .*$regex"
    expect_stderr "$tmp/s"
    [ ! -e "$tmp/s/r" ] || fail "a release was published though $call failed"
    good_chunks "$tmp/s" >/dev/null
    [ ! -d "$tmp/s/.ihop/staging" ] || nothing_staged "$tmp/s"
    expect_exit 0 "$ihop_clone" --quiet "$archive" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
}

test_failures() {
    fails 7 "Input/output error" pwrite64:error=EIO:when=1
    fails 7 "Input/output error" pwrite64:error=EIO:when=5
    # Each thread's calls are counted apart. The main thread's first one only asks whether there
    # is such a call (its descriptor is -1), its second one makes the new store durable; the
    # committer's first one is for a batch. After one that failed there is no other.
    fails 7 "durable.*Input/output error" syncfs:error=EIO:when=2
    equal "$(grep -c 'syncfs([0-9]' "$tmp/trace")" 1 "calls of syncfs when the first one failed"
    fails 7 "durable.*Input/output error" syncfs:error=EIO:when=1
    equal "$(grep -c 'syncfs([0-9]' "$tmp/trace")" 2 "calls of syncfs when the second one failed"
    fails 7 "Input/output error" fsync:error=EIO:when=3 --sync files
    fails 7 "Input/output error" renameat:error=EIO:when=4
    fails 7 "cannot publish.*Input/output error" renameat2:error=EIO:when=1
    fails 7 "Input/output error" flock:error=EIO:when=1
    fails 7 "Read-only file system" mkdirat:error=EROFS:when=2
    fails 6 "No space left" pwrite64:error=ENOSPC:when=3
    fails 6 "quota exceeded" pwrite64:error=EDQUOT:when=3
    fails 6 "File too large" pwrite64:error=EFBIG:when=3
    fails 6 "No space left" renameat2:error=ENOSPC:when=1
    fails 6 "No space left" openat:error=ENOSPC:when=60
}

# close reports a write that failed late (a full quota over NFS). strace counts by
# thread; the first closes of the main one are the dynamic loader's.
test_late_failure() {
    $cba make --fixed 4096 "$tmp/image" "$tmp/www/many.cba"
    rm -rf "$tmp/s"
    expect_exit 7 traced close close:error=EIO:when=100+ --quiet --jobs 1 "$tmp/www/many.cba" "$tmp/s/r"
    expect_stderr "$tmp/s.*Input/output error"
    [ ! -e "$tmp/s/r" ] || fail "a release was published though close failed"
    expect_exit 0 "$ihop_clone" --quiet "$archive" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
}

# harmless CALL:INJECTION
harmless() {
    local call=${1%%:*}

    rm -rf "$tmp/s"
    expect_exit 0 traced "$call" "$1" --quiet --jobs 2 --sync "${2:-fs}" "$archive" "$tmp/s/r"
    grep -q INJECTED "$tmp/trace" || fail "nothing was injected into $call"
    holds "$tmp/s/r" "$tmp/image"
}

# The old release stays when its replacement fails.
test_replacement() {
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" --quiet "$archive" "$tmp/s/r"
    noise "$tmp/image2" 300032 two
    $cba make --fixed 16384 "$tmp/image2" "$tmp/two.cba"
    for injection in renameat2:error=ENOSPC:when=1+ renameat2:error=EIO:when=2 syncfs:error=EIO:when=2+; do
        got=0
        traced "${injection%%:*}" "$injection" --quiet --force "$tmp/two.cba" "$tmp/s/r" >"$tmp/out" 2>"$tmp/err" || got=$?
        [[ $got == [67] ]] || fail "exit code $got when publishing fails by $injection"
        holds "$tmp/s/r" "$tmp/image"
        nothing_staged "$tmp/s"
    done
}

test_harmless() {
    harmless pwrite64:error=EINTR:when=1+2
    harmless fsync:error=EINTR:when=1+2
    harmless fsync:error=EINTR:when=1+2 files
    harmless openat:error=EINTR:when=50+2
    harmless sync_file_range:error=EIO
    harmless renameat2:error=EINVAL
}

# Short writes: a limit on the file size that grows cannot be had; a pipe of the
# kernel can: RLIMIT_FSIZE makes a write short, then fail with EFBIG.
test_short_writes() {
    rm -rf "$tmp/s"
    expect_exit 6 bash -c 'ulimit -f 20; exec "$@"' - "$ihop_clone" --quiet "$archive" "$tmp/s/r"
    one_line_on_stderr
    expect_stderr "$tmp/s.*File too large"
    nothing_staged "$tmp/s"
    equal "$(good_chunks "$tmp/s")" 0 "chunks within a limit of 20 KiB a file"
}

run_cases "$@"
