#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --mirror: when a server fails, the run goes on with the next one, and nothing is
# fetched twice. A mirror must hold the same archive, and gets no secret of another.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
at=$(offset_of 12)

# Another archive of the same size.
mkdir "$tmp/other"
noise "$tmp/image2" 655360 other
$cba make --fixed 32768 --gap 4000 "$tmp/image2" "$tmp/other/apart.cba"
equal "$(file_size "$tmp/other/apart.cba")" "$(file_size "$tmp/www/apart.cba")" "size of the other"

# The mirrors first: `rules` is for the server that was started last.
start_server "$tmp/www" "path=/wrong/ : root=$tmp/other" "path=/tag/ : etag='\"another\"'" \
    "path=/untagged/ : etag=none" "path=/busy/ : status=503" "path=/gone/ : status=404" \
    "path=/late/ past=$at : status=503"
mirror=$url
mirror_log=$server_log
start_server "$tmp/www"
dead=http://127.0.0.1:$(free_port)
one=(--connections 1 --retry 0)

# begin RULE...: for the first server; both logs begin anew.
begin() {
    rules "$@"
    : >"$mirror_log"
    rm -rf "$tmp/s"
}

# goes_on FIRST-URL ARGUMENT...: all is well in the end.
goes_on() {
    local first=$1

    shift
    expect_exit 0 "$ihop_clone" "${quick[@]}" --json "$@" "$first" "$tmp/s/r"
    [ ! -s "$tmp/err" ] || fail "words on stderr though --quiet: $(cat "$tmp/err")"
    holds "$tmp/s/r" "$tmp/image"
    nothing_staged "$tmp/s"
    # It is the first one that the release remembers.
    grep -qa "$first" "$tmp/s/r" || fail "$first is not recorded"
}

mirror_requests() {
    LOG=$mirror_log requests "$@"
}

both_sent() {
    echo $(($(body_sent) + $(LOG=$mirror_log body_sent)))
}

# Dead from the beginning: each kind of failure.
test_dead() {
    begin
    goes_on "$dead/apart.cba" --retry 0 --mirror "$mirror/m/apart.cba"
    equal "$(requests)" 0 "requests to a server that was not named"
    equal "$(mirror_requests)" 22 "requests to the mirror of a dead server"
    for rule in status=404 status=403 status=401 status=410 status=400 status=503 ignore-range hang-up \
        shift=1 encoding=gzip raw=nonsense location=ftp://127.0.0.1/\ status=302; do
        # shellcheck disable=SC2086
        begin "path=/bad/ : $rule"
        goes_on "$url/bad/apart.cba" --retry 0 --mirror "$mirror/m/apart.cba"
        equal "$(requests)" 1 "requests to a server with $rule"
        equal "$(mirror_requests)" 22 "requests to the mirror of a server with $rule"
    done
    begin "path=/bad/ : stall"
    goes_on "$url/bad/apart.cba" --retry 0 --mirror "$mirror/m/apart.cba"
}

# Retries come before the mirror.
test_retries_first() {
    begin "path=/bad/ : status=503"
    goes_on "$url/bad/apart.cba" --retry 2 --mirror "$mirror/m/apart.cba"
    equal "$(requests)" 3 "requests with --retry 2 before the mirror is asked"
}

# It dies in the middle, 1,000 bytes into chunk 12: what came is not fetched again,
# and the mirror's header checksum is looked at, once, before its bytes are used.
# cut_off MIRROR-PATH
cut_off() {
    begin "path=/bad/ past=$at : body=1000"
    goes_on "$url/bad/apart.cba" "${one[@]}" --mirror "$mirror/$1/apart.cba"
    equal "$(both_sent)" $((apart_header + 655360 + 64)) "bytes that both sent, mirror $1"
    equal "$(json bytes_downloaded)" "$(both_sent)" "bytes_downloaded, mirror $1"
    equal "$(mirror_requests "n=$((1 + mirror_before))" "first=$((apart_header - 64))" "last=$((apart_header - 1))")" 1 \
        "looks at the header checksum before anything else, mirror $1"
    equal "$(mirror_requests "first=$((at + 1000))")" 1 "ranges that go on where the first ended, mirror $1"
    equal "$(mirror_requests)" 9 "requests to the mirror $1"
    mirror_before=$((mirror_before + 9))
}

# The server counts its requests from its start.
test_dies_in_the_middle() {
    mirror_before=$("$python" "$srcdir/tests/lib/serverlog.py" last "$mirror_log")
    cut_off m
    cut_off tag
    cut_off untagged
}

# Several connections: at most what was in flight comes twice.
test_several_connections() {
    begin "path=/bad/ past=$at : body=1000 end=rst"
    goes_on "$url/bad/apart.cba" --connections 4 --retry 0 --mirror "$mirror/m/apart.cba"
    at_most "$(both_sent)" $((apart_header + 655360 + 64 + 4 * 32768)) "bytes that both sent"
    equal "$(mirror_requests "first=$((apart_header - 64))")" 1 "looks at the header checksum"
}

# One range of all chunks: it is resumed in its middle.
test_one_range() {
    begin "path=/bad/ past=$solid_header : body=333333"
    goes_on "$url/bad/solid.cba" "${one[@]}" --mirror "$mirror/m/solid.cba"
    equal "$(both_sent)" $((solid_header + 655360 + 64)) "bytes that both sent"
    equal "$(mirror_requests "first=$((solid_header + 333333))")" 1 "ranges resumed"
}

# The first one is asked again when the mirror dies as well.
test_first_again() {
    begin "path=/bad/ offset=$(offset_of 5) n=1 : status=503"
    goes_on "$url/bad/apart.cba" "${one[@]}" --mirror "$mirror/late/apart.cba"
    equal "$(mirror_requests "first=$(offset_of 11)")" 1 "requests to the mirror for chunk 11"
    equal "$(requests "first=$at")" 1 "requests to the first server for chunk 12"
}

# A mirror with another archive: not a byte of its chunks is asked for; the next
# one is taken, or the run ends, and a rerun resumes.
test_another_archive() {
    begin "path=/bad/ past=$at : hang-up"
    goes_on "$url/bad/apart.cba" "${one[@]}" --mirror "$mirror/wrong/apart.cba" --mirror "$mirror/m/apart.cba"
    equal "$(mirror_requests path=/wrong)" 1 "requests to a mirror with another archive"
    equal "$(mirror_requests path=/m/)" 9 "requests to the mirror after it"
    begin "path=/bad/ past=$at : hang-up"
    expect_fault 3 "$mirror/wrong/apart.cba.*another archive.*header checksum" "${one[@]}" \
        --mirror "$mirror/wrong/apart.cba" "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(mirror_requests path=/wrong)" 1 "requests to a mirror with another archive"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
}

# Nobody answers, from the beginning and in the middle: one line, about the last
# one; without --quiet the lines before it tell the way.
test_nobody_answers() {
    begin "path=/bad/ : status=503"
    expect_fault 3 "$mirror/busy/apart.cba.*status 503" --retry 0 --mirror "$dead/apart.cba" \
        --mirror "$mirror/busy/apart.cba" "$url/bad/apart.cba" "$tmp/none/r"
    [ ! -e "$tmp/none" ] || fail "a store was created though nobody answered"
    equal "$(requests)" 1 "requests to the first of three"
    equal "$(mirror_requests)" 1 "requests to the last of three"
    expect_exit 3 "$ihop_clone" --retry 0 --mirror "$dead/apart.cba" --mirror "$mirror/busy/apart.cba" \
        "$url/bad/apart.cba" "$tmp/none/r"
    expect_stderr "$url/bad/apart.cba.*status 503.*; going on with $dead/apart.cba"
    expect_stderr "$dead/apart.cba.*; going on with $mirror/busy/apart.cba"
    tail -n 1 "$tmp/err" | grep -Eq "^ihop-clone: .*$mirror/busy/apart.cba.*status 503" ||
        fail "the last line is not the reason: $(tail -n 1 "$tmp/err")"
    begin "path=/bad/ past=$at : status=503"
    expect_fault 3 "$mirror/late/apart.cba.*status 503" "${one[@]}" --mirror "$mirror/late/apart.cba" \
        "$url/bad/apart.cba" "$tmp/s/r"
    equal "$(good_chunks "$tmp/s")" 12 "chunks kept"
    recovers apart.cba "$tmp/s/r" "$tmp/image" $((8 * 32768))
}

# Nothing to do, with the first one dead.
test_nothing_to_do() {
    begin
    expect_exit 0 "$ihop_clone" "${quick[@]}" "$url/good/apart.cba" "$tmp/s/r"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --json --retry 0 --recheck --mirror "$mirror/m/apart.cba" \
        "$dead/apart.cba" "$tmp/s/r"
    equal "$(json outcome)" complete "outcome of a recheck"
    : >"$mirror_log"
    expect_exit 0 "$ihop_clone" "${quick[@]}" --json --retry 0 --mirror "$mirror/m/apart.cba" \
        "$dead/apart.cba" "$tmp/s/r"
    at_most "$(mirror_requests)" 2 "requests when there is nothing to do"
}

# Secrets: user info is its own URL's alone; --header is for all of them.
test_secrets() {
    begin "path=/bad/ past=$at : status=403"
    expect_exit 0 "$ihop_clone" "${one[@]}" -v -H 'X-Api-Key: k3y5ecret' \
        --mirror "http://ann:0ther5ecret@${mirror#http://}/m/apart.cba?sig=mirr0r" \
        "http://joe:pa55word@${url#http://}/bad/apart.cba?token=t0ken" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    ! grep -Eq 'pa55word|0ther5ecret|k3y5ecret|t0ken|mirr0r' "$tmp/out" "$tmp/err" || fail "a secret in the output"
    ! grep -rEqa 'pa55word|0ther5ecret|k3y5ecret|t0ken|mirr0r' "$tmp/s" || fail "a secret in the store"
    joe="Basic $(printf joe:pa55word | base64)"
    ann="Basic $(printf ann:0ther5ecret | base64)"
    at_least "$(requests)" 14 "requests to the first server"
    at_least "$(mirror_requests)" 9 "requests to the mirror"
    equal "$(requests "header=authorization:$joe" query=token=t0ken)" "$(requests)" \
        "requests to the first server with its own secrets"
    equal "$(mirror_requests "header=authorization:$ann" query=sig=mirr0r)" \
        "$(mirror_requests)" "requests to the mirror with its own secrets"
    equal "$(requests header=x-api-key:k3y5ecret)" "$(requests)" "the header to the first"
    equal "$(mirror_requests header=x-api-key:k3y5ecret)" "$(mirror_requests)" "the header to the mirror"
    begin "path=/bad/ past=$at : status=403"
    expect_exit 0 "$ihop_clone" "${quick[@]}" "${one[@]}" --mirror "$mirror/m/apart.cba" \
        "http://joe:pa55word@${url#http://}/bad/apart.cba" "$tmp/s/r"
    equal "$(mirror_requests header=authorization)" 0 "credentials of the first sent to the mirror"
}

# What is no URL.
test_no_url() {
    for bad in notaurl ./apart.cba '' 'ftp://joe:pa55word@127.0.0.1/apart.cba'; do
        begin
        expect_exit 2 "$ihop_clone" --mirror "$bad" "$url/good/apart.cba" "$tmp/none/r"
        ! grep -q pa55word "$tmp/err" || fail "a password in the message"
        equal "$(requests)" 0 "requests with --mirror '$bad'"
        [ ! -e "$tmp/none" ] || fail "a store was created with --mirror '$bad'"
    done
    expect_exit 2 "$ihop_clone" --mirror notaurl "$url/good/apart.cba" "$tmp/none/r"
    expect_stderr "^ihop-clone: .*--mirror.*notaurl"
}

run_cases "$@"
