#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command line: every bad value is exit code 2 with one line that names the
# option; nothing is requested and nothing created.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
start_server "$tmp/www"

# bad REGEX ARGUMENT...
bad() {
    local regex=$1

    shift
    expect_exit 2 "$ihop_clone" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-clone: .*$regex"
    [ ! -s "$tmp/out" ] || fail "something on stdout: $*"
}

# value OPTION VALUE...: none of which it takes.
value() {
    local option=$1 v

    shift
    for v in "$@"; do
        bad "$option takes" "$option" "$v" "$url/good/solid.cba" "$tmp/s/r"
        bad "$option takes" "$option=$v" "$url/good/solid.cba" "$tmp/s/r"
    done
    bad "$option'? needs a value" "$url/good/solid.cba" "$tmp/s/r" "$option"
}

test_values() {
    numbers=('' -1 +1 x 1x ' 1' '1 ' 0x10 1.5 99999999999999999999)
    value --jobs "${numbers[@]}" 0 65
    value --connections "${numbers[@]}" 0 17
    value --wait "${numbers[@]}" 86401
    value --retry "${numbers[@]}" 1001
    value --retry-delay "${numbers[@]}" 86401
    value --connect-timeout "${numbers[@]}" 0 86401
    value --timeout "${numbers[@]}" 0 86401
    sizes=('' -1 +1 x 1x ' 1' '1 ' 0x10 1.5 99999999999999999999 1kk 1ki 16777216T 18446744073709551616)
    value --limit-rate "${sizes[@]}" 0 8388608T
    value --max-download "${sizes[@]}"
    value --max-write "${sizes[@]}"
    value --min-free "${sizes[@]}" 8388608T
    value --progress '' no bars
    value --sync '' none file
    value --verify-header '' 00 "$(printf '0%.0s' $(seq 127))" "$(printf '0%.0s' $(seq 130))" \
        "$(printf 'g%.0s' $(seq 128))"
    value --signatures "${numbers[@]}" 0 65
    value --header '' nothing ': value' $'X: a\r\nY: b' $'X: a\nY: b'
}

test_bad() {
    bad "--header" -H nothing a b/c
    bad "--jobs takes" -j 0 a b/c
    bad "--header' needs|-H' needs" a b/c -H
    bad "unknown or ambiguous option '--nonsense'" --nonsense a b/c
    bad "unknown or ambiguous option '--max'" --max 1 a b/c
    bad "unknown option '-Z'" -fZ a b/c
    bad "unknown option '-Z'" -Zf a b/c
    bad "an argument is missing"
    bad "an argument is missing" "$url/good/solid.cba"
    bad "too many arguments" a b/c d
    bad "use STORE/RELEASE" "$url/good/solid.cba" r
    for archive in ftp://127.0.0.1/a.cba file:///a.cba gopher://127.0.0.1/a sftp://127.0.0.1/a ://x http:// \
        "http://127.0.0.1:99999/a"; do
        bad "use http:// or https://, or the path of a local file" "$archive" "$tmp/s/r"
    done
    bad "a space \(write a space as %20\)" "http://a b/c" "$tmp/s/r"
    equal "$(requests)" 0 "requests"
    [ ! -e "$tmp/s" ] || fail "a store was created"
    expect_exit 7 "$ihop_clone" -H "@$tmp/nothing" "$url/good/solid.cba" "$tmp/s/r"
    expect_stderr "cannot read the headers in $tmp/nothing: No such file"
    expect_exit 7 "$ihop_clone" -H "@$tmp" a b/c
    expect_stderr "cannot read the headers in $tmp: Is a directory"
    expect_exit 2 timeout 60 "$ihop_clone" -H @/dev/zero a b/c # it has no end
    expect_stderr "/dev/zero is no file of headers"
}

# Keys that cannot be had are never the same as none, and are missed before anything is requested.
test_keys() {
    local keys=$tmp/keys.d

    $cba key 1 "$tmp/key" >"$tmp/ids"
    bad "--signatures 1 can never be met: 0 different keys are trusted" --config "$tmp" --signatures 1 a b/c
    bad "--signatures 2 can never be met: 1 different key is trusted" --verify-key "$tmp/key.pub" \
        --verify-key "$tmp/key.pub.pem" --signatures 2 a b/c
    bad "--config: $tmp/none is no directory" --config "$tmp/none" a b/c
    expect_exit 10 "$ihop_clone" --verify-key "$tmp/none" a b/c
    expect_stderr "$tmp/none"
    expect_exit 7 "$ihop_clone" --verify-key "$tmp/ids" a b/c
    expect_stderr "$tmp/ids"
    mkdir "$keys"
    expect_exit 7 "$ihop_clone" --verify-key "$keys" a b/c
    expect_stderr "the directory $keys has no key"
    expect_exit 0 "$ihop_clone" -q --config "$tmp" "$url/good/solid.cba" "$tmp/s/unsigned"
    cp "$tmp/ids" "$keys"
    expect_exit 7 "$ihop_clone" --config "$tmp" "$url/good/solid.cba" "$tmp/s/r"
    expect_stderr "$keys/ids"
    mv "$tmp/key.pub" "$keys/ids"
    expect_exit 5 "$ihop_clone" --config "$tmp" "$tmp/www/solid.cba" "$tmp/s/r"
    expect_exit 0 "$ihop_clone" -q --config "$tmp" --allow-unsigned "$url/good/solid.cba" "$tmp/s/r"
    rm -r "$keys" "$tmp/s"
}

# No archive: 10, not 2.
test_no_archive() {
    expect_exit 10 "$ihop_clone" "$tmp/nothing.cba" "$tmp/s/r"
    one_line_on_stderr
    expect_stderr "there is no archive $tmp/nothing.cba"
    mkfifo "$tmp/fifo"
    expect_exit 7 timeout 120 "$ihop_clone" "$tmp/fifo" "$tmp/s/r"
    expect_stderr "archive $tmp/fifo is not a regular file"
}

# Good ones, short and long.
test_good() {
    for help in -h --help; do
        expect_exit 0 "$ihop_clone" $help
        expect_stdout "^usage: ihop-clone"
        [ ! -s "$tmp/err" ] || fail "help on stderr"
    done
    expect_exit 0 "$ihop_clone" --version
    expect_stdout "^ihop-clone [0-9]+\.[0-9]+\.[0-9]+$"
    expect_exit 0 "$ihop_clone" -q -j 1 --connections 16 --wait 1 --retry 0 --http-retry-count 1000 \
        --retry-delay 0 --http-retry-delay 1 --connect-timeout 1 --timeout 86400 --http-timeout 5 \
        --max-download 1T --max-write 1TiB --min-free 1KB --http-header 'X: y' --force-create \
        --sync=auto --progress=none "$url/good/solid.cba" "$tmp/s/r"
    # Each option of the help is in the manual.
    for option in $("$ihop_clone" --help | grep -o -e '--[a-z][a-z-]*' | sort -u); do
        grep -q -e "$option" "$srcdir/docs/ihop-clone.pod" || fail "$option is not in the manual"
    done
}

run_cases "$@"
