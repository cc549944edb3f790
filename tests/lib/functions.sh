# SPDX-License-Identifier: MIT
# functions.sh: what the shell tests share. Source it after `set -euo pipefail`:
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
#   $cba                the command that makes archives: $cba make ..., $cba hostile ...
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
cba="python3 $srcdir/tests/lib/cba.py"

# What a user's shell says must not change a test.
unset http_proxy https_proxy ftp_proxy all_proxy no_proxy
unset HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY
export LC_ALL=C
export PYTHONDONTWRITEBYTECODE=1
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
    # What is still there has had its chance: a signal can be lost between fork and exec.
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

# plugin_preload: prints the library of the sanitizer that the plugin was built with, which
# must be loaded before nbdkit; nothing without one.
plugin_preload() {
    ldd "$plugin" | awk '/lib[at]san/ && !n++ { print $3 }'
}

show_output() {
    {
        echo "--- stdout"
        head -c 4000 "$tmp/out"
        echo "--- stderr"
        head -c 4000 "$tmp/err"
        echo "---"
    } >&2
}

# expect_exit CODE CMD [ARG...]: runs it with stdin from /dev/null; its stdout
# goes to $tmp/out and its stderr to $tmp/err. Fails unless it exits with CODE.
expect_exit() {
    local want=$1 got=0

    shift
    "$@" </dev/null >"$tmp/out" 2>"$tmp/err" || got=$?
    if [ "$got" -ne "$want" ]; then
        show_output
        fail "exit code $got instead of $want: $*"
    fi
}

# expect_stderr REGEX, expect_stdout REGEX: the last expect_exit's output has a
# line that matches the extended regular expression.
expect_stderr() {
    if ! grep -Eq -e "$1" "$tmp/err"; then
        show_output
        fail "stderr does not match: $1"
    fi
}

expect_stdout() {
    if ! grep -Eq -e "$1" "$tmp/out"; then
        show_output
        fail "stdout does not match: $1"
    fi
}

# The last expect_exit wrote exactly one line, a complete one, to stderr.
one_line_on_stderr() {
    if [ "$(wc -l <"$tmp/err")" -ne 1 ] || [ -n "$(tail -c 1 "$tmp/err")" ] ||
        ! grep -q . "$tmp/err"; then
        show_output
        fail "stderr is not exactly one line"
    fi
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

nginx_answers() {
    # Connecting is enough, and leaves no line in the access log.
    [ -s "$tmp/nginx/pid" ] && (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# start_nginx DOCROOT [DIRECTIVES]: serves DOCROOT at $url (without a final
# slash) until the test ends. $tmp/access.log gets a line for each request:
#
#     METHOD PATH STATUS BODY-BYTES RANGE-HEADER     (- when there is none)
#
# DIRECTIVES are put into the server block. Its pid is $nginx_pid.
start_nginx() {
    local port try root

    requires nginx python3
    root=$(cd "$1" && pwd)
    mkdir -p "$tmp/nginx"
    for try in 1 2 3 4 5; do
        port=$(free_port)
        write_nginx_conf "$port" "$root" "${2:-}"
        nginx -p "$tmp/nginx" -e "$tmp/nginx/error.log" -c "$tmp/nginx/nginx.conf" \
            >"$tmp/nginx/out" 2>&1 &
        nginx_pid=$!
        at_exit kill "$nginx_pid"
        for _ in $(seq 4000); do
            if nginx_answers "$port"; then
                url=http://127.0.0.1:$port
                : >"$tmp/access.log"
                return 0
            fi
            kill -0 "$nginx_pid" 2>/dev/null || break # somebody took the port
            sleep 0.05
        done
    done
    cat "$tmp/nginx/out" "$tmp/nginx/error.log" >&2 || true
    fail "nginx does not start (tried $try times)"
}

write_nginx_conf() {
    cat >"$tmp/nginx/nginx.conf" <<EOF_CONF
daemon off;
master_process off;
pid $tmp/nginx/pid;
error_log $tmp/nginx/error.log;
events { worker_connections 256; }
http {
    log_format ranges '\$request_method \$uri \$status \$body_bytes_sent \$http_range';
    access_log $tmp/access.log ranges;
    default_type application/octet-stream;
    client_body_temp_path $tmp/nginx/body;
    proxy_temp_path $tmp/nginx/proxy;
    fastcgi_temp_path $tmp/nginx/fastcgi;
    uwsgi_temp_path $tmp/nginx/uwsgi;
    scgi_temp_path $tmp/nginx/scgi;
    server {
        listen 127.0.0.1:$1;
        root $2;
        $3
    }
}
EOF_CONF
}

# requests_in_log [REGEX]: how many requests nginx has answered (that match).
requests_in_log() {
    grep -Ec -e "${1:-.}" "$tmp/access.log" || true
}

# bytes_in_log: the sum of the body bytes that nginx has sent.
bytes_in_log() {
    awk '{ sum += $4 } END { printf "%d\n", sum }' "$tmp/access.log"
}
