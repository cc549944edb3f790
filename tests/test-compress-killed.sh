#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Interrupted, terminated or killed at any system call: there is a whole archive or
# none, what was there stays, and nothing else is left (but a hidden name, when kill -9
# comes as that is about to replace an old archive).
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires strace
strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
# LeakSanitizer cannot work in a process that is traced.
export ASAN_OPTIONS=detect_leaks=0
noise "$tmp/image" 5000000 image # large enough for fallocate
mkdir "$tmp/dir"
echo old >"$tmp/old"
expect_exit 0 "$ihop_compress" -q "$tmp/image" "$tmp/whole.cba"
kills=0

# ended SIGNAL CALL N [OPTION...]: the program ends by SIGNAL at the N-th CALL. With one
# job, as strace counts the calls of each thread apart.
ended() {
    local signal=$1 call=$2 n=$3 directory=${directory:-$tmp/dir} code=0

    shift 3
    { strace -qq -f -o /dev/null -e trace="$call" -e inject="$call:signal=$signal:when=$n" \
        "$ihop_compress" --quiet --jobs 1 "$@" "$tmp/image" "$directory/a.cba" || code=$?; } 2>/dev/null
    [ "$code" = 0 ] || kills=$((kills + 1))
    if [ "$code" != 0 ] && [ "$code" -le 128 ]; then fail "exit code $code at $call number $n"; fi
    hidden=$(find "$directory" -name '.?*' -type f | wc -l)
    equal "$(ls "$directory" | grep -v '^a\.cba$' || true)" "" "other files"
    rm -f "$directory"/.[0-9a-f]*
}

test_any_point() {
    for signal in INT TERM HUP KILL; do
        for point in pwrite64:1 pwrite64:20 pwrite64:44 fallocate:1 fsync:1 fsync:2 linkat:1 exit_group:1; do
            rm -f "$tmp/dir/a.cba"
            ended $signal "${point%:*}" "${point#*:}"
            if [ -e "$tmp/dir/a.cba" ]; then
                cmp "$tmp/dir/a.cba" "$tmp/whole.cba" || fail "half an archive after $signal at $point"
            fi
            equal "$hidden" 0 "hidden files after $signal at $point"
        done
        for point in pwrite64:1 pwrite64:44 fsync:1 linkat:1 linkat:2 renameat:1; do
            cp "$tmp/old" "$tmp/dir/a.cba"
            ended $signal "${point%:*}" "${point#*:}" -f
            cmp -s "$tmp/dir/a.cba" "$tmp/old" || cmp "$tmp/dir/a.cba" "$tmp/whole.cba" ||
                fail "neither the old nor the new archive after $signal at $point"
            # Killed as it begins the call that would take the hidden name away.
            if [ $signal = KILL ] && [ $point = renameat:1 ]; then
                equal "$hidden" 1 "hidden files, if the rename is where it was killed"
            else
                equal "$hidden" 0 "hidden files after $signal at $point, with -f"
            fi
        done
    done
    at_least $kills 30 "runs that were ended"
}

# with_a_name INJECTION... -- ARGUMENT...: $code and $hidden tell how it went.
with_a_name() {
    local inject=()

    while [ "$1" != -- ]; do
        inject+=(-e inject="$1")
        shift
    done
    shift
    code=0
    { strace -qq -f -o /dev/null -e trace=openat,pwrite64,fallocate,fsync,linkat,renameat2 "${without[@]}" \
        "${inject[@]}" "$ihop_compress" --jobs 1 -q "$@" "$tmp/image" "$tmp/dir/a.cba" || code=$?; } 2>"$tmp/err"
    hidden=$(find "$tmp/dir" -name '.?*' -type f | wc -l)
    equal "$(ls "$tmp/dir" | grep -v '^a\.cba$' || true)" "" "other files"
}

# A file system that has no nameless files, and maybe no RENAME_NOREPLACE.
test_no_nameless_files() {
    strace -qq -e trace=openat -o "$tmp/calls" "$ihop_compress" -q -f "$tmp/image" "$tmp/dir/a.cba"
    nth=$(grep -n O_TMPFILE "$tmp/calls" | sed -n 1p | cut -d: -f1)
    without=(-e inject=openat:error=EOPNOTSUPP:when="$nth")
    [ "$nth" -gt 1 ] || fail "no file was opened without a name"

    for signal in INT TERM HUP KILL; do
        for point in pwrite64:20 fsync:1 renameat2:1; do
            rm -f "$tmp/dir/a.cba" "$tmp"/dir/.[0-9a-f]*
            with_a_name "${point%:*}:signal=$signal:when=${point#*:}" --
            at_least $code 129 "exit code after $signal at $point"
            [ ! -e "$tmp/dir/a.cba" ] || cmp "$tmp/dir/a.cba" "$tmp/whole.cba" ||
                fail "half an archive with a hidden name after $signal at $point"
            [ $signal != KILL ] || hidden=$((hidden - 1))
            equal "$hidden" 0 "hidden names after $signal at $point"
        done
    done
    rm -f "$tmp/dir/a.cba" "$tmp"/dir/.[0-9a-f]*
    for injection in fsync:delay_exit=1 fallocate:error=EOPNOTSUPP renameat2:error=EINVAL; do
        rm -f "$tmp/dir/a.cba"
        with_a_name "$injection" --
        equal "$code $hidden" "0 0" "exit code and hidden names with $injection"
        cmp "$tmp/dir/a.cba" "$tmp/whole.cba"
        cp "$tmp/old" "$tmp/dir/a.cba"
        with_a_name "$injection" -- -f
        equal "$code $hidden" "0 0" "exit code and hidden names with $injection and -f"
        cmp "$tmp/dir/a.cba" "$tmp/whole.cba"
    done
    # Whatever fails, the hidden name goes.
    rm -f "$tmp/dir/a.cba"
    for injection in pwrite64:error=EIO:when=20 fsync:error=EIO:when=1 renameat2:error=EIO renameat2:error=EEXIST; do
        with_a_name $injection --
        equal "$hidden $(find "$tmp/dir" -name a.cba)" "0 " "what is left after $injection"
        want=7
        [ $injection != renameat2:error=EEXIST ] || want=12
        equal $code $want "exit code after $injection"
        one_line_on_stderr
    done
}

# Whoever is killed as it adds a signature leaves the archive as it was, or signed.
test_signing() {
    local signal point code

    $cba key 1 "$tmp/one" >/dev/null
    cp "$tmp/whole.cba" "$tmp/signed.cba"
    expect_exit 0 "$ihop_compress" --add-signature "$tmp/one.sec" "$tmp/signed.cba"
    for signal in INT TERM HUP KILL; do
        for point in copy_file_range:1 pwrite64:1 fchmod:1 fsync:1 linkat:1 linkat:2 renameat:1 fsync:2; do
            cp "$tmp/whole.cba" "$tmp/dir/a.cba"
            code=0
            { strace -qq -f -o /dev/null -e trace="${point%:*}" \
                -e inject="${point%:*}:signal=$signal:when=${point#*:}" \
                "$ihop_compress" -q --add-signature "$tmp/one.sec" "$tmp/dir/a.cba" || code=$?; } 2>/dev/null
            at_least $code 129 "exit code after $signal at $point"
            cmp -s "$tmp/dir/a.cba" "$tmp/whole.cba" || cmp "$tmp/dir/a.cba" "$tmp/signed.cba" ||
                fail "neither the old nor the signed archive after $signal at $point"
            [ "$signal$point" != KILLrenameat:1 ] || rm "$tmp"/dir/.[0-9a-f]*
            equal "$(ls -A "$tmp/dir")" a.cba "what is left after $signal at $point"
        done
    done
}

run_cases "$@"
