#!/bin/bash
# SPDX-License-Identifier: MIT
# Serving a whole store: every release is an export. Names come from clients and
# are not trusted.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

noise "$tmp/image1" 500001 1
noise "$tmp/image2" 600000 2
make_store --layout 2 "$tmp/image1" "$tmp/store/v1"
make_store --layout 2 "$tmp/image2" "$tmp/store/größe 2"
sum1=$(b2sum "$tmp/image1" | cut -c1-16)
echo secret >"$tmp/secret"

# Refused, with a reason in the log; the server lives.
refused() {
    : >"$tmp/log"
    "$nbd_python" -m nbd -c "
h.set_export_name($1)
try:
    h.connect_unix('$socket')
except nbd.Error:
    pass
else:
    raise AssertionError('connected')
"
    expect_log "error: .*$2"
    [ "$(grep -c error: "$tmp/log")" = 1 ] || fail "not one line for $1"
}

test_store() {
    serve "$tmp/store"
    expect_exit 0 nbdinfo --list "$uri"
    expect_stdout '^export="v1":'
    expect_stdout '^export="größe 2":'
    [ "$(grep -c ^export= "$tmp/out")" = 2 ] || fail "not exactly two exports are listed"
    expect_exit 0 nbdinfo "nbd+unix:///v1?socket=$socket"
    expect_stdout "description: ihop release v1, image $sum1"

    nbdcopy "nbd+unix:///v1?socket=$socket" "$tmp/copy"
    cmp "$tmp/image1" "$tmp/copy"
    nbdcopy "nbd+unix:///gr%C3%B6%C3%9Fe%202?socket=$socket" "$tmp/copy"
    cmp "$tmp/image2" "$tmp/copy"

    refused "''" 'asked for no export.*nbdinfo --list'
    refused "'v9'" 'has no release v9'
    refused "'..'" 'begins with a dot'
    refused "'.ihop'" 'begins with a dot'
    refused "'a/b'" 'contains a slash'
    refused "'../secret'" 'begins with a dot'
    refused "'/etc/passwd'" 'contains a slash'
    refused "'chunks'" 'chunk directory'
    refused "'CHUNKS'" 'chunk directory'
    refused "'a\\nb\\x1b[31m'" 'a\?b\?\[31m'
    refused "'x' * 300" 'longer than 200'
    nbdcopy "nbd+unix:///v1?socket=$socket" "$tmp/copy"
    cmp "$tmp/image1" "$tmp/copy"

    # A release that is cloned later is there without a restart.
    noise "$tmp/image3" 30000 3
    make_store --layout 2 "$tmp/image3" "$tmp/store/v3"
    nbdcopy "nbd+unix:///v3?socket=$socket" "$tmp/copy"
    cmp "$tmp/image3" "$tmp/copy"

    # One with missing chunks is refused when it is opened.
    noise "$tmp/image4" 30000 4
    make_store --layout 2 "$tmp/image4" "$tmp/store/v4"
    rm "$tmp/store/$(chunk 1 3)"
    refused "'v4'" 'cannot be served: 1 of .* chunks .*ihop-clone'
    stop_server
}

# With release=, that one is served whatever name the client asks for.
test_one_release() {
    serve "$tmp/store" release=v1
    expect_exit 0 nbdinfo --list "$uri"
    expect_stdout '^export="":'
    expect_stdout "description: ihop release v1, image $sum1"
    [ "$(grep -c ^export= "$tmp/out")" = 1 ] || fail "not exactly one export is listed"
    for name in '' v1 anything; do
        nbdcopy "nbd+unix:///$name?socket=$socket" "$tmp/copy"
        cmp "$tmp/image1" "$tmp/copy"
    done
    stop_server
}

# More releases than nbdkit lists: the first 10,000 are, one line in the log says so, and all
# can be opened.
test_many() {
    python3 - "$tmp/store/v1" "$tmp/many" <<'PYTHON'
import os, shutil, sys
os.makedirs(os.path.join(sys.argv[2], ".ihop"))
store = os.path.dirname(sys.argv[1])
shutil.copy(os.path.join(store, ".ihop", "format"), os.path.join(sys.argv[2], ".ihop", "format"))
shutil.copytree(os.path.join(store, "chunks"), os.path.join(sys.argv[2], "chunks"))
for i in range(10002):
    os.link(sys.argv[1], os.path.join(sys.argv[2], "r%05d" % i))
PYTHON
    serve "$tmp/many"
    cat >"$tmp/count.py" <<'PYTHON'
import sys, nbd
for _ in range(2):
    names = []
    h = nbd.NBD()
    h.set_opt_mode(True)
    h.connect_unix(sys.argv[1])
    h.opt_list(lambda name, description: names.append(name))
    h.opt_abort()
    print(len(names), len(set(names)))
PYTHON
    expect_exit 0 "$nbd_python" "$tmp/count.py" "$socket"
    [ "$(sort -u "$tmp/out")" = "10000 10000" ] || fail "listed: $(cat "$tmp/out")"
    expect_log "store $tmp/many has 10002 releases: clients are told of the first 10000"
    [ "$(grep -c 'has 10002 releases' "$tmp/log")" = 1 ] || fail "not one line in the log about a list that is too long"
    nbdcopy "nbd+unix:///r10001?socket=$socket" "$tmp/copy"
    cmp "$tmp/image1" "$tmp/copy"
}

run_cases "$@"
