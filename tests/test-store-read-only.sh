#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Commands that only read work on a read-only file system, and change nothing on
# one that is not; those that write say what is wrong.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires tar xz
make_archives
expect_exit 0 "$ihop_clone" --quiet "$tmp/www/apart.cba" "$tmp/ours/v1"
expect_exit 0 "$ihop_clone" --quiet "$srcdir/tests/data/metadata.cba" "$tmp/ours/v2"
tar -C "$tmp" -xJf "$srcdir/tests/data/original-store.tar.xz"
reading=(list 'list --json' info 'info --json' verify 'verify --json' du 'du --json' 'gc --dry-run'
    'gc --dry-run --keep 1' 'gc -n --json')

state_of() {
    find "$1" -printf '%P %y %s %m %T@ %C@\n' | sort
}

# reads STORE A B
reads() {
    local command

    for command in "${reading[@]}"; do
        # shellcheck disable=SC2086 # several words
        expect_exit 0 "$ihop_store" $command "$1"
        [[ $command == *keep* ]] || [ ! -s "$tmp/err" ] || { show_output; fail "messages of $command"; }
    done
    [ $# -gt 1 ] || return 0
    expect_exit 0 "$ihop_store" info "$1/$2"
    expect_exit 0 "$ihop_store" verify "$1/$2"
    expect_exit 0 "$ihop_store" diff "$1/$2" "$1/$3"
}

for store in ours original-store; do
    state_of "$tmp/$store" >"$tmp/before"
    case $store in
        ours) reads "$tmp/ours" v1 v2 ;;
        original-store) reads "$tmp/$store" update-v1 update-v1 ;;
    esac
    state_of "$tmp/$store" >"$tmp/after"
    diff "$tmp/before" "$tmp/after" || fail "a command that reads has changed $store"
done

[ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted read-only"
mkdir "$tmp/ro"
mount --bind "$tmp" "$tmp/ro" 2>"$tmp/mount" || skip "no mounts here: $(cat "$tmp/mount")"
at_exit umount -l "$tmp/ro"
mount -o remount,ro,bind "$tmp/ro"
expect_exit 1 touch "$tmp/ro/file"
reads "$tmp/ro/ours" v1 v2
reads "$tmp/ro/original-store" update-v1 update-v1
for command in 'remove STORE/v1' 'protect STORE/v1' 'unprotect STORE/v1' 'verify --repair STORE' 'gc STORE'; do
    # shellcheck disable=SC2086 # several words
    expect_exit 7 "$ihop_store" ${command//STORE/"$tmp/ro/ours"}
    one_line_on_stderr
    expect_stderr "^ihop-store: .*$tmp/ro/ours.*Read-only file system"
done
