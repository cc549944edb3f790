#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command line: what bita takes is taken, and what is wrong gets one line that says
# what is allowed.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
noise "$tmp/image" 100000 image
cd "$tmp"

# refused REGEX ARGUMENT...
refused() {
    local regex=$1

    shift
    expect_exit 2 "$ihop_compress" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-compress: $regex"
    [ ! -e a.cba ] || fail "an archive with $*"
}

refused "an argument is missing: use ihop-compress \[options\] IMAGE\|- ARCHIVE"
refused "an argument is missing: use ihop-compress \[options\] IMAGE\|- ARCHIVE" image
refused "too many arguments: use ihop-compress \[options\] IMAGE\|- ARCHIVE" image a.cba b.cba
refused "an argument is missing: use ihop-compress \[options\] --input IMAGE ARCHIVE" -i image
refused "too many arguments: use ihop-compress \[options\] --input IMAGE ARCHIVE" -i image image a.cba
refused "an argument is missing: use ihop-compress \[options\] ARCHIVE\|URL" --info
refused "too many arguments: use ihop-compress \[options\] ARCHIVE\|URL" --info image a.cba
refused "--info and --diff tell about an archive: they take no --input" --info -i image a.cba
refused "unknown or ambiguous option '--frob'" --frob image a.cba
refused "--compression takes brotli\|lzma\|zstd\|none, not 'gzip'" --compression gzip image a.cba
for pair in brotli:12:11 lzma:10:9; do
    IFS=: read -r codec level max <<<"$pair"
    refused "--compression-level takes 1 to $max for $codec, not $level" \
        --compression "$codec" --compression-level "$level" image a.cba
done
for level in 0 23 x 6x; do
    refused "--compression-level takes a whole number from 1 to 22, not '$level'" \
        --compression-level $level image a.cba
done
refused "--avg-chunk-size takes a size such as 500k or 20MiB, not '64KB1'" --avg-chunk-size 64KB1 image a.cba
refused "--max-chunk-size takes a size" --max-chunk-size 65MiB image a.cba
refused "--avg-chunk-size \(8192\) must be within --min-chunk-size \(16384\) and --max-chunk-size \(16777216\)" \
    --avg-chunk-size 8KiB image a.cba
refused "--avg-chunk-size \(65536\) must be within .*--max-chunk-size \(32768\)" --max-chunk-size 32KiB image a.cba
refused "--hash-chunking takes RollSum\|BuzHash, not 'rollsum'" --hash-chunking rollsum image a.cba
refused ".*window.*" --rolling-window-size 1MiB image a.cba
refused ".*filter bits.*" --avg-chunk-size 1 --min-chunk-size 1 image a.cba
refused "--fixed-size takes a size" --fixed-size 0 image a.cba
refused "--jobs takes a whole number from 1 to 64, not '0'" -j 0 image a.cba
refused "option --metadata-value needs KEY VALUE" image a.cba --metadata-value key
refused "the metadata key 'k' is given twice" --metadata-value k 1 --metadata-value k 2 image a.cba
refused "a metadata key must be valid UTF-8" --metadata-value $'\xff' 1 image a.cba
refused ". is not a regular file" --metadata-file k . image a.cba
truncate -s 1048577 big
refused "big is too large \(1048577 bytes, at most 1048576\)" --metadata-file k big image a.cba
truncate -s 600000 half
refused "more metadata than 4096 entries or 1048576 bytes" --metadata-file a half --metadata-file b half image a.cba
expect_exit 10 "$ihop_compress" --metadata-file k none image a.cba
expect_stderr "cannot open the metadata file none: No such file"

# bita's spellings, in any place of the line; and two arguments for each metadata entry.
expect_exit 0 "$ihop_compress" image -q a.cba --metadata-value k --json --compression zstd \
    --metadata-file notes "$srcdir/tests/data/metadata-notes.txt" --metadata-value empty '' \
    --compression-level 3 --avg-chunk-size 8KiB --min-chunk-size 2048 --max-chunk-size 65536B \
    --rolling-window-size 32B --hash-length 20 --force-create -j 2
equal "$(cat out)" "" "output of --metadata-value k --json"
expect_exit 0 "$ihop_compress" --info --json a.cba
equal "$(json compression) $(json compression_level)" "zstd 3" "compression"
equal "$(json min_chunk_size) $(json avg_chunk_size) $(json max_chunk_size)" "2048 8192 65536" "sizes"
equal "$(json rolling_window_size) $(json hash_length) $(json hash_chunking)" "32 20 RollSum" "hash"
equal "$(json metadata)" "{'empty': 0, 'k': 6, 'notes': $(file_size "$srcdir/tests/data/metadata-notes.txt")}" "metadata"
expect_exit 0 "$ihop_compress" -q -f --hash-chunking BuzHash --avg-chunk-size 100000 image a.cba
expect_exit 0 "$ihop_compress" --info --json a.cba
equal "$(json hash_chunking) $(json rolling_window_size) $(json avg_chunk_size)" "BuzHash 16 65536" "BuzHash"
expect_exit 0 "$ihop_compress" -q -f --fixed-size 5000 --compression none image a.cba
expect_exit 0 "$ihop_compress" --info --json a.cba
equal "$(json hash_chunking) $(json fixed_size) $(json compression_level)" "fixed size 5000 0" "fixed size"

expect_exit 0 "$ihop_compress" --help
expect_stdout '^usage: ihop-compress \[options\] IMAGE\|- ARCHIVE$'
for option in input force-create compression compression-level avg-chunk-size min-chunk-size max-chunk-size \
    hash-chunking rolling-window-size fixed-size hash-length metadata-file metadata-value jobs print-header \
    info metadata-key json quiet verbose version help; do
    expect_stdout " --$option( |$)"
    grep -q -- "--$option" "$srcdir/docs/ihop-compress.pod" || fail "the manual does not know --$option"
done
expect_exit 0 "$ihop_compress" --version
expect_stdout '^ihop-compress [0-9]+\.[0-9]+'
