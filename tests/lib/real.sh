# SPDX-License-Identifier: MIT
# real.sh: what the tests with real archives, stores and tools share. A test sources it
# after functions.sh.

. "$srcdir/tests/lib/nbdkit.sh"

# serve_release STORE/RELEASE COMMAND: COMMAND with the server as $uri.
serve_release() {
    rm -f "$tmp/serve.socket"
    "${nbdkit[@]}" -U "$tmp/serve.socket" "$plugin" "$1" --run "$2"
}

# served_sum STORE/RELEASE: the BLAKE2b-512 of all that the plugin serves.
served_sum() {
    serve_release "$1" 'nbdcopy "$uri" - | b2sum' | cut -d' ' -f1
}

# file_sum FILE: its BLAKE2b-512.
file_sum() {
    b2sum <"$1" | cut -d' ' -f1
}

# summary MEMBER: a number of the last `ihop-clone --json`, whose output is in
# $tmp/summary.
summary() {
    local value
    value=$(tail -n 1 "$tmp/summary" | sed -nE "s/.*\"$1\":([0-9.]+).*/\1/p")
    [ -n "$value" ] || fail "the summary has no $1: $(tail -n 1 "$tmp/summary")"
    echo "$value"
}

# new_chunks: how many chunks the store lacked. Those of zeros are not fetched.
new_chunks() {
    local fetched zero
    fetched=$(summary chunks_fetched)
    zero=$(summary chunks_zero)
    echo $((fetched + zero))
}

# chunk_names STORE: the hashes that its chunk files are named after, sorted.
chunk_names() {
    find "$1/chunks" -name '*.chunk' -printf '%f\n' | sed 's/\.chunk$//' | sort
}

# wrong_chunks STORE: the files whose bytes are not those of their name; for
# stores with whole hashes.
wrong_chunks() {
    local file
    find "$1/chunks" -name '*.chunk' | while IFS= read -r file; do
        [ "$(file_sum "$file")" = "$(basename "$file" .chunk)" ] || echo "$file"
    done
}

# bita_compress IMAGE ARCHIVE [OPTION...]: bita 0.15 at times ends with success
# and its last chunk unwritten, so try until its own clone gives the image.
bita_compress() {
    local image=$1 archive=$2 try
    shift 2
    for try in $(seq 20); do
        bita compress --force-create --input "$image" "$@" "$archive" >"$tmp/bita.log" 2>&1 ||
            { cat "$tmp/bita.log" >&2; fail "bita compress $*"; }
        rm -f "$tmp/bita.img"
        if bita clone "$archive" "$tmp/bita.img" >"$tmp/bita.log" 2>&1 && cmp -s "$tmp/bita.img" "$image"; then
            return 0
        fi
    done
    fail "bita made no whole archive in $try tries"
}

# can_mount: prints why release images cannot be mounted here, or nothing.
can_mount() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "mounting needs root"
    elif [ ! -c /dev/fuse ] || [ ! -c /dev/loop-control ]; then
        echo "no /dev/fuse or /dev/loop-control (a container?)"
    elif ! losetup --find >/dev/null 2>&1; then
        echo "no loop device"
    fi
}

# mount_release STORE/RELEASE DIRECTORY: read-only, through nbdfuse and a loop
# device, until unmount_release DIRECTORY or the end of the test.
mount_release() {
    local directory=$2

    mkdir -p "$directory" "$directory.fuse"
    nbdfuse -r "$directory.fuse/disk" --command "${nbdkit[@]}" -s "$plugin" "$1" 2>"$directory.log" &
    echo $! >"$directory.pid"
    at_exit unmount_release "$directory"
    wait_for 10 test -s "$directory.fuse/disk"
    losetup --find --show --read-only "$directory.fuse/disk" >"$directory.loop"
    mount -o ro "$(cat "$directory.loop")" "$directory"
}

unmount_release() {
    if mountpoint -q "$1"; then
        umount "$1"
    fi
    if [ -s "$1.loop" ]; then
        losetup -d "$(cat "$1.loop")"
        rm -f "$1.loop"
    fi
    if mountpoint -q "$1.fuse"; then
        fusermount3 -u "$1.fuse" || fusermount3 -uz "$1.fuse"
    fi
    # The server below it has files of the store open until it has ended.
    timeout 300 tail --pid="$(cat "$1.pid")" -f /dev/null
}
