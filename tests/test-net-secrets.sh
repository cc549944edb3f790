#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Secrets (user info, --header, the query) go to the user's own server and to no
# other, and appear in no output and in no file of the store.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives

start_server "$tmp/www" "path=/back/ : status=302 location=http://127.0.0.1:$(free_port)/none"
other_log=$server_log
other_port=$server_port
start_server "$tmp/www" "path=/away/ : status=302 location=http://127.0.0.1:$other_port/b/apart.cba" \
    "path=/name/ : status=302 location=http://localhost:{port}/b/apart.cba" \
    "path=/near/ : status=302 location=/b/apart.cba" \
    "path=/long/ past=$apart_header n=1 : body=5" "path=/bad/ : status=403" \
    "path=/busy/ : status=503" "path=/lie/ : ignore-range"
base="http://joe:pa55word@127.0.0.1:$server_port"
printf '# a comment\n\nX-From-File: f1le5ecret\r\n' >"$tmp/headers"
secrets=(-H 'X-Api-Key: k3y5ecret' --header "@$tmp/headers" -v --json)
word='pa55word|k3y5ecret|f1le5ecret|t0ken5ecret|am9lOnBh'

# no_secret: in the output of the last run and in the store.
no_secret() {
    ! grep -Eq "$word" "$tmp/out" "$tmp/err" || fail "a secret in the output"
    [ ! -d "$tmp/s" ] || ! grep -rEqa "$word|joe" "$tmp/s" || fail "a secret in the store"
}

# secret_headers [FILTER]...: how many requests have all three headers.
secret_headers() {
    requests header=authorization header=x-api-key:k3y5ecret header=x-from-file:f1le5ecret "$@"
}

# Home: every request has them, also the retried and the redirected ones.
for path in good long near; do
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${secrets[@]}" --retry-delay 0 "$base/$path/apart.cba?token=t0ken5ecret" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    no_secret
    grep -qa "$url/$path/apart.cba" "$tmp/s/r" || fail "the archive's address is not recorded"
done
equal "$(secret_headers)" "$(requests)" "requests home with all secrets"
at_least "$(requests query=token=t0ken5ecret)" 40 "requests with the query"

# Away: another port and another name are other servers.
for path in away name; do
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${secrets[@]}" "$base/$path/apart.cba?token=t0ken5ecret" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    no_secret
done
equal "$(LOG=$other_log requests)" 22 "requests to the other port"
! grep -Eq "$word|authorization" "$other_log" || fail "a secret went to another port"
equal "$(requests host=localhost)" 22 "requests to the other name"
equal "$(secret_headers host=localhost)" 0 "secrets to another name"
for part in header=authorization header=x-api-key header=x-from-file not:query=; do
    equal "$(requests host=localhost $part)" 0 "requests to another name with $part"
done

# Messages of every kind.
rm -rf "$tmp/s"
code_of() {
    expect_exit "$1" "$ihop_clone" "${secrets[@]}" --retry 1 --retry-delay 0 --timeout 2 \
        "${@:3}" "$base/$2/apart.cba?token=t0ken5ecret" "$tmp/s/r"
    no_secret
    expect_stderr "$url/$2/apart.cba"
}
code_of 11 bad
code_of 3 busy
code_of 4 lie
expect_exit 3 "$ihop_clone" "${secrets[@]}" --retry 1 --retry-delay 0 \
    "http://joe:pa55word@127.0.0.1:$(free_port)/a.cba?token=t0ken5ecret" "$tmp/s/r"
no_secret
expect_exit 2 "$ihop_clone" -H 'pa55word without a colon' "$base/a.cba" "$tmp/s/r"
no_secret
printf 'f1le5ecret\n' >"$tmp/headers"
expect_exit 2 "$ihop_clone" -H "@$tmp/headers" "$base/a.cba" "$tmp/s/r"
no_secret
expect_stderr "$tmp/headers"
expect_exit 2 "$ihop_clone" "ftp://joe:pa55word@127.0.0.1/a.cba?token=t0ken5ecret" "$tmp/s/r"
no_secret

# A proxy's password.
for proxy in "http://joe:pa55word@127.0.0.1:$(free_port)" "nonsense://joe:pa55word@127.0.0.1:1" \
    "http://joe:pa55word@127.0.0.1:x"; do
    got=0
    "$ihop_clone" --retry 0 -x "$proxy" "$url/good/apart.cba" "$tmp/s/r" >"$tmp/out" 2>"$tmp/err" || got=$?
    [ "$got" -ne 0 ] || fail "a proxy that is none was ignored: $proxy"
    no_secret
done
