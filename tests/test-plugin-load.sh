#!/bin/bash
# SPDX-License-Identifier: MIT
# Under load: 64 connections on 8,000 chunks with a limit of 256 open files; a server
# killed and started again while they read; little memory.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 8000000 1 1000000 200000
make_store --layout 2 --min 500 --max 1500 "$tmp/image" "$tmp/store/v1"
[ "$(wc -l <"$tmp/chunks")" -gt 7000 ] || fail "too few chunks for this test"

# load CONNECTIONS READS: each connection compares that many reads at random places.
# One that breaks is made again, as a kernel client would; $tmp/broken has their number.
# $tmp/reading is there as soon as one has read.
load() {
    timeout 550 "$nbd_python" - "$@" "$tmp" "$socket" <<'PYTHON'
import os, random, sys, threading, time
import nbd
connections, reads, tmp, socket = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
image = open(f"{tmp}/image", "rb").read()
wrong, broken = [], []
# The server is to be killed while there is load, however fast the machine is.
until_broken, last = os.environ.get("until_broken"), time.monotonic() + 500

def connect():
    end = time.monotonic() + 500
    while True:
        try:
            h = nbd.NBD()
            h.connect_unix(socket)
            return h
        except nbd.Error:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)

def reader(n):
    rng, h, done = random.Random(n), connect(), 0
    while done < reads or (until_broken and not broken and time.monotonic() < last):
        start, size = rng.randrange(len(image)), rng.choice((512, 4096, 50000))
        size = min(size, len(image) - start)
        try:
            data = h.pread(size, start)
        except nbd.Error:
            if h.aio_is_ready():  # the server answered, with an error
                wrong.append(f"{size} bytes at {start} failed")
                return
            broken.append(n)
            h = connect()
            continue
        if data != image[start : start + size]:
            wrong.append(f"{size} bytes at {start} are wrong")
        done += 1
        if done == 1:
            open(f"{tmp}/reading", "w").close()

def guarded(n):
    try:
        reader(n)
    except Exception as e:
        wrong.append(repr(e))

threads = [threading.Thread(target=guarded, args=(n,)) for n in range(connections)]
for t in threads:
    t.start()
for t in threads:
    t.join()
open(f"{tmp}/broken", "w").write(str(len(broken)))
sys.exit("\n".join(wrong[:5]) or 0)
PYTHON
}

test_many_connections() {
    open_files='-n 256'
    serve "$tmp/store/v1"
    load 64 40
    [ "$(cat "$tmp/broken")" = 0 ] || fail "connections broke"
    stop_server
    open_files=
}

# kill -9 in the middle; the same socket and store again.
test_killed() {
    serve "$tmp/store/v1"
    rm -f "$tmp/reading"
    until_broken=yes load 16 400 &
    local client=$!
    wait_for 20 test -e "$tmp/reading"
    kill -9 "$server"
    wait "$server_job" || true
    serve "$tmp/store/v1"
    wait "$client"
    [ "$(cat "$tmp/broken")" -gt 0 ] || fail "the server was not killed under load"
    stop_server
}

# A control group (version 1) of 20 MiB, page cache included.
test_little_memory() {
    local group=/sys/fs/cgroup/memory/ihop-test.$$

    [ -z "$preload" ] || return 0
    mkdir "$group" 2>/dev/null || return 0
    at_exit rmdir "$group"
    if ! [ -e "$group/memory.limit_in_bytes" ]; then
        return 0
    fi
    serve "$tmp/store/v1" maxfds=1000
    echo "$server" >"$group/cgroup.procs"
    echo 20M >"$group/memory.limit_in_bytes"
    load 8 100
    nbdcopy "$uri" "$tmp/copy"
    cmp "$tmp/image" "$tmp/copy"
    grep -q '^oom_kill 0' "$group/memory.oom_control"
    stop_server
}

run_cases "$@"
