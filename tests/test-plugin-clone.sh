#!/bin/bash
# SPDX-License-Identifier: MIT
# What ihop-clone makes, the plugin serves: a first clone, an update under another name,
# an update under the same name while it is served, and a chunk restored by the command
# that the message names.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/v1" 3000001 1 1000000 500000
cp "$tmp/v1" "$tmp/v2"
dd if=/dev/urandom of="$tmp/v2" bs=1000 seek=2000 count=300 conv=notrunc status=none
for v in v1 v2; do
    $cba make --codec zstd "$tmp/$v" "$tmp/$v.cba"
    "$ihop_clone" -q "$tmp/$v.cba" "$tmp/store/$v"
    compare "$tmp/$v" "$tmp/store/$v"
    compare "$tmp/$v" "$tmp/store/$v" verify=first
done

# Zeros are known without a look at their files.
ihop_run 'nbdinfo --map --totals "$uri"' -- "$tmp/store/v1" >"$tmp/totals"
zeros=$(awk '$NF == "hole,zero" { print $1 }' "$tmp/totals")
[ "${zeros:-0}" -ge 393216 ] || fail "$(cat "$tmp/totals")"

serve "$tmp/store/v1"
"$ihop_clone" -q -f "$tmp/v2.cba" "$tmp/store/v1"
nbdcopy "$uri" "$tmp/copy"
cmp "$tmp/v1" "$tmp/copy"
stop_server
compare "$tmp/v2" "$tmp/store/v1"

# A lost chunk: the server refuses, says what to run, and that works.
$cba chunks "$tmp/store/v2" >"$tmp/list"
lost=$(head -1 "$tmp/list")
rm "$lost"
expect_exit 1 ihop_run true -- "$tmp/store/v2"
expect_stderr '1 of .* chunks .*missing.*run'
"$ihop_clone" -q "$tmp/v2.cba" "$tmp/store/v2"
compare "$tmp/v2" "$tmp/store/v2"
