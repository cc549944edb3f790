#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Images that cannot be read and archives that cannot be written: one line that says
# which and why, the documented exit code, and nothing is left over.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
mkdir "$tmp/dir"
noise "$tmp/image" 300000 image
# What lies in the directory already.
echo "somebody's" >"$tmp/dir/there.cba"
mkdir "$tmp/dir/directory"
mkfifo "$tmp/dir/fifo"

# refused CODE REGEX ARGUMENT...: and $tmp/dir is as it was.
refused() {
    local code=$1 regex=$2 before

    shift 2
    before=$(ls -lAi "$tmp/dir")
    expect_exit "$code" "$ihop_compress" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-compress: $regex"
    equal "$(ls -lAi "$tmp/dir")" "$before" "what is in the directory"
}

# The image.
test_image() {
    refused 10 "cannot open $tmp/none: No such file" "$tmp/none" "$tmp/dir/a.cba"
    refused 2 "$tmp/dir is a directory: give an image, or - and a pipe" "$tmp/dir" "$tmp/dir/a.cba"
    # A read that fails in the middle of the work: the kernel says so at address 0.
    refused 7 ".*/proc/self/mem: Input/output error" /proc/self/mem "$tmp/dir/a.cba"
    if [ "$(id -u)" != 0 ]; then
        cp "$tmp/image" "$tmp/secret"
        chmod 0 "$tmp/secret"
        refused 7 "cannot open $tmp/secret: Permission denied" "$tmp/secret" "$tmp/dir/a.cba"
    fi
    # A terminal is nobody's image.
    expect_exit 2 python3 -c 'import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)
    os.execv(sys.argv[2], sys.argv[2:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$tmp/terminal" "$ihop_compress" - "$tmp/dir/a.cba"
    grep -q "^ihop-compress: standard input is a terminal" "$tmp/terminal"
}

# The archive.
test_archive() {
    refused 12 "$tmp/dir/there.cba exists: pass --force-create to replace it" "$tmp/image" "$tmp/dir/there.cba"
    equal "$(cat "$tmp/dir/there.cba")" "somebody's" "what was there"
    refused 10 "cannot open the directory of $tmp/nowhere/a.cba: No such file" "$tmp/image" "$tmp/nowhere/a.cba"
    refused 7 "cannot open the directory of $tmp/image/a.cba: Not a directory" "$tmp/image" "$tmp/image/a.cba"
    refused 2 "'$tmp/dir/' is not the name of a file" "$tmp/image" "$tmp/dir/"
    refused 2 "'$tmp/dir/..' is not the name of a file" "$tmp/image" "$tmp/dir/.."
    for name in directory fifo; do
        refused 2 "$tmp/dir/$name is not a regular file" -f "$tmp/image" "$tmp/dir/$name"
    done
    refused 12 "$tmp/image exists" "$tmp/image" "$tmp/image"
    refused 2 "$tmp/image is the image itself: choose another name" -f "$tmp/image" "$tmp/image"
    ln "$tmp/image" "$tmp/dir/link.cba"
    refused 2 "$tmp/dir/link.cba is the image itself" -f "$tmp/image" "$tmp/dir/link.cba"
    equal "$(file_size "$tmp/image")" 300000 "bytes of the image"
}

# A symbolic link is replaced itself; what it points to stays.
test_symbolic_link() {
    ln -s there.cba "$tmp/dir/latest.cba"
    refused 12 "$tmp/dir/latest.cba exists" "$tmp/image" "$tmp/dir/latest.cba"
    expect_exit 0 "$ihop_compress" -q -f "$tmp/image" "$tmp/dir/latest.cba"
    [ ! -L "$tmp/dir/latest.cba" ] || fail "the link is still there"
    equal "$(cat "$tmp/dir/there.cba")" "somebody's" "what the link pointed to"
}

# As root, /dev/stdout could be lost.
test_links_to_others() {
    mkdir "$tmp/links"
    ln -s /proc/self/fd/1 "$tmp/links/stdout"
    ln -s /proc/self/fd/2 "$tmp/links/stderr" # a file here
    ln -s /dev/null "$tmp/links/null"
    ln -s "$tmp/dir" "$tmp/links/directory"
    ln -s "$tmp/dir/fifo" "$tmp/links/fifo"
    for name in stdout stderr null directory fifo; do
        for option in -q -f; do
            refused 2 "$tmp/links/$name is a link to something" "$option" "$tmp/image" "$tmp/links/$name"
            [ -L "$tmp/links/$name" ] || fail "the link $name was replaced"
        done
    done
}

# Somebody takes the name while we work.
test_name_taken() {
    mkfifo "$tmp/fifo"
    "$ihop_compress" - "$tmp/dir/late.cba" <"$tmp/fifo" 2>"$tmp/err" &
    pid=$!
    exec 4>"$tmp/fifo"
    head -c 200000 "$tmp/image" >&4
    wait_for 10 grep -q "(deleted)\|/\.[0-9a-f]*$" <(ls -l "/proc/$pid/fd")
    echo first >"$tmp/dir/late.cba"
    exec 4>&-
    got=0
    wait $pid || got=$?
    equal $got 12 "exit code when the name was taken meanwhile"
    one_line_on_stderr
    expect_stderr "late.cba was made by somebody else meanwhile"
    equal "$(cat "$tmp/dir/late.cba")" first "what was there first"
    equal "$(find "$tmp/dir" -name '.*' -type f | wc -l)" 0 "hidden files"
}

# In the directory that we are in; and by a relative path.
test_relative_paths() {
    (cd "$tmp/dir" && expect_exit 0 "$ihop_compress" -q ../image here.cba && [ -s here.cba ])
    expect_exit 0 "$ihop_compress" -q "$tmp/image" "$tmp/dir/absolute.cba"
    cmp "$tmp/dir/here.cba" "$tmp/dir/absolute.cba"
    equal "$(stat -c %a "$tmp/dir/here.cba")" 644 "the mode"
}

run_cases "$@"
