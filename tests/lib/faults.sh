# SPDX-License-Identifier: MIT
# faults.sh: what the long-running tests of faults share. A test sources it
# after functions.sh.
#
# `make check` runs a sample of each; `make check-faults` sets IHOP_FAULTS=full, and
# then they run in full. What a test measures is on lines of its log that begin with
# "measured: ".

requires python3
# libtool may have made a script of the program; what is traced is the program.
program=$ihop_clone
[ ! -x "$builddir/.libs/ihop-clone" ] || program=$builddir/.libs/ihop-clone

# by_length SAMPLE FULL: the one of the two that this run wants.
by_length() {
    if [ "${IHOP_FAULTS:-sample}" = full ]; then echo "$2"; else echo "$1"; fi
}

# memory_directory: sets $fast to a fresh directory, in memory if there is enough.
memory_directory() {
    fast=$tmp/fast
    if [ -w /dev/shm ] && [ "$(df --output=avail -m /dev/shm | tail -n 1)" -ge 1500 ]; then
        fast=$(mktemp -d /dev/shm/ihop-test.XXXXXXXXXX)
        at_exit rm -rf "$fast"
    fi
    mkdir -p "$fast"
}

# requires_disks [FS...]: skips unless such file systems can be made and mounted
# through FUSE and loop devices.
requires_disks() {
    local fs

    [ "$(id -u)" = 0 ] || skip "mounting needs root"
    [ -c /dev/fuse ] && [ -c /dev/loop-control ] || skip "no /dev/fuse or /dev/loop-control"
    losetup --find >/dev/null 2>&1 || skip "no loop device"
    requires nbdkit nbdfuse strace
    for fs in "$@"; do
        requires "mkfs.$fs"
    done
}

# release_disks DIRECTORY: what was mounted below it, should its user have been killed.
release_disks() {
    local target device

    # Loop devices first, while the path of the file below them is known; those in use are freed by
    # the kernel when they no longer are.
    losetup -nO NAME,BACK-FILE | grep -F "$1/" | while read -r device _; do
        losetup -d "$device"
    done
    findmnt -rno TARGET | grep -F "$1/" | sort -r | while IFS= read -r target; do
        umount -l "$target"
    done
}

# fault DIRECTORY SCRIPT ARGUMENT...: runs tests/faults/SCRIPT in a directory that is its own;
# its last line is what it measured.
fault() {
    local directory=$1 script=$2 code=0

    shift 2
    rm -rf "$directory"
    mkdir -p "$directory"
    "$python" "$srcdir/tests/faults/$script" "$@" "$directory" >"$tmp/fault" || code=$?
    sed -e '$s/^/measured: /' "$tmp/fault"
    return $code
}
