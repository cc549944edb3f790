#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Locks as network file systems have them: which releases are served is known, and what is not
# served any more is freed. Where it cannot be known, a message says so, and no command
# claims success.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
shim=$builddir/tests/faults/.libs/nfs-locks.so
[ -e "$shim" ] || shim=$builddir/tests/faults/nfs-locks.so
[ -z "$preload" ] || skip "a sanitizer's library is preloaded already"
make_archives
noise "$tmp/other" 655360 other
$cba make --fixed 32768 "$tmp/other" "$tmp/www/other.cba"
store=$tmp/s
nfs=(env LD_PRELOAD="$shim")
nbdkit=("${nfs[@]}" nbdkit)
none=(env LD_PRELOAD="$shim" NFS_LOCKS=none)

# served NAME: what list says of it, in JSON: True, False or None.
served() {
    python3 -c 'import json, sys
print(*(r.get("served") for r in json.loads(open(sys.argv[1]).read())["releases"]
        if r["name"] == sys.argv[2]))' "$tmp/out" "$1"
}

for name in v1 v2 v3; do
    expect_exit 0 "${nfs[@]}" "$ihop_clone" --quiet "$tmp/www/solid.cba" "$store/$name"
done
expect_exit 0 "${nfs[@]}" "$ihop_store" list --json "$store"
equal "$(served v1)" False "v1 is served"

# A server, of this version or an earlier one, that has but a flock.
test_served() {
    serve -- "$store/v1"
    exec 8<"$store/v2"
    flock -s 8
    expect_exit 0 "${nfs[@]}" "$ihop_store" list --json "$store"
    [ ! -s "$tmp/err" ] || { show_output; fail "list says something"; }
    equal "$(served v1) $(served v2) $(served v3)" "True True False" "v1, v2 and v3 are served"
    expect_exit 8 "${nfs[@]}" "$ihop_store" remove "$store/v1"
    expect_exit 8 "${nfs[@]}" "$ihop_store" remove "$store/v2"
    expect_exit 0 "${nfs[@]}" "$ihop_clone" --quiet --force "$tmp/www/other.cba" "$store/v1"
    expect_exit 0 "${nfs[@]}" "$ihop_store" gc --json "$store"
    equal "$(json retired_served)" 1 "replaced releases that are served"
    nbd 'h.pread(655360, 0)'
    stop_server
    exec 8<&-
    expect_exit 0 "${nfs[@]}" "$ihop_store" gc --json --keep 1 "$store"
    equal "$(json retired_served)" 0 "replaced releases that are served"
    equal "$(ls "$store/.ihop/retired")" "" "replaced releases that stay"
    equal "$(ls "$store")" "chunks
v1" "what is in the store"
    expect_exit 0 "${nfs[@]}" "$ihop_store" verify --quiet "$store"
}

# No locks on releases: not known.
test_unknown() {
    unknown='cannot tell whether release .* is served: locks do not work on this file system .*No locks available'
    expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$store/v2"
    find "$store" -type f -exec cksum {} + | sort >"$tmp/before"
    expect_exit 0 "${none[@]}" "$ihop_store" list --json "$store"
    one_line_on_stderr
    expect_stderr "$unknown"
    equal "$(served v1)" None "v1 is served"
    expect_exit 0 "${none[@]}" "$ihop_store" list "$store"
    expect_stdout '^v1 .* served\?$'
    for command in "remove $store/v1" "gc --keep 1 $store" "gc --dry-run --keep 1 $store"; do
        # shellcheck disable=SC2086 # several words
        expect_exit 7 "${none[@]}" "$ihop_store" $command
        one_line_on_stderr
        expect_stderr "$unknown"
    done
    expect_exit 1 env NFS_LOCKS=none LD_PRELOAD="$shim" nbdkit -f -U "$tmp/no.socket" "$plugin" "$store/v1"
    expect_stderr "cannot lock release $store/v1.*No locks available"
    find "$store" -type f -exec cksum {} + | sort >"$tmp/after"
    diff "$tmp/before" "$tmp/after" || fail "something was changed"
    expect_exit 0 "${none[@]}" "$ihop_store" remove --force --quiet "$store/v1"
    for command in "gc $store" "gc --dry-run $store"; do
        # shellcheck disable=SC2086 # several words
        expect_exit 7 "${none[@]}" "$ihop_store" $command
        expect_stderr "$unknown"
    done
    expect_exit 0 "$ihop_store" gc --json "$store"
    equal "$(json retired_removed)" 1 "removed releases that went"
}

# No locks at all: a message before anything is fetched.
test_no_locks() {
    refuse=$builddir/tests/faults/refuse-call
    "$refuse" flock:ENOSYS true 2>"$tmp/no" || skip "no filters here: $(cat "$tmp/no")"
    for error in ENOSYS EPERM EINVAL ENOLCK EOPNOTSUPP; do
        without=("$refuse" flock:$error)
        expect_exit 7 "${without[@]}" "$ihop_clone" --quiet "$tmp/www/other.cba" "$tmp/new/v1"
        one_line_on_stderr
        expect_stderr "cannot lock $tmp/new/.ihop/.*flock"
        equal "$(find "$tmp/new" -name '*.chunk' | wc -l)" 0 "chunks that were written"
        for command in "gc $store" "remove $store/v2" "protect $store/v2"; do
            # shellcheck disable=SC2086 # several words
            expect_exit 7 "${without[@]}" "$ihop_store" $command
            expect_stderr "cannot lock $store/.ihop/lock.*flock"
        done
        expect_exit 0 "${without[@]}" "$ihop_store" verify --quiet "$store"
        expect_exit 0 "${without[@]}" "$ihop_store" list "$store"
        # A server has its other lock.
        rm -f "$tmp/run.socket"
        expect_exit 0 "${without[@]}" nbdkit -U "$tmp/run.socket" "$plugin" "$store/v2" \
            --run "nbdcopy \"\$uri\" - | cmp - '$tmp/image' && '$ihop_store' list '$store'"
        expect_stdout '^v2 .* served$'
    done
}

run_cases "$@"
