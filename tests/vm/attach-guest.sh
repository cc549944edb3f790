# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Sourced by scripts that run in the machine of uml.sh: ihop-attach of the build directory, and
# readers in the background.
module drivers/block/nbd

attach() { "$builddir/ihop-attach" --plugin "$builddir/.libs/nbdkit-ihop-plugin.so" "$@"; }
ihop_attach() { "$builddir/ihop-attach" "$@"; }
status() { ihop_attach --status "${2:-/dev/nbd0}" | sed -n "s/^$1 //p"; }
now() { echo "$(cut -d" " -f1 /proc/uptime) $*"; }
other_server() { [ "$(status server)" != "$1" ] && [ "$(status server)" != none ]; }
other_keeper() { [ "$(status keeper)" != "$1" ] && [ "$(status keeper)" != none ]; }
gone() { [ ! -e "/proc/$1" ] || grep -q 'State:.*Z' "/proc/$1/status"; }
servers() { pgrep -cx nbdkit || true; }
refused() { # EXIT-CODE TEXT COMMAND...
    local r=0 code=$1 text=$2
    shift 2
    "$@" 2>/run/stderr || r=$?
    cat /run/stderr
    [ $r -eq "$code" ] || { echo "exit $r, not $code: $*"; return 1; }
    grep -q -e "$text" /run/stderr || { echo "no '$text' from: $*"; return 1; }
    [ "$(wc -l </run/stderr)" = 1 ] || { echo "not one line from: $*"; return 1; }
}

# readers DEVICE IMAGE [PAUSE]: four of them, in the background, until stop_readers.
readers() {
    rm -f /run/stop /run/count
    python3 "$srcdir/tests/vm/readers.py" "$1" "$2" 4 /run/stop /run/count "${3:-0}" >/run/result &
    readers=$!
    going_on
}
reads() { cat /run/count 2>/dev/null || echo 0; }
more_reads() { [ "$(reads)" -gt $(($1 + ${read_step:-100})) ]; }
going_on() { wait_until 60 more_reads "$(reads)"; }
# Ends them; they, and so this, fail when a read failed or was wrong. The result goes to the host.
stop_readers() { # NAME
    touch /run/stop
    wait "$readers" || { cat /run/result; return 1; }
    sed "s/^/$1: /" /run/result | tee -a "$tmp/results"
}
longest() { sed -n 's/^reads.*longest //p' /run/result; }
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }' || { echo "$1 is more than $2"; return 1; }; }
