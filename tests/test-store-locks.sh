#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A user who may read the store locks all that he can open in it: no program stops, hangs or
# takes that for something else.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
requires setpriv
[ "$(id -u)" = 0 ] || skip "not root: there is no second user"
make_archives
noise "$tmp/other" 655360 other
$cba make --fixed 32768 "$tmp/other" "$tmp/www/other.cba"
chmod 1777 "$tmp"
store=$tmp/s
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
# Anything here may take some seconds, and none of it minutes.
bound=(timeout 120)
for nobody_python in python3 /usr/bin/python3 ''; do
    [ -n "$nobody_python" ] || skip "no python3 that user 65534 can run"
    ! "${nobody[@]}" "$nobody_python" -c '' 2>/dev/null || break
done
# Copied, so that nobody can get at it: the build may lie below a private directory.
program=$ihop_store
[ ! -x "$builddir/.libs/ihop-store" ] || program=$builddir/.libs/ihop-store
cp "$program" "$tmp/ihop-store"

expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$store/v1"
expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$store/v2"
# As an earlier version left them.
touch "$store/.ihop/publish"
chmod 644 "$store/.ihop/lock" "$store/.ihop/publish"
chmod 755 "$store/.ihop/staging"
mkdir "$store/.ihop/staging/0123456789abcdef" # a writer that was killed

# What only writers need is for them alone.
test_writers_files() {
    expect_exit 0 "$ihop_store" protect "$store/v1"
    equal "$(stat -c %a "$store/.ihop/lock")" 600 "mode of .ihop/lock, after somebody wrote"
    equal "$(stat -c %a "$store/.ihop/staging")" 700 "mode of .ihop/staging"
    expect_exit 0 "$ihop_store" unprotect "$store/v1"
    # In a store of a group, the group may write, and so lock.
    cp -a "$store" "$tmp/group"
    chgrp -R 65534 "$tmp/group"
    chmod -R g+w "$tmp/group"
    expect_exit 0 "$ihop_store" protect "$tmp/group/v1"
    equal "$(stat -c '%a %g' "$tmp/group/.ihop/lock")" "660 65534" "mode and group of a group's lock"
    equal "$(stat -c %a "$tmp/group/.ihop/staging")" 770 "mode of a group's .ihop/staging"

    # The owner of a store cannot make root change another file that was linked into it.
    cp -a "$store" "$tmp/trap"
    chown -R 65534:65534 "$tmp/trap"
    echo secret >"$tmp/secret"
    chmod 400 "$tmp/secret"
    ln -f "$tmp/secret" "$tmp/trap/.ihop/lock"
    expect_exit 0 "$ihop_store" protect "$tmp/trap/v1"
    equal "$(stat -c '%a %u' "$tmp/secret")" "400 0" "mode and owner of a file linked to .ihop/lock"
}

# lock_as_nobody EX|SH PATH...: until the test ends; sets $stranger, a pid.
lock_as_nobody() {
    rm -f "$tmp/locked"
    "${nobody[@]}" "$nobody_python" -c 'import fcntl, os, signal, sys
for path in sys.argv[2:]:
    fcntl.flock(os.open(path, os.O_RDONLY), getattr(fcntl, "LOCK_" + sys.argv[1]) | fcntl.LOCK_NB)
print("locked", flush=True)
signal.pause()' "$@" >"$tmp/locked" &
    stranger=$!
    at_exit kill "$stranger"
    wait_for 60 grep -q locked "$tmp/locked"
}

# lock_all_as_nobody: every file and directory of the store that user 65534 can open. What only
# writers need is not among them, once a program of this version has written.
lock_all_as_nobody() {
    local path paths

    expect_exit 0 "$ihop_store" protect "$store/v1"
    expect_exit 0 "$ihop_store" unprotect "$store/v1"
    "${nobody[@]}" find "$store" -readable \( -type f -o -type d \) >"$tmp/found" 2>/dev/null || true
    for path in "$store" "$store/v1" "$store/chunks" "$store/.ihop" "$store/.ihop/retired"; do
        grep -qx "$path" "$tmp/found"
    done
    expect_exit 1 grep -E "/(lock|publish|staging)" "$tmp/found"
    mapfile -t paths <"$tmp/found"
    lock_as_nobody EX "${paths[@]}"
}

# stranger_ends: nobody's locks are gone.
stranger_ends() {
    kill "$stranger"
    wait "$stranger" || true
}

# The stranger.
test_stranger() {
    lock_all_as_nobody
    expect_exit 0 "${bound[@]}" "$ihop_clone" --quiet "$tmp/www/apart.cba" "$store/v3"
    expect_exit 0 "${bound[@]}" "$ihop_clone" --quiet --force "$tmp/www/other.cba" "$store/v2"
    expect_exit 0 "${bound[@]}" "$ihop_store" protect "$store/v3"
    expect_exit 0 "${bound[@]}" "$ihop_store" list --json "$store"
    python3 - "$tmp/out" <<'PYTHON'
import json, sys
rows = json.load(open(sys.argv[1]))["releases"]
assert [r["served"] for r in rows] == [False] * 3, rows
PYTHON
    # The old v2 is in .ihop/retired, with its lock.
    expect_exit 0 "${bound[@]}" "$ihop_store" gc --json "$store"
    python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["retired_removed"] == 1 and r["retired_served"] == 0, r' "$tmp/out"
    expect_exit 0 "${bound[@]}" "$ihop_store" verify "$store"
    expect_exit 0 "${bound[@]}" "${nobody[@]}" "$tmp/ihop-store" verify "$store"

    # A server begins, and is seen; so is one that runs as nobody.
    for user in root nobody; do
        serve -u $user -- "store=$store"
        nbd "h.pread(512, 0)" v1
        expect_exit 0 "${bound[@]}" "$ihop_store" list "$store"
        expect_stdout '^v1 .* served$'
        expect_stdout '^v2 .* -$'
        expect_exit 8 "${bound[@]}" "$ihop_store" remove "$store/v1"
        expect_stderr "being served: stop its server \\(.*process $server \\(nbdkit\\)"
        stop_server
    done
    serve -- "$store/v1"
    nbd "h.pread(512, 0)"
    stop_server
    stranger_ends
}

# A lock that a writer holds: others are not made to wait, and the server ends.
test_writers_lock() {
    lock_all_as_nobody
    exec 8<>"$store/v1"
    python3 -c 'import fcntl, struct
# F_OFD_SETLK, F_WRLCK: the lock stays with the open file.
fcntl.fcntl(8, 37, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))' 8>&8
    serve -- "store=$store"
    nbd 'h.pread(512, 0)' v1 >"$tmp/v1.log" 2>&1 &
    client=$!
    nbd 'h.pread(512, 0)' v2
    kill "$server" # while it waits for v1
    expect_exit 0 "${bound[@]}" bash -c "while kill -0 $server 2>/dev/null; do sleep 0.05; done"
    code=0
    wait $client || code=$?
    [ $code -ne 0 ] || fail "v1 could be opened"
    wait "$server_job" || true
    exec 8<&-
    stranger_ends
}

# A shared lock: it counts as a server's, and who holds it is named.
test_shared_lock() {
    lock_as_nobody SH "$store/v1"
    expect_exit 0 "${bound[@]}" "$ihop_store" list "$store"
    expect_stdout '^v1 .* served$'
    expect_exit 8 "${bound[@]}" "$ihop_store" remove "$store/v1"
    expect_stderr "being served: stop its server \(process $stranger \(python3\)\)"
    expect_exit 0 "$ihop_clone" --quiet --force "$tmp/www/other.cba" "$store/v1"
    expect_exit 0 "${bound[@]}" "$ihop_store" gc "$store"
    expect_stdout '^1 replaced or removed release is still served'
    expect_stdout "^served by process $stranger \\(python3?[0-9.]*\\)"
    stranger_ends
    expect_exit 0 "${bound[@]}" "$ihop_store" gc --json "$store"
    equal "$(json retired_removed)" 1 "replaced releases that went"
}

run_cases "$@"
