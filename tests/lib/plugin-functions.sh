# SPDX-License-Identifier: MIT
# plugin-functions.sh: what the tests of the nbdkit plugin share. A test sources it instead
# of functions.sh, which it brings.

. "${srcdir:-$(dirname "${BASH_SOURCE[0]}")/../..}/tests/lib/functions.sh"
requires nbdkit nbdcopy nbdinfo python3

# The first python3 in PATH may be one without libnbd's module.
for nbd_python in python3 /usr/bin/python3 ''; do
    [ -n "$nbd_python" ] || skip "not installed: the Python module nbd (Debian: python3-libnbd)"
    ! "$nbd_python" -c 'import nbd' 2>/dev/null || break
done
[ -e "$plugin" ] || fail "$plugin is not built"

. "$srcdir/tests/lib/nbdkit.sh"
[ -z "$preload" ] || export ASAN_OPTIONS=detect_leaks=0

# ihop [NBDKIT-OPTION... --] PARAMETER...: nbdkit with the plugin.
ihop() {
    local options=()

    if [[ " $* " == *" -- "* ]]; then
        while [ "$1" != -- ]; do
            options+=("$1")
            shift
        done
        shift
    fi
    "${nbdkit[@]}" "${options[@]}" "$plugin" "$@"
}

# ihop_run COMMAND [NBDKIT-OPTION... --] PARAMETER...: COMMAND with the server as
# $uri, until it ends. (Not with -U -: then a server that does not start leaves its
# temporary directory.)
ihop_run() {
    local command=$1

    shift
    rm -f "$tmp/run.socket"
    ihop -U "$tmp/run.socket" --run "$command" "$@"
}

# make_store [OPTION...] IMAGE STORE/RELEASE: puts an image into a store without ihop-clone
# (cba.py store); the chunk list goes to $tmp/chunks.
make_store() {
    $cba store "$@" >"$tmp/chunks"
}

# chunk N FIELD: of line N of $tmp/chunks: 1 offset, 2 size, 3 path, 4 data or zero.
chunk() {
    awk -v n="$1" -v field="$2" 'NR == n { print $field }' "$tmp/chunks"
}

# compare IMAGE PARAMETER...: every byte that the plugin serves.
compare() {
    local image=$1

    shift
    rm -f "$tmp/copy"
    ihop_run "nbdcopy \"\$uri\" '$tmp/copy'" -- "$@"
    cmp "$image" "$tmp/copy"
}

# serve [NBDKIT-OPTION... --] PARAMETER...: in the background, until the test
# ends. Sets $socket, $uri and $server (a pid); its messages go to $tmp/log. Not
# in a subshell: there nothing would stop it when the test fails. $open_files is
# what ulimit gets for it, for example "-Sn 100".
open_files=
serve() {
    socket=$tmp/socket
    uri=nbd+unix:///?socket=$socket
    rm -f "$socket" "$tmp/pid"
    [[ " $* " == *" -- "* ]] || set -- -- "$@"
    (
        # shellcheck disable=SC2086 # two words
        [ -z "$open_files" ] || ulimit $open_files
        ihop -f -U "$socket" -P "$tmp/pid" "$@"
    ) >"$tmp/log" 2>&1 &
    server_job=$!
    wait_for 20 test -s "$tmp/pid"
    server=$(cat "$tmp/pid")
    at_exit kill "$server"
}

# With libasan loaded first, nbdkit may hang as it exits, in a destructor of
# libp11-kit (its own file plugin does as well): then it is made to end.
stop_server() {
    local i

    kill "$server"
    for ((i = 0; i < 100; i++)); do
        kill -0 "$server" 2>/dev/null || break
        [ -n "$preload" ] || break
        sleep 0.1
    done
    if [ -n "$preload" ] && kill -9 "$server" 2>/dev/null; then
        wait "$server_job" || true
        return 0
    fi
    wait "$server_job"
}

# nbd PYTHON [EXPORT]: runs it in nbdsh; h is connected to the server.
nbd() {
    "$nbd_python" -m nbd --base-allocation -u "nbd+unix:///${2:-}?socket=$socket" -c "$1"
}

# What nbdsh code uses: image(), and eio(offset, size), which wants EIO.
python_eio='
import errno
def eio(h, offset, size):
    try:
        h.pread(size, offset)
    except nbd.Error as error:
        assert error.errnum == errno.EIO, error
        return
    raise AssertionError("the read succeeded")
'

log_matches() {
    grep -Eq -e "$1" "$tmp/log"
}

# expect_log REGEX: the server has written such a line.
expect_log() {
    wait_for 10 log_matches "$1"
}
