#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The units under systemd, in a machine of user-mode Linux that runs this machine's systemd with a
# data partition of its own: two releases are attached and mounted by fstab, one of them read all
# the time. Keeper and server are killed, the unit is restarted and stopped under the mount, systemd
# executes itself anew, and the machine is rebooted: no read fails, and the data partition is clean each
# time. A third one is attached as a root is, from memory: its keeper is killed, then its server, then
# both at once. A release on trial boots again when a check fails, when boot-complete.target does, when
# the boot ends in emergency mode; then it is found good.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs e2fsck dumpe2fs nbdkit /lib/systemd/systemd /lib/systemd/systemd-udevd
[ -e "$builddir/ihop-attach" ] || skip "built without ihop-attach"
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

make_releases() {
    mkdir "$tmp/files" "$tmp/data"
    noise "$tmp/files/noise" 9000000 7
    truncate -s 24000k "$tmp/image"
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files" "$tmp/image"
    $cba make --fixed 50000 "$tmp/image" "$tmp/v1.cba"
    "$ihop_clone" -q "$tmp/v1.cba" "$tmp/data/store/v1"
    printf '%s' x | dd of="$tmp/image" bs=1 seek=1048000 conv=notrunc status=none
    $cba make --fixed 50000 "$tmp/image" "$tmp/v2.cba"
    "$ihop_clone" -q "$tmp/v2.cba" "$tmp/data/store/v2"
    truncate -s 80M "$tmp/disk"
    mke2fs -q -F -t ext4 -d "$tmp/data" "$tmp/disk"
}

# What a person writes. The instance of the second is its path: no file is needed.
make_configuration() {
    local unit=$tmp/etc/systemd/system instance plugins

    mkdir -p "$unit/ihop-test.target.wants" "$tmp/etc/attach"
    cp "$builddir"/boot/systemd/*.service "$unit"
    # The programs that stay in memory; nbdkit finds a plugin by its name in one place.
    IHOP_SBINDIR=$builddir IHOP_KEEPERDIR=$builddir IHOP_PLUGINDIR=$builddir/.libs sh "$builddir/boot/lib/ihop-resident" "$tmp/resident"
    plugins=$(nbdkit --dump-config | sed -n 's/^plugindir=//p')
    mkdir -p "$tmp/resident$plugins"
    mv "$tmp/resident$builddir/.libs/nbdkit-ihop-plugin.so" "$tmp/resident$plugins/"
    cat >"$tmp/etc/attach/app.conf" <<END
IHOP_RELEASE=/data/store/v1
IHOP_DEVICE=/dev/nbd1
IHOP_OPTIONS="--plugin $plugin --timeout 2"
END
    cat >"$tmp/etc/attach/data-store-v2.conf" <<END
IHOP_DEVICE=/dev/nbd2
IHOP_OPTIONS="--plugin $plugin --timeout 2"
END
    cat >"$tmp/etc/fstab" <<END
/dev/ubda /data ext4 defaults 0 2
/dev/nbd1 /srv ext4 ro,x-systemd.after=ihop-attach@app.service 0 0
/dev/nbd2 /mnt ext4 ro,x-systemd.after=ihop-attach@data-store-v2.service 0 0
END
    # As "systemctl enable" does.
    mkdir "$unit/local-fs.target.wants" "$unit/ihop-attach@app.service.d"
    for instance in app data-store-v2; do
        ln -s ../ihop-attach@.service "$unit/local-fs.target.wants/ihop-attach@$instance.service"
    done
    printf '[Unit]\nRequiresMountsFor=/data\n' >"$unit/ihop-attach@app.service.d/store.conf"
    # Reads until systemd-shutdown sends its last signals.
    cat >"$unit/readers.service" <<END
[Unit]
DefaultDependencies=no
After=mnt.mount
[Service]
KillMode=none
Nice=19
# Not in the boot that goes to emergency mode at once.
ExecCondition=/bin/sh -c '[ \$\$(cat /media/boot) != 3 ]'
ExecStart=$python $srcdir/tests/vm/readers.py /mnt/noise /media/files/noise 2 /media/stop /media/count 0.005
StandardOutput=append:/media/result
StandardError=append:/media/result
END
    cat >"$unit/steps.service" <<END
[Unit]
After=local-fs.target readers.service
Wants=local-fs.target readers.service
[Service]
# At the shutdown that a check asks for, the steps have ended.
Type=exec
TimeoutStartSec=infinity
ExecStart=/bin/bash /media/steps
StandardOutput=append:/media/said
StandardError=append:/media/said
END
    # What does not come up is told, and ends the machine, unless it is to.
    cat >"$unit/emergency.service" <<END
[Unit]
DefaultDependencies=no
ConditionPathExists=!/media/emergency
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'journalctl -b --no-pager >/media/said; dmesg >>/media/said; sync; echo o >/proc/sysrq-trigger'
END
    # It fails in the first boot.
    printf '#!/bin/sh\necho "check $(cat /media/boot)" >>/media/checked\n[ "$IHOP_RELEASE" = v1 ] && [ -e /media/tried ] || { touch /media/tried; exit 1; }\n' >"$tmp/check"
    printf '#!/bin/sh\necho "$*" >/media/good\necho "{\\"outcome\\": \\"made_default\\"}"\n' >"$tmp/ihop-store"
    # What boot-complete.target requires, and does not get in the second boot.
    mkdir -p "$unit/boot-complete.target.requires" "$unit/emergency.target.wants"
    printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "[ $(cat /media/boot) != 3 ]"\n' >"$unit/wanted.service"
    sed -i 's/\$(/$$(/' "$unit/wanted.service"
    ln -s ../wanted.service "$unit/boot-complete.target.requires/"
    # As "systemctl preset" does.
    ln -s ../ihop-not-good.service "$unit/emergency.target.wants/"
    chmod +x "$tmp/check" "$tmp/ihop-store"
    cat >"$unit/ihop-test.target" <<END
[Unit]
Requires=basic.target
Wants=steps.service
After=basic.target
AllowIsolate=yes
END
}

make_init() {
    local configuration libexec

    configuration=$(sed -n 's/^EnvironmentFile=-\/\(.*\)\/%i.conf/\1/p' "$builddir/boot/systemd/ihop-attach@.service")
    libexec=$(sed -n 's/^ExecStart=\(.*\)\/ihop-good .*/\1/p' "$builddir/boot/systemd/ihop-good.service")
    cat >"$tmp/init" <<INIT
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc none /proc
mount -t sysfs none /sys
for m in drivers/block/nbd fs/overlayfs/overlay; do busybox insmod "$uml_modules/kernel/\$m.ko"; done
mount -t tmpfs none /run
mkdir /run/upper /run/work /run/root
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work none /run/root
dumpe2fs -h /dev/ubda 2>/dev/null | grep -q 'features:.*needs_recovery' && echo dirty >>"$tmp/clean" || echo clean >>"$tmp/clean"
cd /run/root
mkdir -p data $configuration .$sbin .$libexec
mount -t tmpfs none etc/systemd/system
cp -r "$tmp/etc/systemd/system/." etc/systemd/system
cp "$tmp/etc/attach/"* $configuration
cp "$tmp/etc/fstab" etc/fstab
rm -f "$tmp/count"
cp "$builddir/ihop-attach" "$builddir/ihop-attach-keeper" .$sbin
cp "$builddir/boot/systemd/ihop-good" .$libexec/
mkdir -p $configuration/../checks.d/required.d
cp "$tmp/check" $configuration/../checks.d/required.d/first-boot
echo 'IHOP_GOOD_OPTIONS=--ihop-store /media/ihop-store' >$configuration/../good.conf
# By these, systemd takes the machine for a container, where it remounts nothing.
rm -f .dockerenv
mkdir -p run/initramfs
for unit in tmpfiles-setup tmpfiles-setup-dev; do ln -s /dev/null etc/systemd/system/systemd-\$unit.service; done
mount -t hostfs none media -o "$tmp"
umount /proc /sys
exec switch_root /run/root /lib/systemd/systemd --unit=ihop-test.target
INIT
}

# In the machine. Each boot goes on where the last one ended.
cat >"$tmp/steps" <<'STEPS'
set -eu
PATH=$PATH:SBIN
boot=$(cat /media/boot)
exit_of() { local r=0; "$@" || r=$?; echo $r; }
wait_until() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "timeout: $*"; return 1; }
        sleep 0.05
    done
}
status() { ihop-attach --status "$1" | sed -n "s/^$2 //p"; }
reads() { cat /media/count 2>/dev/null || echo 0; }
more_reads() { [ "$(reads)" -gt $(($1 + 100)) ]; }
going_on() { wait_until 60 more_reads "$(reads)"; }
is_kept() { [ "$(status "$1" keeper)" != none ] && [ "$(status "$1" keeper)" != "$2" ]; }
other_server() { [ "$(status "$1" server)" != "$2" ] && [ "$(status "$1" server)" != none ]; }
watched() { [ "$(systemctl show -P MainPID $path)" = "$(status /dev/nbd2 keeper)" ]; }
home=/run/initramfs
root_is() { chroot $home ihop-attach --status /dev/nbd3 | sed -n "s/^$1 //p"; }
other_root() { [ "$(root_is "$1")" != "$2" ] && [ "$(root_is "$1")" != none ]; }
app=ihop-attach@app.service path=ihop-attach@data-store-v2.service

boot_1() {
    systemctl is-active $app $path srv.mount mnt.mount
    cmp /srv/noise /media/files/noise
    going_on
    server=$(status /dev/nbd2 server)
    kill -9 "$server"
    wait_until 30 other_server /dev/nbd2 "$server"
    going_on
    keeper=$(status /dev/nbd2 keeper)
    [ "$(systemctl show -P MainPID $path)" = "$keeper" ]
    kill -9 "$keeper"
    wait_until 30 is_kept /dev/nbd2 "$keeper"
    going_on
    # Stopping and starting anew what is in use changes nothing.
    keeper=$(status /dev/nbd2 keeper) server=$(status /dev/nbd2 server)
    systemctl stop $path
    [ "$(status /dev/nbd2 keeper) $(status /dev/nbd2 server)" = "$keeper $server" ]
    going_on
    systemctl start $path
    [ "$(systemctl show -P MainPID $path)" = "$keeper" ]
    systemctl restart $path
    systemctl is-active $path mnt.mount
    going_on
    systemctl reload $path
    is_kept /dev/nbd2 "$keeper"
    watched
    [ "$(systemctl show -P ActiveState $path)" = active ]
    going_on
    systemctl daemon-reexec
    systemctl daemon-reload
    going_on
    # What is not in use is unmounted and detached, and comes again.
    systemctl stop $app srv.mount
    [ "$(exit_of ihop-attach --status /dev/nbd1)" = 10 ]
    systemctl start $app srv.mount
    cmp /srv/noise /media/files/noise
    # Detached by hand, it stays away.
    umount /srv
    ihop-attach --detach /dev/nbd1
    sleep 2
    [ "$(exit_of ihop-attach --status /dev/nbd1)" = 10 ]
    systemctl start $app srv.mount
    going_on
    root_in_memory
    # A check that fails reboots a release that is on trial.
    printf 'booted=v1\ntrial=v1\ntries=2\n' >/data/store/.ihop/boot
    echo 2 >/media/boot
    systemctl start ihop-good.service
    echo "reboot is left to ihop-good"
    exit 0
}

# What an initramfs does for a root, and then deaths. It stays mounted, as a root does.
root_in_memory() {
    local keeper server
    . SRCDIR/boot/lib/ihop-root.sh
    ihop_tree=/media/resident ihop_device=/dev/nbd3
    ihop_make_home
    mount --bind /data $home/ihop
    ihop_run ihop-attach --timeout 2 /ihop/store/v1 /dev/nbd3 -- lock=on
    mount -o ro /dev/nbd3 $home/release
    say_booted /dev/nbd3
    systemctl start ihop-watch.service
    keeper=$(root_is keeper) server=$(root_is server)
    kill -9 "$keeper"
    wait_until 30 other_root keeper "$keeper"
    server=$(root_is server)
    kill -9 "$server"
    wait_until 30 other_root server "$server"
    cmp $home/release/noise /media/files/noise
    keeper=$(root_is keeper) server=$(root_is server)
    kill -9 "$keeper" "$server"
    wait_until 30 other_root keeper "$keeper"
    wait_until 30 other_root server "$server"
    echo 3 >/proc/sys/vm/drop_caches
    cmp $home/release/noise /media/files/noise
    # Who watches is watched, too, and takes nobody with it.
    keeper=$(root_is keeper)
    kill -9 "$(systemctl show -P MainPID ihop-watch.service)"
    wait_until 30 watches
    [ "$(root_is keeper)" = "$keeper" ]
    systemctl stop ihop-watch.service
    [ "$(root_is keeper)" = "$keeper" ]
    systemctl start ihop-watch.service
    grep -q '^@' /proc/$keeper/cmdline
}

watches() { [ "$(systemctl show -P SubState ihop-watch.service)" = running ]; }

say_booted() { # DEVICE
    mkdir -p /run/ihop
    printf 'IHOP_STORE=/data/store\nIHOP_RELEASE=v1\nIHOP_DEVICE=%s\n' "$1" >/run/ihop/boot
}

# boot-complete.target fails.
boot_2() {
    [ "$(cat /media/checked)" = "check 2" ]
    [ ! -e /media/good ]
    systemctl is-active $app $path srv.mount mnt.mount
    going_on
    say_booted /dev/nbd1
    echo 3 >/media/boot
    systemctl start ihop-good.service
    exit 0
}

# Nothing but a boot that ends in emergency mode.
boot_3() {
    [ ! -e /media/good ]
    say_booted /dev/nbd1
    touch /media/emergency
    echo 4 >/media/boot
    systemctl --no-block isolate emergency.target
    exit 0
}

boot_4() {
    [ ! -e /media/good ]
    systemctl is-active $app $path srv.mount mnt.mount
    going_on
    say_booted /dev/nbd1
    systemctl start ihop-good.service
    wait_until 30 test -e /media/good
    [ "$(cat /media/good)" = "good --json /data/store/v1" ]
    systemctl is-active ihop-good.service boot-complete.target
    echo done >/media/boot
    systemctl --no-block poweroff
}

trap '[ "$(cat /media/boot)" != "$boot" ] || { journalctl -b --no-pager; echo o >/proc/sysrq-trigger; }' EXIT
"boot_$boot"
STEPS
sbin=$(sed -n 's/^ExecStart=\(.*\)\/ihop-attach .*/\1/p' "$builddir/boot/systemd/ihop-attach@.service")
sed -i "s|SBIN|$sbin|; s|SRCDIR|$srcdir|" "$tmp/steps"
make_releases
make_configuration
make_init
echo 1 >"$tmp/boot"
uml_boot "${UML_SECONDS:-300}" "ubd0=$tmp/disk" || true
show() {
    cat "$tmp/console" "$tmp/said" "$tmp/result" >&2
    fail "$1"
}
[ "$(cat "$tmp/boot")" = "done" ] || show "the machine's steps were not done"
# One line for each boot with readers, from the last second of each.
[ "$(grep -c '^reads [0-9]* failed 0 wrong 0 ' "$tmp/result")" = 3 ] || show "reads failed, or the readers did"
cat "$tmp/result"
[ "$(cat "$tmp/clean")" = "$(printf '%s\n' clean clean clean clean)" ] || show "the data partition was not clean: $(cat "$tmp/clean")"
e2fsck -fn "$tmp/disk" >"$tmp/fsck" 2>&1 || show "$(cat "$tmp/fsck")"
dumpe2fs -h "$tmp/disk" 2>/dev/null | grep -q 'features:.*needs_recovery' && fail "the journal was not empty"
grep -q "reboot is left to ihop-good" "$tmp/said"
