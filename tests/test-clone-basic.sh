#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-clone from a file and from a URL: the first release, a second one that
# costs its new chunks, a rerun that costs next to nothing.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
{
    head -c 327680 "$tmp/image"
    head -c 32768 /dev/zero | tr '\0' 'n'
    tail -c +360449 "$tmp/image"
} >"$tmp/image2"
$cba make --fixed 32768 "$tmp/image2" "$tmp/www/second.cba"
second=$(header_size "$tmp/www/second.cba")
start_server "$tmp/www"

# From a file; nothing on stdout, one line on stderr.
expect_exit 0 "$ihop_clone" "$tmp/www/solid.cba" "$tmp/file/v1"
[ ! -s "$tmp/out" ] || fail "something on stdout"
one_line_on_stderr
expect_stderr "^$tmp/file/v1: done: 0 chunks reused, 20 fetched, .* downloaded in [0-9]+ requests, 640.0 KiB written, "
holds "$tmp/file/v1" "$tmp/image"

# From a URL.
expect_exit 0 "$ihop_clone" --json "$url/good/solid.cba" "$tmp/s/v1"
holds "$tmp/s/v1" "$tmp/image"
equal "$(requests)" 3 "requests of the first release"
equal "$(json requests)" 3 "requests told"
equal "$(json bytes_downloaded)" $((655360 + solid_header)) "bytes downloaded"
equal "$(json bytes_written)" 655360 "bytes written"
equal "$(json outcome)" published "outcome"
equal "$(good_chunks "$tmp/s")" 20 "chunks"

# The second one: one new chunk. One request asks in vain for a delta pack; its 404 has 10 bytes.
rules
expect_exit 0 "$ihop_clone" --json "$url/good/second.cba" "$tmp/s/v2"
holds "$tmp/s/v2" "$tmp/image2"
holds "$tmp/s/v1" "$tmp/image"
equal "$(requests)" 4 "requests of the second release"
equal "$(body_sent)" $((32768 + second + 10)) "bytes sent for the second release"
equal "$(json chunks_fetched) $(json chunks_reused)" "1 19" "chunks fetched and reused"
equal "$(json bytes_written)" 32768 "bytes written"

# Again.
rules
expect_exit 0 "$ihop_clone" --json "$url/good/second.cba" "$tmp/s/v2"
equal "$(requests)" 2 "requests of a rerun"
at_most "$(body_sent)" 1024 "bytes sent for a rerun"
equal "$(json outcome)" complete "outcome of a rerun"
expect_exit 0 "$ihop_clone" "$url/good/second.cba" "$tmp/s/v2"
expect_stderr "$tmp/s/v2: already complete: 20 chunks reused, 0 fetched"

# Two chunks lost: no header is needed to restore them.
$cba lose "$tmp/s/v2" 3 15 >"$tmp/lost"
rules
expect_exit 0 "$ihop_clone" --json "$url/good/second.cba" "$tmp/s/v2"
equal "$(json outcome)" restored "outcome"
equal "$(requests)" 4 "requests to restore two chunks"
equal "$(body_sent)" $((65536 + 14 + 64)) "bytes sent to restore two chunks"
holds "$tmp/s/v2" "$tmp/image2"

# The same image from another archive of it.
$cba make --codec xz --cuts 100000,200000 "$tmp/image2" "$tmp/www/cut.cba"
expect_exit 0 "$ihop_clone" "$url/good/cut.cba" "$tmp/s/v2"
holds "$tmp/s/v2" "$tmp/image2"
# With the same chunks, nothing has to be fetched.
$cba make --codec zstd --fixed 32768 "$tmp/image2" "$tmp/www/zstd.cba"
expect_exit 0 "$ihop_clone" --json "$url/good/zstd.cba" "$tmp/s/v3"
equal "$(json chunks_fetched)" 0 "chunks fetched of an archive with the same chunks"
expect_exit 0 "$ihop_clone" --json "$url/good/zstd.cba" "$tmp/s/v2"
equal "$(json chunks_fetched)" 0 "chunks fetched of an archive with the same chunks"
nothing_staged "$tmp/s"

# A size that is no multiple of 512 is worth a warning, here and in a rerun.
head -c 40000 "$tmp/image" >"$tmp/odd"
$cba make --fixed 32768 "$tmp/odd" "$tmp/www/odd.cba"
for _ in 1 2; do
    expect_exit 0 "$ihop_clone" "$url/good/odd.cba" "$tmp/s/odd"
    expect_stderr "^ihop-clone: warning: .*multiple of 512"
done
holds "$tmp/s/odd" "$tmp/odd"
expect_exit 0 "$ihop_clone" --quiet "$url/good/odd.cba" "$tmp/s/odd"
[ ! -s "$tmp/err" ] || fail "--quiet is not quiet"

# An empty image.
: >"$tmp/empty"
$cba make "$tmp/empty" "$tmp/www/empty.cba"
expect_exit 0 "$ihop_clone" "$url/good/empty.cba" "$tmp/s/empty"
holds "$tmp/s/empty" "$tmp/empty"
