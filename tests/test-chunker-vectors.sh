#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Inputs that are hard to cut are cut as bita did when tests/data/chunk-sizes.txt was
# made: by one chunker and by several workers.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3

python3 "$srcdir/tests/lib/cutcases.py" check "$builddir/tests/cut-file" \
    "$srcdir/tests/data/chunk-sizes.txt"
