#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A clone from a local file needs no rights but to write the store.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires setpriv
[ "$(id -u)" = 0 ] || skip "not root: every other test runs unprivileged already"
make_archives

# Copied, so that the user can get at it: the build may lie below a private directory.
if [ -x "$builddir/.libs/ihop-clone" ]; then
    program=$builddir/.libs/ihop-clone
else
    program=$ihop_clone
fi
cp "$program" "$tmp/ihop-clone"
chmod 755 "$tmp"
mkdir "$tmp/theirs"
chown 65534:65534 "$tmp/theirs"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs)

expect_exit 0 "${nobody[@]}" "$tmp/ihop-clone" "$tmp/www/solid.cba" "$tmp/theirs/s/r"
holds "$tmp/theirs/s/r" "$tmp/image"
equal "$(find "$tmp/theirs/s" ! -uid 65534 | wc -l)" 0 "files of another user"

# Without the right to write: exit code 7, and the path.
expect_exit 7 "${nobody[@]}" "$tmp/ihop-clone" "$tmp/www/solid.cba" "$tmp/none/r"
one_line_on_stderr
expect_stderr "cannot create store $tmp/none: Permission denied"
expect_exit 0 "$ihop_clone" --quiet "$tmp/www/solid.cba" "$tmp/ours/r"
expect_exit 7 "${nobody[@]}" "$tmp/ihop-clone" "$tmp/www/apart.cba" "$tmp/ours/r2"
one_line_on_stderr
expect_stderr "$tmp/ours.*: Permission denied"

# With nothing to do, reading is enough.
expect_exit 0 "${nobody[@]}" "$tmp/ihop-clone" "$tmp/www/solid.cba" "$tmp/ours/r"
expect_stderr "already complete"

# Somebody else's file in the store that this user may not read stops none but gc, to which it
# may be a release.
program=$builddir/.libs/ihop-store
[ -x "$program" ] || program=$ihop_store
cp "$program" "$tmp/ihop-store"
echo secret >"$tmp/theirs/s/secret"
chmod 600 "$tmp/theirs/s/secret"
for command in list info du verify; do
    expect_exit 0 "${nobody[@]}" "$tmp/ihop-store" $command "$tmp/theirs/s"
    expect_stderr "1 file is no release and was left alone \(1 cannot be read\): secret$"
done
expect_exit 7 "${nobody[@]}" "$tmp/ihop-store" --quiet gc "$tmp/theirs/s"
one_line_on_stderr
expect_stderr "nothing was deleted: cannot read $tmp/theirs/s/secret, which may be a release"
expect_exit 0 "${nobody[@]}" "$tmp/ihop-clone" --quiet "$tmp/www/apart.cba" "$tmp/theirs/s/r2"

# An archive that cannot be read.
chmod 000 "$tmp/www/solid.cba"
expect_exit 7 "${nobody[@]}" "$tmp/ihop-clone" "$tmp/www/solid.cba" "$tmp/theirs/s/r"
one_line_on_stderr
expect_stderr "cannot open archive $tmp/www/solid.cba: Permission denied"
