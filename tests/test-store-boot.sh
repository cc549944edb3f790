#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boot selection: what default, try, boot, good and selection print, for people and for programs; what
# stays in the store; ihop-clone --try; stores that cannot be written to, and files that are not ours.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
# LeakSanitizer cannot work in a process that is traced; faketime and strace come before ASan.
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
cd "$tmp"
for i in 1 2 3 4; do
    noise image$i 102400 "image $i"
    $cba make --fixed 20000 image$i v$i.cba
    b2sum <image$i | cut -d' ' -f1 >id$i
done

# fresh [RELEASE...]: a store with these, from the archives of the same names; v1 and v2 without any.
fresh() {
    local release

    rm -rf s
    for release in "${@:-v1 v2}"; do
        for release in $release; do
            "$ihop_clone" -q "$release.cba" "s/$release"
        done
    done
}

# is EXPRESSION: true of the last JSON line, r.
is() {
    "$python" -c 'import json, sys
r = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert eval(sys.argv[2]), r' "$tmp/out" "$1"
}

# boots NAME ARGUMENT...: what is printed, and nothing else.
boots() {
    local want=$1

    shift
    expect_exit 0 "$ihop_store" boot "$@" s
    equal "$(cat "$tmp/out")" "$want" "what boots"
}

test_people() {
    fresh
    expect_exit 10 "$ihop_store" boot s
    one_line_on_stderr
    expect_stderr '^ihop-store: no release of s was chosen for booting: use ihop-store default s RELEASE$'
    expect_exit 10 "$ihop_store" good s
    one_line_on_stderr
    expect_exit 0 "$ihop_store" selection s
    expect_stdout '^default: +-$'
    expect_exit 0 "$ihop_store" try s v2
    expect_stdout '^s/v2: on trial for the next 3 boots$'
    expect_stderr '^ihop-store: s has no default, so there is nothing to fall back to'
    expect_exit 0 "$ihop_store" default s/v1
    expect_stdout '^s/v1: the default$'
    expect_exit 0 "$ihop_store" try --tries 1 s/v2
    silent
    expect_stdout '^s/v2: on trial for the next 1 boot$'
    expect_exit 0 "$ihop_store" selection s
    silent
    expect_stdout '^default: +v1$'
    expect_stdout '^trial: +v2: 1 of 1 tries left$'
    expect_stdout '^next: +v2$'
    boots v2
    silent
    expect_exit 0 "$ihop_store" selection s
    expect_stdout '^trial: +v2: this is its last try$'
    expect_stdout '^booted: +v2$'
    expect_stdout '^next: +v1$'
    boots v1
    expect_stderr '^ihop-store: the trial of v2 has failed: its tries are used up$'
    expect_exit 0 "$ihop_store" selection s
    expect_stdout '^trial: +v2: failed, its 1 tries are used up$'
    expect_exit 0 "$ihop_store" good s
    expect_stdout '^s/v1: the default already$'
    expect_exit 0 "$ihop_store" try s v1
    expect_stdout '^s/v1: the default already: nothing to try$'
    expect_exit 0 "$ihop_store" try s/v2
    boots v2
    expect_exit 0 "$ihop_store" good s/v1
    expect_stdout 's/v2: what was booted, and not the release that was named'
    expect_exit 0 "$ihop_store" good s v2
    expect_stdout '^s/v2: good, and the default from now on$'
    boots v1 --skip v2
    expect_stderr '^ihop-store: v2 is skipped: as it was asked$'
    expect_exit 0 "$ihop_store" good s
    expect_stdout '^s/v1: booted as a fallback: nothing is changed$'
    expect_exit 0 "$ihop_store" list s
    expect_stdout '^v1 .* good$'
    expect_stdout '^v2 .* default$'
}

test_json() {
    fresh
    expect_exit 10 "$ihop_store" boot --json s
    is 'r["ok"] is False and r["exit_code"] == 10'
    expect_exit 0 "$ihop_store" selection --json s
    is 'r["ok"] and not {"default", "trial", "tries", "booted", "next"} & set(r)'
    expect_exit 0 "$ihop_store" default --json s/v1
    is 'r["release"] == "v1" and r["outcome"] == "default"'
    expect_exit 0 "$ihop_store" good --json s
    is 'r["outcome"] == "none_booted" and "release" not in r'
    expect_exit 0 "$ihop_store" try --json --tries 2 s/v2
    is 'r["release"] == "v2" and r["outcome"] == "armed"'
    expect_exit 0 "$ihop_store" boot --json --dry-run s
    is "r['release'] == 'v2' and r['role'] == 'trial' and r['dry_run'] and r['source_checksum'] == '$(cat id2)'"
    expect_exit 0 "$ihop_store" boot --json s
    is 'not r["dry_run"]'
}

test_json_selection() {
    fresh
    "$ihop_store" default -q s/v1
    "$ihop_store" try -q --tries 2 s/v2
    "$ihop_store" boot s >/dev/null
    expect_exit 0 "$ihop_store" selection --json s
    is "(r['default'], r['trial'], r['tries'], r['armed'], r['booted'], r['next']) == ('v1', 'v2', 1, 2, 'v2', 'v2')"
    is "r['trial_failed'] is False and r['this_boot'] and r['trial_id'] == '$(cat id2)' and 'good' not in r"
    expect_exit 0 "$ihop_store" list --json s
    is '[x["boots"] for x in r["releases"]] == ["default", "trial"]'
}

test_wrong_use() {
    fresh
    for arguments in 'default s/v9' 'try s/v9' 'default s v9'; do
        # shellcheck disable=SC2086 # several words
        expect_exit 10 "$ihop_store" $arguments
        one_line_on_stderr
        expect_stderr 's has no release v9; it has v1, v2$'
    done
    for arguments in 'try --tries 0 s/v1' 'try --tries 101 s/v1' 'try s' 'boot s/v1' 'boot --skip' 'default' \
        'selection s v1' 'good s v1 v2' 'default s/.v1'; do
        # shellcheck disable=SC2086 # several words
        expect_exit 2 "$ihop_store" $arguments
        one_line_on_stderr
    done
    for command in boot good selection; do
        expect_exit 10 "$ihop_store" $command nowhere
        one_line_on_stderr
    done
    expect_exit 2 "$ihop_clone" --tries 2 v1.cba s/v1
    expect_stderr 'tries is for --try'
    echo text >s/note
    expect_exit 10 "$ihop_store" default s/note
    expect_stderr 'not a release'
    # No word about other files: it is asked at each boot.
    "$ihop_store" default -q s/v1
    boots v1
    silent
}

test_what_stays() {
    fresh v1 v2 v3 v4
    "$ihop_store" default -q s/v1
    "$ihop_store" default -q s/v2
    "$ihop_store" try -q --tries 1 s/v3
    for release in v1:'the last good one' v2:'the default' v3:'on trial'; do
        expect_exit 8 "$ihop_store" remove --force "s/${release%%:*}"
        one_line_on_stderr
        expect_stderr "release s/${release%%:*} is ${release#*:}, and may be needed to boot: choose others first"
    done
    expect_exit 0 "$ihop_clone" -q -f v1.cba s/v5
    expect_exit 0 "$ihop_store" gc --keep 1 s
    equal "$(releases s)" "v1 v2 v3 v5" "releases after gc --keep 1"
    ! grep -q "kept release" "$tmp/err" || fail "gc has tried to remove what boots"
    # A trial that has failed may go.
    boots v3
    boots v2
    expect_exit 0 "$ihop_store" gc --keep 1 s
    equal "$(releases s)" "v1 v2 v5" "releases after the trial has failed"
    expect_exit 0 "$ihop_store" remove s/v5
    # When nobody knows what boots, nothing goes.
    "$ihop_clone" -q v4.cba s/v4
    truncate -s 100 s/.ihop/boot
    expect_exit 7 "$ihop_store" gc --keep 1 s
    one_line_on_stderr
    expect_stderr 'no release of s is removed, as it is not known which ones boot .choose again with ihop-store default.: s/.ihop/boot is damaged: it is cut off'
    expect_exit 7 "$ihop_store" remove s/v4
    one_line_on_stderr
    expect_exit 7 "$ihop_store" selection s
    expect_exit 0 "$ihop_store" list s
    expect_stderr 'is damaged'
    expect_exit 0 "$ihop_store" gc s
    equal "$(releases s)" "v1 v2 v4" "releases"
    expect_exit 0 "$ihop_store" default s/v2
    expect_exit 0 "$ihop_store" gc --keep 1 s
}

test_make_room() {
    [ "$(id -u)" = 0 ] || skip "mounting needs root"
    mkdir -p small
    mount -t tmpfs -o size=500k none small 2>/dev/null || skip "no mounts here"
    at_exit umount -l "$tmp/small"
    for i in 1 2 3; do
        "$ihop_clone" -q v$i.cba small/s/v$i
    done
    "$ihop_store" default -q small/s/v1
    "$ihop_store" try -q small/s/v2
    head -c "$(($(df --output=avail -k small | tail -n 1) - 40))k" /dev/zero >small/ballast
    expect_exit 0 "$ihop_clone" --make-room --try v4.cba small/s/v4
    expect_stderr 'removed release small/s/v3 to make room'
    equal "$(releases small/s)" "v1 v2 v4" "releases"
    # v2 is no trial any more; v1 and v4 stay.
    expect_exit 0 "$ihop_clone" -q --make-room v3.cba small/s/v3
    equal "$(releases small/s)" "v1 v4 v3" "releases"
    # v4 is on trial and v1 the default: when all else is not enough, nothing goes.
    expect_exit 6 "$ihop_clone" -q --make-room --min-free 300k v2.cba small/s/v5
    equal "$(releases small/s)" "v1 v4 v3" "releases"
    umount small
}

# A release that a server opens while gc --keep is about to remove it keeps its chunks.
test_kept_by_gc_at_the_last_moment() {
    fresh v1 v2
    exec 8<s/.ihop/publish
    flock 8
    "$ihop_store" gc --keep 1 s >gc.out 2>gc.err 8<&- &
    local gc=$!

    wait_for 10 has_open $gc s/.ihop/publish
    exec 9<s/v1
    flock -s 9
    exec 8<&-
    wait $gc
    exec 9<&-
    grep -q 'kept release s/v1: .*served' gc.err || fail "$(cat gc.err)"
    holds s/v1 image1
    # The same for one that is chosen to boot meanwhile.
    exec 8<s/.ihop/publish
    flock 8
    "$ihop_store" gc --keep 1 s >gc.out 2>gc.err 8<&- &
    gc=$!
    wait_for 10 has_open $gc s/.ihop/publish
    # What another program writes, which had the lock.
    "$ihop_clone" -q v1.cba other/v1
    "$ihop_store" default -q other/v1
    cp other/.ihop/boot s/.ihop/boot
    exec 8<&-
    wait $gc
    grep -q 'kept release s/v1: .*the default' gc.err || fail "$(cat gc.err)"
    holds s/v1 image1
}

test_clone_try() {
    fresh v1
    "$ihop_store" default -q s/v1
    expect_exit 0 "$ihop_clone" --try --tries 2 v2.cba s/v2
    expect_stderr '^ihop-clone: s/v2 is on trial$'
    boots v2
    # Again, each night: not another try.
    for n in 1 2; do
        expect_exit 0 "$ihop_clone" --json --try --tries 2 v2.cba s/v2
        is 'r["outcome"] == "complete" and r["trial"] == "still_armed"'
    done
    boots v2
    boots v1
    expect_exit 0 "$ihop_clone" --json --try v2.cba s/v2
    is 'r["trial"] == "tried_before"'
    expect_exit 0 "$ihop_clone" --try v2.cba s/v2
    expect_stderr 's/v2 is not on trial again, as its trial has failed'
    boots v1
    expect_exit 0 "$ihop_store" try s/v2
    boots v2
    expect_exit 0 "$ihop_store" good s
    expect_exit 0 "$ihop_clone" --json --try v2.cba s/v2
    is 'r["trial"] == "is_default"'
    expect_exit 0 "$ihop_clone" --json --try v1.cba s/v1
    is 'r["trial"] == "was_good"'
    boots v2
    # Two names that take turns: the last good one gets the new image, and is tried.
    expect_exit 0 "$ihop_clone" -q --try -f v3.cba s/v1
    silent
    boots v1
    # Under the name of the default there would be nothing left.
    expect_exit 12 "$ihop_clone" --try -f v4.cba s/v2
    one_line_on_stderr
    expect_stderr 's/v2 is the default: a trial of another image under its name'
    holds s/v2 image2
    expect_exit 0 "$ihop_clone" -f v4.cba s/v2
    expect_stderr 'warning: s/v2 is the default: the new image boots without a trial'
    # Only looked at.
    expect_exit 0 "$ihop_clone" --json --try --dry-run v1.cba s/v6
    is '"trial" not in r'
    [ ! -e s/v6 ] || fail "a dry run has published"
    # A release that cannot be armed is there all the same; the next run arms it.
    truncate -s 10 s/.ihop/boot
    expect_exit 7 "$ihop_clone" --try v1.cba s/v6
    expect_stderr 's/v6 is complete, but not on trial .run the same command again.: .*damaged'
    "$ihop_store" default -q s/v1
    expect_exit 0 "$ihop_clone" --json --try v1.cba s/v6
    is 'r["outcome"] == "complete" and r["trial"] == "armed"'
}

# A power cut between publishing and arming: the same command arms it.
test_clone_try_killed() {
    requires strace
    strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
    fresh v1
    "$ihop_store" default -q s/v1
    expect_exit 0 cp -a s before
    "$builddir/tests/faults/kill-at" report 0 "$program" -q --try v2.cba s/v2
    read -r calls _ <report
    for ((at = calls - 120; at <= calls; at += 3)); do
        rm -rf s
        cp -a before s
        "$builddir/tests/faults/kill-at" report $at "$program" -q --try v2.cba s/v2 >/dev/null 2>&1 || true
        expect_exit 0 "$ihop_clone" -q --try v2.cba s/v2
        boots v2
        expect_exit 0 "$ihop_store" selection --json s
        is "r['tries'] == 2 and r['default'] == 'v1'"
    done
}

test_another_image_under_the_name() {
    fresh
    "$ihop_store" default -q s/v1
    "$ihop_store" try -q s/v2
    boots v2
    expect_exit 0 "$ihop_clone" -q -f v3.cba s/v2
    expect_exit 12 "$ihop_store" good s
    one_line_on_stderr
    expect_stderr 's/v2 holds another image than the one that was booted'
    boots v1
    expect_stderr 'v2 is not tried: it holds another image than when its trial began'
}

# The device's clock plays no part.
test_clock() {
    requires faketime
    fresh
    faketime '1970-01-02' "$ihop_store" default -q s/v1
    faketime '2099-01-01' "$ihop_store" try -q --tries 1 s/v2
    faketime '1970-01-02' "$ihop_store" boot s >out
    equal "$(cat out)" v2 "choice in 1970"
    boots v1
}

test_read_only() {
    [ "$(id -u)" = 0 ] || skip "mounting needs root"
    fresh
    "$ihop_store" default -q s/v1
    "$ihop_store" try -q s/v2
    mkdir -p ro
    mount --bind "$tmp" "$tmp/ro" 2>/dev/null || skip "no mounts here"
    at_exit umount -l "$tmp/ro"
    mount -o remount,ro,bind "$tmp/ro"
    for n in 1 2 3 4; do
        expect_exit 0 "$ihop_store" boot ro/s
        equal "$(cat "$tmp/out")" v1 "what boots from a read-only disk"
        expect_stderr 'v2 is not tried, as that cannot be counted: .*Read-only file system'
    done
    expect_exit 0 "$ihop_store" boot --dry-run ro/s
    expect_exit 0 "$ihop_store" good ro/s
    expect_exit 0 "$ihop_store" selection ro/s
    expect_exit 7 "$ihop_store" try ro/s/v1
    expect_exit 7 "$ihop_store" default ro/s/v2
    umount ro
    boots v2
}

# Chunks of zeros are served without their files, so a release is whole without them.
test_zero_chunks() {
    head -c 40960 /dev/zero >>image4
    $cba make --fixed 20480 image4 zeros.cba
    rm -rf s
    "$ihop_clone" -q zeros.cba s/v4
    for file in s/chunks/*/*; do
        cmp -s -n 20480 "$file" /dev/zero && rm "$file" && removed=yes
    done
    equal "${removed:-}" yes "a chunk of zeros was removed"
    expect_exit 0 "$ihop_store" default -q s/v4
    boots v4
}

# A record that could not be read may be whole: it is not replaced by an older one.
test_unread() {
    requires strace
    strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
    fresh
    "$ihop_store" default -q s/v1
    "$ihop_store" default -q s/v2
    local boot=("$ihop_store" boot s) n

    strace -qq -f -o trace -e trace=openat "${boot[@]}" >out
    n=$(grep -n '"boot"' trace | head -n 1 | cut -d: -f1)
    for errors in $n "$n..$((n + 1))"; do
        cp s/.ihop/boot record
        strace -qq -f -o /dev/null -e trace=openat -e "inject=openat:error=EIO:when=$errors" "${boot[@]}" >out 2>err
        grep -q 'cannot read s/.ihop/boot.*Input/output error; what is known of it is used' err || fail "$(cat err)"
        cmp s/.ihop/boot record || fail "the record was replaced ($errors)"
    done
    equal "$(cat out)" v2 "what boots"
    boots v2
}

# Another user may look; what he may not count he is not told to try.
test_other_user() {
    [ "$(id -u)" = 0 ] || skip "becoming another user needs root"
    requires setpriv
    fresh
    "$ihop_store" default -q s/v1
    "$ihop_store" try -q s/v2
    chmod 755 "$tmp"
    local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)

    "${nobody[@]}" "$ihop_store" --version >/dev/null 2>&1 || skip "another user cannot run it here"
    expect_exit 0 "${nobody[@]}" "$ihop_store" boot s
    equal "$(cat "$tmp/out")" v1 "what another user gets"
    expect_stderr 'v2 is not tried, as that cannot be counted: .*Permission denied'
    expect_exit 0 "${nobody[@]}" "$ihop_store" selection s
    expect_stdout '^trial: +v2: 3 of 3 tries left$'
    # A store of that user, in which root has counted: both may go on.
    chown -R 65534:65534 s
    boots v2
    chown 0:0 s/.ihop/boot s/.ihop/boot.spare
    expect_exit 0 "${nobody[@]}" "$ihop_store" good s
    expect_exit 0 "${nobody[@]}" "$ihop_store" try s/v1
    expect_exit 0 "${nobody[@]}" "$ihop_store" boot s
    equal "$(cat "$tmp/out")" v1 "what the owner gets"
}

# The layout of ihop 0.1, and its releases.
test_original_store() {
    requires tar xz
    tar -xJf "$srcdir/tests/data/original-store.tar.xz"
    releases original-store >names
    first=$(cut -d' ' -f1 names)
    expect_exit 10 "$ihop_store" boot original-store
    [ ! -e original-store/.ihop ] || fail "looking has made .ihop"
    expect_exit 0 "$ihop_store" default "original-store/$first"
    expect_exit 0 "$ihop_clone" -q --try v1.cba original-store/v1
    expect_exit 0 "$ihop_store" boot original-store
    equal "$(cat "$tmp/out")" v1 "what boots"
    expect_exit 0 "$ihop_store" boot --skip v1 original-store
    equal "$(cat "$tmp/out")" "$first" "what boots"
}

# Many at a time: never a damaged record, never more tries than armed.
test_concurrent() {
    local n

    fresh v1 v2 v3
    "$ihop_store" default -q s/v1
    "$ihop_store" try -q --tries 20 s/v2
    for n in 1 2 3 4; do
        for ((i = 0; i < 8; i++)); do "$ihop_store" boot s; done >boots.$n 2>err.$n &
    done
    for ((i = 0; i < 10; i++)); do
        "$ihop_store" selection s >>looks 2>&1 || touch broken
        "$ihop_store" list s >>looks 2>&1 || touch broken
        "$ihop_store" gc --wait 60 -q --keep 1 s >>looks 2>&1 || touch broken
        "$ihop_clone" --wait 60 -q -f v3.cba s/v3 >>looks 2>&1 || touch broken
    done &
    wait
    [ ! -e broken ] || fail "$(tail -n 5 looks)"
    ! grep -q damaged looks err.* || fail "a reader saw a damaged record"
    equal "$(cat boots.* | grep -c v2)" 20 "boots of the trial"
    equal "$(cat boots.* | grep -c v1)" 12 "boots of the default"
    boots v1
}

run_cases "$@"
