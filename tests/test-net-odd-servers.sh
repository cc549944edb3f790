#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Servers that are unusual, and within the rules: the clone succeeds.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"

# fine ACTIONS
fine() {
    rules "path=/odd/ : $1"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 0 "$url/odd/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(requests)" 22 "requests, with $1"
}

fine "chunked"
fine "chunked trailer='X-Sum: 5'"
fine "chunked trailer='Content-Range: bytes 0-1/2'"
fine "http10"
fine "close"
fine "no-length"
fine "interim=2"
fine "etag=none"
fine "etag='W/\"weak\"'"
for encoding in "" identity "identity, identity" "identity,,none" aws-chunked "aws-chunked, identity"; do
    fine "encoding='$encoding'"
done
fine "delay=0.02"
fine "header='X-Long: $(printf 'x%.0s' $(seq 5000))'"
fine "header='Set-Cookie: a=b'"

equal "$(requests header=cookie)" 0 "requests with a cookie"
equal "$(requests not:header=accept-encoding:identity)" 0 "requests that allow an encoding"
equal "$(requests no-range)" 0 "requests without a range"
