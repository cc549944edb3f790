#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --diff reports what ihop-clone would report on a device that has the old image, and serves
# as a gate: over a budget it ends with exit code 6.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
data=$srcdir/tests/data
start_server "$data"

# same_cost OLD NEW: as a clone of NEW beside OLD, by archive, by release and by URL.
same_cost() {
    local member old wanted

    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" --quiet "$data/$1" "$tmp/s/old"
    expect_exit 0 "$ihop_clone" --dry-run --json "$data/$2" "$tmp/s/new"
    cp "$tmp/out" "$tmp/clone.json"
    for old in "$data/$1" "$tmp/s/old" "$url/$1"; do
        expect_exit 0 "$ihop_compress" --diff "$old" --json "$data/$2"
        for member in bytes_downloaded bytes_written requests chunks_total chunks_reused \
            chunks_fetched chunks_zero; do
            wanted=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
                "$tmp/clone.json" "$member")
            equal "$(json $member)" "$wanted" "$member from $old to $2"
        done
    done
}

same_cost update-v1.cba update-v2.cba
same_cost demo-v1.cba demo-v2.cba
same_cost update-v1.cba update-v1.cba
equal "$(json chunks_fetched)" 0 "chunks of an update to the same image"
# Short hashes name other chunks, even of the same image.
same_cost hash16.cba hash32.cba
equal "$(json chunks_reused)" 0 "chunks reused between hashes of 16 and 32 bytes"

expect_exit 0 "$ihop_compress" --diff "$data/update-v1.cba" "$url/update-v2.cba"
# One of them asks for a delta pack, as the device does.
expect_stdout '^33 chunks reused, 13 fetched, .* downloaded in 6 requests, .* written$'

# The budget is for all that is downloaded, the header included.
expect_exit 0 "$ihop_compress" --json --diff "$data/update-v1.cba" "$data/update-v2.cba"
bytes=$(json bytes_downloaded)
expect_exit 0 "$ihop_compress" --max-download "$bytes" --diff "$data/update-v1.cba" "$data/update-v2.cba"
expect_exit 6 "$ihop_compress" --max-download $((bytes - 1)) --diff "$data/update-v1.cba" "$data/update-v2.cba"
one_line_on_stderr
expect_stderr "would download .*$bytes bytes.*--max-download allows"
expect_stdout "downloaded in 5 requests"
expect_exit 6 "$ihop_compress" --json --max-download 1k --diff "$data/update-v1.cba" "$data/update-v2.cba"
equal "$(json exit_code)" 6 "exit code in JSON"
equal "$(head -n 1 "$tmp/out" | "$python" -c 'import json, sys; r = json.load(sys.stdin); print(r["type"], r["bytes_downloaded"])')" \
    "cost $bytes" "the cost in JSON"

# What cannot be compared.
expect_exit 10 "$ihop_compress" --diff "$tmp/none" "$data/update-v2.cba"
expect_stderr "$tmp/none"
head -c 200 "$tmp/s/old" >"$tmp/s/cut"
expect_exit 7 "$ihop_compress" --diff "$tmp/s/cut" "$data/update-v2.cba"
expect_stderr "^ihop-compress: release $tmp/s/cut: "
one_line_on_stderr
echo nothing >"$tmp/text"
expect_exit 5 "$ihop_compress" --diff "$tmp/text" "$data/update-v2.cba"
expect_exit 5 "$ihop_compress" --diff "$data/update-v2.cba" "$tmp/text"
expect_exit 2 "$ihop_compress" --diff "$data/update-v2.cba"
