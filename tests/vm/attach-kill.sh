#!/bin/bash
# SPDX-License-Identifier: MIT
# ihop-attach under load, in a machine of user-mode Linux: four readers that compare every byte, and
# a loop that checksums the files of the mounted release, while its server, its keeper or both are
# killed, while the server hangs and while it is upgraded. No read may fail or be wrong. Run by hand,
# from a build directory; tests/test-vm-attach-load.sh is this with some rest between reads (PAUSE) and
# between checksums (REST), which leave the processor to what is tested. For the numbers of
# docs/ihop-attach.pod:
#
#     TIMEOUT=2 bash ../tests/vm/attach-kill.sh
#     TIMEOUT=10 bash ../tests/vm/attach-kill.sh
#
# How long the longest read after a kill took is printed. That it is at most the timeout and 1 s holds
# on a quiet machine: LONGEST=3 makes anything above an error. On a busy one, where readers, checksums,
# server and this script wait for the same processor, it says how busy that is; so by default only
# what is above 20 s is an error: the kernel's own timer, if nobody had set it, takes 30 s.
#
# Needs user-mode-linux, busybox-static, e2fsprogs, dmsetup, python3, iproute2; no root.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs python3 nbdkit dmsetup
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

mkdir "$tmp/files"
for i in $(seq 20); do
    noise "$tmp/files/file$i" $((i * 60000)) "$i"
done
(cd "$tmp/files" && sha256sum file*) >"$tmp/sums"
truncate -s 24000k "$tmp/v1.img"
mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files" "$tmp/v1.img"
$cba make --fixed 50000 "$tmp/v1.img" "$tmp/v1.cba"
"$ihop_clone" -q "$tmp/v1.cba" "$tmp/store/v1"

cat >"$tmp/guest" <<'GUEST'
. "$srcdir/tests/vm/attach-guest.sh"
module drivers/md/dm-mod

attach --timeout "$timeout" "$tmp/store/v1" /dev/nbd0
mount -t ext4 -o ro /dev/nbd0 /run/mnt
checksums() {
    while [ ! -e /run/stop ]; do
        echo 3 >/proc/sys/vm/drop_caches
        (cd /run/mnt && sha256sum --quiet -c "$tmp/sums") || { echo wrong >>/run/wrong; return; }
        sleep "$rest"
    done
}
load() { readers "$@" "$pause"; checksums & checker=$!; }
end_load() { touch /run/stop; wait "$checker"; [ ! -e /run/wrong ]; stop_readers "$1"; }

# Of five deaths three are the server's, which the keeper replaces; one is the keeper's, when server
# and kernel go on; and one is both of them, when reads wait for the next ihop-attach.
kill_server() {
    kill -9 "$server"
    wait_until 20 other_server "$server"
    [ "$(status keeper)" = "$keeper" ]
}
kill_keeper() {
    kill -9 "$keeper"
    wait_until 10 gone "$keeper"
    going_on
    [ "$(status keeper) $(status server)" = "none $server" ]
    [ "$(attach "$tmp/store/v1" /dev/nbd0)" = /dev/nbd0 ]
}
kill_both() {
    kill -9 "$keeper" "$server"
    wait_until 10 gone "$keeper"
    [ "$(attach "$tmp/store/v1")" = /dev/nbd0 ]
}
now kills
load /dev/nbd0 "$tmp/v1.img"
for i in $(seq "$kills"); do
    keeper=$(status keeper) server=$(status server)
    case $((i % 5)) in
        3) kill_keeper ;;
        4) kill_both ;;
        *) kill_server ;;
    esac
    other_server "$server"
    [ "$(status timeout)" = "$timeout" ]
    going_on
done
end_load "T=$timeout, $kills kills of servers, keepers and both"
at_most "$(longest)" "$most"

now a hang
load /dev/nbd0 "$tmp/v1.img"
server=$(status server)
kill -STOP "$server"
wait_until $((4 * timeout + 20)) other_server "$server"
going_on
end_load "T=$timeout, a server hung"

upgrade() {
    server=$(status server) keeper=$(status keeper)
    ihop_attach --upgrade /dev/nbd0
    switches="$switches $(status switch-ms)"
    other_server "$server"
    other_keeper "$keeper"
    wait_until 10 gone "$server"
    wait_until 10 gone "$keeper"
    going_on
}
tell_switches() { echo "T=$timeout, $1: switches of$switches ms" | tee -a "$tmp/results"; }
now upgrades under full load
switches=
load /dev/nbd0 "$tmp/v1.img"
for i in $(seq $(((upgrades + 4) / 5))); do
    upgrade
done
end_load "T=$timeout, upgrades under full load"
tell_switches "upgrades under full load"
umount /run/mnt

now upgrades of an idle device
switches=
going_on() { :; }
for i in $(seq "$upgrades"); do
    upgrade 2>>/run/notes
done
going_on() { wait_until 60 more_reads "$(reads)"; }
tell_switches "$upgrades upgrades of an idle device"

# With a pause between reads there is a moment for it.
now upgrades between reads
switches=
readers /dev/nbd0 "$tmp/v1.img" 0.05
read_step=20
for i in $(seq "$upgrades"); do
    upgrade 2>>/run/notes
done
stop_readers "T=$timeout, $upgrades upgrades between reads"
tell_switches "$upgrades upgrades between reads"

# And with a device-mapper device above it is made.
dmsetup create --noudevsync lin --table "0 48000 linear /dev/nbd0 0"
mount -t ext4 -o ro /dev/dm-0 /run/mnt
now upgrades below device-mapper
switches= read_step=100
load /dev/dm-0 "$tmp/v1.img"
for i in $(seq "$upgrades"); do
    upgrade 2>>/run/notes-dm
done
end_load "T=$timeout, $upgrades upgrades below device-mapper"
tell_switches "$upgrades upgrades below device-mapper"
! grep -v 'new keeper' /run/notes-dm
[ "$(dmsetup info -c --noheadings -o suspended lin)" = Active ]
at_most "$(longest)" "$most"
umount /run/mnt
dmsetup remove --noudevsync lin
[ "$(servers)" = 1 ]
attach --detach /dev/nbd0
now done
echo guest done
GUEST
timeout=${TIMEOUT:-2}
sed -i "1i kills=${KILLS:-20} upgrades=${UPGRADES:-10} timeout=$timeout pause=${PAUSE:-0} rest=${REST:-0} most=${LONGEST:-20}" "$tmp/guest"

uml "${UML_SECONDS:-900}" "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
cat "$tmp/results"
