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

PATH=$tmp/bin:$PATH "$python" "$srcdir/tests/lib/docblocks.py" "$srcdir/docs/keys.md" work 15
[ "$(grep -c '^```sh refused' "$srcdir/docs/keys.md")" -ge 4 ]

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
