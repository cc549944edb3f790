#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A signal may interrupt any slow call, and a call may do less than it was asked
# for: neither is a failure, and nothing is lost or written twice.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires strace
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
make_archives
$cba make --codec xz --fixed 32768 "$tmp/image" "$tmp/www/xz.cba"
archive=$tmp/www/xz.cba
start_server "$tmp/www"

# interrupted CALL WHEN [OPTION...]: as if a signal came in; with N+2 at every second
# call, since the one that follows is the same one, tried again.
interrupted() {
    local call=$1 when=$2 source=${SOURCE:-$archive}

    shift 2
    rm -rf "$tmp/s"
    expect_exit 0 strace -qq -f -o "$tmp/trace" -e trace="$call" \
        -e inject="$call:error=EINTR:when=$when" \
        "$ihop_clone" --jobs 2 --quiet "$@" "$source" "$tmp/s/r"
    grep -q INJECTED "$tmp/trace" || fail "nothing was injected into $call, $when"
    [ ! -s "$tmp/err" ] || { show_output; fail "words on stderr with $call interrupted"; }
    equal "$(good_chunks "$tmp/s")" 20 "chunks with $call interrupted"
    holds "$tmp/s/r" "$tmp/image"
    nothing_staged "$tmp/s"
    [ -z "$(ls -A "$tmp/s/.ihop/partial")" ] || fail "a partial clone is left with $call interrupted"
}

# Chunks and the dictionary.
test_interrupted_calls() {
    interrupted pwrite64 1
    interrupted pwrite64 1+2
    interrupted write 1
    interrupted write 1+2
    # Durability: fsync is tried again for this reason alone.
    interrupted fsync 1
    interrupted fsync 1 --sync files
    interrupted fsync 1+2 --sync files
    # The first openat calls are the dynamic loader's; strace counts by thread. The
    # main one opens the store's directories and the dictionary, a worker the chunks.
    loader=$(strace -qq -f -e trace=openat "$ihop_clone" --version 2>&1 >/dev/null | grep -c openat)
    at_least "$loader" 1 "calls of openat by the loader"
    for n in 1 2 5 10 20 30; do
        interrupted openat $((loader + n)) --jobs 1
    done
    interrupted openat $((loader + 1))+2
    # Locks wait, so they are interrupted first of all.
    interrupted flock 1
    interrupted flock 1+2
    # Reading the archive, from a file and over HTTP.
    loader=$(strace -qq -f -e trace=pread64 "$ihop_clone" --version 2>&1 >/dev/null | grep -c pread64) || true
    interrupted pread64 $((loader + 1))+2
    SOURCE=$url/xz.cba interrupted recvfrom 1+2
    SOURCE=$url/xz.cba interrupted sendto 1+2
    SOURCE=$url/xz.cba interrupted poll 1
    # An update reads the store as well.
    interrupted getdents64 1
    interrupted getdents64 1+2
}

# short SOURCE CALL...: these calls were made short.
short() {
    local source=$1 call

    shift
    rm -rf "$tmp/s" "$tmp/marks"
    mkdir "$tmp/marks"
    expect_exit 0 env LD_PRELOAD="$tmp/short.so" SHORT_MARKS="$tmp/marks" \
        "$ihop_clone" --json "$source" "$tmp/s/r"
    for call in "$@"; do
        [ -e "$tmp/marks/$call" ] || fail "no short $call with $source"
    done
    equal "$(json outcome)" published "the line on stdout, whole"
    equal "$(good_chunks "$tmp/s")" 20 "chunks with short calls"
    holds "$tmp/s/r" "$tmp/image"
}

# Calls that do less than they are asked for.
test_short_calls() {
    requires cc
    # libtool may have made a script of the program.
    program=$ihop_clone
    [ ! -x "$builddir/.libs/ihop-clone" ] || program=$builddir/.libs/ihop-clone
    [[ $(ldd "$program") != *lib[at]san* ]] || skip "short calls alone: a sanitizer is in the way"
    cat >"$tmp/short.c" <<'EOF_C'
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

/* At most a third of what was asked for. What is done is counted where the test
 * can see it: a mark in the directory of that name. */
static size_t less(const char *name, size_t size)
{
    int directory, mark;

    if (size < 3)
        return size;
    directory = (int)syscall(SYS_openat, AT_FDCWD, getenv("SHORT_MARKS"), O_PATH | O_DIRECTORY);
    mark = (int)syscall(SYS_openat, directory, name, O_CREAT | O_WRONLY, 0644);
    syscall(SYS_close, mark);
    syscall(SYS_close, directory);
    return size / 3;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return syscall(SYS_write, fd, data, less("write", size));
}

ssize_t read(int fd, void *data, size_t size)
{
    return syscall(SYS_read, fd, data, less("read", size));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return syscall(SYS_pwrite64, fd, data, less("pwrite", size), offset);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    return syscall(SYS_pread64, fd, data, less("pread", size), offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return pread64(fd, data, size, offset);
}
EOF_C
    [ "$(getconf LONG_BIT)" = 64 ] || skip "short calls alone: offsets are passed otherwise here"
    cc -shared -fPIC -O1 -o "$tmp/short.so" "$tmp/short.c"
    mkdir "$tmp/marks"

    short "$archive" pwrite pread
    short "$url/xz.cba" pwrite
    short "$tmp/www/solid.cba" pwrite pread
}

run_cases "$@"
