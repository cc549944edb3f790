#!/bin/bash
# SPDX-License-Identifier: MIT
# Many more chunks than descriptors: under a low limit on open files and under
# maxfds=, all is served, and no more are kept than allowed.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image" 3000000
make_store --layout 2 --min 1000 --max 3000 "$tmp/image" "$tmp/store/v1"
[ "$(wc -l <"$tmp/chunks")" -gt 1000 ] || fail "too few chunks for this test"

open_chunks() {
    ls -l "/proc/$server/fd" | grep -c '\.chunk$' || true
}

read_all() {
    nbdcopy --connections=4 "$uri" "$tmp/copy"
    cmp "$tmp/image" "$tmp/copy"
}

# keeps COUNT: after reading all.
keeps() {
    read_all
    read_all
    [ "$(open_chunks)" = "$1" ] || fail "$(open_chunks) chunks are open instead of $1"
    stop_server
}

# The kernel's table has room for all from the start, in the background as well: it
# grows slowly once there are threads.
has_room() {
    [ "$(awk '/^FDSize:/ { print $2 }' "/proc/$1/status")" -gt 1000 ]
}
serve "$tmp/store/v1"
wait_for 10 has_room "$server"
stop_server
serve "$tmp/store"
nbd "h.pread(1, 0)" v1
has_room "$server" || fail "an export of its own makes no room for its chunks"
stop_server
rm "$tmp/pid"
ihop -U "$tmp/background" -P "$tmp/pid" "$tmp/store/v1"
at_exit kill "$(cat "$tmp/pid")"
wait_for 10 has_room "$(cat "$tmp/pid")"
kill "$(cat "$tmp/pid")"

serve "$tmp/store/v1" maxfds=10
keeps 10
serve "$tmp/store/v1" maxfds=0
keeps 0
serve "$tmp/store/v1"
keeps "$(awk '{ print $3 }' "$tmp/chunks" | sort -u | wc -l)"

# The hard limit cannot be raised.
open_files='-n 400'
serve "$tmp/store/v1"
keeps 144

# The soft one is.
open_files='-Sn 100'
serve "$tmp/store/v1"
read_all
[ "$(open_chunks)" -gt 36 ] || fail "the soft limit was not raised"
stop_server

# Sockets take all descriptors but LEFT (nbdkit uses three for a connection): reads
# wait for one another and do not fail.
crowded() {
    local connections

    open_files='-n 300'
    serve "$tmp/store/v1"
    connections=$(((300 - $(ls "/proc/$server/fd" | wc -l) - $1) / 3))
    nbd "
import threading
image = open('$tmp/image', 'rb').read(600000)
connections = []
for i in range($connections):
    c = nbd.NBD()
    c.connect_uri('$uri')
    connections.append(c)
good = []

def read(c):
    if c.pread(len(image), 0) == image:
        good.append(c)

threads = [threading.Thread(target=read, args=(c,)) for c in connections]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert len(good) == $connections, len(good)
"
    stop_server
}
crowded 40
crowded 4
