#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds, and runs the tests. Each result is printed as it
# comes, then the logs of the tests that failed. The last line counts the results.
#
# With IHOP_TESTS_REQUIRE_TOOLS=1, a test that skips because a program is not installed has
# failed (`requires` in tests/lib/functions.sh). A test may always skip because of the kernel
# or the user's rights.
set -euo pipefail
. "$(dirname "$0")/arguments.sh"

usage() {
    cat <<END
usage: $(basename "$0") [--no-install] [BUILD-DIRECTORY [CONFIGURE-OPTION...]]

BUILD-DIRECTORY: default is build, in the source directory.
END
}

take_arguments --no-install "$@"
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/sbin:/usr/sbin

# finish PASSED FAILED SKIPPED: prints the last line. What goes wrong before there are results
# counts as one failure.
finish() {
    echo "$1 passed, $2 failed, $3 skipped"
    [ "$2" -eq 0 ] || exit 1
    exit 0
}

limit=600 # seconds for one test, because a test that hangs must not stop the others

# how_long NAME: the time that tests/lib/timed.sh wrote into the log of the test.
how_long() {
    sed -nE '/^(took|over) [0-9]+ s$/h; $ { g; s/^took //; p }' "$build/${1%.sh}.log" 2>/dev/null
}

why_skipped() {
    sed -n '/^SKIP: /{ s///p; q }' "$build/${1%.sh}.log" 2>/dev/null
}

# show_results ALL: reads make's lines and prints each result as it comes, as
# [N/ALL] RESULT NAME (SECONDS s).
show_results() {
    local all=$1 n=0 line name reason

    while IFS= read -r line; do
        if [[ $line =~ ^(PASS|FAIL|SKIP|XFAIL|XPASS|ERROR):\ (.+)$ ]]; then
            n=$((n + 1)) name=${BASH_REMATCH[2]} reason=''
            [ "${BASH_REMATCH[1]}" != SKIP ] || reason=": $(why_skipped "$name")"
            printf '[%3d/%d] %s %s (%s)%s\n' $n "$all" "${BASH_REMATCH[1]}" "$name" \
                "$(how_long "$name")" "$reason"
        elif [[ $line == *"error: "* || ($line == *"***"* && $line != *check* && $line != *test-suite*) ]]; then
            printf '%s\n' "$line"
        fi
    done
}

if [ "$flag_given" = no ]; then
    "$source/contrib/install-deps.sh" --tests || finish 0 1 0
fi
"$source/contrib/build.sh" -q "$build" "${configure_options[@]}" || finish 0 1 0
build=$(cd "$build" && pwd)

# The results of an earlier run must not be counted.
find "$build/tests" -name '*.trs' -delete
all=$(make -s -C "$build" list-tests | wc -l)
echo "running $all tests, $(nproc) at a time: from ten minutes on two idle cores to an hour on busy ones"
echo "  first the test programs are built; make's log: $build/check.log"
echo "  each test's own log: $build/tests/NAME.log"
made=0
make -C "$build" -k -j"$(nproc)" check LOG_COMPILER="$BASH $source/tests/lib/timed.sh $limit" \
    SH_LOG_COMPILER="$BASH $source/tests/lib/timed.sh $limit $BASH" 2>&1 |
    tee "$build/check.log" | show_results "$all" || made=$?

# The results are counted from the files of the tests, which are complete even when make was
# interrupted.
passed=0 failed=0 skipped=0
while IFS= read -r trs; do
    log=${trs%.trs}.log
    name=${log#"$build/"}
    result=$(sed -n 's/^:global-test-result: //p' "$trs")
    case $result in
        PASS | XFAIL) passed=$((passed + 1)) ;;
        SKIP)
            reason=$(grep -m 1 '^SKIP: ' "$log" || echo "SKIP: no reason given")
            if [ "${IHOP_TESTS_REQUIRE_TOOLS:-0}" = 1 ] && [[ $reason == "SKIP: not installed: "* ]]; then
                echo "---- $name: $reason, but this run requires it"
                failed=$((failed + 1))
            else
                skipped=$((skipped + 1))
            fi
            ;;
        *)
            failed=$((failed + 1))
            echo "---- $name: ${result:-no result}, $(how_long "${name%.log}")"
            tail -n 200 "$log"
            ;;
    esac
done < <(find "$build/tests" -name '*.trs' | sort)
if [ $((passed + failed + skipped)) -eq 0 ] || { [ $made -ne 0 ] && [ $failed -eq 0 ]; }; then
    tail -n 40 "$build/check.log"
    echo "---- make check failed outside of the tests (all of its output: $build/check.log)"
    failed=$((failed + 1))
fi
finish $passed $failed $skipped
