# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# ihop-root.sh: mounts a root file system that ihop-attach serves. Sourced in an initramfs, by the
# scripts for initramfs-tools and dracut or by one's own; it needs no more than the shell of
# busybox, or dash. ihop.cmdline(7) says what it does for users.
#
#     . /lib/ihop/ihop-root.sh
#     ihop_parse "$(cat /proc/cmdline)" && ihop_boot /root || ihop_panic
#
# ihop_parse reads the kernel's command line; ihop_boot mounts a release at the directory, or says
# why not and returns 1. It can be called again after that. All names begin with ihop_.
#
# What lies where, in the initramfs and later in the running system:
#
#     /run/initramfs            a tmpfs with ihop-attach, nbdkit, the plugin and their libraries, the
#                               root directory of the keeper and of its servers
#     /run/initramfs/ihop       the data partition
#     /run/initramfs/release    the release as it is, below an overlay
#     /run/initramfs/overlay    what is written over it
#     /run/ihop/boot            what was booted, for scripts and EnvironmentFile=
#
# The place is the point: systemd-shutdown unmounts nothing below /run/initramfs, and remounts it
# read-only, which leaves the data partition clean while the root is still served from it.

ihop_home=/run/initramfs
ihop_tree=/lib/ihop/resident # made by ihop-resident
ihop_result=/run/ihop
ihop_device=/dev/nbd0
ihop_dead_timeout=2592000 # a month: a root that answers errors is worse than one that waits

# ihop_say MESSAGE...: to the console, and to the kernel's log, where it can be read later.
ihop_say() {
    printf 'ihop: %s\n' "$*" >&2
    if [ -w /dev/kmsg ]; then
        printf '<7>ihop: %s\n' "$*" >/dev/kmsg
    fi 2>/dev/null
}

# Small things of which a test makes others.
ihop_is_device() { [ -b "$1" ]; }
ihop_pause() { sleep 0.1 2>/dev/null || sleep 1; }
ihop_uptime() {
    local up rest
    # shellcheck disable=SC2034 # rest is what is not wanted
    read -r up rest </proc/uptime
    echo "${up%%.*}"
}
# Called while a device is waited for; whoever assembles devices there makes another one of it.
ihop_waiting() { :; }

# ---- the kernel's command line ----

# ihop_is_spec TEXT: it names a device.
ihop_is_spec() {
    case $1 in
        UUID=?* | LABEL=?* | PARTUUID=?* | PARTLABEL=?*) return 0 ;;
        */../*) return 1 ;;
        /dev/?*) return 0 ;;
    esac
    return 1
}

ihop_ignored() {
    ihop_say "$1 on the kernel's command line is ignored: $2"
}

# ihop_parse_word WORD: one word of the command line. Of a value that cannot be used, it says so,
# and the default stays: a typing error should not keep a device from booting.
ihop_parse_word() {
    local value=${1#*=}

    case $1 in
        ihop.data=*)
            # Without it nothing can be done, so ihop_parse judges it.
            ihop_data=$value
            ;;
        ihop.store=*)
            case $value/ in
                */../* | */./*) ihop_ignored "$1" "a path in the data partition has no . or .." ;;
                /?*) ihop_store=$value ;;
                *) ihop_ignored "$1" "it must be a path that begins with /" ;;
            esac
            ;;
        ihop.release=*)
            case $value in
                '' | -* | .* | */*) ihop_ignored "$1" "no release has such a name" ;;
                *) ihop_release=$value ;;
            esac
            ;;
        ihop.overlay=*)
            if [ "$value" = tmpfs ] || [ "$value" = none ] || ihop_is_spec "$value"; then
                ihop_overlay=$value
            else
                ihop_ignored "$1" "it must be tmpfs, none, UUID=..., LABEL=... or /dev/..."
            fi
            ;;
        ihop.verity=*)
            case $value in
                '') ihop_verity=recorded ;;
                *) ihop_verity=$value ;;
            esac
            ;;
        ihop.timeout=*)
            case $value in
                '' | *[!0-9]* | ???????*) ihop_ignored "$1" "it must be a number of seconds" ;;
                *) ihop_timeout=$value ;;
            esac
            ;;
        ihop.*) ihop_ignored "$1" "there is no such parameter" ;;
        init=?*) ihop_init=$value ;;
        panic=*) ihop_panic=$value ;;
    esac
}

# ihop_parse COMMAND-LINE: sets ihop_data and the others. 1, and a message, when the root is to
# come from ihop but its data partition is not named; 2, without one, when it is not.
ihop_parse() {
    local word words=$1 globbing=yes

    ihop_data='' ihop_store=/store ihop_release='' ihop_overlay=tmpfs ihop_verity=''
    ihop_timeout=60 ihop_init='' ihop_panic=''
    case $- in *f*) globbing=no ;; esac
    set -f
    for word in $words; do
        # What comes after it is for init.
        [ "$word" != -- ] || break
        ihop_parse_word "$word"
    done
    [ $globbing = no ] || set +f
    case " $words " in
        *" ihop.data="*) ;;
        *) return 2 ;;
    esac
    if ! ihop_is_spec "$ihop_data"; then
        ihop_say "ihop.data=$ihop_data on the kernel's command line names no device:" \
            "it must be UUID=..., LABEL=..., PARTUUID=..., PARTLABEL=... or /dev/..."
        return 1
    fi
}

# ---- devices and file systems ----

# ihop_find SPEC: prints the device if it is there now.
ihop_find() {
    local device=$1 kind

    case $1 in
        /dev/*) ;;
        *)
            kind=$(echo "${1%%=*}" | tr '[:upper:]' '[:lower:]')
            device=/dev/disk/by-$kind/${1#*=}
            # Without udev, or with a label that it writes in another way.
            if ! ihop_is_device "$device"; then
                device=$(findfs "$1" 2>/dev/null) || device=$(blkid -l -o device -t "$1" 2>/dev/null) || return 1
            fi
            ;;
    esac
    case $device in
        /dev/*) ihop_is_device "$device" && printf '%s\n' "$device" ;;
        *) return 1 ;;
    esac
}

# ihop_wait SPEC SECONDS: prints the device as soon as it is there; 1 when it does not come.
ihop_wait() {
    local device end

    end=$(($(ihop_uptime) + $2))
    until device=$(ihop_find "$1"); do
        [ "$(ihop_uptime)" -lt "$end" ] || return 1
        ihop_waiting "$1" >&2
        ihop_pause
    done
    printf '%s\n' "$device"
}

# ihop_type DEVICE: prints the type of the file system, or nothing.
ihop_type() {
    local type

    # The first is util-linux, past its cache; the second busybox, too.
    type=$(blkid -p -s TYPE -o value "$1" 2>/dev/null) ||
        type=$(blkid "$1" 2>/dev/null | sed -n 's/.* TYPE="\([^"]*\)".*/\1/p')
    case $type in
        *[!a-zA-Z0-9_.-]*) ;;
        *) echo "$type" ;;
    esac
}

# ihop_mount OPTIONS DEVICE DIRECTORY: finds out the type, and loads its module.
ihop_mount() {
    local type

    type=$(ihop_type "$2")
    if [ -z "$type" ]; then
        # mount tries what the kernel knows.
        mount -o "$1" "$2" "$3"
        return
    fi
    modprobe "$type" 2>/dev/null || :
    mount -t "$type" -o "$1" "$2" "$3"
}

ihop_is_mounted() {
    grep -q "^[^ ]* $1 " /proc/mounts
}

# ihop_check DEVICE: lets e2fsck mend what a power cut left, as far as it does so unasked. It
# reads hardly more than the superblock when there is nothing to mend. Other file systems, and
# ext4 where e2fsck is not there, get what mounting does: the journal is replayed.
ihop_check() {
    local code=0

    case $(ihop_type "$1") in
        ext[234]) ;;
        *) return 0 ;;
    esac
    command -v e2fsck >/dev/null || return 0
    e2fsck -p "$1" >&2 || code=$?
    # 1 and 2 are "mended". A device with errors boots all the same, if it can be mounted.
    if [ $code -gt 2 ]; then
        ihop_say "$1 has errors that e2fsck -p does not mend (exit code $code): run e2fsck $1 by hand"
    fi
}

# ---- the home of the programs ----

# Makes the directory from which keeper and server run. They must outlive the initramfs, which
# switch_root deletes; and they must not come from the file system that they serve.
ihop_make_home() {
    ! ihop_is_mounted "$ihop_home" || return 0
    mkdir -p "$ihop_home" &&
        # By itself, as /run is mounted noexec by some.
        mount -t tmpfs -o mode=0755 ihop "$ihop_home" &&
        # systemd shares all mounts; from a shared one nothing can be moved (ihop.overlay=none).
        { mount --make-private "$ihop_home" 2>/dev/null || :; } &&
        cp -a "$ihop_tree/." "$ihop_home/" &&
        mkdir -p "$ihop_home/dev" "$ihop_home/proc" "$ihop_home/sys" "$ihop_home/ihop" \
            "$ihop_home/release" "$ihop_home/overlay" "$ihop_home/run/ihop-attach" /run/ihop-attach &&
        mount -t devtmpfs ihop "$ihop_home/dev" &&
        mount -t proc ihop "$ihop_home/proc" &&
        mount -t sysfs ihop "$ihop_home/sys" &&
        # So that ihop-attach of the running system sees the keeper's record and its lock.
        mount --bind /run/ihop-attach "$ihop_home/run/ihop-attach"
}

# nbdkit asks for 192 MiB of memory that it never touches. A kernel with less than that refuses to
# execute it, now and whenever the keeper starts a new one, unless it may promise more than it has.
ihop_allow_servers() {
    local key total unit

    while read -r key total unit; do
        if [ "$key" = MemTotal: ] && [ "$unit" = kB ] && [ "$total" -lt 262144 ]; then
            [ "$(cat /proc/sys/vm/overcommit_memory)" != 0 ] || echo 1 >/proc/sys/vm/overcommit_memory
        fi
    done </proc/meminfo
}

# ihop_mount_data DEVICE: writable, as boot selection counts; or else as it can be mounted.
ihop_mount_data() {
    ! ihop_is_mounted "$ihop_home/ihop" || return 0
    ihop_check "$1"
    ihop_mount rw,noatime "$1" "$ihop_home/ihop" && return 0
    ihop_mount ro,noatime "$1" "$ihop_home/ihop" || return 1
    ihop_say "$1 can be mounted read-only alone: no try of a release is counted"
}

# ihop_run COMMAND...: runs it in the programs' home. Where systemd is process 1 already, it must
# not belong to the unit that has started this script, or it would end with that.
ihop_run() (
    for group in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
        if [ -w "$group/init.scope/cgroup.procs" ]; then
            echo 0 >"$group/init.scope/cgroup.procs"
        fi
    done 2>/dev/null
    exec chroot "$ihop_home" "$@"
)

# ihop_attach ARGUMENT...: attaches and sets ihop_attached, ihop_name and ihop_id.
ihop_attach() {
    [ -z "$ihop_verity" ] || set -- "--verity=$ihop_verity" "$@"
    # Locked in memory: when that is short, all of the system waits for this server.
    ihop_attached=$(ihop_run ihop-attach --dead-timeout "$ihop_dead_timeout" "$@" "$ihop_device" -- lock=on) || return 1
    ihop_name=$(ihop_fact release)
    ihop_id=$(ihop_fact id)
}

ihop_fact() {
    ihop_run ihop-attach --status "$ihop_device" | sed -n "s/^$1 //p"
}

# Takes the device away, if it is there. Somebody may have it open for a moment, as udev has.
ihop_detach() {
    local tries=50

    [ -e "/sys/block/${ihop_device#/dev/}/pid" ] || return 0
    until ihop_run ihop-attach -q --detach "$ihop_device" 2>/dev/null; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        ihop_pause
    done
}

# ---- the root ----

# ihop_resolve ROOT PATH: prints what PATH is for a process whose root is ROOT, as a path from
# outside: links that begin with / begin at ROOT. 1 when it leads nowhere.
ihop_resolve() {
    local root=$1 rest=$2 path='' name link links=0

    while [ -n "$rest" ]; do
        name=${rest%%/*}
        case $rest in
            */*) rest=${rest#*/} ;;
            *) rest='' ;;
        esac
        case $name in
            '' | .) continue ;;
            ..)
                path=${path%/*}
                continue
                ;;
        esac
        if [ -L "$root$path/$name" ]; then
            links=$((links + 1))
            [ $links -le 40 ] || return 1
            link=$(readlink "$root$path/$name") || return 1
            case $link in /*) path='' ;; esac
            rest=$link${rest:+/$rest}
        else
            path=$path/$name
        fi
    done
    [ -e "$root$path" ] && printf '%s\n' "$root$path"
}

# ihop_has_init ROOT: the init= of the command line is there and can be executed, or else one of
# those that the kernel and all initramfs look for; ihop_found_init is its path in ROOT. A shell
# is none: a release that has nothing else does not come up.
ihop_has_init() {
    local candidate file

    for candidate in ${ihop_init:-/sbin/init /etc/init /bin/init}; do
        file=$(ihop_resolve "$1" "$candidate") || continue
        if [ -f "$file" ] && [ -x "$file" ] && [ -s "$file" ]; then
            # shellcheck disable=SC2034 # for whoever starts it
            ihop_found_init=$candidate
            return 0
        fi
    done
    return 1
}

# ihop_mount_upper: mounts what the overlay writes to, and sets ihop_upper and ihop_upper_on.
ihop_mount_upper() {
    local device

    if [ "$ihop_overlay" != tmpfs ]; then
        # A directory for each image: no release sees what another one has written.
        ihop_upper=$ihop_home/overlay/ihop-overlay/$(echo "$ihop_id" | cut -c 1-32)
        if device=$(ihop_wait "$ihop_overlay" "$ihop_timeout") && ihop_check "$device" &&
            ihop_mount rw,noatime "$device" "$ihop_home/overlay" &&
            mkdir -p "$ihop_upper/upper" "$ihop_upper/work" && printf '%s\n' "$ihop_name" >"$ihop_upper/release"; then
            ihop_upper_on=$device
            return 0
        fi
        ihop_say "ihop.overlay=$ihop_overlay cannot be used: what is written is lost when the device is switched off"
        umount "$ihop_home/overlay" 2>/dev/null
    fi
    ihop_upper=$ihop_home/overlay ihop_upper_on=tmpfs
    mount -t tmpfs -o mode=0755 ihop-overlay "$ihop_upper" && mkdir -p "$ihop_upper/upper" "$ihop_upper/work"
}

# ihop_mount_over DIRECTORY: the release and what is written over it.
ihop_mount_over() {
    modprobe overlay 2>/dev/null || :
    mount -t overlay -o "lowerdir=$ihop_home/release,upperdir=$ihop_upper/upper,workdir=$ihop_upper/work" \
        ihop "$1"
}

# ihop_mount_root DIRECTORY: mounts the attached release there. 1 and a message, and nothing is
# mounted, when that fails or there is no init in it.
ihop_mount_root() {
    if ! ihop_mount ro "$ihop_attached" "$ihop_home/release"; then
        ihop_say "release $ihop_name cannot be mounted"
        return 1
    fi
    if ! ihop_has_init "$ihop_home/release"; then
        ihop_say "release $ihop_name has no ${ihop_init:-init} that could be executed"
    elif [ "$ihop_overlay" = none ]; then
        ihop_upper_on=none
        # Moved, not bound, so that one mount is left.
        mount --move "$ihop_home/release" "$1" && return 0
        ihop_say "release $ihop_name cannot be mounted at $1"
    elif ihop_mount_upper; then
        ihop_mount_over "$1" && return 0
        if [ "$ihop_upper_on" != tmpfs ]; then
            ihop_say "ihop.overlay=$ihop_overlay cannot hold an overlay: what is written is lost when the device is switched off"
            umount "$ihop_home/overlay"
            ihop_overlay=tmpfs
            ihop_mount_upper && ihop_mount_over "$1" && return 0
        fi
        ihop_say "the overlay over release $ihop_name cannot be mounted: does the kernel have overlay?"
    fi
    umount "$ihop_home/overlay" 2>/dev/null
    umount "$ihop_home/release" 2>/dev/null
    return 1
}

# ihop_quote TEXT: as a shell and as EnvironmentFile= of systemd read it.
ihop_quote() {
    case $1 in
        *[!a-zA-Z0-9_./:@%+=,-]*) printf '"%s"\n' "$(printf '%s\n' "$1" | sed 's/[\\"$`]/\\&/g')" ;;
        *) printf '%s\n' "$1" ;;
    esac
}

# ihop_write_result: for the running system.
ihop_write_result() {
    mkdir -p "$ihop_result" &&
        {
            printf '%s\n' "IHOP_STORE=$(ihop_quote "$ihop_home/ihop$ihop_store")"
            printf '%s\n' "IHOP_RELEASE=$(ihop_quote "$ihop_name")"
            printf '%s\n' "IHOP_DEVICE=$(ihop_quote "$ihop_device")"
            printf '%s\n' "IHOP_OVERLAY=$(ihop_quote "$ihop_upper_on")"
        } >"$ihop_result/boot.new" && mv "$ihop_result/boot.new" "$ihop_result/boot"
}

# ihop_try DIRECTORY ARGUMENT...: attaches what the arguments say and mounts it. 1: nothing could
# be attached. 2: what was attached, $ihop_name, is of no use, and has been detached.
ihop_try() {
    local directory=$1

    shift
    ihop_name=''
    ihop_attach "$@" || return 1
    if ihop_mount_root "$directory"; then
        ihop_write_result
        ihop_say "root is release $ihop_name, overlay $ihop_upper_on"
        return 0
    fi
    if ! ihop_detach; then
        ihop_say "$ihop_device cannot be detached: no other release can be tried"
        return 1
    fi
    return 2
}

# ihop_select DIRECTORY: one choice of boot selection after the other, until one is mounted.
ihop_select() {
    local directory=$1 code skipped=/

    shift $#
    while :; do
        code=0
        ihop_try "$directory" "$@" --boot "/ihop$ihop_store" || code=$?
        [ $code -eq 2 ] || return $code
        # What was to be skipped must not come again, or this would go on for ever.
        case $skipped in
            */"$ihop_name"/*) return 1 ;;
        esac
        skipped=$skipped$ihop_name/
        set -- "$@" --skip "$ihop_name"
    done
}

# ihop_boot_from DEVICE DIRECTORY: the same as ihop_boot, when the data partition is there.
ihop_boot_from() {
    if ! ihop_make_home; then
        ihop_say "cannot copy the programs from $ihop_tree to $ihop_home"
        return 1
    fi
    if ! ihop_mount_data "$1"; then
        ihop_say "the data partition $1 cannot be mounted"
        return 1
    fi
    ihop_allow_servers
    modprobe nbd 2>/dev/null || :
    # From an earlier attempt.
    if ! ihop_detach; then
        ihop_say "$ihop_device is in use"
        return 1
    fi
    if [ -n "$ihop_release" ]; then
        ihop_try "$2" "/ihop$ihop_store/$ihop_release" && return 0
        ihop_say "ihop.release=$ihop_release cannot be booted: boot selection decides"
    fi
    ihop_select "$2" && return 0
    ihop_say "no release of $ihop_store in $1 can be booted"
    return 1
}

# ihop_boot DIRECTORY: mounts a release there, and leaves its keeper. 1, and the data partition is
# not mounted, when none can be; it may be called again.
ihop_boot() {
    local device

    # Also for whoever mends it by hand.
    ihop_make_home || :
    if ! device=$(ihop_wait "$ihop_data" "$ihop_timeout"); then
        ihop_say "the data partition ihop.data=$ihop_data did not appear within $ihop_timeout s"
        return 1
    fi
    ihop_boot_from "$device" "$1" && return 0
    umount "$ihop_home/ihop" 2>/dev/null
    return 1
}

# ihop_panic: what panic= asks for after a failure: a number of seconds and then a reboot, at once
# when it is negative. Returns when there is none, or 0: then a shell is wanted.
ihop_panic() {
    case $ihop_panic in
        -*) ;;
        '' | *[!0-9]*) return 0 ;;
        *[1-9]*)
            ihop_say "rebooting in $ihop_panic s, because of panic= on the kernel's command line"
            sleep "$ihop_panic"
            ;;
        *) return 0 ;;
    esac
    reboot -f || echo b >/proc/sysrq-trigger
}
