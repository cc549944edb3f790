#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What programs and people read: the summary, --json, --progress json, and the bar.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
python3 "$srcdir/tests/data/make-image.py" mixed "$tmp/image" 3000000 output

expect_exit 0 "$ihop_compress" "$tmp/image" "$tmp/a.cba"
[ ! -s "$tmp/out" ] || fail "a summary on stdout"
equal "$(wc -l <"$tmp/err")" 2 "lines of the summary"
expect_stderr "^$tmp/a.cba: done: [0-9.]+ (K|M)iB made of 2.9 MiB, [0-9]+ chunks, [0-9]+ of them unique, [0-9.]+ s$"
pin=$(sed -n 's/^header checksum (for --verify-header): \([0-9a-f]\{128\}\)$/\1/p' "$tmp/err")
equal "$pin" "$("$ihop_compress" --print-header "$tmp/a.cba")" "the header checksum"
expect_exit 0 "$ihop_compress" -f -q "$tmp/image" "$tmp/a.cba"
[ ! -s "$tmp/out" ] && [ ! -s "$tmp/err" ] || fail "--quiet says something"

expect_exit 0 "$ihop_compress" -f --json --progress json "$tmp/image" "$tmp/a.cba"
[ ! -s "$tmp/err" ] || fail "--json writes to stderr"
"$python" - "$tmp/out" "$pin" "$(file_size "$tmp/a.cba")" "$(b2sum <"$tmp/image" | cut -d' ' -f1)" <<'EOF_PY'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
last = rows.pop()
assert last["type"] == "result" and last["ok"] is True and last["exit_code"] == 0, last
assert last["header_checksum"] == sys.argv[2] and last["archive_size"] == int(sys.argv[3]), last
assert last["source_checksum"] == sys.argv[4] and last["image_size"] == 3000000, last
assert last["chunks_total"] >= last["chunks_unique"] > 10, last
assert last["image_size"] >= last["unique_bytes"] > last["stored_bytes"] > 0, last
assert 4096 <= last["archive_size"] - last["header_size"] - last["stored_bytes"] < 8192, last
assert last["signatures"] == [], last
assert last["compression"] == "brotli" and last["compression_level"] == 6, last
assert last["seconds"] >= 0
done = -1
assert [r["phase"] for r in rows][-1] == "syncing" and rows[0]["phase"] == "compressing", rows
for row in rows[:-1]:
    assert row["type"] == "progress" and done < row["bytes_done"] <= row["bytes_total"] == 3000000, row
    done = row["bytes_done"]
assert done == 3000000, done
EOF_PY
expect_exit 12 "$ihop_compress" --json "$tmp/image" "$tmp/a.cba"
equal "$(json ok) $(json exit_code)" "False 12" "the failure as JSON"
equal "ihop-compress: $(json error)" "$(cat "$tmp/err")" "the message"

# From a pipe the total is not known.
expect_exit 0 bash -c 'cat "$1" | "${@:2}"' - "$tmp/image" "$ihop_compress" --progress json - "$tmp/b.cba"
"$python" -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert rows[0]["bytes_total"] == 0 and rows[0]["phase"] == "compressing", rows' "$tmp/out"

# A full disk for stdout is an error.
if [ -w /dev/full ]; then
    got=0
    "$ihop_compress" -f --print-header "$tmp/image" "$tmp/b.cba" >/dev/full 2>"$tmp/err" || got=$?
    equal $got 7 "exit code with a full stdout"
    grep -q "cannot write to standard output" "$tmp/err"
fi

expect_exit 0 on_terminal "$ihop_compress" -f "$tmp/image" "$tmp/a.cba"
grep -aq '\[#*\.*\] *[0-9]*%  .* of 2.9 MiB.*compressing' "$tmp/shown" || fail "no bar on a terminal"
grep -aq "making it durable" "$tmp/shown" || fail "nothing about the end"
tail -n 2 "$tmp/shown" | grep -aq "a.cba: done" || fail "no summary on a terminal"
expect_exit 0 on_terminal "$ihop_compress" -f -q "$tmp/image" "$tmp/a.cba"
[ ! -s "$tmp/shown" ] || fail "a bar with --quiet"

# The archive's mode is what the user's umask says, also where it has a hidden name first.
for mask in 077 027 022; do
    (umask $mask && "$ihop_compress" -q "$tmp/image" "$tmp/mode-$mask.cba" &&
        "$ihop_compress" -q -f "$tmp/image" "$tmp/mode-$mask.cba")
    equal "$(stat -c %a "$tmp/mode-$mask.cba")" $(printf %o $((0666 & ~mask))) "the mode with umask $mask"
done
