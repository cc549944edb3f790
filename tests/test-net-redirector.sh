#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A redirector names a place that fails, in any way, or that fails later: it is asked again,
# and may name another. A message names the place, not only the address that was given.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
at=$(offset_of 12)
dead=http://127.0.0.1:$(free_port)
mkdir "$tmp/other"
noise "$tmp/image2" 655360 other
$cba make --fixed 32768 --gap 5000 "$tmp/image2" "$tmp/other/apart.cba"
start_server "$tmp/www"

# gets_on ARGUMENT... -- RULE...: exit 0; the rules for /first/ and /bad/ come first.
gets_on() {
    local options=()

    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    rules "$@"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" "${options[@]}" --json "$url/first/${file:-apart}.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    at_least "$(requests path=/first)" 2 "visits to the redirector, with $*"
    at_most "$(requests)" 90 "requests, with $*"
}

bad="status=302 location=/bad/apart.cba"
good="path=/first/ : status=302 location=/good/apart.cba"

# From the beginning: the first place that is named is no good.
gets_on --retry 0 -- "path=/first/ n=1 : status=302 location=$dead/apart.cba" "$good"
for rule in status=503 status=500 status=400 status=404 status=429 status=418 ignore-range \
    "ignore-range type=text/html" shift=1 content-range=none content-range='bytes' encoding=gzip multipart \
    hang-up "body=5 end=rst" "raw=nonsense" \
    "root=$tmp/nowhere" "header='Content-Length: 3'"; do
    file=solid gets_on --retry 0 -- "path=/first/ n=1 : status=302 location=/bad/solid.cba" \
        "path=/first/ : status=302 location=/good/solid.cba" "path=/bad/ : $rule"
done

# It wants to be left alone for hours: it is, and what shares its host with it, too.
elsewhere=http://localhost:$server_port
hours="path=/bad/ : status=503 header='Retry-After: 7200'"
gets_on --retry 0 -- "path=/first/ n=1 : status=302 location=$elsewhere/bad/apart.cba" "$good" "$hours"
rules "path=/first/ n=1 : $bad" "$good" "$hours"
expect_fault 3 "come back in 7200 s" --mirror "$url/good/apart.cba" "$url/first/apart.cba" "$tmp/none/r"
equal "$(requests)" 2 "requests to a server that wants to be left alone"

# In the middle: four ranges meet the end together; the place dies, or its address expires.
gets_on --retry 1 -- "path=/first/ n=1 : $bad" "$good" "path=/bad/ past=$at : hang-up"
for status in 400 403 418 503; do
    gets_on --retry 1 -- "path=/first/ n=1 : $bad" "$good" "path=/bad/ past=$at : status=$status"
    gets_on --retry 1 -- "path=/first/ : status=302 location=/signed-{n}/apart.cba" \
        "path=/signed uses=6- : status=$status"
done

# Each address is good for one request: ranges that ask beside each other must not spoil
# it for one another.
for status in 400 401 403 404 416; do
    rules "path=/first/ : status=302 location=/signed-{n}/apart.cba" \
        "path=/signed uses=2- : status=$status" "path=/signed : rate=1000000"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --retry 1 "$url/first/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    at_most "$(requests)" 120 "requests to addresses that are good for one, then $status"
done

# It has another archive.
gets_on --retry 0 -- "path=/first/ n=1 : $bad" "$good" "path=/bad/ past=$at : root=$tmp/other"

# It needs a while to notice: the retries are for that.
gets_on --retry 3 -- "path=/first/ n=1-3 : status=302 location=$dead/apart.cba" "$good"
gets_on --retry 3 -- "path=/first/ n=1-3 : $bad" "$good" "path=/bad/ : status=503"

# It never does: as many tries as were allowed, one line, and the place is named.
rules "path=/first/ : status=302 location=$dead/secret/apart.cba"
expect_fault 3 "gave up after 2 retries: $url/first/apart.cba .*redirected to $dead: " --retry 2 \
    "$url/first/apart.cba" "$tmp/none/r"
equal "$(requests)" 4 "visits to a redirector to a dead place"
rules "path=/first/ : $bad" "path=/bad/ : status=403"
expect_fault 11 "$url/first/apart.cba .*redirected to $url: .*status 403" "$url/first/apart.cba" "$tmp/none/r"
equal "$(requests)" 4 "requests for a place that refuses"
# A network that wants a login first sends everybody to its page.
rules "path=/first/ : status=302 location=/bad/login.html?then=x" "path=/bad/ : status=200 text='<html>' header='Content-Type: text/html'"
expect_fault 4 "redirected to $url: .*web page.*login" "$url/first/apart.cba" "$tmp/none/r"
at_most "$(requests)" 4 "requests to a login page"

# A place asks for an hour: it is left alone, and so is the clone when nothing else is named.
rules "path=/first/ : status=302 location=$elsewhere/bad/apart.cba" "path=/bad/ : status=503 header='Retry-After: 3600'"
expect_fault 3 "asks to come back in 3[56][0-9][0-9] s" "$url/first/apart.cba" "$tmp/none/r"
equal "$(requests path=/bad)" 1 "requests to a place that wants to be left alone"
[ ! -e "$tmp/none" ] || fail "a store was created"
