#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The scripts that newcomers and CI run: what does not take a machine of its own to try.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
timed=$srcdir/tests/lib/timed.sh

# timed_says CODE LAST-LINE SECONDS COMMAND...
timed_says() {
    expect_exit "$1" bash "$timed" "${@:3}"
    tail -n 1 "$tmp/out" | grep -Exq "$2" || fail "the last line is: $(tail -n 1 "$tmp/out")"
}

timed_says 0 'took [0-9]+ s' 600 true
timed_says 77 'took [0-9]+ s' 600 sh -c 'echo SKIP: why; exit 77'
expect_stdout '^SKIP: why$'
timed_says 1 'took [0-9]+ s' 600 false
timed_says 124 'over 1 s' 1 tail -f /dev/null
timed_says 137 'over 1 s' 1 sh -c 'trap "" TERM; tail -f /dev/null & wait; while :; do wait; done'

for script in build demo install-deps make-ext4 test test-in-root; do
    code=0
    [ $script != make-ext4 ] || code=2
    expect_exit $code "$srcdir/contrib/$script.sh" --help
    grep -q "^usage: $script.sh" "$tmp/out" "$tmp/err" || fail "$script.sh does not say how it is used"
done

# A name with a version in it exists on one Debian alone.
sed -n '/^[a-z_]*packages=(/,/^)\|)$/p' "$srcdir/contrib/install-deps.sh" >"$tmp/packages"
grep -q libclang-rt-dev "$tmp/packages" || fail "where are the names of packages?"
if grep -Eo '[a-z]+-[0-9.]+(-[a-z]+)?\b' "$tmp/packages" >"$tmp/versions"; then
    fail "a version is in: $(cat "$tmp/versions")"
fi

# Nobody's directory is taken for a root directory.
if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
    mkdir "$tmp/mine"
    touch "$tmp/mine/ihop"
    expect_exit 1 "$srcdir/contrib/test-in-root.sh" --root "$tmp/mine" trixie true
    expect_stderr "mine has not been made by this script"
    [ -e "$tmp/mine/ihop" ] || fail "a file is gone"
fi
