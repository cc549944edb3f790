#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What programs and people read: --json, --progress json, and the bar, which is
# for terminals only and takes no control characters from a server.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives
esc=$(printf '\033')
start_server "$tmp/www" "path=/slow/ past=$solid_header : rate=400000" \
    "path=/lie/ : status=302 location='ftp://127.0.0.1/${esc}]0;x.cba'"

# result KEY=TYPE...: the last line of stdout is an object with these members.
result() {
    python3 - "$tmp/out" "$@" <<'EOF_PY'
import json, sys
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
rows = [json.loads(line) for line in lines]
last = rows[-1]
assert last["type"] == "result", last
for word in sys.argv[2:]:
    key, _, kind = word.partition("=")
    value = last[key]
    kinds = {"int": int, "str": str, "bool": bool, "num": (int, float)}
    assert isinstance(value, kinds[kind]) and (kind != "int" or value >= 0), (key, value)
progress = rows[:-1]
done = -1
for row in progress:
    assert row["type"] == "progress" and row["phase"] in ("header", "checking", "chunks", "syncing"), row
    for key in ("bytes_done", "bytes_total", "chunks_done", "chunks_total", "bytes_per_second"):
        assert row[key] >= 0, row
    if row["phase"] == "chunks":
        assert done <= row["bytes_done"] <= row["bytes_total"], row
        done = row["bytes_done"]
print(len(progress), done)
EOF_PY
}

members="ok=bool exit_code=int outcome=str store=str release=str image_size=int source_checksum=str
    header_checksum=str chunks_total=int chunks_reused=int chunks_fetched=int chunks_zero=int
    chunks_damaged=int chunks_adopted=int bytes_downloaded=int bytes_written=int requests=int
    retries=int seconds=num"
expect_exit 0 "$ihop_clone" --json "$url/good/solid.cba" "$tmp/s/r"
# shellcheck disable=SC2086
equal "$(result $members)" "0 -1" "progress lines without --progress"
[ ! -s "$tmp/err" ] || fail "--json writes to stderr"
expect_exit 0 "$ihop_clone" --progress json --json "$url/slow/solid.cba" "$tmp/p/r"
# shellcheck disable=SC2086
seen=$(result $members)
at_least "${seen% *}" 4 "progress lines"
equal "${seen#* }" 655360 "bytes of the last progress line"
[ ! -s "$tmp/err" ] || fail "--progress json writes to stderr"

expect_exit 4 "$ihop_clone" --json "$url/lie/solid.cba" "$tmp/n/r"
result ok=bool exit_code=int error=str >/dev/null
equal "$(json exit_code) $(json ok)" "4 False" "the failure as JSON"
one_line_on_stderr
! LC_ALL=C grep -q '[[:cntrl:]]' "$tmp/out" "$tmp/err" || fail "a control character in the output"
equal "ihop-clone: $(json error)" "$(cat "$tmp/err")" "the message"
expect_exit 10 "$ihop_clone" --json "$tmp/gr${esc}ün\"\\.cba" "$tmp/n/r"
result error=str >/dev/null

# A full disk for stdout is an error.
if [ -w /dev/full ]; then
    got=0
    "$ihop_clone" --json "$url/good/solid.cba" "$tmp/s/r" >/dev/full 2>"$tmp/err" || got=$?
    equal $got 7 "exit code with a full stdout"
    grep -q "cannot write to standard output" "$tmp/err"
fi

expect_exit 0 on_terminal "$ihop_clone" "$url/slow/solid.cba" "$tmp/bar/r"
grep -aq '\[#*\.*\] *[0-9]*%  .* of 640.0 KiB' "$tmp/shown" || fail "no bar on a terminal"
tail -n 1 "$tmp/shown" | grep -aq "$tmp/bar/r: done" || fail "no summary on a terminal"
for flag in --quiet --progress=none; do
    expect_exit 0 on_terminal "$ihop_clone" $flag "$url/good/solid.cba" "$tmp/bar/r"
    if grep -aq '%' "$tmp/shown"; then fail "a bar with $flag"; fi
done
expect_exit 4 on_terminal "$ihop_clone" "$url/lie/solid.cba" "$tmp/n/r"
sed 's/\r//g; s/'"$esc"'\[K//g' "$tmp/shown" >"$tmp/plain"
! LC_ALL=C grep -q '[[:cntrl:]]' "$tmp/plain" || fail "a server's control characters on the terminal"
expect_exit 0 "$ihop_clone" "$url/slow/solid.cba" "$tmp/none/r"
one_line_on_stderr
