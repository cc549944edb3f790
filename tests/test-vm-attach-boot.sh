#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-attach --boot in user-mode Linux: the trial, counted before; what cannot be attached is named
# and the next choice taken; what no release can help costs no try.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/vm/uml.sh"
requires nbdkit
[ -x "$builddir/ihop-attach" ] || skip "built without ihop-attach"
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

for release in v1 v2; do
    noise "$tmp/$release" 100000 $release
    $cba make --fixed 20000 "$tmp/$release" "$tmp/$release.cba"
    expect_exit 0 "$ihop_clone" -q "$tmp/$release.cba" "$tmp/store/$release"
done
# Whole, but no device has no bytes.
: >"$tmp/empty"
$cba make --fixed 20000 "$tmp/empty" "$tmp/empty.cba"
expect_exit 0 "$ihop_clone" -q "$tmp/empty.cba" "$tmp/store/empty"

cat >"$tmp/script" <<'SCRIPT'
. "$srcdir/tests/vm/attach-guest.sh"
cp -a "$tmp/store" /run/store
store() { "$builddir/ihop-store" "$@"; }
tries() { store selection --json /run/store | sed -n 's/.*"tries":\([0-9]*\).*/\1/p'; }
is() { [ "$1" = "$2" ] || { echo "$3: $1, not $2"; return 1; }; }
boots() { # RELEASE ARGUMENT...: it is attached, and detached again
    local want=$1
    shift
    is "$(attach --boot "$@" /run/store /dev/nbd0 2>/run/stderr)" /dev/nbd0 device
    cat /run/stderr
    is "$(status release)" "$want" release
    ihop_attach --detach /dev/nbd0
}
refused 10 'chosen for booting: use ihop-store default' attach --boot /run/store /dev/nbd0
store default /run/store/v1
boots v1
[ ! -s /run/stderr ]
store try --tries 3 /run/store/v2
boots v2
is "$(tries)" 2 tries
boots v1 --skip v2
is "$(tries)" 2 "tries after --skip"
# Nothing that another release could help: no try is lost.
refused 2 'no NBD device' attach --boot /run/store /dev/sda
is "$(tries)" 2 "tries after a wrong device"
nothing_counted() { # EXIT-CODE TEXT ARGUMENT...: and nothing is left
    local code=$1 text=$2
    shift 2
    refused "$code" "$text" attach --boot "$@" /run/store /dev/nbd0
    is "$(tries)" 2 "tries after: $text"
    [ ! -e /sys/block/nbd0/pid ]
}
nothing_counted 10 '/run/none: No such file' --plugin /run/none
nothing_counted 10 '/run/none: No such file' --nbdkit /run/none
nothing_counted 10 'nbdkit is missing.*cannot start nbdkat' --nbdkit nbdkat
nothing_counted 7 'nbdkit cannot load the plugin /dev/null: .*/dev/null: file too short' --plugin /dev/null
nothing_counted 7 'false cannot load the plugin' --nbdkit /bin/false
mkdir /run/alone
cp "$builddir/ihop-attach" /run/alone
refused 10 'cannot start .*/ihop-attach-keeper: No such file' /run/alone/ihop-attach \
    --plugin "$builddir/.libs/nbdkit-ihop-plugin.so" --boot /run/store
is "$(tries)" 2 "tries without a keeper"
store try --tries 2 /run/store/empty
boots v1
grep 'empty cannot be attached: .*no bytes' /run/stderr
is "$(tries)" 1 "tries of what could not be attached"
store good /run/store | grep 'the default already'
# It goes on with the next one until there is none; the last one's error counts.
refused 10 'has no release that can be booted' attach -q --boot --skip v1 --skip v2 --skip empty /run/store
r=0
attach --boot --skip v1 --skip v2 --json /run/store >/run/stdout 2>/run/stderr || r=$?
cat /run/stderr
is $r 2 "exit code"
grep '"error":"empty cannot be attached: ' /run/stdout
is "$(tries)" 0 "tries in the end"
boots v1
grep 'the trial of empty has failed' /run/stderr
SCRIPT
uml 120 "$tmp/script" || fail "in the machine: $(tail -n 40 "$tmp/console")"
