#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests on another release of Debian than this machine has: makes a root directory
# with it, copies what is committed into that, and runs contrib/test.sh there, as a newcomer
# does. The last line counts the tests, and the line before it names versions.
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") [OPTION...] SUITE [COMMAND [ARGUMENT...]]

  SUITE      a release of Debian by its name: bookworm (12), trixie (13)
  COMMAND    runs in the copied tree instead of contrib/test.sh, for example
             contrib/demo.sh

  --mirror URL    where packages come from; default: where this machine has its own
                  Debian packages from (its apt sources)
  --keep          leave the root directory there, and say where
  --root DIRECTORY   use this one, which --keep has left, with a fresh copy of the tree

Needs root and mmdebstrap (contrib/install-deps.sh --root). The root directory is made
in TMPDIR (default: /var/tmp) and takes 3 GB; an hour is usual. All runs in mount and
process namespaces of its own: nothing of this machine is mounted, unmounted or left
running, also after kill -9 (which leaves the directory). No control groups in there.
END
}

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

mark=.made-by-ihop # a file in a root directory that this script made: it writes into no other

# ---- inside the namespaces ----

# apt_settings: prints what apt needs to reach its mirror, such as a proxy; apt in the root
# directory needs the same.
apt_settings() {
    apt-config dump Acquire --no-empty --format '%F "%v";%n' |
        grep -E '^Acquire::(https?|Check-Valid-Until|Check-Date|Retries)' || true
}

make_root() {
    local settings

    settings=$(mktemp)
    apt_settings >"$settings"
    echo "making a root directory of $suite in $root"
    mmdebstrap --quiet --variant=minbase --aptopt="$settings" "$suite" "$root" "$mirror"
    rm -f "$settings"
    : >"$root/$mark"
}

# Copies the tree as it is committed. What an earlier run built there must not be counted.
copy_tree() {
    rm -rf "$root/ihop"
    mkdir "$root/ihop"
    tar -C "$root/ihop" -xf "$tree"
}

# The bind mount makes the root directory a mount point, because some tests expect / to be one.
mount_into() {
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount --rbind /sys "$root/sys"
    # /sys stays writable, for the settings of loop devices; the control groups do not.
    findmnt -rno TARGET -R "$root/sys" | grep -F "$root/sys/fs/cgroup" | while IFS= read -r target; do
        mount -o remount,bind,ro "$target"
    done
}

in_root() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
        TERM="${TERM:-dumb}" chroot "$root" "$@" </dev/null
}

versions() {
    in_root sh -c '
        . /etc/os-release
        installed() { dpkg-query -W -f "\${Version}" "$1" 2>/dev/null | sed "s/^[0-9]*://; s/[-+~].*//"; }
        printf "%s %s" "$NAME" "$(cat /etc/debian_version)"
        for package in gcc:gcc-'"'[0-9]*'"' nbdkit:nbdkit OpenSSL:openssl liblzma:liblzma5 curl:curl; do
            printf ", %s %s" "${package%%:*}" "$(installed "${package#*:}")"
        done
        echo'
}

inside() {
    local out code=0

    [ -e "$root/etc/debian_version" ] || make_root
    copy_tree
    mount_into
    cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
    out=$root/ihop-output
    in_root sh -c 'cd /ihop && exec "$@"' - "$@" 2>&1 | tee "$out" || code=$?
    # The count of the tests is to stay the last line.
    versions
    tail -n 1 "$out"
    return "$code"
}

# ---- outside ----

machine_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

detach_loops() {
    losetup --list --noheadings --output NAME,BACK-FILE | while read -r loop file; do
        case $file in
            "$root"/*) losetup -d "$loop" ;;
        esac
    done
}

clean_up() {
    local code=$?

    trap - EXIT
    if [ -n "$job" ]; then
        kill -KILL "$job" 2>/dev/null || true
        wait "$job" 2>/dev/null || true
    fi
    rm -f "$tree"
    if [ -n "$root" ]; then
        detach_loops || true
        if [ $keep = yes ]; then
            echo "kept: $root"
        else
            rm -rf --one-file-system "$root"
        fi
    fi
    exit "$code"
}

if [ "${1:-}" = --inside ]; then
    root=$2 tree=$3 mirror=$4 suite=$5
    shift 5
    inside "$@"
    exit
fi

mirror='' keep=no root='' tree='' job=''
while [ $# -gt 0 ]; do
    case $1 in
        --mirror)
            mirror=${2:?}
            shift
            ;;
        --root)
            root=$(cd "${2:?}" && pwd)
            [ -e "$root/$mark" ] || die "$root has not been made by this script"
            keep=yes
            shift
            ;;
        --keep) keep=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*)
            usage >&2
            exit 2
            ;;
        *) break ;;
    esac
    shift
done
if [ $# -eq 0 ]; then
    usage >&2
    exit 2
fi
suite=$1
shift
[ $# -gt 0 ] || set -- contrib/test.sh
[ "$(id -u)" -eq 0 ] || die "this needs root"
command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: contrib/install-deps.sh --root installs it"
[ -n "$mirror" ] || mirror=$(machine_mirror)
[ -n "$mirror" ] || die "no Debian mirror in this machine's apt sources: name one with --mirror"

source=$(cd "$(dirname "$0")/.." && pwd)
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
tree=$(mktemp)
git -C "$source" archive HEAD >"$tree"
[ -n "$root" ] || root=$(mktemp -d "${TMPDIR:-/var/tmp}/ihop-$suite.XXXXXXXXXX")
chmod 755 "$root"
# The first process of the namespace ends with this script, and all others end with it.
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --mount-proc \
    bash "$0" --inside "$root" "$tree" "$mirror" "$suite" "$@" </dev/null &
job=$!
code=0
wait "$job" || code=$?
job=''
exit "$code"
