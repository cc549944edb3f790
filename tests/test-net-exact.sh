#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a clone costs: bytes on the wire, all headers included, at most 1.01 of the
# archive's header and the missing chunks as compressed; bytes that reach the block
# device at most the missing chunks, 10 KiB for each of them, and 1 MiB.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
mkdir "$tmp/www"

# make_release NAME SEED EVERY: the image $tmp/NAME of about 24 MiB and its archive.
# Its 400 chunks of 16 to 128 KiB (as bita's defaults cut) are noise, which costs as
# much compressed; each EVERY-th run of chunks is SEED's own. Prints the bytes of
# these and how many they are.
make_release() {
    "$python" - "$@" "$tmp" <<'EOF_PYTHON'
import hashlib, random, subprocess, sys
name, seed, every, tmp = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
sizes, runs = random.Random(1), random.Random(2)
parts, own, run, left = [], [], 0, 0
for i in range(400):
    if left == 0:
        run, left = run + 1, runs.choice((1, 1, 2, 4))
    left -= 1
    mine = run % every == 0
    size = sizes.randrange(16 << 10, 128 << 10)
    parts.append(hashlib.shake_128(f"{i} {seed if mine else 'old'}".encode()).digest(size))
    if mine:
        own.append(size)
with open(f"{tmp}/{name}", "wb") as f:
    f.write(b"".join(parts))
cuts = [sum(map(len, parts[:i])) for i in range(1, len(parts))]
with open(f"{tmp}/{name}.cuts", "w") as f:
    f.write(",".join(map(str, cuts)))
print(sum(own), len(own))
EOF_PYTHON
    $cba make --cuts "$(cat "$tmp/$1.cuts")" "$tmp/$1" "$tmp/www/$1.cba"
}

# start_relay: a relay to the last started server, at $relay; it counts what
# passes, both ways, and says so in $tmp/wire when told to (USR1).
start_relay() {
    : >"$tmp/relay.port"
    "$python" - "$server_port" "$tmp/wire" >"$tmp/relay.port" <<'EOF_PYTHON' &
import os, signal, socket, sys, threading
counts, lock = [0], threading.Lock()

def report(*_):
    with open(sys.argv[2] + ".new", "w") as f:
        print(counts[0], file=f)
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    counts[0] = 0

def pump(source, target):
    try:
        while data := source.recv(65536):
            with lock:
                counts[0] += len(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass

signal.signal(signal.SIGUSR1, report)
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for ends in ((client, server), (server, client)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
EOF_PYTHON
    relay_pid=$!
    at_exit kill -KILL "$relay_pid"
    wait_for 10 test -s "$tmp/relay.port"
    relay=http://127.0.0.1:$(cat "$tmp/relay.port")
}

# wire_bytes: what has passed since the last time.
wire_bytes() {
    rm -f "$tmp/wire"
    kill -USR1 "$relay_pid"
    wait_for 10 test -e "$tmp/wire"
    cat "$tmp/wire"
}

# costs ARCHIVE STORE/RELEASE CHUNK-BYTES: at most 1.01 of the header and these.
costs() {
    local needed wire

    needed=$(($(header_size "$tmp/www/$1") + $3))
    rules
    wire_bytes >/dev/null
    expect_exit 0 "$ihop_clone" --quiet --json "$relay/$1" "$2"
    wire=$(wire_bytes)
    echo "$1: $wire bytes on the wire, $needed needed, $(requests) requests"
    at_least "$wire" "$needed" "bytes on the wire for $1, if the relay counts"
    at_most "$wire" $((needed + needed / 100)) "bytes on the wire for $1, $needed needed"
    equal "$(json bytes_downloaded)" "$(body_sent)" "bytes_downloaded for $1"
    at_most "$(body_sent)" $((needed + needed / 200)) "bytes of bodies for $1"
}

# Not by process substitution: read would not wait for the archive.
make_release old old 1 >"$tmp/sizes"
read -r old_bytes _ <"$tmp/sizes"
make_release new new 5 >"$tmp/sizes"
read -r own_bytes own_chunks <"$tmp/sizes"
equal "$old_bytes" "$(file_size "$tmp/old")" "bytes of the first image"
at_least "$own_chunks" 40 "chunks for a fair measurement"
start_server "$tmp/www"
start_relay

test_updates() {
    costs old.cba "$tmp/s/old" "$old_bytes"
    costs new.cba "$tmp/s/new" "$own_bytes"
    holds "$tmp/s/new" "$tmp/new"
    at_least "$(requests)" 20 "requests, if the missing chunks are scattered"
    equal "$(json chunks_fetched)" "$own_chunks" "chunks fetched"
}

# Nothing to do.
test_nothing_to_do() {
    expect_exit 0 "$ihop_clone" --quiet "$url/new.cba" "$tmp/s/new"
    rules
    wire_bytes >/dev/null
    expect_exit 0 "$ihop_clone" --quiet --json "$relay/new.cba" "$tmp/s/new"
    at_most "$(requests)" 2 "requests when there is nothing to do"
    at_most "$(body_sent)" 1024 "bytes of bodies when there is nothing to do"
    at_most "$(wire_bytes)" 2048 "bytes on the wire when there is nothing to do"
}

# fresh_disk NAME MKFS...: a file system on a loop device, at $tmp/NAME.mnt; its
# number of sectors written is in $stat.
fresh_disk() {
    local name=$1 device

    shift
    truncate -s 400M "$tmp/$name.disk"
    device=$(losetup -f --show "$tmp/$name.disk" 2>"$tmp/why") ||
        skip "the block device alone: no loop device: $(cat "$tmp/why")"
    at_exit losetup -d "$device"
    "$@" "$device" >"$tmp/why" 2>&1 || fail "$*: $(cat "$tmp/why")"
    mkdir "$tmp/$name.mnt"
    mount "$device" "$tmp/$name.mnt" 2>"$tmp/why" ||
        skip "the block device alone: no mounts of $name here: $(cat "$tmp/why")"
    at_exit umount "$tmp/$name.mnt"
    stat=/sys/block/${device##*/}/stat
}

# device_bytes DIRECTORY: written so far, to the disk below DIRECTORY.
device_bytes() {
    local fields

    sync -f "$1"
    read -ra fields <"$stat"
    echo $((fields[6] * 512))
}

# writes_little NAME
writes_little() {
    local store=$tmp/$1.mnt/s before written limit

    expect_exit 0 "$ihop_clone" --quiet "$url/old.cba" "$store/old"
    before=$(device_bytes "$store")
    expect_exit 0 "$ihop_clone" --quiet --json "$url/new.cba" "$store/new"
    equal "$(json bytes_written)" "$own_bytes" "bytes_written"
    written=$(($(device_bytes "$store") - before))
    limit=$((own_bytes + own_chunks * 10240 + 1048576))
    echo "$1: $written bytes written, $own_bytes in $own_chunks chunks; at most $limit"
    at_least "$written" "$own_bytes" "bytes written to $1, if the device counts"
    at_most "$written" "$limit" "bytes written to $1"
    holds "$store/new" "$tmp/new"
}

# The block device.
test_block_device() {
    [ "$(id -u)" = 0 ] || skip "the block device alone: not root, nothing can be mounted"
    requires losetup mkfs.ext4 mkfs.xfs

    # What mkfs leaves for the kernel to write later would be counted.
    fresh_disk ext4 mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0
    writes_little ext4
    fresh_disk xfs mkfs.xfs -q -f
    writes_little xfs
}

run_cases "$@"
