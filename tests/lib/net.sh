# SPDX-License-Identifier: MIT
# net.sh: what the tests against a server with faults share. A test sources it after
# functions.sh.

net_servers=0
requires python3

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
    ${SERVER_RUN:-} "$python" "$srcdir/tests/lib/fault-server.py" --log "$server_log" \
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

# requests [FILTER]...: how many requests the server has seen to which all filters apply.
# serverlog.py explains the filters: `requests path=/slow/ past=10000`. LOG=FILE in front of
# it names the log of another server than the last started one.
requests() {
    "$python" "$srcdir/tests/lib/serverlog.py" requests "${LOG:-$server_log}" "$@"
}

# body_sent: how many bytes of bodies the server has sent.
body_sent() {
    "$python" "$srcdir/tests/lib/serverlog.py" sent "${LOG:-$server_log}"
}

# Options of a run that gives up quickly, though not by chance on a busy machine, and writes
# no notes to stderr, so that one line there says what is wrong.
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
