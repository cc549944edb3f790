#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docblocks.py: runs the sh blocks of a page in its order, as a reader would paste them.

    docblocks.py PAGE DIRECTORY AT-LEAST

All run in the directory, one after another, and each must work. A block that begins with
"```sh refused" is one whose last command must be refused, for what the page is about: exit code 5,
or that of nbdkit, which has one for all that keeps it from starting. There must be at least so
many blocks, so that a page that was written anew is not passed over.
"""

import pathlib
import re
import subprocess
import sys

page, directory, at_least = sys.argv[1:]
blocks = re.findall(r"^```sh( refused)?\n(.*?)^```$", pathlib.Path(page).read_text(encoding="utf-8"), re.M | re.S)
assert len(blocks) >= int(at_least), len(blocks)
for refused, block in blocks:
    # Of a block that is refused it is the last command, so that all before it must work.
    *before, last = re.findall(r"(?:.*\\\n)*.*\n", block)
    script = "".join(before) + ("code=0\n" + last.rstrip() + " || code=$?\nexit $((100 + code))\n" if refused else last)
    run = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], cwd=directory, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, check=False, timeout=300)
    expected = 0 if not refused else 101 if last.startswith("nbdkit") else 105
    assert run.returncode == expected, (block, run)
    assert not refused or re.search(r"sign|minimum", run.stderr), (block, run.stderr)
print(f"{len(blocks)} blocks")
