#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Zeros within chunks are not written, and nobody knows where they are before the chunks
# are there: estimates say "at most", and limits are held by what is really written.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
demo=$srcdir/tests/data/demo-v1.cba

mkdir "$tmp/www"

# make_half SEED FILE: 8 MiB in which every second block of 64 KiB is zeros.
make_half() {
    local at zeros=()

    for ((at = 65536; at < 8388608; at += 131072)); do
        zeros+=($at 65536)
    done
    noise "$2" 8388608 "$1" "${zeros[@]}"
}

make_half half "$tmp/half"
noise "$tmp/full" 8388608 full
for name in half full; do
    $cba make --fixed 524288 "$tmp/$name" "$tmp/www/$name.cba"
done

holds_sum() {
    $cba image "$1" | b2sum | cut -d ' ' -f 1
}

# An image with many zeros, compressed.
test_compressed() {
    expect_exit 0 "$ihop_clone" --dry-run --json "$demo" "$tmp/s/v1"
    most=$(json bytes_written) least=$(json bytes_written_least) download=$(json bytes_downloaded)
    expect_exit 0 "$ihop_clone" --dry-run "$demo" "$tmp/s/v1"
    expect_stdout "would take: .*, at most 20.4 MiB written"
    expect_exit 0 "$ihop_compress" --diff "$srcdir/tests/data/demo-v2.cba" "$demo"
    expect_stdout "at most .* written"
    expect_exit 0 "$ihop_clone" --json -q "$demo" "$tmp/s/v1"
    written=$(json bytes_written)
    equal "$(json bytes_downloaded)" "$download" "bytes that were to be downloaded"
    at_least "$written" "$least" "bytes written"
    at_most $((written * 2)) "$most" "twice the bytes written, of an image with many zeros"
    at_most $((written * 9 / 10)) "$least" "nine tenths of the bytes written"

    sum=$(holds_sum "$tmp/s/v1")

    # What is written is what counts, to the byte.
    expect_exit 0 "$ihop_clone" --json -q --max-write "$written" "$demo" "$tmp/exact/v1"
    equal "$(json bytes_written)" "$written" "bytes written within the budget"
    equal "$(holds_sum "$tmp/exact/v1")" "$sum" "the image's checksum"
    expect_exit 6 "$ihop_clone" -q --max-write $((written - 1)) "$demo" "$tmp/over/v1"
    one_line_on_stderr
    expect_stderr "release $tmp/over/v1 from $demo would write more than --max-write allows, 3.0 MiB \($((written - 1)) bytes\): it stopped after [0-9]+ bytes, which stay"
    at_most "$(sed 's/.*stopped after \([0-9]*\).*/\1/' "$tmp/err")" $((written - 1)) "bytes written over the budget"
    [ ! -e "$tmp/over/v1" ] || fail "a release was published over the budget"
    nothing_staged "$tmp/over"
    at_least "$(good_chunks "$tmp/over")" 100 "chunks that stay"
    expect_exit 0 "$ihop_clone" --json -q --max-write 1M "$demo" "$tmp/over/v1"
    at_least "$(json chunks_reused)" 100 "chunks that the next run reuses"
    equal "$(holds_sum "$tmp/over/v1")" "$sum" "the image's checksum"
    # What is too little in any case is refused before the first chunk.
    expect_exit 6 "$ihop_clone" -q --max-write $((least - 1)) "$demo" "$tmp/refused/v1"
    expect_stderr "release $tmp/refused/v1 from $demo would write at least 2.9 MiB \($least bytes\), but --max-write allows 2.9 MiB"
    equal "$(good_chunks "$tmp/refused")" 0 "chunks of a run that was refused"
}

# Uncompressed: nothing is known of zeros.
test_uncompressed() {
    expect_exit 0 "$ihop_clone" --dry-run --json "$tmp/www/half.cba" "$tmp/h/r"
    equal "$(json bytes_written) $(json bytes_written_least)" "8388608 0" "bytes of an uncompressed image"
    expect_exit 0 "$ihop_clone" --json -q --max-write 4194304 "$tmp/www/half.cba" "$tmp/h/r"
    equal "$(json bytes_written)" 4194304 "bytes written of an image that is half zeros"
    holds "$tmp/h/r" "$tmp/half"
    # The same out of a seed.
    expect_exit 0 "$ihop_clone" --json -q --seed "$tmp/half" --max-write 4194304 "$tmp/www/half.cba" "$tmp/hs/r"
    holds "$tmp/hs/r" "$tmp/half"
    expect_exit 6 "$ihop_clone" -q --seed "$tmp/half" --max-write 4194303 "$tmp/www/half.cba" "$tmp/hs2/r"
    expect_stderr "would write more than --max-write allows"
    at_least "$(good_chunks "$tmp/hs2")" 10 "chunks from a seed that stay"
}

anew() {
    umount "$tmp/small"
    mount -t tmpfs -o "size=$1" tmpfs "$tmp/small"
}

# Space.
test_space() {
    mkdir "$tmp/small"
    if ! mount -t tmpfs -o size=6M tmpfs "$tmp/small" 2>"$tmp/mount"; then
        echo "no mounts here, so space was not made short: $(cat "$tmp/mount")"
        exit 0
    fi
    at_exit umount -l "$tmp/small"

    # It fits, though it might not have: it is begun, and one line says so.
    expect_exit 0 "$ihop_clone" --json "$demo" "$tmp/small/s/v1"
    expect_stderr "store $tmp/small/s may be too small: up to 20.6 MiB are needed"
    one_line_on_stderr
    anew 6M
    expect_exit 0 "$ihop_clone" -q --min-free 1M "$tmp/www/half.cba" "$tmp/small/s/r"
    holds "$tmp/small/s/r" "$tmp/half"
    # It does not.
    anew 6M
    expect_exit 6 "$ihop_clone" -q "$tmp/www/full.cba" "$tmp/small/s/r"
    one_line_on_stderr
    expect_stderr "cannot write chunk .*: No space left on device"
    nothing_staged "$tmp/small/s"
    anew 12M
    expect_exit 6 "$ihop_clone" -q --min-free 5M "$tmp/www/full.cba" "$tmp/small/s/r"
    one_line_on_stderr
    expect_stderr "release $tmp/small/s/r from $tmp/www/full.cba would leave less free than --min-free asks for, 5.0 MiB"
    at_least $(($(stat -f -c '%a * %S' "$tmp/small"))) 5242880 "bytes that are free"
    nothing_staged "$tmp/small/s"
    at_least "$(good_chunks "$tmp/small/s")" 8 "chunks that stay"

    # Room is made when it is needed, not when it might be.
    anew 14M
    expect_exit 0 "$ihop_clone" -q "$tmp/www/half.cba" "$tmp/small/s/old"
    noise "$tmp/other" 4194304 other
    make_half other "$tmp/other"
    $cba make --fixed 524288 "$tmp/other" "$tmp/www/other.cba"
    expect_exit 0 "$ihop_clone" --make-room "$tmp/www/other.cba" "$tmp/small/s/new"
    [ -e "$tmp/small/s/old" ] || fail "a release was removed although there was room"
    expect_exit 0 "$ihop_clone" --make-room "$tmp/www/full.cba" "$tmp/small/s/newest"
    expect_stderr "removed release $tmp/small/s/old to make room"
    holds "$tmp/small/s/newest" "$tmp/full"
}

run_cases "$@"
