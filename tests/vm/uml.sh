# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Sourced after functions.sh. A machine of user-mode Linux (Debian's package user-mode-linux), which
# boots in two seconds, needs neither root nor KVM, and has a kernel with the NBD client. Its root
# is the host's, read-only; /run and /tmp are its own memory, and $tmp is the host's, to write in.
requires linux.uml busybox
uml_modules=$(echo /usr/lib/uml/modules/*)

# uml_boot SECONDS [ARGUMENT...]: boots a machine whose process 1 is the script $tmp/init; it and the
# arguments are for the kernel's command line, such as ubd0=FILE, a disk.
uml_boot() {
    local seconds=$1
    shift
    chmod +x "$tmp/init"
    timeout "$seconds" linux.uml "mem=${UML_MEMORY:-256M}" "umid=ihop-$$" "uml_dir=$tmp/uml" rootfstype=hostfs \
        rootflags=/ rw "init=$tmp/init" con=null con0=null,fd:1 quiet panic=1 "$@" >"$tmp/console" 2>&1 </dev/null
}

# uml SECONDS SCRIPT [ARGUMENT...]: boots with the arguments of uml_boot, runs the shell script as
# process 1 in the machine, and ends it. What the script prints is in $tmp/console, and its exit
# code is the function's. A test is skipped where
# linux.uml is installed but no script comes to run, in a container without ptrace for example.
uml() {
    local seconds=$1 script=$2
    shift 2
    rm -f "$tmp/exit" "$tmp/began"
    cat >"$tmp/init" <<INIT
#!/bin/bash
: >"$tmp/began"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin tmp=$tmp builddir=$builddir srcdir=$srcdir uml_modules=$uml_modules
mount -t proc none /proc
mount -t sysfs none /sys
mountpoint -q /dev || mount -t devtmpfs none /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs none /run
mkdir /run/mnt
ip link set lo up
module() { busybox insmod "$uml_modules/kernel/\$1.ko"; }
wait_until() { # SECONDS COMMAND...
    local end=\$((SECONDS + \$1))
    shift
    until "\$@"; do
        [ \$SECONDS -lt \$end ] || { echo "timeout: \$*"; return 1; }
        sleep 0.05
    done
}
(set -e; . "$script")
echo \$? >"$tmp/exit"
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
INIT
    uml_boot "$seconds" "$@" || true
    [ -e "$tmp/began" ] || skip "linux.uml does not boot here: $(grep -v '^$' "$tmp/console" | tail -n 1)"
    [ -e "$tmp/exit" ] && return "$(cat "$tmp/exit")"
    echo "the machine did not come to its end" >>"$tmp/console"
    return 1
}
