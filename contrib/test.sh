#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds, and runs them. The last line counts them.
#
# With IHOP_TESTS_REQUIRE_TOOLS=1 a test that skips because a program is not
# installed has failed (tests/lib/functions.sh: `requires`). What the kernel or
# the user's rights do not allow may always skip.
set -euo pipefail

usage() {
    cat <<END
usage: $(basename "$0") [--no-install] [BUILD-FOLDER [CONFIGURE-OPTION...]]

BUILD-FOLDER: default is build, in the source folder.
END
}

install=yes
case ${1:-} in
    --no-install)
        install=no
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
esac
source=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$source/build}
[ $# -eq 0 ] || shift
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/sbin:/usr/sbin

# Whatever goes wrong before there are results is one failure.
finish() {
    echo "$1 passed, $2 failed, $3 skipped"
    [ "$2" -eq 0 ] || exit 1
    exit 0
}

if [ $install = yes ]; then
    "$source/contrib/install-deps.sh" --tests || finish 0 1 0
fi
"$source/contrib/build.sh" -q "$build" "$@" || finish 0 1 0
build=$(cd "$build" && pwd)

# Old results must not be counted.
find "$build/tests" -name '*.trs' -delete
made=0
# A test that hangs must not stop the others.
make -C "$build" -k -j"$(nproc)" check SH_LOG_COMPILER="timeout -k 10 600 $BASH" \
    >"$build/check.log" 2>&1 || made=$?
grep -E '^(PASS|FAIL|SKIP|XFAIL|XPASS|ERROR): |\*\*\*|error: ' "$build/check.log" || true

# Counted from each test's own result, which is complete even when make was cut.
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
                echo "---- $name: $reason"
                skipped=$((skipped + 1))
            fi
            ;;
        *)
            failed=$((failed + 1))
            echo "---- $name: ${result:-no result}"
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
