#!/bin/bash
# SPDX-License-Identifier: MIT
# ihop-attach in a machine of user-mode Linux: what it refuses, what it says, and what is left when
# keepers and servers die in the middle of something. tests/test-vm-attach-load.sh is about reads.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs nbdkit dmsetup sfdisk nbd-client
[ -x "$builddir/ihop-attach" ] || skip "built without ihop-attach"
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

for name in v1 v2 new; do
    noise "$tmp/$name.img" 3000320 "$name"
done
mkdir "$tmp/files"
cp "$srcdir/README.md" "$tmp/files"
mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files" "$tmp/part" 1000
truncate -s 1M "$tmp/disk.img"
cat "$tmp/part" >>"$tmp/disk.img"
truncate -s +1M "$tmp/disk.img"
echo '2048,8000,L' | sfdisk -q "$tmp/disk.img"
cp "$srcdir/README.md" "$tmp/odd.img"
for name in v1 v2 new disk odd; do
    $cba make --fixed 50000 "$tmp/$name.img" "$tmp/$name.cba"
    [ $name = new ] || "$ihop_clone" -q "$tmp/$name.cba" "$tmp/store/$name"
done
b2sum <"$tmp/v1.img" | cut -c 1-128 >"$tmp/v1.id"

cat >"$tmp/guest" <<'GUEST'
module() { :; } # first a kernel whose module is not loaded, and cannot be found
. "$srcdir/tests/vm/attach-guest.sh"
refused 10 'CONFIG_BLK_DEV_NBD' attach "$tmp/store/v1"
module() { busybox insmod "$uml_modules/kernel/$1.ko"; }
module drivers/block/nbd
module drivers/md/dm-mod
store=$tmp/store
kill_both() {
    kill -9 "$(status keeper)" "$(status server)"
    wait_until 10 no_keeper
}
no_keeper() { [ "$(status keeper)" = none ]; }
unchanged() { [ "$(status keeper) $(status server)" = "$keeper $server" ]; }
remember() { keeper=$(status keeper) server=$(status server); }

now attach, once and again
[ "$(attach --timeout 2 "$store/v1" -- verify=first)" = /dev/nbd0 ]
cmp /dev/nbd0 "$tmp/v1.img"
[ "$(cat /sys/block/nbd0/ro) $(cat /sys/block/nbd0/queue/io_timeout)" = "1 1540" ] # a kernel of 100 ticks a second
remember
[ "$(head -c 1 "/proc/$keeper/cmdline") $(head -c 1 "/proc/$server/cmdline")" = "@ @" ]
grep -q verify=first "/proc/$server/cmdline"
[ "$(cat /run/ihop-attach/nbd0.pid)" = "$keeper" ]
[ "$(attach "$store/v1" /dev/nbd0)" = /dev/nbd0 ]
[ "$(attach "$store/v1")" = /dev/nbd0 ]
attach -q --json "$store/v1" | grep -q '"attached_before": *true'
unchanged
refused 12 'another image: ihop v1' attach "$store/v2" /dev/nbd0
refused 2 'no NBD device' attach "$store/v2" /dev/null
refused 10 'has no release v9' attach "$store/v9"
refused 12 'id=00' attach --id 00 "$store/v1"
refused 10 '/dev/nbd5 is not attached' attach --status /dev/nbd5
refused 10 '/dev/nbd5 is not attached' attach --upgrade /dev/nbd5
refused 10 '/dev/nbd5 is not attached' attach --detach /dev/nbd5
[ "$(servers)" = 1 ]

now two at once
attach -q "$store/v2" >/run/a & first=$!
attach -q "$store/v2" >/run/b & second=$!
attach -q "$store/odd" >/run/c & third=$!
wait $first; wait $second; wait $third
cmp /run/a /run/b
! cmp -s /run/a /run/c
cmp -n "$(stat -c %s "$tmp/odd.img")" "$(cat /run/c)" "$tmp/odd.img"
[ "$(attach --list | wc -l) $(servers)" = "3 3" ]
attach -q --detach "$(cat /run/a)"
kill "$(status keeper "$(cat /run/c)")" # a keeper whose device nobody uses detaches it
three_gone() { [ "$(attach --list | wc -l) $(servers)" = "1 1" ]; }
wait_until 10 three_gone

now a server that does not start
socket=$(cd /run/ihop-attach; echo nbd0.*.sock)
refused 7 'the server ended:.*error: .*/dev/null' attach --plugin /dev/null "$store/v2"
refused 10 '/nonexistent: No such file' attach --nbdkit /nonexistent "$store/v2"
[ "$(attach --list | wc -l) $(servers)" = "1 1" ]
[ "$(cd /run/ihop-attach; echo *)" = "lock nbd0 $socket nbd0.lock nbd0.pid nbd1.lock nbd2.lock" ]
refused 7 'the server ended:.*error: .*/dev/null' attach --upgrade --plugin /dev/null /dev/nbd0
refused 10 '/nonexistent: No such file' attach --upgrade --nbdkit /nonexistent /dev/nbd0
unchanged
cmp /dev/nbd0 "$tmp/v1.img"

now a keeper that dies in mid-upgrade
cat >/run/slow-nbdkit <<'SLOW'
#!/bin/sh
exec nbdkit --filter=delay "$@" delay-open=30
SLOW
chmod +x /run/slow-nbdkit
attach --upgrade --nbdkit /run/slow-nbdkit /dev/nbd0 2>/run/stderr & upgrade=$!
new_keeper() { pgrep -f '@ihop-attach-keeper /dev/nbd0' | grep -vx "$keeper"; }
two_servers() { [ "$(servers)" = 2 ]; }
wait_until 20 two_servers
kill -9 "$(new_keeper)"
! wait $upgrade
grep -q 'keeper ended before' /run/stderr
unchanged
cmp /dev/nbd0 "$tmp/v1.img"
ihop_attach -q --upgrade /dev/nbd0 # ends the server that nobody knew, too
other_keeper "$keeper"
wait_until 10 gone "$server"
[ "$(servers)" = 1 ]
tr '\0' ' ' <"/proc/$(status server)/cmdline" | grep -q 'verify=first'

now a watched keeper
refused 10 '/dev/nbd5 is not attached' attach --watch /dev/nbd5
"$builddir/ihop-attach" --watch /dev/nbd0 2>/run/watched & watcher=$!
"$builddir/ihop-attach" --watch /dev/nbd0 2>/run/watched2 & watcher2=$!
remember
for i in 1 2 3; do # the second one is the child of a watcher
    kill -9 "$keeper"
    wait_until 20 other_keeper "$keeper"
    wait_until 20 gone "$server"
    remember
    cmp /dev/nbd0 "$tmp/v1.img"
    [ "$(servers)" = 1 ]
done
kill -9 "$keeper" "$server"
wait_until 20 other_keeper "$keeper"
cmp /dev/nbd0 "$tmp/v1.img"
remember
ihop_attach --upgrade /dev/nbd0 # which is no event
other_keeper "$keeper"
remember
[ "$(cat /run/watched /run/watched2 | grep -c 'the old one had died')" = 4 ]
# Nothing is given up when it cannot be done yet; nor is a device taken away that only lost its watcher.
mv "$store/v1" "$tmp/away"
kill -9 "$keeper"
failed_to_watch() { grep -q 'no new keeper yet: ' /run/watched /run/watched2; }
wait_until 20 failed_to_watch
mv "$tmp/away" "$store/v1"
wait_until 20 other_keeper "$keeper"
remember
kill "$watcher" "$watcher2"
wait $watcher && false
wait $watcher2 && false
unchanged
cmp /dev/nbd0 "$tmp/v1.img"

now a chunk that is lost while the device is attached
chunk=$(echo "$store"/chunks/*/"$(dd if="$tmp/v1.img" bs=50000 skip=20 count=1 status=none | b2sum | cut -c 1-32)"*)
mv "$chunk" "$tmp/lost"
server=$(status server)
kill -9 "$server"
wait_until 20 other_server "$server"
attach -q --upgrade /dev/nbd0
cmp -n 40000 /dev/nbd0 "$tmp/v1.img"
echo 3 >/proc/sys/vm/drop_caches
! dd if=/dev/nbd0 bs=50000 skip=20 count=1 of=/dev/null status=none
mv "$tmp/lost" "$chunk"
echo 3 >/proc/sys/vm/drop_caches
cmp /dev/nbd0 "$tmp/v1.img"

now a keeper that died while a device was suspended
dmsetup create --noudevsync lin --table "0 5000 linear /dev/nbd0 0"
refused 8 'in use' attach --detach /dev/nbd0
dmsetup suspend --noudevsync --noflush --nolockfs lin
kill_both
echo "suspended $(dmsetup info -c --noheadings --separator : -o major,minor lin)" >>/run/ihop-attach/nbd0
attach "$store/v1"
[ "$(dmsetup info -c --noheadings -o suspended lin)" = Active ]
cmp -n 2560000 /dev/dm-0 "$tmp/v1.img"
! grep suspended /run/ihop-attach/nbd0
dmsetup remove --noudevsync lin

now a release that is replaced while it is attached
remember
"$builddir/ihop-clone" -q --force "$tmp/new.cba" "$store/v1"
"$builddir/ihop-store" -q gc "$store"
kill -9 "$server"
wait_until 20 other_server "$server"
echo 3 >/proc/sys/vm/drop_caches
cmp /dev/nbd0 "$tmp/v1.img"
refused 12 'another image' attach "$store/v1" /dev/nbd0
kill_both
refused 12 'has no keeper.*--upgrade' attach "$store/v1" /dev/nbd0
[ "$(attach "$store/v1")" = /dev/nbd1 ]
cmp /dev/nbd1 "$tmp/new.img"
attach -q --detach /dev/nbd1
"$builddir/ihop-store" gc "$store" >/run/gc # no lock is left, but the device
ihop_attach --upgrade /dev/nbd0
echo 3 >/proc/sys/vm/drop_caches
cmp /dev/nbd0 "$tmp/v1.img"
"$builddir/ihop-store" -q gc "$store"
cmp /dev/nbd0 "$tmp/v1.img"

now without its record
server=$(status server)
kill_both
rm -r /run/ihop-attach
[ "$(attach --status /dev/nbd0 | grep -c none)" = 2 ]
refused 10 'no record' attach --upgrade /dev/nbd0
attach --id "$(cat "$tmp/v1.id")" "$store/v1" /dev/nbd0
cmp /dev/nbd0 "$tmp/v1.img"
# Under another name of the same image: the kernel knows the device by the first one.
kill_both
"$builddir/ihop-clone" -q "$tmp/v1.cba" "$store/other"
[ "$(attach "$store/other")" = /dev/nbd0 ]
[ "$(status release)" = v1 ]
cmp /dev/nbd0 "$tmp/v1.img"

now detach while the keeper waits for a server
cat >/run/slow-later <<'SLOW'
#!/bin/sh
[ ! -e /run/slow ] || exec nbdkit --filter=delay "$@" delay-open=600
exec nbdkit "$@"
SLOW
chmod +x /run/slow-later
[ "$(attach --nbdkit /run/slow-later "$store/odd" /dev/nbd3)" = /dev/nbd3 ]
touch /run/slow
kill -9 "$(status server /dev/nbd3)"
is_slow() { pgrep -f 'delay-open=600' >/run/pids; }
wait_until 20 is_slow
begun=$SECONDS
ihop_attach -q --detach /dev/nbd3
[ $((SECONDS - begun)) -lt 10 ]
[ ! -e /sys/block/nbd3/pid ]
! is_slow
# And a keeper that was not ready yet, whose device is not there.
code=0
"$builddir/ihop-attach" -f --nbdkit /run/slow-later --plugin "$builddir/.libs/nbdkit-ihop-plugin.so" "$store/odd" /dev/nbd3 2>/run/err & keeper=$!
wait_until 20 is_slow
kill "$keeper"
wait $keeper || code=$?
[ $code = 7 ]
grep -q 'a signal ended' /run/err
! is_slow

now detach without a keeper
exec 7</dev/nbd0 # open, which is no use
kill_both
exec 7<&-
attach -q --detach /dev/nbd0
[ ! -e /sys/block/nbd0/pid ]
[ "$(servers)" = 0 ]
[ "$(cd /run/ihop-attach; echo *)" = "lock nbd0.lock nbd3.lock" ]
[ "$(cat /sys/block/nbd0/queue/io_timeout)" = 30000 ]

now a device of which somebody else makes another one
[ "$(attach "$store/v2")" = /dev/nbd0 ]
remember
kill -STOP "$keeper" # so that it sees neither in time
nbd-client -d /dev/nbd0 >/dev/null
not_connected() { [ ! -e /sys/block/nbd0/pid ]; }
wait_until 10 not_connected
nbdkit -U /run/foreign.sock -P /run/foreign.pid memory 1M
nbd-client -unix /run/foreign.sock /dev/nbd0 >/dev/null
refused 12 'another program' attach --detach /dev/nbd0
kill -CONT "$keeper"
wait_until 20 gone "$keeper"
wait_until 20 gone "$server"
[ "$(cat /sys/block/nbd0/size)" = 2048 ]
cmp -n 1048576 /dev/nbd0 /dev/zero
nbd-client -d /dev/nbd0 >/dev/null
kill -9 "$(cat /run/foreign.pid)"
wait_until 10 not_connected

now partitions
[ "$(attach "$store/disk")" = /dev/nbd0 ]
mount -t ext4 -o ro /dev/nbd0p1 /run/mnt
refused 8 'in use' attach --detach /dev/nbd0
remember
kill "$keeper" "$server"
kill -HUP "$keeper"
kill_both
refused 8 'in use' attach --detach /dev/nbd0
[ "$(attach "$store/disk")" = /dev/nbd0 ]
echo 3 >/proc/sys/vm/drop_caches
cmp /run/mnt/README.md "$srcdir/README.md"
umount /run/mnt
"$builddir/ihop-attach" --watch /dev/nbd0 2>/run/watched & watcher=$!
is_watching() { find "/proc/$watcher/fd" -lname '*pidfd*' | grep -q .; }
wait_until 20 is_watching
attach -q --detach /dev/nbd0
wait $watcher
grep -q 'nbd0 is detached' /run/watched

now in the foreground, as a service
"$builddir/ihop-attach" -f --plugin "$builddir/.libs/nbdkit-ihop-plugin.so" "$store/v2" >/run/out 2>/run/err & keeper=$!
is_printed() { [ -s /run/out ]; }
wait_until 20 is_printed
[ "$(cat /run/out) $(status keeper)" = "/dev/nbd0 $keeper" ]
server=$(status server)
kill -9 "$server"
wait_until 20 other_server "$server"
grep -q 'server [0-9]* serves it now' /run/err
private=$(awk '/Private/ { n += $2 } END { print n }' "/proc/$keeper/smaps_rollup")
switches() { grep ctxt_switches "/proc/$keeper/status"; }
idle=$(switches)
sleep 0.1; sleep 0.1; [ "$(switches)" = "$idle" ]
kill "$keeper"
wait $keeper
[ ! -e /sys/block/nbd0/pid ]
refused 2 'too many' attach -f a b c
refused 7 'the server ended:.*error: .*/dev/null' attach -f --plugin /dev/null "$store/v2"
echo "private $private KiB"
[ "$private" -le 1024 ]
[ "$(servers)" = 0 ]

now an image beyond a gap
busybox rmmod nbd
busybox insmod "$uml_modules/kernel/drivers/block/nbd.ko" nbds_max=1
[ "$(attach "$store/v2" /dev/nbd7)" = /dev/nbd7 ]
[ "$(cd /sys/block; echo nbd*)" = "nbd0 nbd7" ]
[ "$(attach "$store/v2")" = /dev/nbd7 ]
[ "$(attach "$store/odd")" = /dev/nbd0 ]
echo guest done
GUEST

uml 300 "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
cat "$tmp/console"
