#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timed.sh: runs one test with a limit of time, for contrib/test.sh.
#
#     timed.sh SECONDS COMMAND [ARGUMENT...]
#
# The exit code is the command's. The last line on stdout, which `make check` puts into
# the test's log, is "took N s" or, when it was cut, "over SECONDS s".
limit=$1
shift
timeout -k 10 "$limit" "$@"
code=$?
if [ "$SECONDS" -ge "$limit" ] && [[ $code = 124 || $code = 137 ]]; then
    echo "over $limit s"
else
    echo "took $SECONDS s"
fi
exit $code
