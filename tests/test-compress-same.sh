#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same image and options give the same archive: for any number of jobs, in each
# run, from a file, by -i, from a pipe that is slow or quick, and as a replacement.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"

# Text, noise, zeros, and the whole of it twice: chunks that are known already come
# while the first ones of their kind are still being compressed.
python3 "$srcdir/tests/data/make-image.py" mixed "$tmp/part" 3000000 same
cat "$tmp/part" "$tmp/part" >"$tmp/image"
truncate -s +20M "$tmp/image"
cat "$tmp/part" >>"$tmp/image"
head -c 500000 "$tmp/part" >>"$tmp/image"

# same_archive WHAT COMMAND...: which wrote $tmp/again.cba.
same_archive() {
    local what=$1

    shift
    expect_exit 0 "$@"
    cmp "$tmp/first.cba" "$tmp/again.cba" || fail "another archive $what"
    rm -f "$tmp/again.cba"
}


for options in "" "--compression zstd --compression-level 19" "--compression lzma --compression-level 1" \
    "--compression none --fixed-size 4096" "--hash-chunking BuzHash --compression-level 1"; do
    read -ra options <<<"$options"
    expect_exit 0 "$ihop_compress" -q -j 1 "${options[@]}" "$tmp/image" "$tmp/first.cba"
    for jobs in 2 3 8; do
        same_archive "with $jobs jobs" \
            "$ihop_compress" -q -j $jobs "${options[@]}" "$tmp/image" "$tmp/again.cba"
    done
    same_archive "from a pipe" bash -c 'cat "$1" | "${@:2}"' - "$tmp/image" \
        "$ihop_compress" -q -j 4 "${options[@]}" - "$tmp/again.cba"
    expect_exit 0 "$ihop_clone" -q "$tmp/first.cba" "$tmp/store/r${#options[@]}${options[1]:-}"
    holds "$tmp/store/r${#options[@]}${options[1]:-}" "$tmp/image"
    rm "$tmp/first.cba"
done

expect_exit 0 "$ihop_compress" -q "$tmp/image" "$tmp/first.cba"
for _ in 1 2 3 4 5; do
    same_archive "in another run" "$ihop_compress" -q -j 2 "$tmp/image" "$tmp/again.cba"
done
same_archive "with -i" "$ihop_compress" -q -i "$tmp/image" "$tmp/again.cba"
# The rest of it comes when the reader has taken all that there was.
cat >"$tmp/drained.py" <<'EOF_PYTHON'
import fcntl, struct, termios, time
while struct.unpack("i", fcntl.ioctl(1, termios.FIONREAD, bytes(4)))[0]:
    time.sleep(0.01)
EOF_PYTHON
same_archive "from a slow pipe" bash -c '(head -c 5000001 "$2"; "$0" "$1"; tail -c +5000002 "$2") |
    "${@:3}"' "$python" "$tmp/drained.py" "$tmp/image" "$ihop_compress" -q - "$tmp/again.cba"
echo something else >"$tmp/again.cba"
same_archive "as a replacement" "$ihop_compress" -q -f "$tmp/image" "$tmp/again.cba"

# And wherever it is written: where blocks can be inserted before the data, and where
# they cannot (tmpfs).
expect_exit 0 "$ihop_compress" -q -f --compression none "$tmp/image" "$tmp/first.cba"
$cba table "$tmp/first.cba" >/dev/null
header=$(header_size "$tmp/first.cba")
at_least "$(file_size "$tmp/first.cba")" $((header + 4 * 1048576)) "bytes, for a gap to be there"
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    other=$(mktemp -d /dev/shm/ihop-test.XXXXXXXX)
    at_exit rm -rf "$other"
    expect_exit 0 "$ihop_compress" -q --compression none "$tmp/image" "$other/again.cba"
    cmp "$tmp/first.cba" "$other/again.cba" || fail "another archive on another file system"
fi
