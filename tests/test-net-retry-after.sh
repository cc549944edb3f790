#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Retry-After holds back everything that would go to that server, whatever this device's
# clock says; one that is longer than a clone waits ends it at once, and it says when to
# come back. One note is enough for a pause, however many ranges wait.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"
at=$(offset_of 4)

# silent_for SECONDS: after the first 503 nothing was asked for that long.
silent_for() {
    "$python" -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
ends = {r["n"]: r["status"] for r in rows if r["event"] == "end"}
begun = [(r["n"], r["time"]) for r in rows if r["event"] == "request"]
refused = min(t for n, t in begun if ends.get(n) in (503, 429, 307))
least = float(sys.argv[2])
early = [t - refused for n, t in begun if 0.2 < t - refused < least]
if early:
    sys.exit(f"a request came {min(early):.2f} s after a pause of {least} s was asked for")' \
        "$server_log" "$1"
}

# asked HEADER... : exit 0, with one 503 that has them. $note is what was said.
asked() {
    local h words=""

    for h in "$@"; do
        words+=" header='$h'"
    done
    rules "path=/x/ n=1 : status=503$words"
    rm -rf "$tmp/s"
    expect_exit 0 ${clock:-} "$ihop_clone" --retry-delay 0 "$url/x/solid.cba" "$tmp/s/r"
    note=$(cat "$tmp/err")
}

# Other ranges wait as well. (Those under way when it came are done.)
test_pauses() {
    for status in 503 429; do
        rules "path=/x/ offset=$at n=1 : status=$status header='Retry-After: 2'" "path=/x/ past=$apart_header : delay=0.05"
        rm -rf "$tmp/s"
        expect_exit 0 "$ihop_clone" --retry-delay 0 "$url/x/apart.cba" "$tmp/s/r"
        expect_stderr "come back in 2 s" # with others under way, too
        holds "$tmp/s/r" "$tmp/image"
        silent_for 1.9
    done
    # Of two pauses that are asked for, the one that ends later counts.
    rules "path=/x/ n=3 : status=503 header='Retry-After: 3'" \
        "path=/x/ n=3 : delay=0.4 status=503 header='Retry-After: 1'" "path=/x/ past=$apart_header : delay=0.1"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/x/apart.cba" "$tmp/s/r"
    silent_for 2.9
    # A mirror on the host that wants to be left alone for long is passed over.
    rules "path=/bad/ : status=503 header='Retry-After: 7200'"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --mirror "$url/good/apart.cba" \
        --mirror "http://localhost:$server_port/good/apart.cba" "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(requests host=127)" 1 "requests to a host that wants to be left alone"
    # A redirect may want that, too.
    rules "path=/x/ n=1 : status=307 location=/y/apart.cba header='Retry-After: 2'"
    expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/x/apart.cba" "$tmp/redirect/r"
    silent_for 1.9
}

# What makes no sense is as if it were not there.
test_senseless() {
    for value in -5 1e30 soon "" "2 3" 0 1.5 "Thu, 01 Jan 1970 00:00:00 GMT" "Thu, 32 Foo 2099 00:00:00 GMT" 10:00:00; do
        asked "Retry-After: $value"
        [[ $note == *"trying again in 0.0 s"* ]] || fail "a pause for Retry-After: $value: $note"
    done
}

# A date is measured by the server's own clock, whatever ours says.
test_dates() {
    clocks=("")
    if command -v faketime >/dev/null && ! is_sanitized "$ihop_clone"; then # they exclude each other
        clocks=("" "faketime @10" "faketime 2099-01-01" "faketime 2026-11-21")
    fi
    for clock in "${clocks[@]}"; do
        asked "Date: Sat, 21 Nov 2026 10:00:00 GMT" "Retry-After: Sat, 21 Nov 2026 10:00:01 GMT"
        [[ $note == *"trying again in 1.0 s"* ]] || fail "with '$clock': $note"
        asked "Date: Saturday, 21-Nov-26 10:00:00 GMT" "Retry-After: Sat Nov 21 10:00:01 2026"
        [[ $note == *"trying again in 1.0 s"* ]] || fail "with '$clock': $note"
        asked "Date: Sat, 21 Nov 2026 10:00:00 GMT" "Retry-After: Sat, 21 Nov 2026 09:00:00 GMT"
        [[ $note == *"trying again in 0.0 s"* ]] || fail "with '$clock': $note"
        rules ": status=503 header='Date: Sat, 21 Nov 2026 10:00:00 GMT' header='Retry-After: Sat, 21 Nov 2026 11:00:00 GMT'"
        expect_exit 3 $clock "$ihop_clone" --json "$url/x/solid.cba" "$tmp/none/r"
        equal "$(json retry_after)" 3600 "retry_after"
    done
}

# Without the server's clock, ours is asked, if it may be right.
test_own_clock() {
    if command -v faketime >/dev/null && ! is_sanitized "$ihop_clone"; then # they exclude each other
        clock="faketime 2099-01-01"
        asked "Retry-After: Sat, 21 Nov 2026 10:00:00 GMT"
        [[ $note == *"trying again in 0.0 s"* ]] || fail "with a clock of 2099: $note"
        clock="faketime @10"
        asked "Retry-After: Sat, 21 Nov 2026 10:00:00 GMT"
        [[ $note == *"trying again in 0.0 s"* ]] || fail "with a clock of 1970: $note"
        clock=""
    fi
}

# Longer than five minutes: no second request, and the word on when.
test_too_long() {
    for seconds in 301 3600 999999999 99999999999999999999999999; do
        rules "path=/x/ : status=503 header='Retry-After: $seconds'"
        expect_fault 3 "$url/x/solid.cba .*status 503.*asks to come back in [0-9]+ s" --json "$url/x/solid.cba" "$tmp/none/r"
        equal "$(requests)" 1 "requests with Retry-After: $seconds"
        equal "$(json exit_code)" 3 "exit code"
        at_least "$(json retry_after)" 301 "retry_after"
    done
    rules "path=/x/ : status=503 header='Retry-After: 1'"
    expect_fault 3 "gave up after 1 retry: " --json --retry 1 "$url/x/solid.cba" "$tmp/none/r"
    equal "$(json retry_after)" 1 "retry_after after the last try"
    rules "path=/x/ : status=404"
    expect_fault 10 "" --json "$url/x/solid.cba" "$tmp/none/r"
    ! grep -q retry_after "$tmp/out" || fail "retry_after without a word of it"
}

# In the middle, what came stays.
test_kept() {
    rules "path=/x/ offset=$at : status=503 header='Retry-After: 3600'"
    expect_fault 3 "come back in 3600 s" --connections 1 "$url/x/apart.cba" "$tmp/kept/r"
    equal "$(good_chunks "$tmp/kept")" 4 "chunks kept"
    # A mirror need not wait.
    rules "path=/x/ : status=503 header='Retry-After: 3600'"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --mirror "${url/127.0.0.1/localhost}/y/apart.cba" "$url/x/apart.cba" "$tmp/mirror/r"
    holds "$tmp/mirror/r" "$tmp/image"
}

# One note for each pause, not one for each range.
test_notes() {
    rules "path=/x/ past=$apart_header : body=100"
    expect_exit 3 "$ihop_clone" --retry 2 --retry-delay 1 --connections 16 "$url/x/apart.cba" "$tmp/notes/r"
    at_most "$(grep -c "trying again" "$tmp/err")" 4 "notes of a server that cuts every body"
    rules "path=/x/ past=$solid_header : body=70000"
    expect_exit 0 "$ihop_clone" --retry 2 --retry-delay 0 "$url/x/solid.cba" "$tmp/notes/r"
    at_least "$(requests)" 11 "requests"
}

run_cases "$@"
