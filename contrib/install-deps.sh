#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what ihop needs on Debian 12 or 13. Does nothing when all of it is installed.
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") [--tests] [--bench] [--root] [--bita] [--original]

Installs with apt-get what it takes to build and run ihop and its demo.

  --tests     and what "make check" and CI use
  --bench     and what the programs of bench/ use
  --root      and what contrib/test-in-root.sh uses
  --bita      and bita (makes archives), built by cargo
  --original  and ihop 0.1 (its stores are tested), built by cargo

Run it as root, or as a user who may use sudo. cargo installs into /usr/local for
root and into ~/.cargo for others.
END
}

packages=(
    gcc libc6-dev make autoconf automake libtool pkg-config perl python3
    nbdkit nbdkit-plugin-dev libnbd-bin python3-libnbd fuse3 mount util-linux
    libcurl4-openssl-dev libjansson-dev libssl-dev liblzma-dev libzstd-dev libbrotli-dev
    protobuf-c-compiler libprotobuf-c-dev libmnl-dev libcmocka-dev nginx-light xz-utils e2fsprogs
)
test_packages=(
    strace xfsprogs btrfs-progs squashfs-tools erofs-utils fdisk
    clang clang-format libclang-rt-dev valgrind brotli zstd jq curl openssl minisign ca-certificates
    iproute2 procps util-linux-extra faketime git man-db
    user-mode-linux busybox-static dash cpio dmsetup cryptsetup-bin nbd-client kmod
    qemu-system-x86 u-boot-qemu
)
bench_packages=(mmdebstrap squashfs-tools erofs-utils casync xdelta3 zchunk ostree rdiff zstd curl)
root_packages=(mmdebstrap git)
cargo_packages=(g++ protobuf-compiler ca-certificates)

# bita 0.15 needs this version of Rust. The package cargo of Debian 12 is older; the package
# cargo-web, which is updated for browsers, is not.
rust_minimum=1.88

want_bita=no
want_original=no
for arg; do
    case $arg in
        --tests) packages+=("${test_packages[@]}") ;;
        --bench) packages+=("${bench_packages[@]}") ;;
        --root) packages+=("${root_packages[@]}") ;;
        --bita) want_bita=yes ;;
        --original) want_original=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
done

die() {
    echo "install-deps: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null ||
            die "installing packages needs root, and there is no sudo: run this as root (su -c '$0'), or install sudo"
        sudo "$@"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Debian starts nginx when it is installed, and at each boot. Only the program is wanted: what
# listened before goes on listening, and nothing else does.
policy=/usr/sbin/policy-rc.d
policy_made=no

remove_policy() {
    if [ "$policy_made" = yes ]; then
        as_root rm -f "$policy"
    fi
}
trap remove_policy EXIT

keep_nginx_quiet() {
    if [ ! -e "$policy" ]; then
        policy_made=yes
        printf '#!/bin/sh\n[ "$1" = nginx ] && exit 101\nexit 0\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
}

apt_install() {
    local missing=() package nginx_is_new=no log=

    for package; do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    log=$(mktemp)
    printf 'installing %d Debian packages, up to a few minutes (log: %s):\n' ${#missing[@]} "$log"
    printf '%s\n' "${missing[*]}" | fold -s -w 76 | sed 's/^/  /'
    if ! is_installed nginx-common; then
        nginx_is_new=yes
        keep_nginx_quiet
    fi
    as_root apt-get -q update >"$log" 2>&1 || apt_failed "$log" "apt-get update"
    # --no-remove: what somebody else installed must stay.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-remove --no-install-recommends \
        -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 \
        install "${missing[@]}" >"$log" 2>&1 </dev/null || apt_failed "$log" "apt-get install"
    rm -f "$log"
    remove_policy
    policy_made=no
    if [ "$nginx_is_new" = yes ] && is_installed nginx-common && [ -d /run/systemd/system ]; then
        as_root systemctl -q disable nginx || true
    fi
}

apt_failed() {
    tail -n 20 "$1" >&2
    die "$2 failed (the whole log is in $1)"
}

# cargo_number CARGO: prints its version as a number that can be compared: 1.88 is 1088.
cargo_number() {
    "$1" --version 2>/dev/null | sed -nE 's/^cargo ([0-9]+)\.([0-9]+).*/\1 \2/p' |
        awk '{ print $1 * 1000 + $2 }'
}

# Sets $cargo to the first cargo that is new enough; fails when there is none.
find_cargo() {
    local candidate number minimum

    minimum=$(echo "$rust_minimum" | awk -F. '{ print $1 * 1000 + $2 }')
    for candidate in "$(command -v cargo || true)" "$HOME/.cargo/bin/cargo" /usr/bin/cargo; do
        [ -x "$candidate" ] || continue
        number=$(cargo_number "$candidate")
        if [ "${number:-0}" -ge "$minimum" ]; then
            cargo=$candidate
            return 0
        fi
    done
    return 1
}

cargo_install() {
    local root

    apt_install "${cargo_packages[@]}"
    if ! find_cargo; then
        apt_install cargo-web
        find_cargo || die "no cargo of Rust $rust_minimum or newer (Debian's cargo-web comes from bookworm-security)"
    fi
    if [ "$(id -u)" -eq 0 ]; then
        root=/usr/local
    else
        root=${CARGO_HOME:-$HOME/.cargo}
    fi
    echo "building $1 with $cargo: five minutes, with no more words than these"
    # The directory of this cargo comes first, because PATH may have an older rustc.
    PATH=$(dirname "$cargo"):$PATH "$cargo" install --quiet --force --root "$root" "$@"
    case :$PATH: in
        *:"$root/bin":*) ;;
        *) echo "$1 is in $root/bin, which is not in your PATH" ;;
    esac
}

PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

# Without lzma and zstd, bita cannot make all the archives that the tests want.
has_bita() {
    command -v bita >/dev/null && bita compress --help 2>&1 | grep -q 'lzma.*zstd'
}

apt_install "${packages[@]}"
if [ $want_bita = yes ] && ! has_bita; then
    cargo_install bita --locked --features lzma-compression,zstd-compression
fi
if [ $want_original = yes ] && ! { command -v ihop >/dev/null && ihop --version | grep -q '^ihop 0\.'; }; then
    # Without --locked: the lock file of ihop 0.1 is from before OpenSSL 3.
    cargo_install ihop
fi
