#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clocks that jump by decades, forward and back, before, between and during the runs of
# clones and clean-ups; file systems that cannot keep the times that they are given. Releases
# go in the order in which they were published, and what an interrupted clone has fetched
# stays for its time.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
library=$builddir/tests/faults/.libs/odd-clock.so
[ -e "$library" ] || skip "not built: $library"
export ASAN_OPTIONS=verify_asan_link_order=0
cd "$tmp"
store=$tmp/s
year=$((365 * 86400))
now=$(date +%s)

# odd [VARIABLE=VALUE...] COMMAND...: see odd-clock.c.
odd() { env LD_PRELOAD="$library" "$@"; }

# image NAME: an archive with chunks of its own.
image() {
    noise "$tmp/$1.image" 100000 "$1"
    $cba make --fixed 16384 "$tmp/$1.image" "$tmp/$1.cba"
}
for name in z1 m2 a3 k4 b5 c6 partial; do image $name; done
# One chunk of it is wrong, so that a clone of it ends with what it has.
python3 - partial.cba <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-20, 2)
    f.write(b"wrong")
PYTHON

# publish NAME [VARIABLE=VALUE...]
publish() {
    local name=$1

    shift
    expect_exit 0 odd "$@" "$ihop_clone" --quiet --force "$tmp/$name.cba" "$store/$name"
}

# goes_in_order: gc --keep and the list, for z1, m2 and a3 that were published so.
goes_in_order() {
    equal "$(releases "$store")" "z1 m2 a3" "releases, the oldest first ($*)"
    expect_exit 0 odd "$@" "$ihop_store" gc --dry-run --keep 1 --json "$store"
    expect_stdout '"releases_removed": *\["z1", *"m2"\]'
    publish z1 "$@" # anew: now it is the youngest
    equal "$(releases "$store")" "z1 m2 a3" "releases after a clone with nothing to do ($*)"
    rm "$store"/chunks/*/"$(basename "$(one_chunk "$tmp/z1.image")")"
    publish z1 "$@"
    equal "$(releases "$store")" "m2 a3 z1" "releases after one was restored ($*)"
    expect_exit 0 odd "$@" "$ihop_store" gc --quiet --keep 2 "$store"
    equal "$(releases "$store")" "a3 z1" "releases after gc --keep 2 ($*)"
    expect_exit 0 "$ihop_store" verify --quiet "$store"
}

# one_chunk FILE: the name of its first chunk.
one_chunk() { echo "$(head -c 16384 "$1" | b2sum | cut -d ' ' -f 1).chunk"; }

# in_order [VARIABLE=VALUE...]: three releases on such a machine.
in_order() {
    rm -rf "$store"
    publish z1 "$@"
    publish m2 "$@"
    publish a3 "$@"
    goes_in_order "$@"
}

clocks=(0 $((-now)) $((73 * year))) # right, 1970, 2099

# Releases.
test_order_of_releases() {
    for a in "${clocks[@]}"; do
        for b in "${clocks[@]}"; do
            rm -rf "$store"
            publish z1 ODD_CLOCK="$a"
            publish m2 ODD_CLOCK="$b"
            publish a3
            goes_in_order ODD_CLOCK="$b"
        done
    done
    in_order ODD_CLOCK=$((-now - 27 * year))
    in_order ODD_CLOCK=$((13 * year))
    # During each run: a look in the past, one in the future.
    in_order ODD_CLOCK="$((-now)),$((73 * year)),$((-50 * year)),0"
}

# FAT; a file system that ends in 2038, and the two together.
test_coarse_times() {
    in_order ODD_GRAIN=2
    in_order ODD_GRAIN=2 ODD_LATEST=2147483647 ODD_CLOCK=$((73 * year))
    in_order ODD_LATEST=2147483647 ODD_CLOCK=$((73 * year))
    in_order ODD_LATEST=1
    # Where times are coarse they are still in order, for earlier versions.
    rm -rf "$store"
    for name in z1 m2 a3 k4; do publish $name ODD_GRAIN=2; done
    [ "$(stat -c %Y "$store"/{z1,m2,a3,k4} | sort -n | uniq | wc -l)" = 4 ] || fail "times tie"
    [ "$(stat -c '%Y %n' "$store"/?? | sort -n | sed 's/.*\///' | tr '\n' ' ')" = "z1 m2 a3 k4 " ] || fail "times are not in order"
}

# A real file system that keeps no times after 2038.
test_real_disk() {
    if [ "$(id -u)" = 0 ] && [ -c /dev/loop-control ] && command -v mkfs.ext4 >/dev/null; then
        truncate -s 16M disk
        mkfs.ext4 -q -F -I 128 -O ^has_journal disk 2>/dev/null
        mkdir mnt
        if mount -o loop disk mnt 2>/dev/null; then
            at_exit umount -l "$tmp/mnt"
            store=$tmp/mnt/s
            rm -rf "$store"
            publish z1 ODD_CLOCK=$((73 * year))
            publish m2
            publish a3
            equal "$(stat -c %Y "$store"/{z1,m2,a3} | uniq)" 2147483647 "times that this file system keeps"
            goes_in_order ODD_CLOCK=0
            # And when there is no room.
            publish m2
            fallocate -l $(($(df --output=avail -B 1 mnt | tail -n 1) - 60000)) mnt/full
            expect_exit 0 "$ihop_clone" --quiet --make-room "$tmp/b5.cba" "$store/b5"
            case $(releases "$store") in
            "z1 m2 b5" | "m2 b5" | "b5") ;;
            *) fail "--make-room left $(releases "$store")" ;;
            esac
            umount mnt
            store=$tmp/s
        fi
    fi
}

# All at once: no number twice.
test_numbers() {
    rm -rf "$store"
    publish z1
    pids=()
    for name in m2 a3 k4 b5 c6; do
        "$ihop_clone" --quiet "$tmp/$name.cba" "$store/$name" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    "$ihop_store" list --json "$store" >list
    equal "$(python3 -c 'import json
print(*sorted(r["number"] for r in json.load(open("list"))["releases"]))')" "1 2 3 4 5 6" "numbers of six releases"
}

# unnumbered NAME...: as an earlier version has published them.
unnumbered() {
    (cd "$store" && python3 - "$@") <<'PYTHON'
import hashlib, os, sys
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        data = f.read()
    st = os.stat(name)
    assert data[14:17] == b"\xd2\x06\x10", data[:40]
    body = data[33:-64]
    new = data[:6] + len(body).to_bytes(8, "little") + body
    with open(name, "wb") as f:
        f.write(new + hashlib.blake2b(new).digest())
    os.utime(name, ns=(st.st_atime_ns, st.st_mtime_ns))
PYTHON
}

# Releases without a number.
test_unnumbered() {
    rm -rf "$store"
    for name in z1 m2 a3 k4; do publish $name; done
    unnumbered z1 m2 a3 k4
    equal "$(releases "$store")" "z1 m2 a3 k4" "releases without numbers"
    publish b5
    equal "$(releases "$store")" "z1 m2 a3 k4 b5" "and one with"
    # Two of one time: nobody knows, so nothing goes when it matters.
    touch -r "$store/m2" "$store/a3"
    find "$store" | sort >before
    expect_exit 11 "$ihop_store" gc --keep 3 "$store"
    one_line_on_stderr
    expect_stderr "^ihop-store: nothing was removed from $store, as it is not known which of the releases (m2 and a3|a3 and m2) is older"
    expect_exit 11 "$ihop_store" gc --dry-run --keep 3 "$store"
    find "$store" | sort >after
    diff before after || fail "something was removed"
    expect_exit 0 "$ihop_store" gc --dry-run --keep 4 --json "$store"
    expect_stdout '"releases_removed": *\["z1"\]'
    expect_exit 0 "$ihop_store" gc --dry-run --keep 2 "$store"
    expect_exit 0 "$ihop_store" protect --quiet "$store/m2"
    expect_exit 11 "$ihop_store" gc --dry-run --keep 3 "$store"
    expect_exit 0 "$ihop_store" protect --quiet "$store/a3"
    expect_exit 0 "$ihop_store" gc --quiet --keep 3 "$store"
    equal "$(releases "$store")" "a3 m2 k4 b5" "releases"
}

interrupt() { expect_exit 5 odd "$@" "$ihop_clone" --quiet "$tmp/partial.cba" "$store/partial"; }

# stays [VARIABLE=VALUE...]: what it has fetched, in a clean-up on such a machine.
stays() {
    expect_exit 0 odd "$@" "$ihop_store" gc --dry-run --json "$store"
    expect_stdout '"partial_kept": *1\b'
    expect_exit 0 odd "$@" "$ihop_store" gc --json "$store"
    expect_stdout '"partial_kept": *1\b'
    expect_stdout '"chunks_removed": *0\b'
}

goes() {
    expect_exit 0 odd "$@" "$ihop_store" gc --dry-run --json "$store"
    expect_stdout '"partial_removed": *1\b'
    expect_exit 0 odd "$@" "$ihop_store" gc --json "$store"
    expect_stdout '"partial_removed": *1\b'
    [ -z "$(ls -A "$store/.ihop/partial" "$store/.ihop/seen" | grep -v :)" ] || fail "something is left"
}

# Interrupted clones.
test_interrupted_clones() {
    for a in "${clocks[@]}"; do
        rm -rf "$store"
        publish z1
        touch -d '90 days ago' "$store/z1"
        interrupt ODD_CLOCK="$a"
        for b in "${clocks[@]}"; do
            stays ODD_CLOCK="$b"
            stays ODD_CLOCK="$b,$a"
        done
        # After another boot, which counts for a day at most.
        for b in "${clocks[@]}"; do
            cat /proc/sys/kernel/random/uuid >boot
            stays ODD_CLOCK="$b" ODD_BOOT="$tmp/boot" ODD_UPTIME=-1000000
        done
        stays
        # Going on where it ended makes it young again; the end of it all ends that, too.
        stays ODD_UPTIME=$((20 * 86400)) # there were boots
        interrupt
        stays ODD_UPTIME=$((29 * 86400))
        goes ODD_UPTIME=$((31 * 86400)) ODD_CLOCK="$a"
    done
    interrupt
    goes ODD_UPTIME=$((31 * 86400))
    interrupt
    expect_exit 0 "$ihop_store" gc --partial-age 0 --json "$store"
    expect_stdout '"partial_removed": *1\b'
    # Boot after boot a day: that is a month in the end.
    interrupt
    for ((i = 0; i < 33; i++)); do
        cat /proc/sys/kernel/random/uuid >boot
        expect_exit 0 odd ODD_CLOCK=$((i * year)) ODD_BOOT="$tmp/boot" "$ihop_store" gc --json "$store"
        grep -q '"partial_removed": *1\b' out && break
    done
    [ "$i" -ge 29 ] && [ "$i" -lt 33 ] || fail "it went at boot $i"
}

run_cases "$@"
