#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A real U-Boot, in qemu, reads .ihop/boot from ext4 by the lines of docs/store.md.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
rom=/usr/lib/u-boot/qemu-x86/u-boot.rom
[ -e $rom ] || skip "not installed: u-boot-qemu"
requires qemu-system-i386 mke2fs
cd "$tmp"
mkdir disk

for i in 1 2; do
    noise image 51200 "image $i"
    $cba make --fixed 20000 image v$i.cba
    expect_exit 0 "$ihop_clone" -q v$i.cba "disk/store/v-$i.0_x"
done
expect_exit 0 "$ihop_store" default -q disk/store/v-1.0_x

# The lines of the document, for this disk.
sed -n '/^load mmc 0:2/,/^```/p' "$srcdir/docs/store.md" | grep -v '^```' |
    sed 's/load mmc 0:2/load nvme 0/; s/\${loadaddr}/0x2000000/' >lines
equal "$(wc -l <lines)" 3 "lines in docs/store.md"

# asks TRIES: the release that U-Boot finds, what else it knows, from a disk with the store as it is.
asks() {
    truncate -s 64M image.ext4
    mke2fs -q -F -t ext4 -d disk image.ext4
    {
        echo 'setenv trial old; nvme scan'
        cat lines
        echo 'echo ${release} of ${default} ${trial} ${good} ${tries}'
    } | "$python" "$srcdir/tests/vm/uboot.py" $rom image.ext4 2>console || fail "$(tail -n 5 console)"
}

equal "$(asks)" "v-1.0_x of v-1.0_x 0" "without a trial"
expect_exit 0 "$ihop_store" try -q --tries 1 disk/store/v-2.0_x
equal "$(asks)" "v-2.0_x of v-1.0_x v-2.0_x 1" "with a trial"
expect_exit 0 "$ihop_store" boot disk/store
equal "$(asks)" "v-1.0_x of v-1.0_x v-2.0_x 0" "with a trial that has failed"
