#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every command of docs/keys.md does what the page says: each block works, in the order of the page,
# or, where it says so, its last command is refused.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires nbdkit nbdinfo openssl minisign python3
[ -w /dev/shm ] || skip "no /dev/shm"
# Nobody who pastes a command has such a build, whose plugin needs a library loaded first.
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi
cd "$tmp"
mkdir bin work
ln -s "$ihop_clone" "$ihop_compress" "$ihop_store" bin
# As after an installation: the plugin is found by its name.
cat >bin/nbdkit <<END
#!/bin/bash
words=("\$@")
for i in "\${!words[@]}"; do
    [ "\${words[i]}" != ihop ] || words[i]=$plugin
done
exec $(command -v nbdkit) "\${words[@]}"
END
chmod +x bin/nbdkit
noise work/image.ext4 3000000

PATH=$tmp/bin:$PATH python3 - "$srcdir/docs/keys.md" "$tmp/work" <<'PYTHON'
import re, subprocess, sys
page, work = sys.argv[1:]
blocks = re.findall(r"^```sh( refused)?\n(.*?)^```$", open(page, encoding="utf-8").read(), re.M | re.S)
assert len(blocks) >= 15 and sum(bool(refused) for refused, _ in blocks) >= 4, len(blocks)
for refused, block in blocks:
    # Of a block that is refused it is the last command, so that all before it must work.
    *before, last = re.findall(r"(?:.*\\\n)*.*\n", block)
    script = "".join(before) + ("code=0\n" + last.rstrip() + " || code=$?\nexit $((100 + code))\n" if refused else last)
    run = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], cwd=work, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, check=False, timeout=300)
    # nbdkit has one exit code for all that keeps it from starting.
    expected = 0 if not refused else 101 if last.startswith("nbdkit") else 105
    assert run.returncode == expected, (block, run)
    assert not refused or re.search(r"sign|minimum", run.stderr), (block, run.stderr)
print(f"{len(blocks)} blocks")
PYTHON

# docs/trust.md quotes messages: they are what the programs say.
python3 - "$srcdir" <<'PYTHON'
import pathlib, re, sys
root = pathlib.Path(sys.argv[1])
said = ""
for room in "common", "cli", "clone", "manage", "plugin":
    for path in sorted((root / room).rglob("*.c")):
        said += re.sub(r'"\s*"', "", path.read_text(encoding="utf-8"))
page = (root / "docs/trust.md").read_text(encoding="utf-8")
table = page.split("## When something is refused")[1].split("## ")[0]
quoted = [text for row in re.findall(r"^\| (`.*?) \|", table, re.M) for text in re.findall(r"`([^`]+)`", row)]
assert len(quoted) > 10, quoted
missing = [text for text in quoted if text not in said]
assert not missing, missing
PYTHON
