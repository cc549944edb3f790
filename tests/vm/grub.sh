#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipe for GRUB of docs/boot-loaders.md, from firmware to login: OVMF, GRUB on an EFI partition,
# kernels and releases on the data partition, the initramfs of Debian's initramfs-tools. It boots
# v1, then v2 on trial, which is found good, then v3, whose kernel is no kernel, and which gives
# way to v2. By hand, as root, from a build directory that was configured with --prefix=/usr:
#
#     bash ../tests/vm/grub.sh
#
# Needs mmdebstrap and a mirror of Debian, qemu-system-x86, ovmf, grub-efi-amd64-bin, grub-common,
# mtools, fdisk, e2fsprogs. Without KVM a boot takes a minute or two; VM_ACCEL=kvm uses the
# processor's help, VM_CACHE=DIRECTORY keeps what mmdebstrap made.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mmdebstrap qemu-system-x86_64 grub-mkstandalone grub-editenv mcopy mformat sfdisk mke2fs e2fsck debugfs
[ "$(id -u)" -eq 0 ] || skip "needs root: it makes a root directory of Debian"
grep -q '^prefix = /usr$' "$builddir/Makefile" || skip "$builddir was not configured with --prefix=/usr"
base=${VM_CACHE:-$tmp/cache}/bookworm-initramfs-tools
tree=$tmp/tree

make_tree() {
    if [ ! -d "$base" ]; then
        mkdir -p "${base%/*}"
        mmdebstrap --quiet --variant=minbase --include="systemd-sysv,udev,kmod,nbdkit,e2fsprogs,libmnl0,libjansson4,$(
        )libprotobuf-c1,libbrotli1,liblzma5,libzstd1,libcurl4,linux-image-cloud-amd64,busybox-static,util-linux,mount,zstd,initramfs-tools" \
            bookworm "$base.new"
        mv "$base.new" "$base"
    fi
    cp -a "$base" "$tree"
    make -s -C "$builddir" install DESTDIR="$tree" >/dev/null
    cp "$(command -v grub-editenv)" "$tree/usr/bin"
    version=$(ls "$tree/lib/modules")
    chroot "$tree" mkinitramfs -o /boot/initrd "$version" >/dev/null
    mv "$tree/boot/vmlinuz-$version" "$tree/boot/vmlinuz"
    rm -rf "$tree"/usr/share/{doc,locale,man,i18n} "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* \
        "$tree"/boot/*-amd64 "$tree/lib/modules/$version"
    echo ihop >"$tree/etc/hostname"
    # The console logs in, and says so.
    chroot "$tree" passwd -q -d root
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer systemd-binfmt.service systemd-timesyncd.service systemd-firstboot.service systemd-networkd.service \
        systemd-hwdb-update.service systemd-pstore.service; do
        ln -sf /dev/null "$tree/etc/systemd/system/$unit"
    done
    mkdir -p "$tree/etc/systemd/system/serial-getty@ttyS0.service.d" "$tree/etc/ihop"
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty -a root --keep-baud 115200 %%I vt102\n' \
        >"$tree/etc/systemd/system/serial-getty@ttyS0.service.d/login.conf"
    echo '. /usr/lib/ihop-step' >"$tree/root/.profile"
    ln -sf /lib/systemd/system/ihop-good.service "$tree/etc/systemd/system/multi-user.target.wants/"
    # The recipe: what says that a release is good.
    sed -n '/^# ihop-grub-good/,/^```/p' "$srcdir/docs/boot-loaders.md" | sed '$d; 1i #!/bin/sh' >"$tree/usr/sbin/ihop-grub-good"
    chmod +x "$tree/usr/sbin/ihop-grub-good"
    echo 'IHOP_GOOD_OPTIONS="--good /usr/sbin/ihop-grub-good"' >"$tree/etc/ihop/good.conf"
    cat >"$tree/usr/lib/ihop-step" <<'STEP'
. /run/ihop/boot
cat /proc/cmdline
until systemctl -q is-active ihop-good.service || systemctl -q is-failed ihop-good.service; do sleep 1; done
for i in 1 2 3 4 5 6 7 8 9 10; do grep -q "release=$IHOP_RELEASE" /run/initramfs/ihop/boot/grub/release.cfg && break; sleep 1; done
journalctl -b -u ihop-good -o cat --no-pager
echo "LOGIN $IHOP_RELEASE $(cat /etc/version)"
cat /run/initramfs/ihop/boot/grub/release.cfg
export DATA=/run/initramfs/ihop
sh -eu $DATA/step-$IHOP_RELEASE && rm $DATA/step-$IHOP_RELEASE
sync
sleep 1
systemctl poweroff
sleep 1000
STEP
}

# What the recipe does after a clone, pasted from the document.
make_release() { # NAME
    echo "$1" >"$tree/etc/version"
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -U 6f626d63-0000-4000-8000-000000000000 \
        -E hash_seed=6f626d63-0000-4000-8000-000000000000 -d "$tree" "$tmp/$1.img" 700M
    "$ihop_compress" -q --compression none -f "$tmp/$1.img" "$tmp/$1.cba"
    "$ihop_clone" -q "$tmp/$1.cba" "$tmp/data/store/$1"
    rm "$tmp/$1.img" "$tmp/$1.cba"
}

make_disk() {
    local esp data=$tmp/data size

    mkdir -p "$data/boot/grub" "$data/boot/v1"
    cp "$tree/boot/vmlinuz" "$tree/boot/initrd" "$data/boot/v1/"
    sed -n '/^# boot\/grub\/grub.cfg/,/^```/p' "$srcdir/docs/boot-loaders.md" | sed '$d' >"$data/boot/grub/grub.cfg"
    echo 'set release=v1' >"$data/boot/grub/release.cfg"
    grub-editenv "$data/boot/grub/grubenv" create
    # The steps of the first two boots: an update to v2, one to v3 with a bad kernel.
    sed -n '/^# ihop-grub-update/,/^```/p' "$srcdir/docs/boot-loaders.md" | sed '$d' >"$data/update"
    echo 'sh -eu $DATA/update v2' >"$data/step-v1"
    printf 'sh -eu $DATA/update v3\necho no kernel >$DATA/boot/v3/vmlinuz\n' >"$data/step-v2"
    mke2fs -q -F -t ext4 -L ihop-data -d "$data" "$tmp/part2" 1400M
    printf 'search --no-floppy --label ihop-data --set=root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' >"$tmp/early.cfg"
    grub-mkstandalone -O x86_64-efi -o "$tmp/bootx64.efi" --modules="part_gpt ext2 search search_label configfile loadenv serial linux test echo sleep reboot" \
        --locales= --themes= --fonts= "boot/grub/grub.cfg=$tmp/early.cfg"
    esp=$tmp/part1
    truncate -s 32M "$esp"
    mformat -i "$esp" ::
    mmd -i "$esp" ::EFI ::EFI/BOOT
    mcopy -i "$esp" "$tmp/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
    size=$(stat -c %s "$tmp/part2")
    truncate -s $(((40 << 20) + size)) "$tmp/disk"
    sfdisk -q "$tmp/disk" <<PARTS
label: gpt
start=2048, size=65536, type=uefi
start=69632, size=$((size / 512)), type=linux
PARTS
    dd if="$esp" of="$tmp/disk" bs=1M seek=1 conv=notrunc status=none
    dd if="$tmp/part2" of="$tmp/disk" bs=1M seek=34 conv=notrunc,sparse status=none
    rm "$tmp/part2"
}

boot_disk() { # NAME: until the machine is off, or for ten minutes
    cp /usr/share/OVMF/OVMF_VARS.fd "$tmp/vars"
    timeout 900 qemu-system-x86_64 -accel "${VM_ACCEL:-tcg}" -cpu max -m 512 -smp 2 -nographic -net none \
        -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd -drive if=pflash,format=raw,file="$tmp/vars" \
        -drive file="$tmp/disk",format=raw,if=virtio </dev/null | tr -d '\r' >"$tmp/console-$1" || true
}

said() { # NAME TEXT
    grep -qF -e "$2" "$tmp/console-$1" || { cat "$tmp/console-$1" >&2; fail "the machine did not say: $2"; }
}

mkdir "$tmp/data"
make_tree
for name in v1 v2 v3; do
    make_release $name
done
"$ihop_store" default "$tmp/data/store" v1
make_disk
rm -rf "$tree"
boot_disk 1
said 1 "LOGIN v1 v1"
boot_disk 2
said 2 "LOGIN v2 v2"
said 2 "release v2 is good"
said 2 "set release=v2"
boot_disk 3
said 3 "LOGIN v2 v2"
echo "v1, v2 on trial, v2 after a kernel that was none: as they should be"
