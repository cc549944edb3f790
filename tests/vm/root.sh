#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian in a virtual machine, with systemd and Debian's own kernel, whose root comes from ihop by an
# initramfs of initramfs-tools or dracut: five reboots, an update under the running root, and four
# updates that fail in different ways and roll back by themselves. After each boot the data
# partition must be clean. By hand or every night, as root, from a build directory that was
# configured with --prefix=/usr (its programs are installed into the images):
#
#     bash ../tests/vm/root.sh [bookworm|trixie] [initramfs-tools|dracut]
#
# Needs mmdebstrap and a mirror of Debian, qemu-system-x86 and e2fsprogs. Without KVM it takes about a
# minute a boot; VM_ACCEL=kvm uses the processor's help. VM_MACHINE=uml boots the kernel of
# user-mode Linux in place of Debian's, which is several times as fast and has no watchdog. VM_CACHE=DIRECTORY keeps what
# mmdebstrap made; VM_STEPS="reboots update" runs some of the steps only. Prints a table, in
# the form of docs/device-proof.md.
# shellcheck disable=SC2016,SC2154 # scripts for the machine; what functions.sh sets
set -euo pipefail
suite=${1:-bookworm} maker=${2:-initramfs-tools}
. "${srcdir:-$(dirname "$0")/../..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
machine=${VM_MACHINE:-qemu}
case $machine in
    qemu) requires qemu-system-x86_64 ;;
    uml) requires linux.uml ;;
esac
requires mmdebstrap mke2fs e2fsck make unshare
[ "$(id -u)" -eq 0 ] || skip "needs root: it makes a root directory of Debian"
grep -q '^prefix = /usr$' "$builddir/Makefile" || skip "$builddir was not configured with --prefix=/usr"
cache=${VM_CACHE:-$tmp/cache}
tree=$tmp/tree
kernel_words="panic=5 systemd.show_status=0 ihop.data=LABEL=ihop-data ${VM_WORDS:-}"
boots=0

# ---- the images ----

make_tree() {
    local base=$cache/$suite-$maker curl=libcurl4

    [ "$suite" != trixie ] || curl=libcurl4t64
    mkdir -p "$cache"
    if [ ! -d "$base" ]; then
        mmdebstrap --quiet --variant=minbase --include="systemd-sysv,udev,kmod,nbdkit,e2fsprogs,libmnl0,libjansson4,$(
        )libprotobuf-c1,libbrotli1,liblzma5,libzstd1,$curl,linux-image-cloud-amd64,busybox-static,util-linux,mount,zstd,$maker" \
            "$suite" "$base.new"
        mv "$base.new" "$base"
    fi
    cp -a "$base" "$tree"
    make -s -C "$builddir" install DESTDIR="$tree" >/dev/null
    strip -s "$tree"/usr/sbin/ihop-attach "$tree"/usr/bin/ihop-* "$tree"/usr/lib*/ihop/* "$tree"/usr/libexec/ihop/* 2>/dev/null || true
    if [ "$machine" = uml ]; then
        rm -rf "$tree"/lib/modules/*
        cp -r /usr/lib/uml/modules/* "$tree/lib/modules/"
    else
        cp "$tree"/boot/vmlinuz-* "$tmp/vmlinuz"
    fi
    version=$(ls "$tree/lib/modules")
    depmod -b "$tree" "$version"
}

# in_tree COMMAND...: runs it there, with /proc and /dev, which are mounted for it alone.
in_tree() {
    env -u TMPDIR unshare -m sh -c 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' \
        "$tree" "$@"
}

make_initrd() {
    case $maker in
        initramfs-tools)
            [ "$machine" = uml ] || echo softdog >>"$tree/etc/initramfs-tools/modules"
            in_tree mkinitramfs -o /boot/initrd "$version"
            ;;
        dracut)
            in_tree dracut -q --no-hostonly --no-early-microcode --force --add ihop \
                --force-drivers "$([ "$machine" = uml ] || echo softdog)" /boot/initrd "$version"
            ;;
    esac
    mv "$tree/boot/initrd" "$tmp/initrd"
}

# What the machine does after its start is on a second disk, so that it changes from one boot to
# the next and the data partition is the machine's alone. What a machine without a network does not need is masked: emulation is slow.
prepare_tree() {
    local unit

    rm -rf "$tree"/usr/share/{doc,locale,man,i18n} "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* "${tree:?}"/boot/*
    find "$tree/lib/modules/$version/kernel" -name '*.ko*' ! -name 'overlay.*' ! -name 'nbd.*' ! -name 'softdog.*' \
        ! -name 'zram.*' ! -name 'zsmalloc.*' ! -name 'virtio*' -delete
    depmod -b "$tree" "$version"
    echo ihop >"$tree/etc/hostname"
    : >"$tree/etc/machine-id"
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer getty.target systemd-binfmt.service systemd-journal-flush.service systemd-machine-id-commit.service \
        systemd-networkd.service systemd-random-seed.service systemd-timesyncd.service systemd-update-utmp.service \
        systemd-pstore.service systemd-firstboot.service systemd-sysusers.service systemd-hwdb-update.service \
        systemd-logind.service systemd-user-sessions.service; do
        ln -sf /dev/null "$tree/etc/systemd/system/$unit"
    done
    printf '[Manager]\nDefaultTimeoutStopSec=20\n' >"$tree/etc/systemd/system.conf"
    # That of user-mode Linux is a program of the host.
    [ "$machine" = uml ] || echo RuntimeWatchdogSec=20 >>"$tree/etc/systemd/system.conf"
    cat >"$tree/usr/lib/ihop-vm" <<'VM'
#!/bin/bash
# Says what was booted, runs the step, and reboots.
. /run/ihop/boot
data=/run/initramfs/ihop
store=$IHOP_STORE
resident() { chroot /run/initramfs "$@"; }
status() { resident ihop-attach --status /dev/nbd0 | sed -n "s/^$1 //p"; }
wait_until() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "timeout: $*"; return 1; }
        sleep 0.1
    done
}
{
    echo "ihop-vm: booted $IHOP_RELEASE at $(cut -d' ' -f1 /proc/uptime) s, systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p'), root $(findmnt -no FSTYPE,SOURCE / | tr -s ' ')"
    disk=/dev/vdb
    [ -b $disk ] || disk=/dev/ubdb
    tr -d '\0' <$disk >/run/step
    (set -e; . /run/step)
    echo "ihop-vm: step exit $?"
} >/dev/console 2>&1
systemctl --no-block reboot
VM
    chmod +x "$tree/usr/lib/ihop-vm"
    cat >"$tree/etc/systemd/system/ihop-vm.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/lib/ihop-vm
TimeoutStartSec=infinity
[Install]
WantedBy=graphical.target
UNIT
    ln -sf /usr/lib/systemd/system/graphical.target "$tree/etc/systemd/system/default.target"
    mkdir -p "$tree/etc/systemd/system/graphical.target.wants"
    ln -sf ../ihop-vm.service "$tree/etc/systemd/system/graphical.target.wants/"
}

# make_image NAME: $tmp/NAME.img of the tree. All have the same size and place of things.
make_image() {
    mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -U 6f626d63-0000-4000-8000-000000000000 -E hash_seed=6f626d63-0000-4000-8000-000000000000 \
        -d "$tree" "$tmp/$1.img" 420M
}

# changed_image NAME COMMAND...: the tree with a change that is taken back.
changed_image() {
    local name=$1 base=$tree

    shift
    cp -al "$base" "$tmp/changed"
    tree=$tmp/changed
    (cd "$tree" && "$@")
    make_image "$name"
    tree=$base
    rm -rf "$tmp/changed"
}

replace() { # PATH, in the current directory; the text is on stdin
    rm -f "$1"
    cat >"$1"
    chmod +x "$1"
}

panics() { printf '#!/bin/sh\nmount -t proc proc /proc\necho c >/proc/sysrq-trigger\n' | replace usr/sbin/init; }
has_no_init() { rm -f usr/sbin/init usr/lib/systemd/systemd; }
is_newer() { echo v2 | replace etc/v2; }
fails_its_check() {
    printf '#!/bin/sh\n. /run/ihop/boot\necho "ihop-vm: check of $IHOP_RELEASE fails" >/dev/console\nsystemctl --no-block reboot\n' |
        replace usr/lib/ihop-vm
}

# systemd crashes and freezes; nothing feeds the watchdog any more.
hangs() {
    printf '#!/bin/sh\n. /run/ihop/boot\necho "ihop-vm: $IHOP_RELEASE hangs" >/dev/console\nkill -SEGV 1\n' | replace usr/lib/ihop-vm
}

make_images() {
    make_image v1
    changed_image v2 is_newer
    changed_image panics panics
    changed_image noinit has_no_init
    changed_image badcheck fails_its_check
    changed_image hangs hangs
}

make_disk() {
    local name

    mkdir -p "$tmp/disk/store"
    for name in v1 panics noinit badcheck hangs v2; do
        "$ihop_compress" -q --compression-level 1 "$tmp/$name.img" "$tmp/$name.cba"
        [ $name = v2 ] || "$ihop_clone" -q "$tmp/$name.cba" "$tmp/disk/store/$name"
    done
    cp "$tmp/v2.cba" "$tmp/disk/"
    "$ihop_store" default "$tmp/disk/store" v1
    mke2fs -q -F -t ext4 -L ihop-data -d "$tmp/disk" "$tmp/data" 2G
    rm -rf "$tmp/disk" "$tmp"/*.img "$tmp"/*.cba
}

# ---- the machine ----

boot_qemu() {
    timeout "${VM_SECONDS:-600}" qemu-system-x86_64 -accel "${VM_ACCEL:-tcg}" -cpu max -m "${VM_MEMORY:-512}" -smp 1 -nographic \
        -no-reboot -net none -kernel "$tmp/vmlinuz" -initrd "$tmp/initrd" -append "console=ttyS0 $kernel_words" \
        -drive file="$tmp/data",format=raw,if=virtio -drive file="$tmp/step",format=raw,if=virtio,readonly=on
}

boot_uml() {
    # shellcheck disable=SC2086 # words
    timeout "${VM_SECONDS:-600}" linux.uml "mem=${VM_MEMORY:-512}M" "umid=ihop-$$" "uml_dir=$tmp/uml" "initrd=$tmp/initrd" \
        "ubd0=$tmp/data" "ubd1r=$tmp/step" con=null con0=null,fd:1 noreboot $kernel_words
}

# boot TITLE: boots, and lets the machine do the step that stands on stdin. Its console is in
# $tmp/console. Adds a line to the table.
boot() {
    local begun=$SECONDS clean=yes said

    boots=$((boots + 1))
    cat >"$tmp/step"
    truncate -s 64K "$tmp/step"
    "boot_$machine" </dev/null 2>&1 | tr -d '\r' >"$tmp/console" || true
    cp "$tmp/console" "$tmp/console-$boots"
    is_clean "$tmp/data" || clean=$(cat "$tmp/fsck-short")
    said=$(sed -n 's/^.*ihop-vm: //p' "$tmp/console" | tr '\n' ';' | sed 's/;$//; s/;/; /g')
    [ -n "$said" ] || said=$(grep -o 'Kernel panic[^[]*' "$tmp/console" | head -1) || true
    echo "| $boots | $1 | ${said:-nothing} | $clean | $((SECONDS - begun)) |" | tee -a "$tmp/table"
}

# is_clean FILE: e2fsck finds nothing, and the journal holds nothing. Else fsck-short says which:
# after a panic or a reset the journal holds what the next mount replays.
is_clean() {
    local features

    features=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Filesystem features: *//p')
    case $features in
        *needs_recovery*)
            echo "journal" >"$tmp/fsck-short"
            return 1
            ;;
    esac
    echo "NO" >"$tmp/fsck-short"
    e2fsck -fn "$1" >"$tmp/fsck" 2>&1
}

said() {
    grep -e "$1" "$tmp/console" >/dev/null || { tail -n 80 "$tmp/console" >&2; fail "boot $boots did not say: $1"; }
}

# booted NAME: and did the step, and left a clean partition.
booted() {
    said "ihop-vm: booted $1 "
    said 'ihop-vm: step exit 0'
    is_clean "$tmp/data" || { cat "$tmp/fsck" >&2; fail "boot $boots did not leave a clean data partition"; }
}

# try_release NAME: the step that arms it, with two tries.
try_release() {
    echo "ihop-store try --tries 2 \$store $1; echo ihop-vm: armed $1"
}

# ---- the steps ----

step_reboots() {
    local i

    for i in 1 2 3 4 5; do
        boot "reboot $i of 5, server killed under load" <<'STEP'
systemctl list-units --failed --no-legend
[ -z "$(systemctl list-units --failed --no-legend)" ]
sum() { find /usr/bin /usr/lib/x86_64-linux-gnu -xdev -type f -size -300k | sort | xargs cat | md5sum; }
[ -e $data/sum ] || sum >$data/sum
echo 3 >/proc/sys/vm/drop_caches
server=$(status server)
reads() { awk '{ print $1 }' /sys/block/nbd0/stat; }
more_reads() { [ "$(reads)" -gt $((before + 100)) ]; }
before=$(reads)
sum >/run/sum &
wait_until 60 more_reads
kill -9 "$server"
wait $!
cmp /run/sum $data/sum
[ "$(status server)" != "$server" ]
echo written >/etc/written
dmesg | grep 'ihop: root is'
STEP
        booted v1
    done
}

step_update() {
    boot "update under the running root" <<'STEP'
ihop-clone -q --try $data/v2.cba $store/v2
ihop-store selection $store
STEP
    booted v1
    boot "the trial comes up, and is good" <<'STEP'
[ -e /etc/v2 ]
ihop-store good $store
STEP
    booted v2
    boot "the default; arms a release that panics" <<<"$(try_release panics)"
    booted v2
}

step_panics() {
    boot "first try: kernel panic" </dev/null
    said 'Kernel panic'
    boot "second try: kernel panic" </dev/null
    said 'Kernel panic'
    boot "back; arms a release without init" <<<"$(try_release noinit)"
    booted v2
}

step_noinit() {
    boot "first try: no init, next choice at once" </dev/null
    said 'release noinit has no init'
    booted v2
    boot "second try: the same" </dev/null
    said 'release noinit has no init'
    booted v2
    boot "back; arms a release whose check fails" <<<"$(try_release badcheck)"
    booted v2
}

step_badcheck() {
    boot "first try: check fails" </dev/null
    said 'check of badcheck fails'
    boot "second try: check fails" </dev/null
    said 'check of badcheck fails'
    boot "back; arms a release that hangs" <<<"$(try_release hangs)"
    booted v2
}

step_hangs() {
    boot "first try: hangs until the watchdog" </dev/null
    said 'ihop-vm: hangs hangs'
    boot "second try: hangs until the watchdog" </dev/null
    said 'ihop-vm: hangs hangs'
    boot "back" <<<'ihop-store selection $store'
    booted v2
}

make_tree
make_initrd
prepare_tree
make_images
make_disk
echo "$suite, $maker: kernel $version, initramfs $(stat -c %s "$tmp/initrd") bytes, data $(du -m "$tmp/data" | cut -f1) MiB"
echo "| boot | what | the machine said | clean | s |" | tee "$tmp/table"
echo "|---|---|---|---|---|" | tee -a "$tmp/table"
for step in ${VM_STEPS:-reboots update panics noinit badcheck hangs}; do
    "step_$step"
done
echo "all right: $boots boots"
