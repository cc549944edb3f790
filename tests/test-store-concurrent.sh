#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clones, clean-ups, removals, checks and servers at the same time: each succeeds or
# is told that the store is busy, and at the end everything that should be there is
# whole.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
cd "$tmp"
rounds=${ROUNDS:-12}
store=$tmp/s

# Images that share half of their chunks with every other one.
noise common 262144 common
for n in 0 1 2 3; do
    noise own 262144 "own $n"
    cat common own >image-$n
    $cba make --fixed 16384 image-$n r$n.cba
done
expect_exit 0 "$ihop_clone" --quiet r0.cba "$store/kept"
expect_exit 0 "$ihop_clone" --quiet r0.cba "$store/served"
expect_exit 0 "$ihop_store" protect --quiet "$store/kept"
serve "$store/served" maxfds=0 check=no

# job NAME CODES COMMAND...: in the background; its exit code must be one of CODES.
job() {
    local name=$1 codes=" $2 "

    shift 2
    (
        code=0
        "$@" >"$name.out" 2>"$name.err" </dev/null || code=$?
        if [[ $codes != *" $code "* ]]; then
            echo "exit code $code of: $*"
            cat "$name.err"
        fi >"$name.bad"
    ) &
}

for ((round = 0; round < rounds; round++)); do
    a=$((round % 4)) b=$(((round + 1) % 4))
    rm -f ./*.bad
    # Two clones of one name, of the same image; one of another name; one that
    # replaces what is served.
    job clone-a1 "0 8" "$ihop_clone" --quiet --force --wait 1 r$a.cba "$store/one"
    job clone-a2 "0 8" "$ihop_clone" --quiet --force r$a.cba "$store/one"
    job clone-b "0 8" "$ihop_clone" --quiet --force --wait 5 r$b.cba "$store/two"
    job replace "0 8" "$ihop_clone" --quiet --force r$b.cba "$store/served"
    job gc-1 "0 8" "$ihop_store" gc --wait 5 "$store"
    job gc-2 "0 8" "$ihop_store" gc --keep 3 --wait 1 "$store"
    # 10: gc --keep was first.
    job remove "0 8 10" "$ihop_store" remove --wait 2 "$store/two"
    job list "0" "$ihop_store" list "$store"
    job du "0" "$ihop_store" du "$store"
    job verify "0 8" "$ihop_store" verify "$store"
    job serve "0" ihop_run 'nbdcopy "$uri" read' -- "$store/kept"
    job dry-run "0" "$ihop_store" gc --dry-run "$store"
    nbdcopy "$uri" copy
    # Not all jobs: the server is one.
    # shellcheck disable=SC2046 # one word for each
    wait $(jobs -p | grep -vx "$server_job")
    cmp copy image-0
    cmp read image-0
    cat ./*.bad >bad
    [ ! -s bad ] || fail "round $round: $(cat bad)"
    # Whatever has a name is whole.
    expect_exit 0 "$ihop_store" verify --quiet "$store"
    [ ! -e "$store/one" ] || holds "$store/one" image-$a
    holds "$store/kept" image-0
done
nbdcopy "$uri" copy
cmp copy image-0
stop_server
expect_exit 0 "$ihop_store" gc --json "$store"
expect_exit 0 "$ihop_store" gc --json "$store"
equal "$(json chunks_removed)" 0 "chunks that a second gc removes"
equal "$(json retired_served)" 0 "replaced releases that seem to be served"
kept=$(json chunks_kept)
expect_exit 0 "$ihop_store" verify "$store"
nothing_staged "$store"
[ -z "$(ls "$store/.ihop/partial" "$store/.ihop/retired" | grep -v :)" ] || fail "something is left"
equal "$(good_chunks "$store")" "$kept" "chunks, all good"
