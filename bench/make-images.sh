#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes three versions of a release image, each as ext4, squashfs and erofs. Images that exist
# already are kept.
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") [--small] DIRECTORY

Debian root file systems, by mmdebstrap from the mirrors that this machine's apt
uses: v1 is the release alone, v2 has its updates and security fixes, v3 has a few
more packages. Needs root, and contrib/install-deps.sh --bench.

  --small   a few made-up files instead of Debian; needs neither root nor a mirror
END
}

small=no
if [ "${1:-}" = --small ]; then
    small=yes
    shift
fi
if [ $# -ne 1 ] || [[ $1 == -* ]]; then
    usage >&2
    exit 2
fi
source=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
PATH=$PATH:/sbin:/usr/sbin

# Without these settings equal files would give different images.
export SOURCE_DATE_EPOCH=1700000000
export LC_ALL=C TZ=UTC
umask 022
uuid=0b0e0000-0000-4000-8000-000000000002
release=bookworm
base=linux-image-cloud-$(dpkg --print-architecture 2>/dev/null || echo amd64),openssh-server,python3,nginx-light,locales,git
more=$base,tmux,rsync,nftables,strace

die() {
    echo "make-images: $*" >&2
    exit 1
}

for tool in mkfs.ext4 mksquashfs mkfs.erofs python3; do
    command -v "$tool" >/dev/null || die "$tool is missing: contrib/install-deps.sh --bench"
done

work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# source_line SUITE: prints an apt line for main of this suite, with the machine's own mirror.
source_line() {
    local uri
    uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$1" '$2 == suite && $3 == "main" { print $1; exit }')
    [ -n "$uri" ] || die "this machine's apt has no mirror of $1 (main): see /etc/apt/sources.list*"
    echo "deb $uri $1 main"
}

debian_tree() {
    local suites=("$release") packages=$base suite sources=()

    [ "$1" -eq 1 ] || suites+=("$release-updates" "$release-security")
    [ "$1" -lt 3 ] || packages=$more
    for suite in "${suites[@]}"; do
        sources+=("$(source_line "$suite")")
    done
    # The result is a tar, because mmdebstrap sets all times in it to fixed values.
    mmdebstrap --quiet --variant=important --include="$packages" \
        --customize-hook='echo device >"$1/etc/hostname"' \
        --customize-hook='rm -rf "$1"/var/log/*.log "$1"/var/log/apt "$1"/var/cache/ldconfig/aux-cache "$1"/etc/ssh/ssh_host_*' \
        "$release" "$work/v$1.tar" "${sources[@]}" >"$out/mmdebstrap-v$1.log" 2>&1 ||
        die "mmdebstrap failed: see $out/mmdebstrap-v$1.log"
    mkdir "$2"
    tar -C "$2" -xpf "$work/v$1.tar" --numeric-owner --xattrs --xattrs-include='*'
    rm "$work/v$1.tar"
}

make_tree() {
    if [ $small = yes ]; then
        "$source/tests/data/make-image.py" tree "$2" "$1"
    else
        debian_tree "$1" "$2"
    fi
}

make_ext4() {
    local size=640M
    [ $small = no ] || size=24M
    "$source/contrib/make-ext4.sh" "$1" "$2" "$size" "$uuid"
}

make_squashfs() {
    mksquashfs "$1" "$2" -comp zstd -noappend -no-progress -quiet >"$out/mksquashfs.log" 2>&1 ||
        die "mksquashfs failed: see $out/mksquashfs.log"
}

# The images are not compressed, so that equal files give equal chunks.
make_erofs() {
    mkfs.erofs -T "$SOURCE_DATE_EPOCH" -U "$uuid" "$2" "$1" >/dev/null
}

if [ $small = no ]; then
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: contrib/install-deps.sh --bench"
    [ "$(id -u)" -eq 0 ] || die "Debian images need root (or use --small)"
fi
for v in 1 2 3; do
    tree=
    for kind in ext4 squashfs erofs; do
        image=$out/v$v.$kind
        [ ! -s "$image" ] || continue
        if [ -z "$tree" ]; then
            tree=$work/v$v
            make_tree $v "$tree"
        fi
        "make_$kind" "$tree" "$work/image"
        mv "$work/image" "$image"
        echo "made $image, $(stat -c %s "$image") bytes"
    done
    [ -z "$tree" ] || rm -rf "$tree"
done
