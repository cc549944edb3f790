#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Machines of user-mode Linux whose power is cut while releases are armed, booted, found good and made
# the default on ext4, again and again. After each cut the store says which release boots, and that one
# is whole; and a trial has not booted more often than it was armed.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs e2fsck setsid
if is_sanitized "$ihop_store"; then skip "built with a sanitizer"; fi
cuts=${CUTS:-30}

mkdir "$tmp/disk"
for n in 1 2 3; do
    noise "$tmp/image" 200000 "$n"
    $cba make --fixed 50000 "$tmp/image" "$tmp/v$n.cba"
    "$ihop_clone" -q "$tmp/v$n.cba" "$tmp/disk/store/v$n"
done
"$ihop_store" -q default "$tmp/disk/store/v1"

# What a machine does from its start: it looks at what the last cut has left, chooses once, as an
# initramfs does, and works until its power is cut. What is written to the host's files "log" and
# "failed" is there after the cut, whatever becomes of the machine's own disk.
make_machine() { # DIRECTORY
    mkdir "$1"
    mke2fs -q -F -t ext4 -d "$tmp/disk" "$1/data" 16M
    : >"$1/log"
    cat >"$1/init" <<INIT
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /run
mkdir /run/mnt
tool=$builddir/ihop-store host=$1 store=/run/mnt/store
INIT
    cat >>"$1/init" <<'INIT'
say() { echo "$*" >>"$host/log"; }
broken() { echo "$*" >>"$host/failed"; echo o >/proc/sysrq-trigger; exec tail -f /dev/null; }
field() { sed -n "s/^$1=//p" "$store/.ihop/boot"; }
# Boots of the trial since it was armed last. Of an arming that was cut off, both outcomes are right.
check_tries() {
    local trial left used armed

    trial=$(field trial) left=$(field tries)
    [ -n "$trial" ] || return 0
    used=$(awk -v trial="$trial" '/^arm / { n = 0 } $0 == "boot " trial { n++ } END { print n + 0 }' "$host/log")
    armed=$(awk '/^arm / { a = "begun" } /^armed / { a = "done" } END { print a }' "$host/log")
    [ "$armed" = done ] || return 0
    [ $((${left:-0} + used)) -le 3 ] || broken "$trial was armed for 3 boots, has booted $used times and has $left tries left"
}
check() {
    local chosen

    "$tool" selection "$store" >/run/said 2>&1 || broken "selection: $(cat /run/said)"
    chosen=$("$tool" boot --dry-run "$store" 2>/run/said) || broken "boot --dry-run: $(cat /run/said)"
    "$tool" verify -q "$store/$chosen" >/run/said 2>&1 || broken "$chosen is not whole: $(cat /run/said)"
    check_tries
}
boot() {
    local chosen

    chosen=$("$tool" boot "$store" 2>/run/said) || broken "boot: $(cat /run/said)"
    say "boot $chosen"
    # Not more than were armed, whatever the store may say.
    used=$(awk -v trial="$(field trial)" '/^arm / { n = 0 } $0 == "boot " trial { n++ } END { print n + 0 }' "$host/log")
    [ "$used" -le 3 ] || broken "the trial has booted $used times"
}
arm() {
    say "arm $1"
    "$tool" -q try --tries 3 "$store/$1" || broken "try $1"
    say "armed $1"
}
mount -t ext4 /dev/ubda /run/mnt || broken "the disk cannot be mounted"
check
say start
boot
while :; do
    # Another trial than the default, which changes when one is found good.
    next=v$((RANDOM % 3 + 1))
    [ "$next" != "$(field default)" ] || continue
    arm $next
    boot
    boot
    [ $((RANDOM % 2)) = 0 ] || "$tool" -q good "$store" || broken good
    boot
    boot
    [ $((RANDOM % 4)) != 0 ] || { say "arm none"; "$tool" -q default "$store/v1" || broken default; }
done
INIT
    chmod +x "$1/init"
}

# run_machine DIRECTORY: until it is cut: when it has said some things more, and at any moment after that.
run_machine() {
    local pid begun=$SECONDS lines

    lines=$(($(wc -l <"$1/log") + 2 + RANDOM % 10))
    setsid linux.uml mem=64M "umid=cuts" "uml_dir=$1/uml" rootfstype=hostfs rootflags=/ rw "init=$1/init" \
        con=null con0=null,fd:1 quiet panic=1 "ubd0=$1/data" >"$1/console" 2>&1 </dev/null &
    pid=$!
    until [ "$(wc -l <"$1/log")" -ge $lines ]; do
        if [ -e "$1/failed" ] || ! kill -0 $pid 2>/dev/null || [ $((SECONDS - begun)) -gt 60 ]; then
            lines=0
            break
        fi
        sleep 0.02
    done
    sleep "0.0$(printf '%02d' $((RANDOM % 100)))"
    kill -KILL -- -$pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    [ ! -e "$1/failed" ] && [ $lines -gt 0 ]
}

# cut_machine NAME COUNT
cut_machine() {
    local directory=$tmp/$1 i misses=0

    make_machine "$directory"
    for ((i = 0; i < $2; i++)); do
        if ! run_machine "$directory"; then
            # On a busy host, user-mode Linux now and then does not start.
            if [ -e "$directory/failed" ] || [ $((misses += 1)) -gt 3 ]; then
                return 1
            fi
            i=$((i - 1))
        fi
    done
}

echo true >"$tmp/guest"
uml 60 "$tmp/guest" || fail "$(cat "$tmp/console")"
cut_machine a $((cuts / 2)) &
first=$!
result=0
cut_machine b $((cuts - cuts / 2)) || result=$?
wait $first || result=$?
for name in a b; do
    [ ! -e "$tmp/$name/failed" ] || fail "after $(grep -c start "$tmp/$name/log") cuts: $(cat "$tmp/$name/failed")"
    [ $result -eq 0 ] || { tail -n 5 "$tmp/$name/log" "$tmp/$name/console" >&2; }
    e2fsck -fy "$tmp/$name/data" >"$tmp/fsck" 2>&1 || [ $? -eq 1 ] || fail "$(cat "$tmp/fsck")"
done
[ $result -eq 0 ] || fail "a machine did not come up"
echo "measured: $cuts cuts, $(cat "$tmp"/[ab]/log | grep -c '^boot ') boots, $(cat "$tmp"/[ab]/log | grep -c '^armed ') trials"
