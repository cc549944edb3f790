#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Does the whole job on real release images with real tools: bita makes the archives,
# nginx serves them, ihop-clone puts three releases into one store, nbdkit serves
# each, and each byte is compared with the image. Prints a table of what it took.
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") [--small] [BUILD-DIRECTORY]

BUILD-DIRECTORY: default is build, in the source directory.

  --small   small made-up images; needs no root (then nothing is mounted)

Images and archives are kept in the directory IHOP_BENCH_DIR (default: bench-images;
about 6 GiB) and used again by the next run.
END
}

small=
if [ "${1:-}" = --small ]; then
    small=--small
    shift
fi
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
    usage >&2
    exit 2
fi
srcdir=$(cd "$(dirname "$0")/.." && pwd)
builddir=${1:-$srcdir/build}
images=${IHOP_BENCH_DIR:-bench-images}${small:+/small}
mkdir -p "$images"
images=$(cd "$images" && pwd)
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/sbin:/usr/sbin
# The store must be on a disk, not in memory.
export TMPDIR=${TMPDIR:-$images}
. "$srcdir/tests/lib/functions.sh"
[ -x "$ihop_clone" ] || fail "$ihop_clone is not there: run contrib/build.sh first"
. "$srcdir/tests/lib/real.sh"

for tool in bita nginx nbdkit nbdcopy python3; do
    command -v "$tool" >/dev/null ||
        fail "$tool is missing: contrib/install-deps.sh --bench --bita"
done
why_no_mount=$(can_mount)

"$srcdir/bench/make-images.sh" $small "$images"

# An archive gets its name only after bita has restored the image from it.
for kind in ext4 squashfs erofs; do
    for v in 1 2 3; do
        image=$images/v$v.$kind
        if [ ! "$image.cba" -nt "$image" ]; then
            bita_compress "$image" "$tmp/archive"
            mv "$tmp/archive" "$image.cba"
            echo "made $image.cba, $(stat -c %s "$image.cba") bytes"
        fi
    done
done
rm -f "$tmp/bita.img"

# new_store KIND: makes a store and prints its path. Where possible the store is on a fresh ext4,
# because other files of a busy machine would hide what a store costs.
new_store() {
    local disk=$tmp/$1.disk
    mkdir -p "$tmp/$1"
    if [ -z "$why_no_mount" ]; then
        truncate -s $((small_disk ? 256 : 6144))M "$disk"
        mkfs.ext4 -q -F -m 0 -E nodiscard "$disk"
        mount -o loop "$disk" "$tmp/$1"
        at_exit umount "$tmp/$1"
    fi
}

row() {
    printf '%-9s %-3s %7s %8s %8s %12s %12s %12s %12s %9s %8s\n' "$@"
}

small_disk=$((${#small} > 0))
start_nginx "$images"
row image v chunks reused fetched image archive downloaded written requests seconds >"$tmp/table"
for kind in ext4 squashfs erofs; do
    new_store $kind
    for v in 1 2 3; do
        image=$images/v$v.$kind
        "$ihop_clone" --quiet --json "$url/v$v.$kind.cba" "$tmp/$kind/store/v$v" >"$tmp/summary" ||
            fail "ihop-clone of $image.cba"
        serve_release "$tmp/$kind/store/v$v" 'nbdcopy "$uri" -' >"$tmp/copy" ||
            fail "nbdkit or nbdcopy of $kind v$v"
        cmp "$tmp/copy" "$image"
        row $kind v$v "$(summary chunks_total)" "$(summary chunks_reused)" \
            "$(summary chunks_fetched)" "$(stat -c %s "$image")" "$(stat -c %s "$image.cba")" \
            "$(summary bytes_downloaded)" "$(summary bytes_written)" "$(summary requests)" \
            "$(summary seconds)" | tee -a "$tmp/table"
    done
    if [ -z "$why_no_mount" ]; then
        mount_release "$tmp/$kind/store/v3" "$tmp/mount-$kind"
        [ -s "$tmp/mount-$kind/etc/hostname" ] || fail "the mounted $kind has no etc/hostname"
        echo "mounted $kind v3: $(ls "$tmp/mount-$kind" | tr '\n' ' ')"
        unmount_release "$tmp/mount-$kind"
        umount "$tmp/$kind"
        rm -f "$tmp/$kind.disk"
    else
        rm -rf "${tmp:?}/$kind"
    fi
done
echo
[ -z "$why_no_mount" ] || echo "not mounted: $why_no_mount"
cat "$tmp/table"
