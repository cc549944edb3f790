#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mutate.sh: would the tests notice? Makes one small mistake after the other in a copy of
# the sources (tests/mutations.txt) and runs the tests that should find it. By hand, as it
# takes half an hour and more:
#
#     tests/mutate.sh                 all that have no result yet
#     tests/mutate.sh NAME|NUMBER...  these, again
#     tests/mutate.sh --list          what there is, with the results so far
#     tests/mutate.sh --check         only that each mistake can still be made
#     tests/mutate.sh --report        the results as a table (docs/mutations.md)
#
# Copies, builds and results lie in MUTATE_DIR [/tmp/ihop-mutate-UID]; remove it to begin anew. JOBS [2]
# copies work beside each other. Exits with 1 when a mistake was not noticed.
set -euo pipefail

srcdir=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$srcdir/tests/lib/mutate.py" --jobs "${JOBS:-2}" \
    --directory "${MUTATE_DIR:-${TMPDIR:-/tmp}/ihop-mutate-$(id -u)}" "$srcdir" "$@"
