#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipe for systemd-boot of docs/boot-loaders.md, from firmware to login: OVMF, systemd-boot and
# kernels on an EFI partition, releases on the data partition. It boots v1, then v2 on trial, which is
# found good and blessed, then v3, whose initramfs is none: its kernel panics, three times, until v2
# boots again; each time the data partition is clean. Ten minutes.
#
#     bash ../tests/vm/systemd-boot.sh
#
# Needs what loader-machine.sh needs, and apt-get, which fetches Debian's packages systemd-boot and
# systemd-boot-efi, or finds them in VM_PACKAGES=DIRECTORY.
# shellcheck disable=SC2016 # scripts for the machine
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/loader-machine.sh"
requires apt-get dpkg-deb
packages=${VM_PACKAGES:-$tmp/packages}

make_system() {
    local package

    if [ ! -d "$packages" ]; then
        mkdir "$packages"
        (cd "$packages" && apt-get -q download systemd-boot systemd-boot-efi >/dev/null 2>&1)
    fi
    make_tree vfat fat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 efivarfs
    for package in "$packages"/*.deb; do
        # /lib is a link.
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$tree"
    done
    mv "$tree/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$tmp/loader.efi"
    mkdir -p "$tree/efi"
    echo 'LABEL=EFI /efi vfat umask=0077,nofail,x-systemd.before=boot-complete.target 0 0' >"$tree/etc/fstab"
    recipe_program ihop-efi-update
    recipe_program ihop-told-good
    sed -n '/^# ihop-good.service where/,/^```/p' "$srcdir/docs/boot-loaders.md" | sed '$d' >"$tree/etc/systemd/system/ihop-good.service"
    rm -f "$tree"/etc/systemd/system/*.wants/ihop-good.service
    chroot "$tree" systemctl -q enable ihop-good.service
    cat >"$tree/usr/lib/ihop-step" <<'STEP'
. /run/ihop/boot
export IHOP_STORE
data=/run/initramfs/ihop
for i in 1 2 3 4 5 6 7 8 9 10; do systemctl -q is-active ihop-good.service && break; sleep 3; done
for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /efi/loader/entries/ihop-$IHOP_RELEASE.conf ] && break; sleep 1; done
journalctl -b -u ihop-good -u systemd-bless-boot -o cat --no-pager
echo "LOGIN $IHOP_RELEASE $(cat /etc/version)"
echo "entries: $(ls /efi/loader/entries | tr '\n' ' ')"
ihop-store selection $IHOP_STORE
sh -eu $data/step-$IHOP_RELEASE && rm $data/step-$IHOP_RELEASE
sync
sleep 1
systemctl poweroff
sleep 1000
STEP
}

make_disk() {
    local efi=$tmp/part1

    # The steps of the first two boots: an update to v2, one to v3 with an initramfs that is none.
    echo 'ihop-store try $IHOP_STORE/v2; ihop-efi-update v2' >"$tmp/data/step-v1"
    printf 'ihop-store try $IHOP_STORE/v3; ihop-efi-update v3\necho none >/efi/ihop/v3/initrd\n' >"$tmp/data/step-v2"
    make_efi_partition
    mmd -i "$efi" ::loader ::loader/entries ::ihop ::ihop/v1
    mcopy -i "$efi" "$tmp/loader.efi" ::EFI/BOOT/BOOTX64.EFI
    mcopy -i "$efi" "$tree/boot/vmlinuz" "$tree/boot/initrd" ::ihop/v1/
    printf 'timeout 0\n' >"$tmp/loader.conf"
    mcopy -i "$efi" "$tmp/loader.conf" ::loader/loader.conf
    number=$("$ihop_store" info --json "$tmp/data/store/v1" | sed -n 's/.*"number": *\([0-9]*\).*/\1/p')
    printf '%s\n' 'title ihop v1' 'sort-key ihop' "version $number" 'linux /ihop/v1/vmlinuz' 'initrd /ihop/v1/initrd' \
        'options ihop.data=LABEL=ihop-data ihop.release=v1 panic=5 console=ttyS0' >"$tmp/ihop-v1.conf"
    mcopy -i "$efi" "$tmp/ihop-v1.conf" ::loader/entries/ihop-v1.conf
    join_disk
}

mkdir "$tmp/data"
make_system
for name in v1 v2 v3; do
    make_release $name
done
"$ihop_store" default "$tmp/data/store" v1
make_disk
boot_disk 1
said 1 "LOGIN v1 v1"
boot_disk 2
said 2 "LOGIN v2 v2"
said 2 "release v2 is good"
said 2 "entries: ihop-v1.conf ihop-v2.conf"
boot_disk 3
said 3 "LOGIN v2 v2"
times_said 3 3 "Kernel panic"
said 3 "entries: ihop-v1.conf ihop-v2.conf ihop-v3+0-3.conf"
echo "v1, v2 on trial, v2 after three tries of an initramfs that was none: as they should be"
