# SPDX-License-Identifier: MIT
# cases.sh: runs the cases of a long test, all of them or some. functions.sh brings it.
#
# A case is a function whose name begins with test_. Each makes all that it needs (what
# several need is made by a function that they call), so that it can run without the others.
# The script ends with
#
#     run_cases "$@"
#
# which runs all cases in the order in which they stand in the script and announces each:
#
#     bash ../tests/test-store-tools.sh --list            prints the names of the cases
#     bash ../tests/test-store-tools.sh list wait         runs test_list and test_wait
#     ONLY="list wait" bash ../tests/test-store-tools.sh  runs them, too; so does
#     make check TESTS=tests/test-store-tools.sh ONLY="list wait"

cases_script=$(realpath "$0") # while $0 may be relative

# case_names: the cases of the script, in their order there.
case_names() {
    sed -nE 's/^test_([a-z0-9_]+)\(\).*/\1/p' "$cases_script"
}

# Listing them needs nothing of what the script makes for its cases.
if [ "${1:-}" = --list ] && grep -q '^run_cases' "$cases_script"; then
    case_names
    exit 0
fi

# run_cases [CASE...]: CASE is the name of a function without its test_.
run_cases() {
    local all chosen name start=$PWD

    all=$(case_names)
    chosen=${*:-${ONLY:-$all}}
    for name in $chosen; do
        declare -F "test_$name" >/dev/null || fail "there is no case $name; there are: ${all//$'\n'/ }"
    done
    for name in $chosen; do
        echo "case: $name"
        cd "$start"
        "test_$name"
    done
}
