#!/bin/bash
# SPDX-License-Identifier: MIT
# ihop-attach under load, in a machine of user-mode Linux: four readers that compare every byte, and
# a loop that checksums the files of the mounted release, while its server is killed, hangs, is
# upgraded, and while its keeper and both are killed. Run by hand, from a build directory;
# tests/test-vm-attach-load.sh does it with small numbers. For those of docs/ihop-attach.pod:
#
#     KILLS=20 UPGRADES=10 TIMEOUT=2 bash ../tests/vm/attach-kill.sh
#     KILLS=20 UPGRADES=10 TIMEOUT=10 bash ../tests/vm/attach-kill.sh
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
keeper=$(status keeper)
checksums() {
    while [ ! -e /run/stop ]; do
        echo 3 >/proc/sys/vm/drop_caches
        (cd /run/mnt && sha256sum --quiet -c "$tmp/sums") || { echo wrong >>/run/wrong; return; }
    done
}
load() { readers "$@"; checksums & checker=$!; }
end_load() { touch /run/stop; wait "$checker"; [ ! -e /run/wrong ]; stop_readers "$1"; }

load /dev/nbd0 "$tmp/v1.img"
for i in $(seq "$kills"); do
    server=$(status server)
    kill -9 "$server"
    wait_until 20 other_server "$server"
    going_on
done
[ "$(status keeper)" = "$keeper" ]
end_load "T=$timeout, $kills servers killed"
at_most "$(longest)" "$((timeout + 1)).5" # and what reading takes on a busy machine

# The keeper dies, then both: the next ihop-attach takes over.
load /dev/nbd0 "$tmp/v1.img"
server=$(status server)
kill -9 "$keeper"
wait_until 10 gone "$keeper"
going_on
[ "$(status keeper) $(status server)" = "none $server" ]
[ "$(attach "$tmp/store/v1" /dev/nbd0)" = /dev/nbd0 ]
[ "$(status timeout)" = "$timeout" ]
other_server "$server"
going_on
keeper=$(status keeper)
kill -9 "$keeper" "$(status server)"
wait_until 10 gone "$keeper"
[ "$(attach "$tmp/store/v1")" = /dev/nbd0 ]
going_on
end_load "T=$timeout, keeper killed, both killed"

load /dev/nbd0 "$tmp/v1.img"
server=$(status server)
kill -STOP "$server"
wait_until $((4 * timeout + 20)) other_server "$server"
going_on
end_load "T=$timeout, a server hung"

upgrade() {
    server=$(status server) keeper=$(status keeper)
    ihop_attach --upgrade /dev/nbd0
    other_server "$server"
    other_keeper "$keeper"
    wait_until 10 gone "$server"
    wait_until 10 gone "$keeper"
    going_on
}
load /dev/nbd0 "$tmp/v1.img"
for i in $(seq $(((upgrades + 4) / 5))); do
    upgrade
done
end_load "T=$timeout, upgrades under full load"
umount /run/mnt

# With a pause between reads there is a moment for it.
readers /dev/nbd0 "$tmp/v1.img" 0.05
read_step=20
for i in $(seq "$upgrades"); do
    upgrade 2>>/run/notes
done
stop_readers "T=$timeout, $upgrades upgrades between reads"

# And with a device-mapper device above it is made.
dmsetup create --noudevsync lin --table "0 48000 linear /dev/nbd0 0"
mount -t ext4 -o ro /dev/dm-0 /run/mnt
read_step=100
load /dev/dm-0 "$tmp/v1.img"
for i in $(seq "$upgrades"); do
    upgrade 2>>/run/notes-dm
done
end_load "T=$timeout, $upgrades upgrades below device-mapper"
! grep -v 'new keeper' /run/notes-dm
[ "$(dmsetup info -c --noheadings -o suspended lin)" = Active ]
at_most "$(longest)" "$(awk -v t="$timeout" 'BEGIN { print 0.7 * t }')" # none cost a timeout
umount /run/mnt
dmsetup remove --noudevsync lin
[ "$(servers)" = 1 ]
attach --detach /dev/nbd0
echo guest done
GUEST
sed -i "1i kills=${KILLS:-5} upgrades=${UPGRADES:-5} timeout=${TIMEOUT:-2}" "$tmp/guest"

uml "${UML_SECONDS:-900}" "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
cat "$tmp/results"
