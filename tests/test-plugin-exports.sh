#!/bin/bash
# SPDX-License-Identifier: MIT
# Serving a whole store: every release is an export. Names come from clients and
# are not trusted.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"

make_image "$tmp/image1" 500001 1
make_image "$tmp/image2" 600000 2
make_store --layout 2 "$tmp/image1" "$tmp/store/v1"
make_store --layout 2 "$tmp/image2" "$tmp/store/größe 2"
sum1=$(b2sum "$tmp/image1" | cut -c1-16)
echo secret >"$tmp/secret"

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

refused "''" 'asked for no export.*nbdinfo --list'
refused "'v9'" 'has no release v9'
refused "'..'" 'begins with a dot'
refused "'.ihop'" 'begins with a dot'
refused "'a/b'" 'contains a slash'
refused "'../secret'" 'begins with a dot'
refused "'/etc/passwd'" 'contains a slash'
refused "'chunks'" 'chunk folder'
refused "'CHUNKS'" 'chunk folder'
refused "'a\\nb\\x1b[31m'" 'a\?b\?\[31m'
refused "'x' * 300" 'longer than 200'
nbdcopy "nbd+unix:///v1?socket=$socket" "$tmp/copy"
cmp "$tmp/image1" "$tmp/copy"

# A release that is cloned later is there without a restart.
make_image "$tmp/image3" 30000 3
make_store --layout 2 "$tmp/image3" "$tmp/store/v3"
nbdcopy "nbd+unix:///v3?socket=$socket" "$tmp/copy"
cmp "$tmp/image3" "$tmp/copy"

# One with missing chunks is refused when it is opened.
make_image "$tmp/image4" 30000 4
make_store --layout 2 "$tmp/image4" "$tmp/store/v4"
rm "$tmp/store/$(chunk 1 3)"
refused "'v4'" 'cannot be served: 1 of .* chunks .*ihop-clone'
stop_server

# With release=, that one is served whatever name the client asks for.
serve "$tmp/store" release=v1
expect_exit 0 nbdinfo --list "$uri"
expect_stdout '^export="":'
expect_stdout "description: ihop release v1, image $sum1"
[ "$(grep -c ^export= "$tmp/out")" = 1 ] || fail "not exactly one export is listed"
for name in '' v1 anything; do
    nbdcopy "nbd+unix:///$name?socket=$socket" "$tmp/copy"
    cmp "$tmp/image1" "$tmp/copy"
done
