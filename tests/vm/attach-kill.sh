#!/bin/bash
# SPDX-License-Identifier: MIT
# ihop-attach in a machine of user-mode Linux: a release is attached and mounted, and stays mounted
# and readable while its server, its keeper, and both are killed under load. Run by hand, from a
# build directory; KILLS=20 for the numbers of docs/device.md:
#
#     bash ../tests/vm/attach-kill.sh
#
# Needs user-mode-linux, busybox-static, e2fsprogs, python3, iproute2; no root.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs python3 nbdkit

make_release() { # NAME SEED
    mkdir "$tmp/files-$1"
    for i in $(seq 20); do
        noise "$tmp/files-$1/file$i" $((i * 60000)) "$2$i"
    done
    truncate -s 24000k "$tmp/$1.img"
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files-$1" "$tmp/$1.img"
    $cba make --fixed 50000 "$tmp/$1.img" "$tmp/$1.cba"
    "$ihop_clone" -q "$tmp/$1.cba" "$tmp/store/$1"
}

make_release v1 1
make_release v2 2
$cba make --fixed 50000 "$srcdir/README.md" "$tmp/odd.cba"
"$ihop_clone" -q "$tmp/odd.cba" "$tmp/store/odd"

cat >"$tmp/guest" <<'GUEST'
module drivers/block/nbd
attach() { "$builddir/ihop-attach" --plugin "$builddir/.libs/nbdkit-ihop-plugin.so" "$@"; }
status() { attach --status /dev/nbd0 | sed -n "s/^$1 //p"; }
now() { echo "$(cut -d" " -f1 /proc/uptime) $*"; }
reads() { cat /run/count 2>/dev/null || echo 0; }
more_reads() { [ "$(reads)" -gt $(($1 + 100)) ]; }
going_on() { wait_until 30 more_reads "$(reads)"; }
other_server() { [ "$(status server)" != "$1" ] && [ "$(status server)" != none ]; }
refused() { # EXIT-CODE COMMAND...
    local r=0 code=$1
    shift
    "$@" || r=$?
    [ $r -eq "$code" ] || { echo "exit $r, not $code: $*"; return 1; }
}

[ "$(attach --timeout 2 "$tmp/store/v1")" = /dev/nbd0 ]
cmp /dev/nbd0 "$tmp/v1.img"
[ "$(cat /sys/block/nbd0/ro)" = 1 ]
attach --status /dev/nbd0
keeper=$(status keeper)
[ "$(head -c 1 "/proc/$keeper/cmdline")" = @ ]
[ "$(head -c 1 "/proc/$(status server)/cmdline")" = @ ]

# Again: nothing to do. Another image: refused. Without a device: the one that has the image.
[ "$(attach "$tmp/store/v1" /dev/nbd0)" = /dev/nbd0 ]
[ "$(attach "$tmp/store/v1")" = /dev/nbd0 ]
[ "$(status keeper)" = "$keeper" ]
refused 12 attach "$tmp/store/v2" /dev/nbd0
[ "$(attach "$tmp/store/v2")" = /dev/nbd1 ]
cmp /dev/nbd1 "$tmp/v2.img"
attach --list
attach --detach /dev/nbd1
[ "$(attach "$tmp/store/odd")" = /dev/nbd1 ]
cmp -n "$(stat -c %s "$srcdir/README.md")" /dev/nbd1 "$srcdir/README.md"
attach -q --detach /dev/nbd1
[ ! -e /sys/block/nbd1/pid ]

mount -t ext4 -o ro /dev/nbd0 /run/mnt
refused 8 attach --detach /dev/nbd0
python3 "$srcdir/tests/vm/readers.py" /dev/nbd0 "$tmp/v1.img" 4 /run/stop /run/count >/run/result &
going_on

# SIGTERM does nothing to a server, nor to the keeper of a mounted device.
server=$(status server)
kill "$server" "$keeper"
going_on
[ "$(status server) $(status keeper)" = "$server $keeper" ]

for i in $(seq "$kills"); do
    server=$(status server)
    kill -9 "$server"
    wait_until 20 other_server "$server"
    going_on
done
now "servers killed $kills"

# The keeper dies, then both: the next ihop-attach takes over.
server=$(status server)
kill -9 "$keeper"
going_on
[ "$(status keeper) $(status server)" = "none $server" ]
[ "$(attach "$tmp/store/v1" /dev/nbd0)" = /dev/nbd0 ]
[ "$(status timeout)" = 2 ]
other_server "$server"
going_on
now "keeper killed"
kill -9 "$(status keeper)"
kill -9 "$(status server)"
[ "$(attach "$tmp/store/v1")" = /dev/nbd0 ]
going_on
now "taken over"

# A server that hangs is replaced.
server=$(status server)
kill -STOP "$server"
wait_until 30 other_server "$server"
going_on
now "hang survived"

touch /run/stop
wait $! || true
cat /run/result
cp /run/result "$tmp/result"
umount /run/mnt
keeper=$(status keeper)
grep -e Private -e Locked "/proc/$keeper/smaps_rollup"
switches() { grep ctxt_switches "/proc/$keeper/status"; }
idle=$(switches)
sleep 2
[ "$(switches)" = "$idle" ]
attach --detach /dev/nbd0
[ ! -e "/proc/$keeper" ] || grep -q 'State:.*Z' "/proc/$keeper/status"
[ ! -e /sys/block/nbd0/pid ]
ls /run/ihop-attach
refused 10 attach --status /dev/nbd0
echo guest done
GUEST
sed -i "1i kills=${KILLS:-5}" "$tmp/guest"

uml "${UML_SECONDS:-300}" "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
cat "$tmp/console"
grep -q '^reads [0-9]* failed 0 wrong 0 ' "$tmp/result"
