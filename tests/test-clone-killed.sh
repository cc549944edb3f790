#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 at the system calls of a clone, of all its threads: whatever the point, what
# is in the store is good, a release is absent, old or new in full, and a rerun
# completes it without fetching again what had come. In full: at every call.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/faults.sh"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
kill_at=$builddir/tests/faults/kill-at
code=0
"$kill_at" "$tmp/report" 0 true 2>"$tmp/why" || code=$?
[ $code = 0 ] || skip "nothing may be traced here: $(cat "$tmp/why")"
memory_directory

# killed SCENARIO [OPTION...]
killed() {
    fault "$fast/kill" killcalls.py --scenario "$1" --every "$(by_length 12 1)" "${@:2}" \
        "$program" "$kill_at" || fail "killed clones: $*"
}

killed first
killed update
killed delta
killed replace
killed replace --sync files
