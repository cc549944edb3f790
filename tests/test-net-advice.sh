#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What people meet first: the message says what is there in the archive's place and what to
# do about it; and what cannot heal is not tried again.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires openssl
make_archives
start_server "$tmp/www"

# advice CODE REGEX ACTIONS: at the first answer, which is the only one.
advice() {
    rules ": $3"
    expect_fault "$1" "$url/x/${file:-apart.cba}.*$2" ${userinfo:+"http://$userinfo@127.0.0.1:$server_port/x/apart.cba"} \
        ${userinfo:-"$url/x/${file:-apart.cba}"} "$tmp/none/r"
    equal "$(requests)" 1 "requests, with $3"
}

advice 11 "Digest authentication, and ihop sends Basic" \
    "status=401 header='WWW-Authenticate: Digest realm=\"a, b\", nonce=\"x\"'"
advice 11 "Bearer authentication" "status=401 header='WWW-Authenticate: Bearer'"
advice 11 "USER:PASSWORD@" "status=401 header='WWW-Authenticate: Digest realm=x, Basic realm=y'"
advice 11 "rights on the server" "status=403"
advice 4 "web page.*login page" "ignore-range type='text/html; charset=utf-8'"
advice 4 "python3 -m http.server.*nginx" "ignore-range"
advice 4 "write https://" "status=400 text='The plain HTTP request was sent to HTTPS port'"
advice 4 "write https://" "status=400 text='Client sent an HTTP request to an HTTPS server.'"
advice 4 "encoding: gzip|Content-Encoding: gzip" "encoding=gzip"
advice 4 "Content-Encoding: br" "encoding='identity, br, gzip'"

# Other files.
printf '<!DOCTYPE html><title>Log in</title>' >"$tmp/www/page.cba"
gzip -c "$tmp/www/apart.cba" >"$tmp/www/gz.cba"
head -c 100000 /dev/zero >"$tmp/www/image.cba"
printf 'hsqs and what follows' >"$tmp/www/squash.cba"
printf '{"error": "no such key"}' >"$tmp/www/json.cba"
head -c 400000 "$tmp/www/apart.cba" >"$tmp/www/short.cba"
head -c 500 "$tmp/www/apart.cba" >"$tmp/www/shorter.cba"
head -c 10 "$tmp/www/apart.cba" >"$tmp/www/shortest.cba"
head -c 100000 "$tmp/image" >"$tmp/www/noise.cba"
: >"$tmp/www/empty.cba"
rules
for case in "page:not a bita archive.*web page" "gz:gzip data" "image:zeros.*ihop-compress" "squash:squashfs.*ihop-compress" \
    "json:JSON" "short:cut short.*upload it again" "shorter:cut short.*upload it again" \
    "shortest:cut short.*upload it again" "noise:ihop-compress"; do
    expect_fault 5 "$url/x/${case%%:*}.cba.*${case#*:}" "$url/x/${case%%:*}.cba" "$tmp/none/r"
done
# An empty file: some servers say 416, others 200.
expect_fault 4 "empty" "$url/x/empty.cba" "$tmp/none/r"
rules ": ignore-range"
expect_fault 5 "archive is empty on the server.*upload it again" "$url/x/empty.cba" "$tmp/none/r"

# Addresses.
rules
for bad in "$url/my image.cba" "$url/apart.cba " "$url/apart.cba
" "$url/a	b.cba"; do
    expect_exit 2 "$ihop_clone" "$bad" "$tmp/none/r"
    one_line_on_stderr
    expect_stderr "not a valid URL: it has a (space|line end).*%20"
done
for part in u%01:p u:p%0a; do
    expect_fault 2 "/x/apart.cba: the URL's user or password has a control character" \
        "http://$part@${url#http://}/x/apart.cba" "$tmp/none/r"
done
for bad in 127.0.0.1:8080/v1.cba updates.example.com/v1.cba localhost:80/v1.cba; do
    expect_fault 10 "there is no archive $bad \(.*http://" "$bad" "$tmp/none/r"
done
for plain in v1.cba ./v1.cba ../x.y/../v1.cba some/v1.cba; do
    expect_fault 10 "there is no archive $plain$" "$plain" "$tmp/none/r"
done
equal "$(requests)" 0 "requests for what is no address"

# The port of the other protocol.
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key" -out "$tmp/cert" -subj /CN=x -days 100 \
    -addext subjectAltName=IP:127.0.0.1 2>"$tmp/openssl"
expect_exit 4 "$ihop_clone" --cacert "$tmp/cert" "https://127.0.0.1:$server_port/x/apart.cba" "$tmp/none/r"
one_line_on_stderr
expect_stderr "does not speak TLS there.*https"
equal "$(connections)" 1 "connections to a port without TLS"
SERVER_OPTIONS="--cert $tmp/cert --key $tmp/key" start_server "$tmp/www"
got=0
"$ihop_clone" "${quick[@]}" --retry 0 "$url/x/apart.cba" "$tmp/none/r" >"$tmp/out" 2>"$tmp/err" || got=$?
[[ $got = [34] ]] || fail "exit $got for http to a port that speaks https"

# A proxy that says no.
start_server "$tmp/www"
https=https://127.0.0.1:1/x/apart.cba
for case in 407:11:refuses 403:11:refuses 502:3:cannot 503:3:cannot; do
    IFS=: read -r status code word <<<"$case"
    rules ": status=$status close"
    expect_fault "$code" "proxy.*$word.*status $status" --retry 1 -x "$url" "$https" "$tmp/none/r"
done
[ ! -e "$tmp/none" ] || fail "a store was created"
