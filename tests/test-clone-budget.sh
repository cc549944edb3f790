#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a clone will cost is known before the first chunk is requested: --dry-run
# says exactly that and creates nothing; budgets are held.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
noise "$tmp/new" 40000 new
{
    head -c 300000 "$tmp/image"
    cat "$tmp/new"
    head -c 200000 /dev/zero
    tail -c +340001 "$tmp/image"
} >"$tmp/image2"
$cba make --codec xz --fixed 32768 --gap 300 "$tmp/image2" "$tmp/www/second.cba"
start_server "$tmp/www"

# as_told STORE/RELEASE ARCHIVE: the real run costs what the dry one told.
as_told() {
    local member wanted=()

    find "$tmp" -path "$tmp/s*" 2>/dev/null | sort >"$tmp/before"
    expect_exit 0 "$ihop_clone" --dry-run --json "$url/good/$2" "$1"
    equal "$(json outcome)" estimated "outcome of a dry run"
    find "$tmp" -path "$tmp/s*" ! -path "$tmp/server*" 2>/dev/null | sort >"$tmp/after"
    diff <(grep -v "$tmp/server" "$tmp/before") "$tmp/after" || fail "a dry run left something behind"
    for member in bytes_downloaded bytes_written requests chunks_total chunks_reused chunks_fetched \
        chunks_zero image_size; do
        wanted+=("$(json $member)")
    done
    rules
    expect_exit 0 "$ihop_clone" --json --quiet "$url/good/$2" "$1"
    for member in bytes_downloaded bytes_written requests chunks_total chunks_reused chunks_fetched \
        chunks_zero image_size; do
        equal "$(json $member)" "${wanted[0]}" "$member of the real run of $2"
        wanted=("${wanted[@]:1}")
    done
    equal "$(body_sent)" "$(json bytes_downloaded)" "bytes that the server sent"
    equal "$(requests)" "$(json requests)" "requests that the server saw"
}

as_told "$tmp/s/v1" apart.cba
as_told "$tmp/s/v2" second.cba
holds "$tmp/s/v2" "$tmp/image2"
as_told "$tmp/s/v2" second.cba
as_told "$tmp/s2/v2" second.cba
expect_exit 0 "$ihop_clone" -n "$url/good/solid.cba" "$tmp/s3/v1"
[ ! -s "$tmp/err" ] || fail "a dry run's result is on stderr"
expect_stdout "^$tmp/s3/v1: would take: 0 chunks reused, 20 fetched, .* in 3 requests"
[ ! -e "$tmp/s3" ] || fail "a dry run created the store"

# over REGEX OPTION...: exit code 6 before a chunk is requested.
over() {
    local regex=$1

    shift
    rules
    expect_exit 6 "$ihop_clone" "$@" "$url/good/apart.cba" "$tmp/s4/v1"
    one_line_on_stderr
    expect_stderr "$regex"
    equal "$(requests "past=$apart_header")" 0 "requests for chunks with $*"
    [ ! -e "$tmp/s4/v1" ] || fail "a release was published over the budget $*"
    equal "$(good_chunks "$tmp/s4")" 0 "chunks with $*"
    [ ! -d "$tmp/s4" ] || nothing_staged "$tmp/s4"
}

over "would download 640.0 KiB \(655360 bytes\), but --max-download allows 640.0 KiB" --max-download 655359
over "would write 640.0 KiB \(655360 bytes\), but --max-write allows" --max-write 639k
over "not enough space in store .*free" --min-free 1000T
expect_exit 0 "$ihop_clone" --quiet --max-download 655360 --max-write 655360 --min-free 1k \
    "$url/good/apart.cba" "$tmp/s4/v1"
# What is there costs nothing.
expect_exit 0 "$ihop_clone" --quiet --max-download 0 --max-write 0 "$url/good/solid.cba" "$tmp/s4/v2"
holds "$tmp/s4/v2" "$tmp/image"

# A rate is held: it may take longer on a busy machine, but not less.
begun=$(date +%s%N)
expect_exit 0 "$ihop_clone" --json --limit-rate 100k "$url/good/solid.cba" "$tmp/s5/v1"
took=$((($(date +%s%N) - begun) / 1000000))
nominal=$(($(json bytes_downloaded) * 1000 / 102400))
at_least "$nominal" 5000 "milliseconds that make a fair measurement"
at_least $took $((nominal * 9 / 10)) "milliseconds at 100 KiB/s"

# A name that holds another image is refused before a chunk is requested.
noise "$tmp/third" 200000 third
$cba make --fixed 32768 "$tmp/third" "$tmp/www/third.cba"
rules
expect_exit 12 "$ihop_clone" --quiet "$url/good/third.cba" "$tmp/s/v1"
one_line_on_stderr
at_most "$(body_sent)" $(($(header_size "$tmp/www/third.cba") + 14 + 64)) "bytes that the server sent"
holds "$tmp/s/v1" "$tmp/image"
