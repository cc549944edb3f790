#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Old kernels and the filters of containers refuse some system calls. The whole job is done
# without each of them, or a message names the call.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
refuse=$builddir/tests/faults/refuse-call
"$refuse" syncfs:ENOSYS true 2>"$tmp/no" || skip "no filters here: $(cat "$tmp/no")"
# A sanitizer's library must not be loaded into what is refused.
[ -z "$preload" ] || skip "a plugin with a sanitizer"

noise "$tmp/image-1" 1500000 1 700000 300000
noise "$tmp/image-2" 1500000 1 100000 500000
expect_exit 0 "$ihop_compress" --quiet --fixed-size 65536 "$tmp/image-1" "$tmp/1.cba"
expect_exit 0 "$ihop_compress" --quiet --fixed-size 65536 "$tmp/image-2" "$tmp/2.cba"

# serves IMAGE RELEASE: all its bytes.
serves() {
    rm -f "$tmp/copy" "$tmp/run.socket"
    expect_exit 0 "${without[@]}" nbdkit -U "$tmp/run.socket" "$plugin" "$store/$2" cache=none \
        --run "nbdcopy \"\$uri\" '$tmp/copy'"
    cmp "$tmp/copy" "$1"
}

# job RULE...: everything, in a new store, with these calls refused.
job() {
    without=("$refuse" "$@")
    store=$tmp/store
    rm -rf "$store" "$tmp/new.cba"
    echo "without $*"
    expect_exit 0 "${without[@]}" "$ihop_compress" --quiet --fixed-size 65536 "$tmp/image-1" "$tmp/new.cba"
    cmp "$tmp/new.cba" "$tmp/1.cba"
    expect_exit 0 "${without[@]}" "$ihop_compress" --quiet --force-create --fixed-size 65536 \
        "$tmp/image-2" "$tmp/new.cba"
    cmp "$tmp/new.cba" "$tmp/2.cba"
    expect_exit 0 "${without[@]}" "$ihop_clone" --quiet "$tmp/1.cba" "$store/a"
    expect_exit 0 "${without[@]}" "$ihop_clone" --quiet "$tmp/1.cba" "$store/b"
    serves "$tmp/image-1" a
    expect_exit 0 "${without[@]}" "$ihop_clone" --quiet --force "$tmp/2.cba" "$store/a"
    serves "$tmp/image-2" a
    expect_exit 0 "${without[@]}" "$ihop_store" remove --quiet "$store/b"
    expect_exit 0 "${without[@]}" "$ihop_store" gc --json "$store"
    equal "$(json retired_removed)" 2 "replaced and removed releases that went"
    expect_exit 0 "${without[@]}" "$ihop_store" verify --quiet "$store"
    expect_exit 0 "${without[@]}" "$ihop_clone" "$tmp/2.cba" "$store/a"
    expect_stderr 'already complete'
    equal "$(find "$store/.ihop" -path '*/retired/*' -o -path '*/pending*' -o -path '*/staging/*')" "" \
        "what is left in .ihop"
}

test_jobs() {
    for error in ENOSYS EPERM EINVAL; do
        for call in openat2 renameat2 syncfs io_uring_setup io_uring_enter copy_file_range fallocate getrandom \
            sync_file_range utimensat; do
            job $call:$error
        done
        job 'openat@2&0x400000:'$error # O_TMPFILE
        job 'renameat2@4&7:'$error linkat:$error # neither an exchange nor links
    done
    job fadvise64:ENOSYS
    job 'fcntl@1=37:EINVAL' # before Linux 3.15: no record locks of open files
    job renameat2:EINVAL linkat:EMLINK
    job renameat2:EPERM syncfs:EPERM openat2:EPERM fallocate:EOPNOTSUPP copy_file_range:EPERM \
        io_uring_setup:EPERM statx:EPERM
}

# Only a time could tell that a release without a number, from the future, is older.
test_times() {
    store=$tmp/original
    mkdir -p "$store"
    tar -C "$store" --strip-components 1 -xf "$srcdir/tests/data/original-store.tar.xz"
    touch -d 2100-01-01 "$store/update-v1"
    expect_exit 7 "$refuse" utimensat:EPERM "$ihop_clone" "$tmp/1.cba" "$store/a"
    one_line_on_stderr
    expect_stderr 'cannot set the time .*utimensat'
    equal "$(ls "$store/.ihop/retired")" "" "what is left in retired/"
    touch -d 2001-01-01 "$store/update-v1"
    expect_exit 0 "$refuse" utimensat:EPERM "$ihop_clone" --quiet "$tmp/1.cba" "$store/a"
    equal "$("$ihop_store" list "$store" | awk 'NR > 1 { printf "%s ", $1 }')" "update-v1 a " "the order"
}

# Without syncfs nothing is durable later: all directories, then the name.
test_durable() {
    if command -v strace >/dev/null && strace -qq -o "$tmp/no" true 2>/dev/null; then
        program=$ihop_clone
        [ ! -x "$builddir/.libs/ihop-clone" ] || program=$builddir/.libs/ihop-clone
        store=$tmp/durable
        # The chunks of another clone, that may have been killed before it synced them.
        expect_exit 0 "$ihop_clone" --quiet "$tmp/1.cba" "$store/a"
        for rule in syncfs:ENOSYS fadvise64:ENOSYS; do # the latter: --sync files alone
            expect_exit 0 strace -f -y -qq -o "$tmp/trace" -e trace=fsync,renameat2 \
                "$refuse" $rule "$program" --quiet --sync files --force "$tmp/1.cba" "$store/b-$rule"
            sed '/renameat2(.*"b-/,$d' "$tmp/trace" >"$tmp/before"
            find "$store/chunks" -type d >"$tmp/directories"
            [ $rule != syncfs:ENOSYS ] ||
                printf '%s\n' "$store" "$store/.ihop" "$store/.ihop/retired" >>"$tmp/directories"
            while read -r directory; do
                grep -q "fsync([0-9]*<$directory>) *= 0" "$tmp/before" || fail "$directory was not synced before"
            done <"$tmp/directories"
            sed '1,/renameat2(.*"b-/d' "$tmp/trace" >"$tmp/after"
            grep -q "fsync([0-9]*<$store>) *= 0" "$tmp/after"
        done
    fi
}

# A filter that kills whom it does not trust.
test_killing_filter() {
    store=$tmp/killing
    expect_exit 0 "$ihop_clone" --quiet "$tmp/1.cba" "$store/a"
    rm -f "$tmp/run.socket"
    expect_exit 0 "$refuse" io_uring_setup:KILL nbdkit -U "$tmp/run.socket" "$plugin" "$store/a" uring=off \
        --run "nbdcopy \"\$uri\" - | cmp - '$tmp/image-1'"
    # Reads of several chunks do use it, where it is there and not switched off. (425 is io_uring_setup.)
    "$python" -c 'import ctypes; p = ctypes.create_string_buffer(120); exit(ctypes.CDLL(None).syscall(425, 1, p) < 0)' ||
        skip "no io_uring here"
    for uring in on off; do
        rm -f "$tmp/run.socket"
        equal "$("$refuse" io_uring_enter:KILL nbdkit -f -U "$tmp/run.socket" "$plugin" "$store/a" uring=$uring \
            --run "nbdcopy \"\$uri\" - 2>/dev/null | cmp -s - '$tmp/image-1' && echo whole")" \
            "$([ $uring = on ] || echo whole)" "with uring=$uring"
    done
}

# Without /proc, as in the chroot of an image builder.
test_no_proc() {
    [ "$(id -u)" = 0 ] || skip "not root: /proc cannot be taken away"
    unshare -m sh -c 'mount -t tmpfs none /proc' 2>"$tmp/no" || skip "no mounts here: $(cat "$tmp/no")"
    printf '#!/bin/sh\nmount -t tmpfs none /proc && exec "$@"\n' >"$tmp/hide-proc"
    chmod 755 "$tmp/hide-proc"
    refuse=$tmp/without-proc
    printf '#!/bin/sh\nexec unshare -m "%s" "$@"\n' "$tmp/hide-proc" >"$refuse"
    chmod 755 "$refuse"
    job
}

run_cases "$@"
