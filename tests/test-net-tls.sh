#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# TLS: a good certificate is used; a wrong one is exit code 11; one that is not
# valid yet is 3, since the device's clock may be wrong. There is no fallback to
# plain HTTP, not by a redirect either.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires openssl
make_archives

new_key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1"
}

# new_ca NAME
new_ca() {
    new_key "$tmp/$1.key"
    openssl req -new -x509 -key "$tmp/$1.key" -subj "/CN=Example $1" -days 36500 -out "$tmp/$1.pem"
}

# certificate NAME CA HOSTS FROM TO
certificate() {
    new_key "$tmp/$1.key"
    openssl req -new -key "$tmp/$1.key" -subj "/CN=server" -out "$tmp/$1.csr"
    printf 'subjectAltName=%s\n' "$3" >"$tmp/$1.ext"
    mkdir -p "$tmp/$1.db"
    : >"$tmp/$1.db/index"
    openssl ca -batch -notext -md sha256 -keyfile "$tmp/$2.key" -cert "$tmp/$2.pem" -in "$tmp/$1.csr" \
        -startdate "$4" -enddate "$5" -extfile "$tmp/$1.ext" -rand_serial -policy any \
        -outdir "$tmp/$1.db" -out "$tmp/$1.pem" -config /dev/stdin <<EOF_CONF 2>"$tmp/$1.log"
[ca]
default_ca = one
[one]
database = $tmp/$1.db/index
serial = $tmp/$1.db/serial
[any]
commonName = supplied
EOF_CONF
}

new_ca ca
new_ca stranger
certificate good ca IP:127.0.0.1 20200101000000Z 20990101000000Z
certificate expired ca IP:127.0.0.1 20100101000000Z 20200101000000Z
certificate future ca IP:127.0.0.1 20900101000000Z 20990101000000Z
certificate other ca DNS:example.com 20200101000000Z 20990101000000Z
certificate untrusted stranger IP:127.0.0.1 20200101000000Z 20990101000000Z

# tls NAME RULE...: at $url.
tls() {
    local name=$1

    shift
    SERVER_OPTIONS="--cert $tmp/$name.pem --key $tmp/$name.key" start_server "$tmp/www" "$@"
    url=https://127.0.0.1:$server_port
}

# --cacert is instead of the system's CAs, those in its directory included: here a
# stranger is one of them. Without --cacert that directory counts, or this shows nothing.
with_system_ca() {
    # shellcheck disable=SC2016 # for the shell inside
    unshare -rm sh -c 'mount --bind "$0" /etc/ssl/certs && exec "$@"' "$tmp/capath" "$@"
}

test_good() {
    tls good
    expect_exit 0 "$ihop_clone" "${quick[@]}" --cacert "$tmp/ca.pem" "$url/good/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    expect_fault 11 "$url/x/apart.cba .*identity" "$url/x/apart.cba" "$tmp/none/r"
    equal "$(requests path=/x)" 0 "requests to a server nobody vouches for"
}

# identity NAME REGEX
identity() {
    tls "$1"
    expect_fault 11 "$url/x/apart.cba .*identity.*$2" --cacert "$tmp/ca.pem" "$url/x/apart.cba" "$tmp/none/r"
    equal "$(requests)" 0 "requests to the server with the certificate $1"
    equal "$(connections)" 1 "connections to the server with the certificate $1"
}

test_system_authorities() {
    mkdir "$tmp/capath"
    cp "$tmp/stranger.pem" "$tmp/capath/$(openssl x509 -in "$tmp/stranger.pem" -noout -hash).0"
    cp "$tmp/ca.pem" "$tmp/capath/ca-certificates.crt" # where libcurl looks, too
    tls untrusted
    if with_system_ca true 2>"$tmp/why" && with_system_ca "$ihop_clone" "${quick[@]}" \
        "$url/good/apart.cba" "$tmp/system/r" 2>>"$tmp/why"; then
        expect_exit 11 with_system_ca "$ihop_clone" "${quick[@]}" --cacert "$tmp/ca.pem" \
            "$url/good/apart.cba" "$tmp/none/r"
        expect_stderr "identity"
        expect_exit 0 with_system_ca "$ihop_clone" "${quick[@]}" --cacert "$tmp/stranger.pem" \
            "$url/good/apart.cba" "$tmp/system2/r"
    else
        echo "not tried, a directory of CAs: $(cat "$tmp/why")"
    fi
}

test_identity() {
    identity expired "expired.*clock.*says 20[0-9][0-9]-.*UTC"
    identity other "127.0.0.1"
    identity untrusted ""
}

test_not_valid_yet() {
    tls future
    expect_fault 3 "$url/x/apart.cba .*not valid yet.*clock says 20[0-9][0-9]-.*UTC" --retry 1 \
        --cacert "$tmp/ca.pem" "$url/x/apart.cba" "$tmp/none/r"
    equal "$(connections)" 2 "connections with --retry 1"
}

# From https to http, even on the same host.
test_https_to_http() {
    start_server "$tmp/www"
    plain_log=$server_log
    plain=$url
    tls good "path=/x/ : status=302 location=$plain/apart.cba"
    expect_fault 4 "$url/x/apart.cba: .*from https to $plain/apart.cba" --cacert "$tmp/ca.pem" \
        "$url/x/apart.cba" "$tmp/none/r"
    equal "$(LOG=$plain_log connections)" 0 "connections to the plain server"
}

# From http to https is fine.
test_http_to_https() {
    tls good
    secure=$url
    start_server "$tmp/www" "path=/x/ : status=302 location=$secure/good/apart.cba"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --cacert "$tmp/ca.pem" "$url/x/apart.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
}

# Not TLS at all, which no second try mends; and files that are not there.
test_not_tls() {
    tls good
    secure=$url
    start_server "$tmp/www"
    expect_fault 4 "https://127.0.0.1:$server_port/x/apart.cba .*does this port speak https" --cacert "$tmp/ca.pem" \
        "https://127.0.0.1:$server_port/x/apart.cba" "$tmp/none/r"
    expect_fault 2 "CA certificates" --cacert "$tmp/nothing.pem" "$secure/good/apart.cba" "$tmp/none/r"
    [ ! -e "$tmp/none" ] || fail "a store was created"
}

run_cases "$@"
