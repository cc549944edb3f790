#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Redirects: five are followed and the last address is kept; to another protocol,
# to nowhere or in a circle is exit code 4, and the target is never opened. An
# address that expires is asked for anew.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives

# The target of all that must not be opened.
start_server "$tmp/www"
other_log=$server_log
other_port=$server_port
start_server "$tmp/www"

# refused REGEX LOCATION [REQUESTS]
refused() {
    rules "path=/bad/ : status=302 $2"
    expect_fault 4 "$url/bad/apart.cba: .*$1" "$url/bad/apart.cba" "$tmp/none/r"
    equal "$(requests)" "${3:-1}" "requests with $2"
    equal "$(LOG=$other_log connections)" 0 "connections to the target of $2"
    [ ! -e "$tmp/none" ] || fail "a store was created"
}

for scheme in ftp gopher telnet ftps ldap dict smb; do
    refused "redirects to $scheme://127.0.0.1:$other_port/.*neither http nor https" \
        "location=$scheme://127.0.0.1:$other_port/apart.cba"
done
refused "file://.*neither http nor https" "location=file://$tmp/www/apart.cba"
refused "redirects" "location=javascript:1"
refused "nowhere|no URL" ""
refused "nowhere|neither|no URL" "location="
refused "more than 5 redirects" "location=/bad/again/apart.cba" 6
refused "neither" "location=ftp://user:secret@127.0.0.1:$other_port/apart.cba?token=secret"
! grep -q secret "$tmp/err" || fail "the message tells a secret of the redirect"
# Control characters of a server do not reach the terminal.
refused "" "location='ftp://127.0.0.1:$other_port/a$(printf '\033')]0;title$(printf '\007')b.cba'"
! LC_ALL=C grep -q "[[:cntrl:]]" "$tmp/err" || fail "a control character in the message"

# Every kind of redirect; relative and absolute; the last address is reused.
for status in 301 302 303 307 308; do
    rules "path=/old/ : status=$status location=/new/apart.cba"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$url/old/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    equal "$(requests path=/old/apart.cba)" 1 "requests to the first address"
    equal "$(requests)" 23 "requests with status $status"
    equal "$(json requests)" 23 "requests counted with status $status"
done

# Five in a row are enough for anyone, six are too many.
rules "path=/1/ : status=302 location=/2/a/apart.cba" \
    "path=/2/ : status=302 location=../../3/apart.cba" "path=/3/ : status=302 location=/4/apart.cba" \
    "path=/4/ : status=302 location=//127.0.0.1:{port}/5/apart.cba" \
    "path=/5/ : status=302 location=/6/apart.cba" "path=/0/ : status=302 location=/1/apart.cba"
expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/1/apart.cba" "$tmp/five/r"
holds "$tmp/five/r" "$tmp/image"
expect_fault 4 "more than 5 redirects" "$url/0/apart.cba" "$tmp/none/r"

# Addresses that expire after a few requests, as signed ones do: back to the first
# one for another, also when several ranges meet the end together.
for connections in 1 4 16; do
    for status in 401 403 404 410; do
        rules "path=/first/ : delay=0.05 status=307 location=/signed-{n}/apart.cba" \
            "path=/signed uses=6- : delay=0.05 status=$status"
        rm -rf "$tmp/s"
        expect_exit 0 "$ihop_clone" "${quick[@]}" --connections $connections --retry 0 \
            "$url/first/apart.cba" "$tmp/s/r"
        holds "$tmp/s/r" "$tmp/image"
        at_least "$(requests path=/first/apart.cba)" 4 "visits to the first address"
        at_most "$(requests path=/first/apart.cba)" 40 "visits to the first address"
        done
done

# When the new address is refused as well, that is the answer.
rules "path=/first/ : status=302 location=/signed-{n}/apart.cba" \
    "path=/signed n=5- : status=403"
expect_fault 11 "status 403" --connections 1 "$url/first/apart.cba" "$tmp/end/r"
at_most "$(requests)" 10 "requests"
