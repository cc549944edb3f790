#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Within small limits on open files and memory a command succeeds or ends with the documented
# exit code; nothing half done has a name, and the same command without the limits succeeds.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
[ -z "$(ldd "$ihop_clone" 2>/dev/null | grep -E 'lib[at]san')" ] || skip "a sanitizer needs its address space"

python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(1).randbytes(1500000))' >"$tmp/image-1"
expect_exit 0 "$ihop_compress" --quiet --fixed-size 65536 "$tmp/image-1" "$tmp/1.cba"

# limited ULIMIT-OPTION VALUE COMMAND...
limited() {
    local option=$1 value=$2

    shift 2
    bash -c "ulimit $option $value"' && exec "$@"' - "$@"
}

for files in 24 32 64; do
    store=$tmp/files-$files
    expect_exit 0 limited -n $files "$ihop_clone" --quiet "$tmp/1.cba" "$store/a"
    expect_exit 0 limited -n $files "$ihop_store" verify --quiet "$store"
    expect_exit 0 limited -n $files "$ihop_store" gc --quiet "$store"
done
store=$tmp/limited
expect_exit 6 limited -f 32 "$ihop_clone" --quiet "$tmp/1.cba" "$store/a" # KiB
one_line_on_stderr
expect_stderr 'File too large'
expect_exit 6 limited -f 32 "$ihop_compress" --quiet "$tmp/image-1" "$tmp/large.cba"
one_line_on_stderr
[ ! -e "$tmp/large.cba" ] || fail "half an archive has the name"
python3 -c 'import random, sys
sys.stdout.buffer.write(random.Random(2).randbytes(20000000))' >"$tmp/image-large"
expect_exit 9 limited -v 60000 "$ihop_compress" --quiet --jobs 4 --fixed-size 16MiB "$tmp/image-large" "$tmp/large.cba"
one_line_on_stderr
expect_exit 9 limited -v 60000 "$ihop_clone" --quiet --jobs 8 "$tmp/1.cba" "$store/a"
one_line_on_stderr
expect_exit 0 "$ihop_clone" --quiet "$tmp/1.cba" "$store/a"
expect_exit 0 "$ihop_store" verify --quiet "$store"
