#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A file system that can neither exchange two files nor link one (exFAT, FAT): a release is
# replaced in three steps, and killed at any of them, the name leads to the old one or
# the new one, for readers as well.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
refuse=$builddir/tests/faults/refuse-call
kill_at=$builddir/tests/faults/kill-at
"$refuse" syncfs:ENOSYS true 2>"$tmp/no" || skip "no filters here: $(cat "$tmp/no")"
"$kill_at" "$tmp/report" 0 true 2>"$tmp/no" || skip "nothing can be traced here: $(cat "$tmp/no")"
[ -z "$preload" ] || skip "a sanitizer that may not be traced"
make_archives
noise "$tmp/other" 655360 other
$cba make --fixed 32768 "$tmp/other" "$tmp/www/other.cba"
program=$ihop_clone
[ ! -x "$builddir/.libs/ihop-clone" ] || program=$builddir/.libs/ihop-clone
exfat=("$refuse" 'renameat2@4&7:EINVAL' linkat:EPERM)

expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$tmp/before/a"
expect_exit 0 "$ihop_clone" --quiet "$tmp/www/other.cba" "$tmp/before/spare" # all chunks are there
old=$(b2sum <"$tmp/image" | cut -d' ' -f1)
new=$(b2sum <"$tmp/other" | cut -d' ' -f1)
store=$tmp/store

# clones [WRAPPER...]: the new image over the old one.
clones() {
    rm -rf "$store"
    cp -a "$tmp/before" "$store"
    "$@" "${exfat[@]}" "$program" --quiet --force "$tmp/www/other.cba" "$store/a"
}

# image_of RELEASE: its checksum, read by a command that writes nothing.
image_of() {
    expect_exit 0 "$ihop_store" info --json "$store/$1"
    json source_checksum
}

# make_halfway: $tmp/halfway, a store whose clone was killed while the name was missing.
make_halfway() {
    local at calls

    [ ! -d "$tmp/halfway" ] || return 0
    clones "$kill_at" "$tmp/report" 0
    calls=$(cut -d' ' -f1 "$tmp/report")
    for ((at = calls; at > calls - 80; at--)); do
        clones "$kill_at" "$tmp/report" $at 2>/dev/null || true
        if [ ! -e "$store/a" ]; then
            cp -a "$store" "$tmp/halfway"
            return 0
        fi
    done
    fail "the name was never missing"
}

# settled: the name is where it belongs and nothing waits.
settled() {
    [ -f "$store/a" ] || fail "no $store/a"
    [ ! -e "$store/.ihop/pending" ] || fail "something is left in .ihop/pending"
}

test_no_exchange() {
    expect_exit 0 clones
    equal "$(image_of a)" "$new" "the image that was published"
    settled
    expect_exit 0 "$ihop_store" gc --json "$store"
    equal "$(json retired_removed)" 1 "the old release, kept until now"
}

# Killed at each call from the first rename on.
test_killed() {
    clones "$kill_at" "$tmp/report" 0
    calls=$(cut -d' ' -f1 "$tmp/report")
    halfway=0 had_old=0 had_new=0
    for ((at = calls; at > calls - 80; at--)); do
        code=0
        clones "$kill_at" "$tmp/report" $at 2>/dev/null || code=$?
        [ $code = 0 ] || [ $code = 137 ] || fail "exit code $code, killed at call $at"
        found=$(image_of a)
        case $found in
            "$old") had_old=$((had_old + 1)) ;;
            "$new") had_new=$((had_new + 1)) ;;
            *) fail "killed at call $at: image $found" ;;
        esac
        expect_exit 0 "$ihop_store" list "$store"
        expect_stdout '^a '
        expect_exit 0 "$ihop_store" gc --dry-run "$store"
        if [ ! -e "$store/a" ]; then
            halfway=$((halfway + 1))
            equal "$found" "$new" "the image while the name is missing"
            if [ $halfway = 1 ]; then
                compare "$tmp/other" "$store/a"
                cp -a "$store" "$tmp/halfway"
            fi
        fi
        if [ $((at % 2)) = 0 ]; then
            expect_exit 0 "${exfat[@]}" "$ihop_clone" --quiet --force "$tmp/www/other.cba" "$store/a"
            equal "$(image_of a)" "$new" "the image after another run"
        else
            expect_exit 0 "$ihop_store" gc --quiet "$store"
            equal "$(image_of a)" "$found" "the image after a clean-up"
        fi
        settled
    done
    echo "measured: $had_old times the old image, $had_new the new one, $halfway times without a name"
    [ $had_old -gt 0 ] && [ $had_new -gt 0 ] && [ $halfway -gt 0 ] || fail "too little was seen"
}

# Finished by whoever writes next; a release that is there is never overwritten.
test_finished_later() {
    make_halfway
    store=$tmp/halfway
    expect_exit 0 "$ihop_clone" "$tmp/www/other.cba" "$store/a"
    settled
    mkdir "$store/.ihop/pending"
    cp "$store/spare" "$store/.ihop/pending/a"
    cp "$store/spare" "$store/.ihop/pending/b"
    cp "$tmp/before/a" "$store/a"
    equal "$(image_of a)" "$old" "the image that has the name"
    equal "$(image_of b)" "$new" "the image that has no name"
    expect_exit 0 "$ihop_store" protect --quiet "$store/a"
    equal "$(image_of a)" "$old" "the image that has the name"
    equal "$(image_of b)" "$new" "the image that got its name"
    settled
}

run_cases "$@"
