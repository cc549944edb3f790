#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The network itself fails: a link down for a while is survived, one down for good
# is exit code 3 with the chunks kept; so are a name that cannot be resolved, a
# closed port and a host that never answers.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
make_archives

# namespaces: a server and a client, each in a network namespace of its own, and a link
# between them. Once is enough for all cases.
namespaces() {
    [ -z "${server:-}" ] || return 0
    requires ip
    [ "$(id -u)" = 0 ] || skip "not root: network namespaces cannot be made"
    server=ihop-s-$$
    client=ihop-c-$$
    ip netns add "$server" 2>"$tmp/netns" || skip "no network namespaces here: $(cat "$tmp/netns")"
    at_exit ip netns del "$server"
    ip netns add "$client"
    at_exit ip netns del "$client"
    ip -n "$server" link add name v0 type veth peer name v1 netns "$client" 2>"$tmp/netns" ||
        skip "no veth here: $(cat "$tmp/netns")"
    ip -n "$server" addr add 10.213.0.1/24 dev v0
    ip -n "$client" addr add 10.213.0.2/24 dev v1
    for ns in "$server" "$client"; do
        ip -n "$ns" link set lo up
    done
    ip -n "$server" link set v0 up
    ip -n "$client" link set v1 up

    SERVER_RUN="ip netns exec $server" SERVER_OPTIONS="--bind 10.213.0.1" start_server "$tmp/www" \
        "path=/half/ past=$solid_header n=1 : body=300000 end=stall" \
        "path=/halves/ past=$solid_header : body=300000 end=stall"
    url=http://10.213.0.1:$server_port
}

# in_background ARGUMENT...: ihop-clone in the client's namespace; $pid. Its exit
# code will be in $tmp/code.
in_background() {
    rm -f "$tmp/code"
    (
        code=0
        ip netns exec "$client" "$ihop_clone" --json --timeout 5 --connect-timeout 2 "$@" \
            >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
        echo "$code" >"$tmp/code"
    ) &
    at_exit kill -KILL $!
}

code_is() {
    wait_for 40 test -s "$tmp/code"
    [ "$(cat "$tmp/code")" = "$1" ] || { show_output; fail "exit code $(cat "$tmp/code") instead of $1"; }
}

# came N: so many chunks are in the store.
came() {
    [ "$(find "$tmp/s/chunks" "$tmp/s/.ihop/staging" -name '*.chunk' | wc -l)" -ge "$1" ]
}

# tried_again N: so many notes say so.
tried_again() {
    [ "$(grep -c 'trying again' "$tmp/err")" -ge "$1" ]
}

# A closed port: no root needed.
test_closed_port() {
    port=$(free_port)
    expect_fault 3 "gave up after 2 retries: http://127.0.0.1:$port/a.cba .*(refused|connect)" --retry 2 \
        "http://127.0.0.1:$port/a.cba" "$tmp/none/r"
}

# Down in the middle, until two tries have found it so.
test_down_for_a_while() {
    namespaces
    in_background --retry 1000 --retry-delay 1 "$url/half/solid.cba" "$tmp/s/r"
    wait_for 10 came 5
    ip -n "$server" link set v0 down
    wait_for 20 tried_again 3
    ip -n "$server" link set v0 up
    code_is 0
    holds "$tmp/s/r" "$tmp/image"
    at_least "$(json retries)" 3 "retries"
    at_most "$(json bytes_downloaded)" $((655360 + solid_header)) "bytes downloaded"
}

# in_namespace CODE ARGUMENT...
in_namespace() {
    local code=$1

    shift
    expect_exit "$code" ip netns exec "$client" "$ihop_clone" "${quick[@]}" --retry 1 "$@"
    one_line_on_stderr
}

# Down for good.
test_down_for_good() {
    namespaces
    rm -rf "$tmp/s"
    : >"$server_log"
    in_background --quiet --retry 2 --retry-delay 0 "$url/halves/solid.cba" "$tmp/s/r"
    wait_for 10 came 5
    ip -n "$server" link set v0 down
    code_is 3
    one_line_on_stderr
    expect_stderr "gave up after 2 retries: $url/halves/solid.cba"
    kept=$(good_chunks "$tmp/s")
    at_least "$kept" 1 "chunks kept"
    nothing_staged "$tmp/s"
    ip -n "$server" link set v0 up
    expect_exit 0 ip netns exec "$client" "$ihop_clone" --quiet --json "$url/good/solid.cba" "$tmp/s/r"
    holds "$tmp/s/r" "$tmp/image"
    at_most "$(json bytes_downloaded)" $(((20 - kept) * 32768 + solid_header)) "bytes downloaded"
}

# A host that does not answer (nobody has this address), and no route at all.
test_no_answer() {
    namespaces
    in_namespace 3 http://10.213.0.77/a.cba "$tmp/none/r"
    expect_stderr "http://10.213.0.77/a.cba"
    in_namespace 3 http://198.51.100.1/a.cba "$tmp/none/r"
    expect_stderr "http://198.51.100.1/a.cba"
}

# A name that cannot be resolved: .invalid never can.
test_no_name() {
    namespaces
    in_namespace 3 http://server.invalid/a.cba "$tmp/none/r"
    expect_stderr "http://server.invalid/a.cba .*resolve.*server.invalid"
    [ ! -e "$tmp/none" ] || fail "a store was created"
}

run_cases "$@"
