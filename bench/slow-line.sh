#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures an update over a line of 20 Mbit/s with a round trip of 50 ms, in a network namespace
# of its own: how much longer does it take than its bytes at line speed?
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") [BUILD-DIRECTORY]

Needs root, and the images and archives of bench/real-images.sh in the directory
IHOP_BENCH_DIR (default: bench-images). Prints the bytes, seconds and their ratio to
the line's own time. Where the kernel has no netem, a relay makes the delay.
END
}

if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
    usage >&2
    exit 2
fi
srcdir=$(cd "$(dirname "$0")/.." && pwd)
builddir=${1:-$srcdir/build}
images=$(cd "${IHOP_BENCH_DIR:-bench-images}" && pwd)
PATH=$PATH:/sbin:/usr/sbin
export TMPDIR=${TMPDIR:-$images}
. "$srcdir/tests/lib/functions.sh"
. "$srcdir/tests/lib/real.sh"

rate=20mbit bytes_per_second=2500000 delay_ms=25 # each way
space=ihop-line-$$ there=192.0.2.1 here=192.0.2.2

ip netns add "$space"
at_exit ip netns delete "$space"
ip link add "ihop$$" type veth peer name line netns "$space"
at_exit ip link delete "ihop$$"
ip address add $here/30 dev "ihop$$"
ip link set "ihop$$" up
ip -n "$space" address add $there/30 dev line
ip -n "$space" link set line up
ip -n "$space" link set lo up

# nginx, and the relay if one is needed, are at the other end of the line.
cat >"$tmp/nginx.conf" <<END
daemon off; pid $tmp/pid; error_log $tmp/error.log; user root;
events { }
http { access_log off; server { listen 8080; root $images; } }
END
ip netns exec "$space" nginx -c "$tmp/nginx.conf" 2>/dev/null &
at_exit kill $!
port=8080
if ip netns exec "$space" tc qdisc add dev line root netem rate $rate delay ${delay_ms}ms limit 10000 2>/dev/null &&
    tc qdisc add dev "ihop$$" root netem delay ${delay_ms}ms 2>/dev/null; then
    line="netem"
else
    line="a token bucket and a relay (no netem in this kernel)"
    port=8081
    ip netns exec "$space" tc qdisc replace dev line root tbf rate $rate burst 16kb latency 100ms
    ip netns exec "$space" python3 "$srcdir/bench/delay-relay.py" $there $port 127.0.0.1 8080 $delay_ms &
    at_exit kill $!
fi
sleep 1

url=http://$there:$port
"$ihop_clone" --quiet "$images/v1.ext4.cba" "$tmp/store/v1"
begun=$(date +%s%N)
"$ihop_clone" --quiet --json "$url/v2.ext4.cba" "$tmp/store/v2" >"$tmp/summary"
took=$((($(date +%s%N) - begun) / 1000000))
bytes=$(summary bytes_downloaded)
awk -v bytes="$bytes" -v ms=$took -v speed=$bytes_per_second -v line="$line" -v requests="$(summary requests)" 'BEGIN {
    ideal = bytes / speed
    printf "line: 20 Mbit/s, 50 ms, made by %s\n", line
    printf "%d bytes in %d requests: %.1f s, at line speed %.1f s, ratio %.2f\n", bytes, requests, ms / 1000, ideal, ms / 1000 / ideal
}'
