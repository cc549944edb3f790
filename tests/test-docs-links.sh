#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the documents link to and name is there, and README.md leads to each of them.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3

expect_exit 0 python3 "$srcdir/tests/lib/doclinks.py" "$srcdir"
cat "$tmp/out"

# It sees what is wrong: a link, a heading, a path and a document that nobody links to.
cp -R "$srcdir/docs" "$srcdir"/*.md "$srcdir/NEWS" "$srcdir/LICENSE" "$tmp/"
chmod -R u+w "$tmp/docs" "$tmp"/*.md
echo '[a](docs/none.md) [b](docs/store.md#no-such-heading) `docs/none.pod`' >>"$tmp/HACKING.md"
echo text >"$tmp/docs/lonely.md"
expect_exit 1 python3 "$srcdir/tests/lib/doclinks.py" "$tmp"
for wrong in 'no such file: docs/none.md' 'no such heading: docs/store.md#' 'no such file: docs/none.pod' \
    'README.md: does not link to docs/lonely.md'; do
    expect_stdout "$wrong"
done
