#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipe for GRUB of docs/boot-loaders.md, from firmware to login: OVMF, GRUB on an EFI partition,
# kernels and releases on the data partition. It boots v1, then v2 on trial, which is found good, then
# v3, whose kernel is no kernel, three times, until v2 boots again; each time the data partition is
# clean. Five minutes.
#
#     bash ../tests/vm/grub.sh
#
# Needs what loader-machine.sh needs, grub-efi-amd64-bin and grub-common.
# shellcheck disable=SC2016 # scripts for the machine
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/loader-machine.sh"
requires grub-mkstandalone grub-editenv

make_system() {
    # shellcheck disable=SC2119 # no module more
    make_tree
    cp "$(command -v grub-editenv)" "$tree/usr/bin"
    recipe_program ihop-grub-update
    recipe_program ihop-grub-good
    echo 'IHOP_GOOD_OPTIONS="--good /usr/sbin/ihop-grub-good"' >"$tree/etc/ihop/good.conf"
    cat >"$tree/usr/lib/ihop-step" <<'STEP'
. /run/ihop/boot
data=/run/initramfs/ihop
until systemctl -q is-active ihop-good.service || systemctl -q is-failed ihop-good.service; do sleep 1; done
for i in 1 2 3 4 5 6 7 8 9 10; do grep -q "release=$IHOP_RELEASE" $data/boot/grub/release.cfg && break; sleep 1; done
journalctl -b -u ihop-good -o cat --no-pager
echo "LOGIN $IHOP_RELEASE $(cat /etc/version)"
cat $data/boot/grub/release.cfg
grub-editenv $data/boot/grub/grubenv list
sh -eu $data/step-$IHOP_RELEASE && rm $data/step-$IHOP_RELEASE
sync
sleep 1
systemctl poweroff
sleep 1000
STEP
}

make_disk() {
    local data=$tmp/data

    mkdir -p "$data/boot/grub" "$data/boot/v1"
    cp "$tree/boot/vmlinuz" "$tree/boot/initrd" "$data/boot/v1/"
    sed -n '/^# boot\/grub\/grub.cfg/,/^```/p' "$srcdir/docs/boot-loaders.md" | sed '$d' >"$data/boot/grub/grub.cfg"
    echo 'set release=v1' >"$data/boot/grub/release.cfg"
    grub-editenv "$data/boot/grub/grubenv" create
    # The steps of the first two boots: an update to v2, one to v3 with a bad kernel.
    echo 'ihop-grub-update v2' >"$data/step-v1"
    printf 'ihop-grub-update v3\necho no kernel >$data/boot/v3/vmlinuz\n' >"$data/step-v2"
    printf 'search --no-floppy --label ihop-data --set=root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' >"$tmp/early.cfg"
    grub-mkstandalone -O x86_64-efi -o "$tmp/bootx64.efi" --modules="part_gpt ext2 search search_label configfile loadenv serial linux test echo sleep reboot" \
        --locales= --themes= --fonts= "boot/grub/grub.cfg=$tmp/early.cfg"
    make_efi_partition
    mcopy -i "$tmp/part1" "$tmp/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
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
said 2 "set release=v2"
boot_disk 3
said 3 "LOGIN v2 v2"
times_said 3 3 "error: premature end of file /boot/v3/vmlinuz."
said 3 "left=0"
echo "v1, v2 on trial, v2 after three tries of a kernel that was none: as they should be"
