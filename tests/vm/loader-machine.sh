# shellcheck shell=bash disable=SC2154 # tmp and others are of functions.sh
# SPDX-License-Identifier: MIT
# Sourced after functions.sh by grub.sh and systemd-boot.sh: a disk of qemu with an EFI partition and a
# data partition with a store, whose releases are Debian with systemd, the kernel in their /boot, and an
# initramfs of Debian's initramfs-tools. By hand, as root, from a build directory that was configured
# with --prefix=/usr. Without KVM a boot takes half a minute to two minutes; VM_ACCEL=kvm uses the
# processor's help, VM_CACHE=DIRECTORY keeps what mmdebstrap made.
PATH=$PATH:/usr/sbin:/sbin
requires mmdebstrap qemu-system-x86_64 mcopy mformat sfdisk mke2fs e2fsck
[ "$(id -u)" -eq 0 ] || skip "needs root: it makes a root directory of Debian"
grep -q '^prefix = /usr$' "$builddir/Makefile" || skip "$builddir was not configured with --prefix=/usr"
base=${VM_CACHE:-$tmp/cache}/bookworm-initramfs-tools
tree=$tmp/tree

# make_tree [MODULE...]: the root directory; of the kernel's modules, these stay.
make_tree() {
    local unit module keep=()

    if [ ! -d "$base" ]; then
        mkdir -p "${base%/*}"
        mmdebstrap --quiet --variant=minbase --include="systemd-sysv,udev,kmod,nbdkit,e2fsprogs,libmnl0,libjansson4,$(
        )libprotobuf-c1,libbrotli1,liblzma5,libzstd1,libcurl4,linux-image-cloud-amd64,busybox-static,util-linux,mount,zstd,initramfs-tools" \
            bookworm "$base.new"
        mv "$base.new" "$base"
    fi
    cp -a "$base" "$tree"
    make -s -C "$builddir" install DESTDIR="$tree" >/dev/null
    version=$(ls "$tree/lib/modules")
    chroot "$tree" mkinitramfs -o /boot/initrd "$version" >/dev/null
    mv "$tree/boot/vmlinuz-$version" "$tree/boot/vmlinuz"
    rm -rf "$tree"/usr/share/{doc,locale,man,i18n} "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* "$tree"/boot/*-amd64
    for module in nbd "$@"; do
        keep+=(! -name "$module.ko*")
    done
    find "$tree/lib/modules/$version/kernel" -name '*.ko*' "${keep[@]}" -delete
    depmod -b "$tree" "$version"
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
    # As it is after an installation.
    chroot "$tree" systemctl -q preset ihop-good.service ihop-not-good.service ihop-watch.service
}

# recipe NAME: prints the script of docs/boot-loaders.md whose second line begins with its name.
recipe() {
    echo '#!/bin/sh'
    sed -n "/^# $1/,/^\`\`\`/p" "$srcdir/docs/boot-loaders.md" | sed '$d'
}

# recipe_program NAME: puts it into the tree.
recipe_program() {
    recipe "$1" >"$tree/usr/sbin/$1"
    [ "$(wc -l <"$tree/usr/sbin/$1")" -gt 3 ] || fail "docs/boot-loaders.md has no $1"
    chmod +x "$tree/usr/sbin/$1"
}

# make_release NAME: the tree as it is now, in the store.
make_release() {
    echo "$1" >"$tree/etc/version"
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -U 6f626d63-0000-4000-8000-000000000000 \
        -E hash_seed=6f626d63-0000-4000-8000-000000000000 -d "$tree" "$tmp/$1.img" 700M
    "$ihop_compress" -q --compression none -f "$tmp/$1.img" "$tmp/$1.cba"
    "$ihop_clone" -q "$tmp/$1.cba" "$tmp/data/store/$1"
    rm "$tmp/$1.img" "$tmp/$1.cba"
}

# join_disk: $tmp/disk, of the EFI partition $tmp/part1 and a data partition of $tmp/data.
efi_size=$((128 << 20))
join_disk() {
    local size

    mke2fs -q -F -t ext4 -L ihop-data -d "$tmp/data" "$tmp/part2" 1400M
    size=$(stat -c %s "$tmp/part2")
    truncate -s $((efi_size + (8 << 20) + size)) "$tmp/disk"
    sfdisk -q "$tmp/disk" <<PARTS
label: gpt
start=2048, size=$((efi_size / 512)), type=uefi
start=$((2048 + efi_size / 512)), size=$((size / 512)), type=linux
PARTS
    dd if="$tmp/part1" of="$tmp/disk" bs=1M seek=1 conv=notrunc,sparse status=none
    dd if="$tmp/part2" of="$tmp/disk" bs=1M seek=$((1 + (efi_size >> 20))) conv=notrunc,sparse status=none
    rm "$tmp/part2"
    rm -rf "$tree"
    # The firmware's variables stay from one boot to the next.
    cp /usr/share/OVMF/OVMF_VARS.fd "$tmp/vars"
}

make_efi_partition() {
    truncate -s $efi_size "$tmp/part1"
    mformat -i "$tmp/part1" -F -v EFI ::
    mmd -i "$tmp/part1" ::EFI ::EFI/BOOT
}

# boot_disk NAME: until the machine is off, or for fifteen minutes; its console is in $tmp/console-NAME.
boot_disk() {
    local offset=$(((1 << 20) + efi_size))

    timeout 900 qemu-system-x86_64 -accel "${VM_ACCEL:-tcg}" -cpu max -m 512 -smp 2 -nographic -net none \
        -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd -drive if=pflash,format=raw,file="$tmp/vars" \
        -drive file="$tmp/disk",format=raw,if=virtio </dev/null | tr -d '\r' >"$tmp/console-$1" || true
    dd if="$tmp/disk" of="$tmp/part2" bs=1M skip="$offset" iflag=skip_bytes conv=sparse status=none
    e2fsck -fn "$tmp/part2" >"$tmp/fsck" 2>&1 || { cat "$tmp/fsck" >&2; fail "the data partition is not clean"; }
    rm "$tmp/part2"
    grep -a -e '^LOGIN' -e 'reboot: ' "$tmp/console-$1"
}

said() { # NAME TEXT
    grep -qF -e "$2" "$tmp/console-$1" || { cat "$tmp/console-$1" >&2; fail "the machine did not say: $2"; }
}

times_said() { # NAME COUNT TEXT
    [ "$(grep -cF -e "$3" "$tmp/console-$1")" = "$2" ] || { cat "$tmp/console-$1" >&2; fail "the machine did not say $2 times: $3"; }
}
