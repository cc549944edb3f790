# SPDX-License-Identifier: MIT
# assertions.sh: what a test claims, and how it looks at what happened. functions.sh brings
# it.

# ---- what a command says ----

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

# one_line_on_stderr: the last expect_exit wrote exactly one line, a complete one, to stderr.
one_line_on_stderr() {
    if [ "$(wc -l <"$tmp/err")" -ne 1 ] || [ -n "$(tail -c 1 "$tmp/err")" ] ||
        ! grep -q . "$tmp/err"; then
        show_output
        fail "stderr is not exactly one line"
    fi
}

# silent: the last expect_exit wrote nothing to stderr.
silent() {
    [ ! -s "$tmp/err" ] || { show_output; fail "something is on stderr"; }
}

# json MEMBER: of the last line that the last expect_exit wrote to stdout.
json() {
    "$python" -c 'import json, sys
print(json.loads(open(sys.argv[1]).read().splitlines()[-1])[sys.argv[2]])' "$tmp/out" "$1"
}

# on_terminal ARGUMENT...: stderr is a terminal; what it showed is in $tmp/shown.
on_terminal() {
    python3 - "$tmp/shown" "$@" <<'EOF_PY'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown = b""
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
open(sys.argv[1], "wb").write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF_PY
}

# equal GOT WANTED WHAT
equal() {
    [ "$1" = "$2" ] || fail "$3: $1 instead of $2"
}

# at_most GOT LIMIT WHAT, at_least GOT LIMIT WHAT
at_most() {
    [ "$1" -le "$2" ] || fail "$3: $1, more than $2"
}

at_least() {
    [ "$1" -ge "$2" ] || fail "$3: $1, less than $2"
}

# ---- what is in a store ----

# holds STORE/RELEASE IMAGE: the release is this image, and all its chunks are good.
holds() {
    $cba check "$1" "$2" || fail "$1 is not whole"
}

# good_chunks STORE: how many chunks it has; every one is what its name says.
good_chunks() {
    [ -d "$1/chunks" ] || { echo 0; return; }
    $cba good-chunks "$1"
}

# releases STORE: the names of its releases, the oldest first, on one line.
releases() {
    "$ihop_store" list --json "$1" >"$tmp/releases"
    "$python" -c 'import json, sys
print(*(r["name"] for r in json.load(open(sys.argv[1]))["releases"]))' "$tmp/releases"
}

# nothing_staged STORE: no staging directory is left.
nothing_staged() {
    [ ! -d "$1/.ihop/staging" ] || [ -z "$(ls -A "$1/.ihop/staging")" ] ||
        fail "$1/.ihop/staging is not empty"
}

# file_size FILE: its size in bytes.
file_size() {
    stat -c %s "$1"
}
