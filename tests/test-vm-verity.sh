#!/bin/bash
# SPDX-License-Identifier: MIT
# ihop-attach --verity in a machine of user-mode Linux: what is opened above a release, what is
# refused and then leaves nothing behind, reads from damaged chunks, which fail and are never
# wrong, and a mount that outlives its server and its keeper.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
. "$srcdir/tests/vm/uml.sh"
requires mke2fs veritysetup dmsetup nbdkit
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

# An ext4 image with its hash tree after it, in chunks of 50,000 bytes.
tree=$((8 << 20))
mkdir "$tmp/files"
for i in $(seq 15); do
    noise "$tmp/files/file$i" $((i * 40000)) "$i"
done
truncate -s $tree "$tmp/v1.img"
mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files" "$tmp/v1.img"
head -c $tree "$tmp/v1.img" >"$tmp/data"
veritysetup format --hash-offset=$tree "$tmp/v1.img" "$tmp/v1.img" >"$tmp/format"
root=$(sed -n 's/^Root hash:[[:space:]]*//p' "$tmp/format")
$cba make --fixed 50000 "$tmp/v1.img" "$tmp/v1.cba"
"$ihop_clone" -q "$tmp/v1.cba" "$tmp/store/v1"

# chunk_of FILE OFFSET: prints the chunk file that has this byte of a file, and where in the image
# the chunk begins.
chunk_of() {
    $python - "$tmp" "$1" "$2" <<'PYTHON'
import pathlib, sys
tmp, name, offset = sys.argv[1], sys.argv[2], int(sys.argv[3])
image = pathlib.Path(tmp, "v1.img").read_bytes()
part = pathlib.Path(tmp, "files", name).read_bytes()[offset // 4096 * 4096:][:4096]
at = image.index(part) // 50000 * 50000
for path in pathlib.Path(tmp, "store/chunks").rglob("*.chunk"):
    if path.read_bytes() == image[at:at + 50000]:
        print(path, at)
        break
PYTHON
}

read -r flipped flipped_at < <(chunk_of file10 300000)
read -r cut cut_at < <(chunk_of file15 500000)
read -r other other_at < <(chunk_of file13 500000)
if [ -z "$flipped" ] || [ -z "$other" ] || [ -z "$cut" ] || [ "$flipped" = "$cut" ]; then
    fail "no chunks to damage"
fi

"$builddir/ihop-store" -q try "$tmp/store/v1" --tries 3

cat >"$tmp/guest" <<GUEST
verity=roothash=$root,offset=$tree
root=$root
tree=$tree
flipped=$flipped flipped_at=$flipped_at
cut=$cut cut_at=$cut_at
other=$other other_at=$other_at
kills=${KILLS:-1}
GUEST
cat >>"$tmp/guest" <<'GUEST'
plugin=$builddir/.libs/nbdkit-ihop-plugin.so
mapped=/dev/mapper/ihop-nbd0
wrong=roothash=${root//[0-7]/8},offset=$tree
attach() { "$builddir/ihop-attach" --plugin "$plugin" "$@"; }
status() { attach --status /dev/nbd0 | sed -n "s/^$1 //p"; }
reads() { cat /run/count 2>/dev/null || echo 0; }
more_reads() { [ "$(reads)" -gt $(($1 + 100)) ]; }
going_on() { wait_until 30 more_reads "$(reads)"; }
other_server() { [ "$(status server)" != "$1" ] && [ "$(status server)" != none ]; }
refused() { # EXIT-CODE TEXT COMMAND...
    local r=0 code=$1 text=$2
    shift 2
    "$@" 2>/run/error || r=$?
    [ $r -eq "$code" ] || { cat /run/error; echo "exit $r, not $code: $*"; return 1; }
    grep -qF -e "$text" /run/error || { cat /run/error; echo "not said: $text"; return 1; }
}
nothing_left() { # N
    [ ! -e "/sys/block/nbd$1/pid" ] && [ ! -e "/dev/mapper/ihop-nbd$1" ] && [ ! -e "/run/ihop-attach/nbd$1" ]
    dmsetup info "ihop-nbd$1" 2>&1 | grep -q 'not exist'
}
reads_or_fails() { # DEVICE OFFSET SIZE EXPECTED: all of it as it should be, or EIO
    local r=0
    dd "if=$1" bs=4096 skip=$(($2 / 4096)) count=$((($3 + 4095) / 4096)) iflag=direct 2>/run/error >/run/read || r=$?
    [ $r -ne 0 ] || { echo "a damaged chunk was read at $2"; return 1; }
    grep -q 'Input/output error' /run/error
    cmp -n "$(stat -c %s /run/read)" /run/read "$4" 0 $(($2 / 4096 * 4096))
}

# What the kernel lacks is said, and nothing is left.
module drivers/block/nbd
refused 10 CONFIG_BLK_DEV_DM attach "--verity=$verity" "$tmp/store/v1"
[ ! -e /sys/block/nbd0/pid ] && [ ! -e /run/ihop-attach/nbd0 ]
[ ! -e /dev/mapper ] || [ -z "$(ls /dev/mapper)" ]
module drivers/md/dm-mod
refused 10 CONFIG_DM_VERITY attach "--verity=$verity" "$tmp/store/v1"
nothing_left 0
module drivers/md/dm-bufio
module drivers/md/dm-verity

# Nor is anything left of a root hash that does not fit, whatever was to happen on corruption.
refused 5 'records no root hash' attach --verity "$tmp/store/v1"
nothing_left 0
refused 5 'does not fit' attach "--verity=$wrong" "$tmp/store/v1"
nothing_left 0
code=0
attach -f "--verity=$wrong,on-corruption=panic" "$tmp/store/v1" 2>/run/error || code=$?
[ $code -eq 5 ]
wait_until 20 grep -q 'does not fit' /run/error
nothing_left 0
refused 5 'no superblock' attach "--verity=roothash=$root,offset=4096" "$tmp/store/v1"
refused 5 'refuses' attach "--verity=roothash=${root:0:40},offset=$tree" "$tmp/store/v1"
nothing_left 0

# Opened; again, nothing to do; otherwise, refused.
[ "$(attach "--verity=$verity" --timeout 1 "$tmp/store/v1")" = $mapped ]
cmp $mapped "$tmp/data"
attach --status /dev/nbd0
[ "$(status verity)" = $mapped ] && [ "$(status root-hash)" = "$root" ] && [ "$(status corrupted)" = no ]
attach --list | grep -q 'kept, verity'
attach --status --json $mapped | grep -q "\"root_hash\": *\"$root\""
veritysetup status ihop-nbd0 | grep -q verified
[ "$(attach "--verity=$verity" "$tmp/store/v1")" = $mapped ]
[ "$(attach "$tmp/store/v1")" = $mapped ]
refused 12 'another root hash' attach "--verity=$wrong" "$tmp/store/v1"
refused 12 'other options' attach "--verity=$verity,ignore-zero-blocks" "$tmp/store/v1"
rm $mapped
[ "$(attach "--verity=$verity" "$tmp/store/v1")" = $mapped ]
cmp -n 4096 $mapped "$tmp/data"

# The same image on a second device; a wrong root hash there takes nothing from the first.
refused 5 'does not fit' attach "--verity=$wrong" "$tmp/store/v1" /dev/nbd1
nothing_left 1
[ "$(status verity)" = $mapped ]

# In use, it is not detached. It outlives servers and keeper.
mount -t ext4 -o ro $mapped /run/mnt
refused 8 'in use' attach --detach /dev/nbd0
[ "$(status verity)" = $mapped ]
diff -r -x lost+found "$tmp/files" /run/mnt
python3 "$srcdir/tests/vm/readers.py" $mapped "$tmp/data" 4 /run/stop /run/count >/run/result &
going_on
for i in $(seq "$kills"); do
    server=$(status server)
    kill -9 "$server"
    wait_until 20 other_server "$server"
    going_on
done
kill -9 "$(status keeper)" "$(status server)"
[ "$(attach "$tmp/store/v1" /dev/nbd0)" = $mapped ]
going_on
# An upgrade suspends it: no read fails.
server=$(status server)
attach --upgrade /dev/nbd0
other_server "$server"
going_on
# A process that was killed while it held reads back: the next one lets them go.
kill -9 "$(status keeper)"
dmsetup suspend --noflush --nolockfs ihop-nbd0
[ "$(attach "--verity=$verity" "$tmp/store/v1")" = $mapped ]
going_on
touch /run/stop
wait $! || true
cat /run/result
cp /run/result "$tmp/result"

# Damaged chunks: reads from them fail, all others succeed.
cp "$flipped" /run/flipped
cp "$cut" /run/cut
cp "$other" /run/other
cp /run/flipped "$other" # with what another chunk should hold
printf X | dd "of=$flipped" bs=1 seek=20000 conv=notrunc status=none
truncate -s 30000 "$cut"
echo 3 >/proc/sys/vm/drop_caches
reads_or_fails $mapped "$flipped_at" 50000 "$tmp/data"
reads_or_fails $mapped "$cut_at" 50000 "$tmp/data"
reads_or_fails $mapped "$other_at" 50000 "$tmp/data"
echo 3 >/proc/sys/vm/drop_caches
for i in $(seq 15); do
    r=0
    cmp "$tmp/files/file$i" "/run/mnt/file$i" 2>/run/error || r=$?
    case $i in
        10 | 13 | 15) [ $r -eq 2 ] && grep -q 'Input/output error' /run/error ;;
        *) [ $r -eq 0 ] ;;
    esac
done
[ "$(status corrupted)" = yes ]

# When it is not in use any more, it goes, and the device below.
umount /run/mnt
attach --detach $mapped
nothing_left 0
cp /run/flipped "$flipped"
cp /run/cut "$cut"
cp /run/other "$other"

# What boot selection says, verified; the trial is counted.
[ "$(attach --boot "--verity=$verity" "$tmp/store")" = $mapped ]
[ "$(status release)" = v1 ] && [ "$(status root-hash)" = "$root" ]
[ "$("$builddir/ihop-store" selection --json "$tmp/store" | sed -n 's/.*"tries":\([0-9]*\).*/\1/p')" = 2 ]
cmp $mapped "$tmp/data"
attach --detach /dev/nbd0
nothing_left 0
refused 5 'does not fit' attach --boot "--verity=$wrong" "$tmp/store"
nothing_left 0

# A service manager hears of it when verity is open, and nothing when it cannot be opened.
hear() { # prints what was said, and whether verity was open then
    rm -f /run/notify
    python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/notify")
s.settimeout(float(os.sys.argv[1]))
try:
    said = s.recv(4096).decode().split()
except TimeoutError:
    said = ["nothing"]
print(*said, os.path.exists("/dev/mapper/ihop-nbd0"))' "$1" >/run/heard &
    listener=$!
    wait_until 20 test -e /run/notify
}
hear 60
NOTIFY_SOCKET=/run/notify "$builddir/ihop-attach" -f --plugin "$plugin" "--verity=$verity" "$tmp/store/v1" >/run/printed &
keeper=$!
wait $listener
[ "$(cat /run/heard)" = "MAINPID=$keeper READY=1 True" ]
kill $keeper
wait $keeper
nothing_left 0
hear 3
code=0
NOTIFY_SOCKET=/run/notify "$builddir/ihop-attach" -f --plugin "$plugin" "--verity=$wrong" "$tmp/store/v1" || code=$?
[ $code -eq 5 ]
wait $listener
[ "$(cat /run/heard)" = "nothing False" ]
nothing_left 0

# All options; a keeper in the foreground, which SIGTERM ends.
"$builddir/ihop-attach" -f --plugin "$plugin" "$tmp/store/v1" \
    "--verity=$verity,on-corruption=restart,ignore-zero-blocks,check-at-most-once" >/run/printed &
keeper=$!
wait_until 20 grep -qx $mapped /run/printed
dmsetup table ihop-nbd0 | grep 'verity 1 .* 3 restart_on_corruption ignore_zero_blocks check_at_most_once$'
kill $keeper
wait $keeper
nothing_left 0

# What other programs have made is neither used nor touched.
[ "$(attach "$tmp/store/v1" /dev/nbd0)" = /dev/nbd0 ]
mount -t ext4 -o ro /dev/nbd0 /run/mnt
refused 8 'in use itself' attach "--verity=$verity" "$tmp/store/v1" /dev/nbd0
umount /run/mnt
dmsetup create other --readonly --table '0 8 linear /dev/nbd0 0'
refused 8 'in use' attach --detach /dev/nbd0
[ "$(attach "--verity=$verity" "$tmp/store/v1" /dev/nbd0)" = $mapped ]
refused 8 'in use' attach --detach /dev/nbd0
[ "$(status verity)" = $mapped ]
dmsetup remove other
attach --detach /dev/nbd0
nothing_left 0
[ "$(attach "$tmp/store/v1" /dev/nbd0)" = /dev/nbd0 ]
dmsetup create ihop-nbd0 --uuid other --table '0 8 error'
refused 12 'another program' attach "--verity=$verity" "$tmp/store/v1" /dev/nbd0
attach --detach /dev/nbd0
dmsetup table ihop-nbd0
dmsetup remove ihop-nbd0

# What was interrupted before it had a table is made anew.
dmsetup create ihop-nbd0 --uuid CRYPT-VERITY-0-ihop-nbd0 --notable
[ "$(attach "--verity=$verity" "$tmp/store/v1" /dev/nbd0)" = $mapped ]
cmp -n 4096 $mapped "$tmp/data"
IHOP_TEST_DM="43:0 $(status server)" "$builddir/tests/unit/test_dm"
attach --detach /dev/nbd0
nothing_left 0
echo guest done
GUEST

uml 300 "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
cat "$tmp/console"
grep -q '^reads [0-9]* failed 0 wrong 0 ' "$tmp/result"
