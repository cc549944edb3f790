#!/bin/bash
# SPDX-License-Identifier: MIT
# A virtual machine uses a release as the man page shows it: the kernel's NBD client over
# TCP (four connections), mounted; dm-verity on top; and a disk of qemu's with a writable
# overlay. Compares every byte. Run by hand, from a build directory:
#
#     VM_ROOT=DIRECTORY bash ../tests/vm/attach.sh
#
# DIRECTORY holds an unpacked kernel package of Debian, without installing it:
#     apt-get download linux-image-6.1.0-NN-cloud-amd64
#     dpkg-deb -x linux-image-*.deb DIRECTORY
#
# Needs qemu-system-x86, busybox-static, nbd-client, cryptsetup-bin, kmod, cpio, e2fsprogs.
# Takes half a minute in software emulation; VM_ACCEL=kvm uses the processor's help.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/plugin-functions.sh"
PATH=$PATH:/usr/sbin:/sbin
requires qemu-system-x86_64 busybox nbd-client veritysetup depmod modprobe cpio mke2fs

root=${VM_ROOT:?see the top of $0}
kernel=$(echo "$root"/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}

# An ext4 image with its hash tree after it; the tree begins at $tree.
make_device() {
    mkdir "$tmp/files"
    for i in $(seq 40); do
        noise "$tmp/files/file$i" $((i * 9000)) "$i"
    done
    (cd "$tmp/files" && sha256sum file*) >"$tmp/sums"
    cp "$tmp/sums" "$tmp/files/sums"
    tree=$((24 << 20))
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -d "$tmp/files" "$tmp/device" $((tree / 4096))
    veritysetup format --hash-offset=$tree "$tmp/device" "$tmp/device" >"$tmp/verity"
    root_hash=$(sed -n 's/^Root hash:[[:space:]]*//p' "$tmp/verity")
    truncate -s %512 "$tmp/device"
    # As an update does it: an archive, cloned into a store.
    $cba make --fixed 50000 "$tmp/device" "$tmp/device.cba"
    "$ihop_clone" -q "$tmp/device.cba" "$tmp/store/v1"
}

copy_program() {
    local file

    for file in "$(command -v "$1")" $(ldd "$(command -v "$1")" 2>/dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$tmp/initrd/$(dirname "$file")"
        cp -L "$file" "$tmp/initrd/$file"
    done
}

# All modules that these need, in order of loading.
copy_modules() {
    local name file

    mkdir -p "$tmp/initrd/modules"
    depmod -b "$root" "$version"
    for name in "$@"; do
        modprobe -d "$root" -S "$version" --show-depends "$name" | sed -n 's/^insmod //p'
    done | awk '!seen[$1]++ { print $1 }' | while read -r file; do
        cp "$file" "$tmp/initrd/modules/"
        basename "$file"
    done >"$tmp/initrd/modules/order"
}

make_initrd() {
    mkdir -p "$tmp/initrd/mnt" "$tmp/initrd/bin"
    copy_program busybox
    copy_program nbd-client
    copy_program veritysetup
    copy_modules virtio_pci virtio_net virtio_blk nbd dm-verity sha256_generic ext4
    cat >"$tmp/initrd/init" <<INIT
#!$(command -v busybox) sh
$(command -v busybox) --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
set -e
trap 'poweroff -f' EXIT
mount -t devtmpfs none /dev
mkdir /proc /sys /run
mount -t proc none /proc
mount -t sysfs none /sys
while read -r m; do insmod /modules/\$m; done </modules/order
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0

nbd-client 10.0.2.2 $port /dev/nbd0 -C 4 -readonly
echo "size \$(blockdev --getsize64 /dev/nbd0) readonly \$(blockdev --getro /dev/nbd0)"
echo "device \$(sha256sum </dev/nbd0)"
mount -t ext4 -o ro /dev/nbd0 /mnt
(cd /mnt && sha256sum -c sums >/dev/null) && echo files good
umount /mnt

veritysetup open /dev/nbd0 root /dev/nbd0 $root_hash --hash-offset=$tree
mount -t ext4 -o ro /dev/mapper/root /mnt
(cd /mnt && sha256sum -c sums >/dev/null) && echo verity good
umount /mnt
veritysetup close root
nbd-client -d /dev/nbd0

mount -t ext4 /dev/vda /mnt
(cd /mnt && sha256sum -c sums >/dev/null) && echo disk good
echo written >/mnt/new
umount /mnt
mount -t ext4 -o ro /dev/vda /mnt
cat /mnt/new
umount /mnt
echo guest done
INIT
    chmod +x "$tmp/initrd/init"
    (cd "$tmp/initrd" && find . | cpio -o -H newc --quiet | gzip -1) >"$tmp/initrd.gz"
}

boot() {
    timeout 200 qemu-system-x86_64 -accel "${VM_ACCEL:-tcg}" -cpu max -m 512 -smp 2 -nographic -no-reboot -net none \
        -kernel "$kernel" -initrd "$tmp/initrd.gz" -append "console=ttyS0 panic=-1 quiet" \
        -netdev user,id=n -device virtio-net-pci,netdev=n \
        -drive file="$1",format=raw,if=virtio </dev/null | tr -d '\r' >"$tmp/console"
}

said() {
    grep -qx -e "$1" "$tmp/console" || { cat "$tmp/console" >&2; fail "the guest did not say: $1"; }
}

make_device
cp -r "$tmp/store" "$tmp/before"
port=$(free_port)
make_initrd
ihop -f -i 127.0.0.1 -p "$port" -- "$tmp/store/v1" &
at_exit kill $!
serve --filter=cow -- "$tmp/store/v1"
boot "$uri"
said "size $(stat -c %s "$tmp/device") readonly 1"
said "device $(sha256sum <"$tmp/device")"
said 'files good'
said 'verity good'
said 'disk good'
said written
said 'guest done'
diff -r "$tmp/before" "$tmp/store"
