#!/bin/bash
# SPDX-License-Identifier: MIT
# A release file with any byte changed or cut anywhere: nbdkit refuses to start,
# with one line that names it.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 30
make_store --min 10 --max 20 --hash-length 16 "$tmp/image" "$tmp/store/v1"
compare "$tmp/image" "$tmp/store/v1"

LD_PRELOAD='' python3 - "$plugin" "$tmp/store" "$preload" <<'PYTHON'
import os, subprocess, sys
plugin, store, preload = sys.argv[1:]
path = os.path.join(store, "v1")
good = open(path, "rb").read()
env = dict(os.environ, LD_PRELOAD=preload)

def start(content):
    with open(path, "wb") as f:
        f.write(content)
    return subprocess.run(["nbdkit", "-U", store + ".socket", "--run", "true", plugin, path], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)

def refused(content, what):
    run = start(content)
    assert run.returncode == 1, (what, run)
    lines = run.stderr.splitlines()
    assert len(lines) == 1 and f"error: release {path}: " in lines[0], (what, run.stderr)

for at in range(len(good)):
    refused(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:], f"byte {at}")
for size in range(len(good)):
    refused(good[:size], f"cut to {size}")
refused(good + b"x", "one byte more")
assert start(good).returncode == 0
print(f"{2 * len(good) + 1} damaged releases refused")
PYTHON
