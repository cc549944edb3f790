# SPDX-License-Identifier: MIT
# functions.sh: what all shell tests share. A test sources it after `set -euo pipefail`:
#
#     . "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
#
# `make check` exports srcdir and builddir. By hand, from a build directory:
#
#     bash ../tests/test-archive-formats.sh
#
# It sets:
#   $srcdir $builddir   absolute paths of the sources and of the build
#   $tmp                a fresh directory, removed at exit (kept when KEEP_TMP=1)
#   $ihop_clone $ihop_compress $ihop_store   the built programs
#   $plugin             the built nbdkit plugin
#   $python             the Python interpreter
#   $cba                the command that knows archives, releases and stores (cba.py):
#                       $cba make ..., $cba hostile ..., $cba check ...
#
# It brings the libraries that most tests need:
#   assertions.sh   what a test claims: expect_exit, equal, json, holds ...
#   samples.sh      images and archives to work on: noise, make_archives ...
#   cases.sh        run_cases, which runs the functions of a long test one by one
#   nginx.sh        an ordinary server
#
# A test sources by itself, where it needs them: net.sh (a server with faults),
# plugin-functions.sh (the plugin in nbdkit), real.sh (real archives and tools), memory.sh
# (a program's memory), faults.sh (power cuts, kills, bad disks).
#
# A test fails by `fail` or by any command that fails; it skips by `requires` or
# `skip`. Never put an assertion into a condition (`if`, `&&`, `||`, `!`): bash
# would not stop at it.

srcdir=$(cd "${srcdir:-$(dirname "${BASH_SOURCE[0]}")/../..}" && pwd)
builddir=$(cd "${builddir:-$PWD}" && pwd)
ihop_clone=$builddir/ihop-clone
ihop_compress=$builddir/ihop-compress
ihop_store=$builddir/ihop-store
plugin=$builddir/.libs/nbdkit-ihop-plugin.so
# The interpreter itself: some machines have a slow wrapper of it in PATH.
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) || python=python3
cba="$python $srcdir/tests/lib/cba.py"

# What a user's shell says must not change a test.
unset http_proxy https_proxy ftp_proxy all_proxy no_proxy
unset HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY
export LC_ALL=C
export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$srcdir/tests/lib # all Python of the tests can import ihopformat
umask 022

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ihop-test.XXXXXXXXXX")
at_exit_commands=()

# at_exit CMD [ARG...]: runs it when the test ends, in any way; the last one
# registered runs first. Kill background processes this way: at_exit kill $!
at_exit() {
    at_exit_commands+=("$(printf '%q ' "$@")")
}

run_at_exit() {
    local code=$? i

    trap - EXIT
    set +e
    for ((i = ${#at_exit_commands[@]} - 1; i >= 0; i--)); do
        eval "${at_exit_commands[i]}" >/dev/null 2>&1
    done
    # A job may still be there, because a signal can be lost between fork and exec.
    # shellcheck disable=SC2046 # one word for each job
    kill -KILL $(jobs -p) 2>/dev/null
    wait 2>/dev/null
    if [ "${KEEP_TMP:-0}" = 1 ]; then
        echo "kept: $tmp" >&2
    else
        chmod -R u+rwX "$tmp" 2>/dev/null
        rm -rf "$tmp"
    fi
    exit "$code"
}
trap run_at_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# fail MSG...: ends the test.
fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# skip REASON...: ends the test as skipped.
skip() {
    echo "SKIP: $*"
    exit 77
}

# requires CMD...: skips unless all are there. A path or a name in PATH.
requires() {
    local cmd missing=()

    for cmd in "$@"; do
        command -v "$cmd" >/dev/null || missing+=("$cmd")
    done
    [ ${#missing[@]} -eq 0 ] || skip "not installed: ${missing[*]}"
}

# is_sanitized PROGRAM: whether it was built with a sanitizer. libtool may have made a script
# of it, with the program itself in .libs.
is_sanitized() {
    local program=$1 inner=${1%/*}/.libs/${1##*/}

    [ ! -x "$inner" ] || program=$inner
    ldd "$program" | grep 'lib[at]san' >/dev/null
}

# wait_for SECONDS CMD [ARG...]: until CMD succeeds; fails when time is over. SECONDS is
# what would do on an idle machine; a busy one gets twenty times as long.
wait_for() {
    local end=$((SECONDS + 20 * $1))

    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt "$end" ] || fail "timed out waiting for: $*"
        sleep 0.05
    done
}

# has_open PID FILE: that process has it open.
has_open() {
    find "/proc/$1/fd" -lname "$(realpath "$2")" 2>/dev/null | grep . >/dev/null
}

# free_port: prints a TCP port on 127.0.0.1 that nothing listens on.
free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

. "$srcdir/tests/lib/assertions.sh"
. "$srcdir/tests/lib/samples.sh"
. "$srcdir/tests/lib/cases.sh"
. "$srcdir/tests/lib/nginx.sh"
