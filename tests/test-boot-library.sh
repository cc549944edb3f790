#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# boot/lib/ihop-root.sh, without a machine: what it reads off the kernel's command line, how it
# finds devices and an init, and how it decides what to try next; in dash and in busybox's shell.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires dash busybox

# in_shells: runs the script on stdin in each shell, after the library, in an empty directory. A
# line that fails ends it.
in_shells() {
    local shell

    cat >"$tmp/script"
    for shell in dash "busybox ash"; do
        rm -rf "$tmp/work"
        mkdir "$tmp/work"
        # shellcheck disable=SC2086 # two words
        (cd "$tmp/work" && $shell -eu "$tmp/prelude" "$tmp/script") >"$tmp/out" 2>&1 ||
            { cat "$tmp/out" >&2; fail "$shell"; }
    done
}

# Its last line runs the script, with all names that the library defines.
cat >"$tmp/prelude" <<PRELUDE
. "$srcdir/boot/lib/ihop-root.sh"
PRELUDE
cat >>"$tmp/prelude" <<'PRELUDE'
# What is said goes to a file of this directory, and nothing to a kernel.
ihop_say() { echo "$*" >>said; }
ihop_pause() { :; }
: >said
equal() { [ "$1" = "$2" ] || { echo "not equal: '$1' and '$2'"; exit 1; }; }
said() { grep -q -e "$1" said || { echo "not said: $1"; cat said; exit 1; }; }
silent() { [ ! -s said ] || { echo "said:"; cat said; exit 1; }; }
code() { # CODE COMMAND...
    local want=$1 got=0
    shift
    "$@" || got=$?
    equal "$got" "$want"
}
. "$1"
PRELUDE

test_parse() {
    in_shells <<'SCRIPT'
code 2 ihop_parse "quiet root=/dev/sda1 xihop.data=UUID=1"
silent
ihop_parse "quiet ihop.data=UUID=1-2 panic=5"
equal "$ihop_data|$ihop_store|$ihop_release|$ihop_overlay|$ihop_verity|$ihop_timeout|$ihop_init|$ihop_panic" \
    "UUID=1-2|/store||tmpfs||60||5"
ihop_parse "ihop.data=/dev/vda ihop.data=LABEL=data ihop.store=/a/b ihop.release=v1 ihop.overlay=/dev/vdb ihop.verity=roothash=ab,offset=4096 ihop.timeout=5 init=/bin/x"
equal "$ihop_data|$ihop_store|$ihop_release|$ihop_overlay|$ihop_verity|$ihop_timeout|$ihop_init|$ihop_panic" \
    "LABEL=data|/a/b|v1|/dev/vdb|roothash=ab,offset=4096|5|/bin/x|"
ihop_parse "ihop.data=PARTUUID=1 -- ihop.store=/no init=/no"
equal "$ihop_store$ihop_init" /store
ihop_parse "ihop.data=PARTLABEL=x ihop.overlay=none"
equal "$ihop_overlay" none
silent
# Nothing is expanded as a file name, and the shell's own setting stays.
touch ihop.data=UUID=found
ihop_parse "ihop.data=UUID=*"
equal "$ihop_data" "UUID=*"
equal "$(echo ihop*)" ihop.data=UUID=found
set -f
ihop_parse "ihop.data=UUID=1"
equal "$(echo ihop*)" "ihop*"
SCRIPT
}

test_parse_bad_values() {
    in_shells <<'SCRIPT'
bad() { # WORD VARIABLE-VALUE
    : >said
    ihop_parse "ihop.data=UUID=1 $1"
    said "^$1 on the kernel's command line is ignored: "
    equal "$ihop_store|$ihop_release|$ihop_overlay|$ihop_verity|$ihop_timeout" "/store||tmpfs||60"
}
bad ihop.store=
bad ihop.store=relative
bad ihop.store=/a/../b
bad ihop.store=/a/..
bad ihop.release=
bad ihop.release=-x
bad ihop.release=a/b
bad ihop.release=..
bad ihop.overlay=
bad ihop.overlay=ram
bad ihop.overlay=/dev/../etc
bad ihop.timeout=
bad ihop.timeout=1m
bad ihop.timeout=-1
bad ihop.timeout=1234567
bad ihop.dta=x
for data in '' vda UUID= /dev/ /etc/passwd /dev/../x; do
    : >said
    code 1 ihop_parse "ihop.data=$data"
    said "^ihop.data=$data on the kernel's command line names no device"
done
SCRIPT
}

test_find() {
    in_shells <<'SCRIPT'
ihop_is_device() { case $1 in /dev/vda1 | /dev/disk/by-uuid/1-2 | /etc/x) return 0 ;; esac; return 1; }
findfs() { return 1; }
blkid() { return 2; }
equal "$(ihop_find /dev/vda1)" /dev/vda1
code 1 ihop_find /dev/vdb
equal "$(ihop_find UUID=1-2)" /dev/disk/by-uuid/1-2
code 1 ihop_find UUID=3
findfs() { [ "$1" = LABEL=x ] && echo /dev/vda1; }
equal "$(ihop_find LABEL=x)" /dev/vda1
code 1 ihop_find LABEL=y
findfs() { return 1; }
blkid() { equal "$*" "-l -o device -t LABEL=x"; echo /dev/vda1; }
equal "$(ihop_find LABEL=x)" /dev/vda1
# Nothing but a device of /dev is believed.
findfs() { echo /etc/x; }
code 1 ihop_find LABEL=x
findfs() { echo /dev/vdb; }
code 1 ihop_find LABEL=x
SCRIPT
}

test_wait() {
    in_shells <<'SCRIPT'
echo 100 >clock
ihop_uptime() { cat clock; }
ihop_pause() { echo $(($(cat clock) + 1)) >clock; }
ihop_waiting() { echo "$1" >>waited; }
ihop_is_device() { [ "$(cat clock)" -ge 103 ]; }
equal "$(ihop_wait /dev/vda 5)" /dev/vda
equal "$(cat clock)" 103
equal "$(sort -u waited)" /dev/vda
ihop_is_device() { return 1; }
code 1 ihop_wait /dev/vda 5
equal "$(cat clock)" 108
SCRIPT
}

test_type() {
    in_shells <<'SCRIPT'
blkid() { equal "$*" "-p -s TYPE -o value /dev/x"; echo ext4; }
equal "$(ihop_type /dev/x)" ext4
# That of busybox knows no options.
blkid() { [ $# -eq 1 ] || return 1; echo '/dev/x: LABEL="TYPE=" UUID="1" TYPE="squashfs"'; }
equal "$(ihop_type /dev/x)" squashfs
blkid() { echo '../../evil; reboot'; }
equal "$(ihop_type /dev/x)" ""
blkid() { return 2; }
equal "$(ihop_type /dev/x)" ""
modprobe() { return 1; }
mount() { echo "$*"; }
equal "$(ihop_mount ro /dev/x /mnt)" "-o ro /dev/x /mnt"
blkid() { echo ext4; }
equal "$(ihop_mount ro,noatime /dev/x /mnt)" "-t ext4 -o ro,noatime /dev/x /mnt"
SCRIPT
}

test_check() {
    in_shells <<'SCRIPT'
ihop_type() { echo ext4; }
for e2fsck_code in 0 1 2; do
    e2fsck() { equal "$*" "-p /dev/x"; return $e2fsck_code; }
    ihop_check /dev/x
    silent
done
e2fsck() { return 4; }
ihop_check /dev/x
said 'e2fsck -p does not mend (exit code 4)'
ihop_type() { echo f2fs; }
e2fsck() { exit 1; }
ihop_check /dev/x
# A partition that cannot be written to is better than none.
: >said
ihop_is_mounted() { return 1; }
ihop_check() { :; }
ihop_mount() { [ "$1" = ro,noatime ]; }
ihop_mount_data /dev/x
said 'read-only alone'
ihop_mount() { return 1; }
code 1 ihop_mount_data /dev/x
SCRIPT
}

test_init() {
    in_shells <<'SCRIPT'
program() { mkdir -p "${1%/*}"; echo '#!' >"$1"; chmod +x "$1"; }
ihop_init=''
mkdir root
code 1 ihop_has_init root
# As Debian has it: links that are absolute, and a merged /usr.
program root/usr/lib/systemd/systemd
mkdir -p root/usr/sbin
ln -s usr/sbin root/sbin
ln -s usr/lib root/lib
ln -s /lib/systemd/systemd root/usr/sbin/init
equal "$(ihop_resolve root /sbin/init)" root/usr/lib/systemd/systemd
ihop_has_init root
equal "$ihop_found_init" /sbin/init
# Each link begins at the root, though the same path exists outside.
mkdir other
ln -s "$PWD/prelude-of-nobody" other/init
code 1 ihop_resolve other /init
ln -sf "$(command -v sh)" other/init
code 1 ihop_resolve other /init
# Never out of the root, never for ever.
ln -s ../../../../etc other/up
equal "$(ihop_resolve root /../../sbin/./init)" root/usr/lib/systemd/systemd
code 1 ihop_resolve other /up/passwd
ln -s loop2 other/loop1
ln -s loop1 other/loop2
code 1 ihop_resolve other /loop1
# What cannot be executed, is empty or a directory is none.
rm root/usr/lib/systemd/systemd
mkdir root/usr/lib/systemd/systemd
code 1 ihop_has_init root
rmdir root/usr/lib/systemd/systemd
: >root/usr/lib/systemd/systemd
chmod +x root/usr/lib/systemd/systemd
code 1 ihop_has_init root
echo x >root/usr/lib/systemd/systemd
ihop_has_init root
# A shell alone is none; what init= names must be there.
mkdir shell
program shell/bin/sh
code 1 ihop_has_init shell
ihop_init=/bin/sh
ihop_has_init shell
equal "$ihop_found_init" /bin/sh
code 1 ihop_has_init root
SCRIPT
}

test_quote() {
    in_shells <<'SCRIPT'
equal "$(ihop_quote v1.2-3_x)" v1.2-3_x
for name in 'a b' 'a"b' 'a\b' 'a$b' 'a`b' "a'b" 'a;b'; do
    echo "x=$(ihop_quote "$name")" >file
    . ./file
    equal "$x" "$name"
done
ihop_result=$PWD/result ihop_store=/store ihop_name='v \1' ihop_upper_on=tmpfs
ihop_write_result
. ./result/boot
equal "$IHOP_STORE|$IHOP_RELEASE|$IHOP_DEVICE|$IHOP_OVERLAY" "/run/initramfs/ihop/store|v \1|/dev/nbd0|tmpfs"
SCRIPT
}

# What is attached and mounted is played: "choices" has what ihop-attach chooses, one a line.
cat >>"$tmp/prelude.play" <<'PLAY'
ihop_attach() {
    echo "attach $*" >>log
    ihop_name=$(head -n 1 choices)
    sed -i 1d choices
    [ -n "$ihop_name" ]
}
ihop_mount_root() {
    echo "mount $ihop_name at $1" >>log
    case $ihop_name in *good*) return 0 ;; esac
    return 1
}
ihop_detach() { echo detach >>log; }
ihop_write_result() { echo "result $ihop_name" >>log; }
ihop_upper_on=tmpfs ihop_store=/store ihop_release='' ihop_data=UUID=1 ihop_timeout=1
PLAY

test_select() {
    in_shells < <(cat "$tmp/prelude.play" - <<'SCRIPT'
printf '%s\n' bad1 'bad 2' good >choices
ihop_select /root
equal "$(cat log)" "attach --boot /ihop/store
mount bad1 at /root
detach
attach --skip bad1 --boot /ihop/store
mount bad 2 at /root
detach
attach --skip bad1 --skip bad 2 --boot /ihop/store
mount good at /root
result good"
# Nothing is left.
rm log
printf '%s\n' bad1 >choices
code 1 ihop_select /root
# One that was to be skipped comes again: not for ever.
printf '%s\n' bad1 bad2 bad1 bad1 good >choices
code 1 ihop_select /root
equal "$(cat choices)" "bad1
good"
# What cannot be detached must not be forgotten: no other one is tried.
printf '%s\n' bad1 good >choices
ihop_detach() { return 1; }
code 1 ihop_select /root
equal "$(cat choices)" good
said 'cannot be detached'
SCRIPT
    )
}

test_boot() {
    in_shells < <(cat "$tmp/prelude.play" - <<'SCRIPT'
ihop_wait() { echo /dev/vda; }
ihop_make_home() { :; }
ihop_mount_data() { echo "data $1" >>log; }
ihop_allow_servers() { :; }
modprobe() { echo "modprobe $*" >>log; }
umount() { echo "umount $*" >>log; }
ihop_release=named
printf '%s\n' named-bad good >choices
ihop_boot /root
equal "$(cat log)" "data /dev/vda
modprobe nbd
detach
attach /ihop/store/named
mount named-bad at /root
detach
attach --boot /ihop/store
mount good at /root
result good"
said 'ihop.release=named cannot be booted: boot selection decides'
# Nothing boots: the data partition is not left mounted.
ihop_release=''
: >log
: >choices
code 1 ihop_boot /root
equal "$(tail -n 1 log)" "umount /run/initramfs/ihop"
said 'no release of /store in /dev/vda can be booted'
ihop_mount_data() { return 1; }
code 1 ihop_boot /root
said 'the data partition /dev/vda cannot be mounted'
ihop_make_home() { return 1; }
code 1 ihop_boot /root
said 'cannot copy the programs'
ihop_wait() { return 1; }
code 1 ihop_boot /root
said 'ihop.data=UUID=1 did not appear within 1 s'
SCRIPT
    )
}

test_overlay() {
    in_shells <<'SCRIPT'
ihop_home=$PWD/home ihop_timeout=1 ihop_name=v1 ihop_attached=/dev/nbd0 ihop_init=''
ihop_id=0123456789abcdef0123456789abcdef0123
mkdir -p home/overlay home/release/sbin
echo x >home/release/sbin/init
chmod +x home/release/sbin/init
modprobe() { :; }
umount() { echo "umount $*" >>log; }
mount() { echo "mount $*" >>log; }
ihop_mount() { echo "ihop_mount $*" >>log; }
ihop_check() { :; }
ihop_wait() { echo /dev/vdb; }
last() { tail -n 1 log; }

ihop_overlay=tmpfs
ihop_mount_root /root
equal "$ihop_upper_on" tmpfs
equal "$(last)" "mount -t overlay -o lowerdir=$ihop_home/release,upperdir=$ihop_home/overlay/upper,workdir=$ihop_home/overlay/work ihop /root"
ihop_overlay=none
ihop_mount_root /root
equal "$ihop_upper_on" none
equal "$(last)" "mount --move $ihop_home/release /root"
# A directory of its own for each image.
ihop_overlay=LABEL=x
ihop_mount_root /root
equal "$ihop_upper_on" /dev/vdb
upper=$ihop_home/overlay/ihop-overlay/0123456789abcdef0123456789abcdef
equal "$(last)" "mount -t overlay -o lowerdir=$ihop_home/release,upperdir=$upper/upper,workdir=$upper/work ihop /root"
equal "$(cat "$upper/release")" v1
silent
# Without its device, or on a file system that cannot hold one, it is in memory.
mount() { echo "mount $*" >>log; case $* in *ihop-overlay/*) return 1 ;; esac; }
ihop_mount_root /root
equal "$ihop_upper_on" tmpfs
said 'cannot hold an overlay'
: >said
ihop_overlay=LABEL=x
ihop_wait() { return 1; }
ihop_mount_root /root
equal "$ihop_upper_on" tmpfs
said 'ihop.overlay=LABEL=x cannot be used'
# No init, or no overlay at all: nothing stays mounted.
mount() { case $* in *"-t overlay"*) return 1 ;; esac; }
code 1 ihop_mount_root /root
equal "$(last)" "umount $ihop_home/release"
rm home/release/sbin/init
code 1 ihop_mount_root /root
said 'release v1 has no init'
equal "$(last)" "umount $ihop_home/release"
SCRIPT
}

test_panic() {
    in_shells <<'SCRIPT'
reboot() { echo "reboot $*" >>log; }
sleep() { echo "paused $*" >>log; }
for ihop_panic in '' 0 00 x 5s; do
    ihop_panic
done
[ ! -e log ]
ihop_panic=10
ihop_panic
equal "$(cat log)" "paused 10
reboot -f"
rm log
ihop_panic=-1
ihop_panic
equal "$(cat log)" "reboot -f"
SCRIPT
}

# The directory of programs has all that they need: they run in it.
test_resident() {
    local tree=$tmp/resident

    requires unshare nbdkit "$builddir/ihop-attach"
    IHOP_SBINDIR=$builddir IHOP_KEEPERDIR=$builddir IHOP_PLUGINDIR=$builddir/.libs \
        dash "$builddir/boot/lib/ihop-resident" "$tree"
    if is_sanitized "$builddir/ihop-attach" || ! unshare -r true; then
        skip "without user namespaces, or with a sanitizer, which needs /proc, they are not run there"
    fi
    expect_exit 0 unshare -r chroot "$tree" ihop-attach --version
    expect_exit 0 unshare -r chroot "$tree" nbdkit --dump-plugin "$builddir/.libs/nbdkit-ihop-plugin.so"
    # It is the plugin's own line, not one of a missing library.
    grep '^name=ihop$' "$tmp/out" >/dev/null
    # Nothing in it is a link to the outside.
    equal "$(find "$tree" -type l -printf '%l\n' | grep -v -e '^usr/' -e "^$builddir/" || true)" "" "links"
    expect_exit 1 env IHOP_SBINDIR="$tmp" dash "$builddir/boot/lib/ihop-resident" "$tmp/other"
    grep -F "$tmp/ihop-attach is not there" "$tmp/err" >/dev/null
}

run_cases "$@"
