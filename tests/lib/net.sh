# SPDX-License-Identifier: MIT
# net.sh: what the tests of ihop-clone against servers share. Source it after
# functions.sh.

net_servers=0
requires python3
# The program itself: some machines have a slow wrapper in PATH.
net_python=$(python3 -c 'import sys; print(sys.executable)')

# start_server DIRECTORY [RULE...]: fault-server.py, as its comment says, at $url until
# the test ends; its log is $server_log, its process $server_pid. SERVER_OPTIONS
# has options for it; SERVER_RUN a command that runs it (ip netns exec ...).
start_server() {
    local port='' out

    net_servers=$((net_servers + 1))
    server_log=$tmp/server-$net_servers.log
    out=$tmp/server-$net_servers.port
    : >"$server_log"
    : >"$out" # the one that runs in the background may be late
    # shellcheck disable=SC2086
    ${SERVER_RUN:-} "$net_python" "$srcdir/tests/lib/fault-server.py" --log "$server_log" \
        ${SERVER_OPTIONS:-} "$@" >"$out" 2>"$out.err" &
    server_pid=$!
    # A gentle signal can be lost between fork and exec.
    at_exit kill -KILL "$server_pid"
    for _ in $(seq 4000); do
        port=$(cat "$out")
        [ -z "$port" ] || break
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    [ -n "$port" ] || fail "the fault server does not start: $(cat "$out.err")"
    server_port=$port
    url=http://127.0.0.1:$port
}

# rules RULE...: instead of those that the last started server has; its log and its
# counts begin anew.
rules() {
    local body answer

    body=$(printf '%s\n' "$@")
    exec 3<>"/dev/tcp/127.0.0.1/$server_port"
    printf 'RULES / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s' ${#body} "$body" >&3
    read -r answer <&3
    exec 3>&-
    [[ $answer == *Taken* ]] || fail "the fault server does not take rules"
}

# requests [EXPRESSION]: how many requests the server has seen, for which the Python
# expression of method, path, query, first, last, headers and n is true.
requests() {
    "$net_python" -c 'import json, sys
rows = [r for r in map(json.loads, open(sys.argv[1])) if r["event"] == "request"]
print(sum(1 for r in rows if eval("(" + sys.argv[2] + ")", {}, r)))' "${LOG:-$server_log}" "${1:-True}"
}

# body_sent: bytes of bodies that the server has sent.
body_sent() {
    "$net_python" -c 'import json, sys
print(sum(r["sent"] for r in map(json.loads, open(sys.argv[1])) if r["event"] == "end"))' \
        "${LOG:-$server_log}"
}

# json MEMBER: of the last line that the last expect_exit wrote to stdout.
json() {
    "$net_python" -c 'import json, sys
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

# holds STORE/RELEASE IMAGE: the release is this image, and all its chunks are good.
holds() {
    "$net_python" "$srcdir/tests/lib/read-release.py" check "$1" "$2" || fail "$1 is not whole"
}

# good_chunks STORE: how many chunks it has; every one is what its name says.
good_chunks() {
    [ -d "$1/chunks" ] || { echo 0; return; }
    "$net_python" "$srcdir/tests/lib/read-release.py" chunks "$1"
}

# noise FILE SIZE SEED: bytes that do not compress, the same ones every time.
noise() {
    "$net_python" -c 'import hashlib, sys
open(sys.argv[1], "wb").write(hashlib.shake_128(sys.argv[3].encode()).digest(int(sys.argv[2])))' "$@"
}

# nothing_staged STORE: no staging directory is left.
nothing_staged() {
    [ ! -d "$1/.ihop/staging" ] || [ -z "$(ls -A "$1/.ihop/staging")" ] ||
        fail "$1/.ihop/staging is not empty"
}

# file_size FILE
file_size() {
    stat -c %s "$1"
}

# header_size ARCHIVE: bytes of its header.
header_size() {
    "$net_python" -c 'import struct, sys
print(86 + struct.unpack("<Q", open(sys.argv[1], "rb").read(14)[6:])[0])' "$1"
}

# make_archives: $tmp/www/apart.cba, 20 chunks of 32 KiB with gaps between them, so
# that each is a range of its own; solid.cba, the same chunks without gaps, which
# is one range; and the image, $tmp/image.
make_archives() {
    mkdir -p "$tmp/www"
    noise "$tmp/image" 655360 "${1:-image}"
    $cba make --fixed 32768 --gap 4000 "$tmp/image" "$tmp/www/apart.cba"
    $cba make --fixed 32768 "$tmp/image" "$tmp/www/solid.cba"
    apart_header=$(header_size "$tmp/www/apart.cba")
    solid_header=$(header_size "$tmp/www/solid.cba")
}

# offset_of N: where chunk N (from 0) begins in apart.cba.
offset_of() {
    echo $((apart_header + 4000 + $1 * 36768))
}

# Quick to give up, though not by chance on a busy machine; and no notes on stderr: one
# line tells what is wrong.
quick=(--quiet --retry-delay 0 --timeout 5 --connect-timeout 5)

# expect_fault CODE REGEX ARGUMENT...: ihop-clone ends with CODE and one line on
# stderr, which names the URL and matches the regex.
expect_fault() {
    local code=$1 regex=$2

    shift 2
    expect_exit "$code" "$ihop_clone" "${quick[@]}" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-clone: .*$regex"
}

# recovers ARCHIVE STORE/RELEASE IMAGE MAX-BYTES: a run against a healthy server
# succeeds and downloads at most MAX-BYTES beyond the header.
recovers() {
    local header

    header=$(header_size "$tmp/www/$1")
    expect_exit 0 "$ihop_clone" --quiet --json "$url/good/$1" "$2"
    holds "$2" "$3"
    at_most "$(json bytes_downloaded)" $(($4 + header + 14)) "bytes downloaded after $1 was mended"
    nothing_staged "$(dirname "$2")"
}

# connections: how many the server has accepted.
connections() {
    grep -c '"event": "connection"' "${LOG:-$server_log}" || true
}
