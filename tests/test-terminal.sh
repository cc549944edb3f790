#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The bar on terminals of any width, while they are resized, and on those that clear no
# line; Ctrl-C and SIGTERM; inputs that grow, shrink, or never end.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
requires strace
make_archives
start_server "$tmp/www" "path=/slow/ past=$solid_header : rate=400000" \
    "path=/stall/ past=$solid_header : body=100000 end=stall"

# terminal.py COLUMNS RESIZED-TO STOP COMMAND...: runs it on a terminal that wide. Says how many
# redraws there were, and how many of them wrapped. RESIZED-TO (or 0): its width after the
# second redraw. STOP: "", or TERM, or INT (typed) after the second redraw. What was shown
# is in $tmp/shown; the exit code is the command's, 128 and more for a signal.
cat >"$tmp/terminal.py" <<'EOF_PY'
import fcntl, os, pty, re, signal, struct, sys, termios
shown_in, columns, later, stop = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def resize(fd, width):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

go, ready = os.pipe()
pid, fd = pty.fork()
if pid == 0:
    os.read(go, 1)  # not before the terminal has its width
    os.execv(sys.argv[5], sys.argv[5:])
resize(fd, columns)
os.write(ready, b"x")
shown, acted_at = b"", None
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    if acted_at is None and (later or stop) and len(re.findall(rb"\d%|\.\.\. ", shown)) >= 2:
        acted_at = len(shown)
        if later:
            resize(fd, later)
        if stop == "TERM":
            os.kill(pid, signal.SIGTERM)
        elif stop:
            os.write(fd, b"\x03")
open(shown_in, "wb").write(shown)

redraws = wraps = at = 0
for part in shown.split(b"\r"):
    width = later if later and acted_at is not None and at > acted_at else columns
    text = re.sub(rb"\x1b\[K", b"", part).rstrip(b"\n")
    if re.search(rb"\d%|\.\.\.", text) and b": " not in text and at + len(part) != len(shown):
        redraws += 1
        wraps += len(text) >= width
        # The one on its way when the size changed may be as wide as before.
        if later and acted_at is not None and at <= acted_at + columns and len(text) < columns:
            wraps -= len(text) >= width
    at += len(part) + 1
print(redraws, wraps)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
EOF_PY

# terminal CODE COLUMNS RESIZED-TO STOP COMMAND...: and no redraw wrapped.
terminal() {
    local code=$1

    shift
    expect_exit "$code" "$python" "$tmp/terminal.py" "$tmp/shown" "$@"
    equal "$(cut -d ' ' -f 2 "$tmp/out")" 0 "redraws of $(cut -d ' ' -f 1 "$tmp/out") that wrapped at $1 columns"
}

redraws() {
    cut -d ' ' -f 1 "$tmp/out"
}

esc=$(printf '\033')
export TERM=xterm

test_widths() {
    for columns in 200 80 40 20 10 3 1; do
        terminal 0 $columns 0 "" "$ihop_clone" "$url/slow/solid.cba" "$tmp/w$columns/r"
        [ $columns -lt 10 ] || at_least "$(redraws)" 2 "redraws at $columns columns"
    done
    terminal 0 80 40 "" "$ihop_clone" "$url/slow/solid.cba" "$tmp/resized/r"
    at_least "$(redraws)" 4 "redraws while the terminal was resized"
    terminal 0 40 100 "" "$ihop_clone" "$url/slow/solid.cba" "$tmp/grown/r"
    grep -aq "$esc\[K" "$tmp/shown" || fail "a terminal's line is not cleared"
}

# Terminals that know no sequences get none, and no rests of a longer line.
test_no_sequences() {
    for term in dumb ""; do
        TERM=$term terminal 0 80 0 "" "$ihop_clone" "$url/slow/solid.cba" "$tmp/dumb$term/r"
        at_least "$(redraws)" 2 "redraws on TERM='$term'"
        ! grep -aq "$esc" "$tmp/shown" || fail "an escape sequence on TERM='$term'"
    done
    expect_exit 0 env -u TERM "$python" "$tmp/terminal.py" "$tmp/shown" 80 0 "" \
        "$ihop_clone" "$url/slow/solid.cba" "$tmp/unset/r"
    ! grep -aq "$esc" "$tmp/shown" || fail "an escape sequence without TERM"
}

# The other programs.
test_other_programs() {
    terminal 0 30 0 "" "$ihop_compress" "$tmp/image" "$tmp/a.cba"
    expect_exit 0 "$ihop_clone" --quiet "$url/good/solid.cba" "$tmp/w30/r"
    terminal 0 30 0 "" "$ihop_store" verify "$tmp/w30"
    terminal 0 30 0 "" "$ihop_store" gc "$tmp/w30"
}

has_staged() {
    [ -n "$(find "$tmp/plain/.ihop/staging" -name '*.chunk')" ]
}

# Ctrl-C: the line ends, and what to do is said; what has arrived stays.
test_interrupted() {
    for stop in INT:130 TERM:143; do
        terminal "${stop#*:}" 80 0 "${stop%:*}" "$ihop_clone" "$url/slow/solid.cba" "$tmp/stop${stop%:*}/r"
        tail -n 1 "$tmp/shown" | grep -aq '^ihop-clone: interrupted: what has arrived stays; run the same command again' ||
            fail "$(tail -n 1 "$tmp/shown")"
    done
    terminal 130 80 0 INT "$ihop_clone" -q --progress bar "$url/slow/solid.cba" "$tmp/quiet/r"
    if grep -aq interrupted "$tmp/shown"; then fail "--quiet says that it was interrupted"; fi
    # Without a terminal, too, by the signal's own exit code.
    "$ihop_clone" "$url/stall/solid.cba" "$tmp/plain/r" 2>"$tmp/err" &
    pid=$!

    wait_for 30 has_staged
    kill -TERM $pid
    got=0
    wait $pid || got=$?
    equal $got 143 "exit code of a clone that got SIGTERM"
    one_line_on_stderr
    expect_stderr '^ihop-clone: interrupted: what has arrived stays'
    expect_exit 0 "$ihop_clone" --json "$url/good/solid.cba" "$tmp/plain/r"
    at_least "$(json chunks_adopted)" 1 "chunks that the next run adopted"
}

# after_first_read CHANGE CODE COMMAND...: when the command has read the first piece of its
# input, $tmp/fed, its one thread that reads stops until CHANGE is done.
is_stopped() {
    pid=$(cat "/proc/$tracer/task/$tracer/children")
    grep -q SIGSTOP "$tmp/trace"
}

after_first_read() {
    local change=$1 code=$2 got=0

    shift 2
    rm -f "$tmp/trace"
    # LeakSanitizer wants to trace the process itself at its end, and may wait for ever.
    strace -qq -f -o "$tmp/trace" -E ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" -e trace=read \
        -P "$tmp/fed" -e inject=read:signal=SIGSTOP:when=1 "$@" -j 1 </dev/null >"$tmp/out" 2>"$tmp/err" &
    tracer=$!
    wait_for 60 is_stopped
    $change
    # strace may have it stop once more: it saw the signal, but did not pass it on yet.
    while kill -CONT $pid 2>/dev/null; do sleep 0.05; done
    wait $tracer || got=$?
    equal $got "$code" "exit code of $*"
    tr '\r' '\n' <"$tmp/err" | sed "s/$esc\[K//" >"$tmp/lines"
}

grow() {
    head -c 100M /dev/zero >>"$tmp/fed"
}

shrink() {
    truncate -s 700000 "$tmp/fed"
}

# Inputs that do not stand still.
test_inputs_that_change() {
    noise "$tmp/fed" 1048576 fed
    after_first_read grow 0 "$ihop_clone" --progress bar --seed "$tmp/fed" "$url/good/solid.cba" "$tmp/grew/r"
    holds "$tmp/grew/r" "$tmp/image"
    awk 'length > 79 && !/^ihop|done/ { exit 1 }' "$tmp/lines" || fail "a line over 79 characters"
    if grep -Eq '[2-9][0-9][0-9]%|[0-9]{5,}:[0-9][0-9] left' "$tmp/lines"; then fail "more than all of it"; fi
    grep -q 'searching the seed$' "$tmp/lines" || fail "no bar for a seed"
    noise "$tmp/fed" 1048576 fed
    after_first_read grow 0 "$ihop_clone" --progress json --seed "$tmp/fed" "$url/good/solid.cba" "$tmp/grew2/r"
    python3 -c 'import json, sys
for row in map(json.loads, open(sys.argv[1])):
    assert row["type"] != "progress" or row["bytes_total"] in (0, max(row["bytes_total"], row["bytes_done"])), row' "$tmp/out"

    noise "$tmp/fed" 1048576 fed
    after_first_read grow 7 "$ihop_compress" --progress bar "$tmp/fed" "$tmp/grown.cba"
    grep -q "^ihop-compress: $tmp/fed grew while it was read: it had 1048576 bytes" "$tmp/lines" ||
        fail "$(tail -n 1 "$tmp/err")"
    [ ! -e "$tmp/grown.cba" ] || fail "an archive of a file that grew"
    noise "$tmp/fed" 4194304 fed
    after_first_read shrink 7 "$ihop_compress" -q "$tmp/fed" "$tmp/shrunk.cba"
    expect_stderr "$tmp/fed shrank while it was read: it had 4194304 bytes, 700000 could be read"
    [ ! -e "$tmp/shrunk.cba" ] || fail "an archive of a file that shrank"
}

# From the middle of standard input on.
test_standard_input() {
    { head -c 10000 >"$tmp/head"; "$ihop_compress" -q - "$tmp/rest.cba"; } <"$tmp/image"
    expect_exit 0 "$ihop_clone" -q "$tmp/rest.cba" "$tmp/rest/r"
    tail -c +10001 "$tmp/image" >"$tmp/rest-image"
    holds "$tmp/rest/r" "$tmp/rest-image"
}

# Inputs without an end.
test_endless_inputs() {
    for device in /dev/zero /dev/full /dev/urandom; do
        [ -c $device ] || continue
        expect_exit 7 "$ihop_clone" --seed $device "$url/good/solid.cba" "$tmp/endless/r"
        expect_stderr "^ihop-clone: seed $device is a character device that may never end"
        one_line_on_stderr
        expect_exit 7 "$ihop_compress" $device "$tmp/endless.cba"
        expect_stderr "^ihop-compress: $device is a character device that may never end"
    done
    [ ! -e "$tmp/endless.cba" ] || fail "an archive without an end"
}

waits_in_open() {
    grep -q "^S" <(sed -n 's/^State:\t//p' "/proc/$pid/status") && [ -e "$tmp/waiting/.ihop/lock" ]
}

# A pipe: how much was read is shown, and Ctrl-C ends it; also while it waits for a writer.
test_pipe() {
    mkfifo "$tmp/pipe"
    cat /dev/zero >"$tmp/pipe" 2>"$tmp/cat" &
    at_exit kill $!
    terminal 130 80 0 INT "$ihop_clone" --seed "$tmp/pipe" "$url/good/solid.cba" "$tmp/endless/r"
    grep -aq 'searching the seed\.\.\.  [0-9.]* [KMG]iB read' "$tmp/shown" || fail "it does not say how much it has read"
    cat /dev/zero >"$tmp/pipe" 2>"$tmp/cat" &
    at_exit kill $!
    terminal 130 80 0 INT "$ihop_compress" "$tmp/pipe" "$tmp/endless.cba"
    grep -aq 'compressing\.\.\.  [0-9.]* [KMG]iB read' "$tmp/shown" || fail "it does not say how much it has read"
    [ ! -e "$tmp/endless.cba" ] || fail "an archive of an endless pipe"
    mkfifo "$tmp/nobody"

    "$ihop_clone" -q --seed "$tmp/nobody" "$url/good/solid.cba" "$tmp/waiting/r" &
    pid=$!
    wait_for 30 waits_in_open
    kill -TERM $pid
    got=0
    wait $pid || got=$?
    equal $got 143 "exit code of a clone that waited for a FIFO"
}

run_cases "$@"
