#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-store verify finds each kind of damage and names it; --repair fetches what is
# damaged and nothing else, from the very archive that the release came from.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
requires tar xz
make_archives
# second: the first 12 chunks of the image, and 4 of its own.
noise "$tmp/own" 131072 second
cat <(head -c 393216 "$tmp/image") "$tmp/own" >"$tmp/image2"
$cba make --fixed 32768 --gap 4000 "$tmp/image2" "$tmp/www/second.cba"
second_header=$(header_size "$tmp/www/second.cba")
start_nginx "$tmp/www"
cd "$tmp"
store=$tmp/s
expect_exit 0 "$ihop_clone" --quiet "$url/apart.cba" "$store/one"
expect_exit 0 "$ihop_clone" --quiet "$url/second.cba" "$store/two"
cp -a "$store" pristine

for name in one two; do
    $cba chunks "$store/$name" >"paths-$name"
done

# path RELEASE N: the file of chunk N (from 0).
path() {
    sed -n "$(($2 + 1))p" "paths-$1"
}

restore() {
    rm -rf "$store"
    cp -a pristine "$store"
    : >"$tmp/access.log"
}

# rot PATH: damages one byte of a chunk.
rot() {
    flip "$1" 20000
}

# below_chunks PATH: as messages and JSON name it.
below_chunks() {
    echo "${1#"$store/chunks/"}"
}

# json_line EXPRESSION: some line of the output, which is r, makes it true.
json_line() {
    "$python" -c 'import json, sys
lines = [json.loads(line) for line in open("out")]
assert any(eval(sys.argv[1], {"r": r}) for r in lines), (sys.argv[1], lines)' "$1"
}

# found PATH DAMAGED MISSING: verify ends with 7 and says just that.
found() {
    local name

    name=$(below_chunks "$1")
    expect_exit 7 "$ihop_store" verify "$store"
    one_line_on_stderr
    expect_stderr "^ihop-store: $store: $2 chunks? (is|are) damaged and $3 (is|are) missing.*verify --repair $store"
    expect_stdout "^bad or missing: $store/chunks/$name$"
    equal "$(grep -c '^bad or missing' out)" $(($2 + $3)) "chunks named"
    expect_exit 7 "$ihop_store" verify --json "$store"
    json_line "r['type'] == 'bad_chunk' and r['path'] == '$name'"
    json_line "r['type'] == 'result' and not r['ok'] and r['exit_code'] == 7"
    expect_exit 7 "$ihop_store" verify --quiet "$store"
    expect_exit 7 "$ihop_store" verify "$store/one"
    expect_stdout "^one: $(($2 + $3)) of 20 chunks (is|are) bad or missing$"
    # Nothing was changed, nor asked for.
    equal "$(requests_in_log)" 0 "requests of a verify without --repair"
}

own=$(path one 15)
shared=$(path one 3)

test_good() {
    expect_exit 0 "$ihop_store" verify "$store"
    expect_stdout '^one: all 20 chunks are good$'
    expect_stdout '^two: all 16 chunks are good$'
    expect_exit 0 "$ihop_store" verify --json "$store"
    equal "$(json chunks_checked)" 24 "chunks hashed: shared ones once"
    equal "$(json chunks_damaged)" 0 "damaged chunks"
    restore
}

# A damaged release: the others are checked all the same.
test_damaged_release() {
    restore
    cp "$store/one" one.kept
    truncate -s 30 "$store/one"
    expect_exit 7 "$ihop_store" verify "$store"
    one_line_on_stderr
    expect_stderr "^ihop-store: release $store/one: "
    expect_stdout '^two: all 16 chunks are good$'
    cp one.kept "$store/one"
}

# Each kind of damage.
test_damage() {
    restore
    rot "$own"
    found "$own" 1 0
    expect_exit 7 "$ihop_store" verify "$store"
    expect_stdout '^two: all 16 chunks are good$'
    expect_exit 0 "$ihop_store" verify "$store/two"
    restore
    truncate -s 1000 "$own"
    found "$own" 1 0
    truncate -s 0 "$own"
    found "$own" 1 0
    restore
    rm "$own"
    found "$own" 0 1
    restore
    rot "$shared"
    found "$shared" 1 0
    expect_exit 7 "$ihop_store" verify "$store"
    expect_stdout '^one: 1 of 20 chunks is bad'
    expect_stdout '^two: 1 of 16 chunks is bad'
}

# The first ten are named, with --verbose all.
test_names_ten() {
    restore
    for n in 0 1 2 3 4 5 6 7 8 9 10 13; do
        rot "$(path one $n)"
    done
    expect_exit 7 "$ihop_store" verify "$store"
    equal "$(grep -c '^bad or missing' out)" 10 "chunks named"
    expect_stdout '^... and 2 more \(--verbose names all\)$'
    expect_exit 7 "$ihop_store" verify --verbose "$store"
    equal "$(grep -c '^bad or missing' out)" 12 "chunks named"
}

# Reading one fails: it is bad, and the others are checked all the same.
test_read_error() {
    if command -v strace >/dev/null && strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null; then
        restore
        code=0
        ASAN_OPTIONS=detect_leaks=0 strace -qq -f -o trace -e trace=pread64 -P "$own" -e inject=pread64:error=EIO \
            "$ihop_store" verify "$store" >out 2>err || code=$?
        grep -q INJECTED trace || fail "no read failed"
        [ $code = 7 ] || { show_output; fail "exit code $code instead of 7 with EIO"; }
        expect_stderr '1 chunk is damaged and 0 are missing'
        expect_stdout "^bad or missing: $own$"
        expect_stdout '^two: all 16 chunks are good$'
    fi
}

# A release that is replaced while verify hashes is good only if its new chunks are.
test_replaced_meanwhile() {
    local code=0 verify pid new

    command -v strace >/dev/null && strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || return 0
    restore
    new=$(path two 15)
    expect_exit 0 "$ihop_clone" --quiet "$url/second.cba" "$store/new"
    cp "$store/new" replacement
    rm "$store/new" "$store/two"
    rot "$new"
    # It stops when it reads the first chunk of "one", and goes on when "one" is what "two" was.
    ASAN_OPTIONS=detect_leaks=0 strace -qq -f -o trace -e trace=pread64 -P "$(path one 0)" \
        -e inject=pread64:signal=SIGSTOP:when=1 "$ihop_store" verify "$store" >out 2>err &
    verify=$!
    wait_for 60 grep -q 'stopped by SIGSTOP' trace
    mv replacement "$store/one"
    # It may have been told to stop more than once.
    pid=$(cat "/proc/$verify/task/$verify/children")
    while kill -CONT $pid 2>/dev/null; do sleep 0.05; done
    wait $verify || code=$?
    [ $code = 7 ] || { show_output; fail "exit code $code instead of 7"; }
    expect_stdout "^bad or missing: $new$"
    expect_stdout '^one: 1 of 16 chunks is bad or missing$'
    expect_stderr '1 chunk is damaged and 0 are missing'
}

# What is no file is not repaired in silence.
test_no_file() {
    restore
    rm "$own"
    mkfifo "$own"
    expect_exit 7 "$ihop_store" verify "$store"
    expect_stderr "$own"
    expect_exit 7 "$ihop_store" verify --repair "$store"
    expect_stderr "$own"
}

# repairs COUNT BYTES OPTION...: just so many chunks and bytes, beside what shows
# that it is the right archive.
repairs() {
    local count=$1 bytes=$2

    shift 2
    : >"$tmp/access.log"
    expect_exit 0 "$ihop_store" verify --repair --json "$@" "$store"
    equal "$(json chunks_repaired)" "$count" "chunks repaired"
    equal "$(json bytes_downloaded)" "$(bytes_in_log)" "bytes told and bytes sent"
    equal "$(json requests)" "$(requests_in_log)" "requests told and seen"
    holds "$store/one" image
    holds "$store/two" image2
    nothing_staged "$store"
    # For each archive 14 bytes of its start and the 64 of its checksum.
    equal $(($(bytes_in_log) % 32768)) $(($(requests_in_log ' bytes=0-13$') * (14 + 64))) "bytes that are no chunks"
    equal $(($(bytes_in_log) / 32768 * 32768)) "$bytes" "bytes of chunks"
    expect_exit 0 "$ihop_store" verify "$store"
}

# Repair.
test_repair() {
    restore
    repairs 0 0
    equal "$(requests_in_log)" 0 "requests when nothing is bad"
    rot "$(path one 15)"
    rm "$(path one 18)"
    repairs 2 65536
    equal "$(requests_in_log "apart.* bytes=$(offset_of 15)-")" 1 "requests for chunk 15"
    equal "$(requests_in_log "apart.* bytes=$(offset_of 18)-")" 1 "requests for chunk 18"
    equal "$(requests_in_log second)" 0 "requests for an archive without a bad chunk"
    # A shared one once; and each of the others from its own archive.
    restore
    rot "$(path one 3)"
    truncate -s 5 "$(path two 14)"
    repairs 2 65536
    equal "$(requests_in_log "apart.* bytes=$(offset_of 3)-")" 1 "requests for the shared chunk"
    equal "$(requests_in_log "second.* bytes=$((second_header + 4000 + 14 * 36768))-")" 1 "requests for chunk 14 of the second"
    expect_exit 0 "$ihop_store" verify --repair "$store"
    [ -s out ] || fail "no result"
    # One that is only in the other release stays bad.
    rot "$(path one 15)"
    rot "$(path two 14)"
    expect_exit 0 "$ihop_store" verify --repair "$store/two"
    expect_stdout '^repaired 1 chunk: 32.1 KiB downloaded in [0-9]+ requests$'
    expect_exit 7 "$ihop_store" verify "$store"
    expect_stdout "^bad or missing: $(path one 15)$"
}

# The archive has moved, or is another.
test_moved_archive() {
    restore
    mkdir -p www/moved
    mv www/apart.cba www/moved/
    rot "$(path one 15)"
    expect_exit 10 "$ihop_store" verify --repair "$store"
    expect_stderr "$url/apart.cba"
    rot "$(path one 16)"
    repairs 2 65536 --from "$url/moved/apart.cba"
    rot "$(path one 15)"
    expect_exit 0 "$ihop_store" verify --repair --from www/moved/apart.cba "$store/one"
    holds "$store/one" image
    equal "$(requests_in_log)" 4 "requests; none for the local file"
    mv www/moved/apart.cba www/apart.cba
}

# Another archive where it was: of the same image, of another one, or none at all.
test_other_archive() {
    cp www/apart.cba apart.kept
    for other in solid second text; do
        restore
        head -c 100000 image >www/text.cba
        cp www/$other.cba www/apart.cba
        rot "$(path one 15)"
        find "$store" -type f -exec cksum {} + | sort >before
        expect_exit 5 "$ihop_store" verify --repair "$store"
        one_line_on_stderr
        expect_stderr "^ihop-store: $url/apart.cba"
        [ $other = text ] || expect_stderr "header checksum differs.*--from"
        find "$store" -type f ! -path '*/.ihop/lock' -exec cksum {} + | sort >after
        diff <(grep -v ihop/lock before) after || fail "something was changed"
        equal "$(requests_in_log " bytes=[0-9]{5,}-")" 0 "requests for chunks of another archive"
    done
    mv apart.kept www/apart.cba
}

# A release that cannot be repaired does not stop the repair of the others.
test_unrepairable() {
    restore
    mkdir -p www/moved
    mv www/apart.cba www/moved/
    rot "$(path one 15)"
    rot "$(path two 13)"
    expect_exit 10 "$ihop_store" verify --repair "$store"
    one_line_on_stderr
    holds "$store/two" image2
    expect_exit 7 "$ihop_store" verify "$store"
    equal "$(grep -c '^bad or missing' out)" 1 "chunks still bad"
    # The same when it is the younger one, or both.
    mv www/second.cba www/moved/
    rot "$(path two 13)"
    expect_exit 10 "$ihop_store" verify --repair "$store"
    equal "$(grep -c '' err)" 2 "messages, one for each release"
    expect_stderr 'second.cba'
    expect_stderr 'apart.cba'
    mv www/moved/*.cba www/
    expect_exit 0 "$ihop_store" verify --repair "$store"
    expect_exit 0 "$ihop_store" verify "$store"
}

# A store of ihop 0.1.
test_original() {
    tar -xJf "$srcdir/tests/data/original-store.tar.xz"
    bad=$(find original-store/chunks -name '*.chunk' -size +2 | sort | sed -n 3p)
    head -c "$(file_size "$bad")" /dev/zero >"$bad.new"
    mv "$bad.new" "$bad"
    expect_exit 7 "$ihop_store" verify original-store
    expect_stdout "^bad or missing: $bad$"
    expect_exit 2 "$ihop_store" verify --repair original-store
    one_line_on_stderr
    expect_stderr 'original-store/update-v1 does not record.*pass --from ARCHIVE'
    expect_exit 5 "$ihop_store" verify --repair --from "$srcdir/tests/data/update-v2.cba" original-store
    expect_stderr 'holds another image'
    expect_exit 0 "$ihop_store" verify --repair --from "$srcdir/tests/data/update-v1.cba" original-store
    expect_exit 0 "$ihop_store" verify original-store
    equal "$(b2sum <(cat "$bad") | cut -c -128)" "$(basename "$bad" .chunk)" "hash of the mended chunk"
}

# A server that met the bad chunk goes on, and reads the mended one.
test_server() {
    restore
    for maxfds in 4096 0; do
        serve "$store/one" maxfds=$maxfds
        truncate -s 100 "$(path one 15)"
        rm "$(path one 18)"
        nbd "$python_eio
eio(h, $((15 * 32768)) + 20000, 4096)
eio(h, $((18 * 32768)), 4096)"
        expect_exit 0 "$ihop_store" verify --repair "$store"
        nbd "
image = open('$tmp/image', 'rb').read()
assert h.pread(len(image), 0) == image"
        stop_server
    done
    # What verify=first has found wrong stays so until the server ends, as its manual says.
    serve "$store/one" verify=first
    rot "$(path one 15)"
    nbd "$python_eio
eio(h, $((15 * 32768)), 4096)"
    expect_exit 0 "$ihop_store" verify --repair "$store"
    nbd "$python_eio
eio(h, $((15 * 32768)), 4096)"
    stop_server
    serve "$store/one" verify=first
    nbd "
image = open('$tmp/image', 'rb').read()
assert h.pread(len(image), 0) == image"
    stop_server
}

run_cases "$@"
