#!/bin/bash
# SPDX-License-Identifier: MIT
# From the key to the block, in a machine of user-mode Linux: ihop-attach --verity with facts that
# are recorded and signed, what is refused, keys that vanish under a device, and chunks damaged one
# after the other, which are read errors and never wrong data.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
. "$srcdir/tests/vm/uml.sh"
requires veritysetup nbdkit
if is_sanitized "$ihop_clone"; then skip "built with a sanitizer"; fi

for n in 1 2; do
    $cba key $n "$tmp/key$n" >/dev/null
    mkdir "$tmp/config$n"
done
mkdir "$tmp/config1/keys.d"
cp "$tmp/key1.pub" "$tmp/config1/keys.d/"

# release NAME [OPTION...]: an image of its own, its archive, signed by key 1, and the release.
release() {
    local name=$1

    shift
    noise "$tmp/$name.img" 1228800 "$name"
    "$ihop_compress" -q "$@" "$tmp/$name.img" "$tmp/$name.cba"
    $cba signature 1 "$tmp/$name.cba" >"$tmp/$name.cba.minisig"
    "$ihop_clone" -q --verify-key "$tmp/key1.pub" "$tmp/$name.cba" "$tmp/store/$name"
}
release v1 --verity --image-version 1
release bare --image-version 1
release v2 --verity --image-version 2
noise "$tmp/unsigned.img" 409600 unsigned
"$ihop_compress" -q --verity --image-version 3 "$tmp/unsigned.img" "$tmp/unsigned.cba"
"$ihop_clone" -q --config "$tmp/config2" "$tmp/unsigned.cba" "$tmp/store/unsigned"
"$builddir/ihop-store" -q default "$tmp/store/v1"
"$builddir/ihop-store" -q try "$tmp/store/unsigned" --tries 3
# Somebody gives one release's file the name of another one.
cp "$tmp/store/v1" "$tmp/store/renamed"
root=$("$ihop_compress" --info --metadata-key ihop.verity.root-hash "$tmp/v1.cba")

cat >"$tmp/guest" <<GUEST
root=$root
chunks=${CHUNKS:-8}
GUEST
cat >>"$tmp/guest" <<'GUEST'
plugin=$builddir/.libs/nbdkit-ihop-plugin.so
mapped=/dev/mapper/ihop-nbd0
attach() { "$builddir/ihop-attach" --plugin "$plugin" "$@"; }
trusting() { attach --config "$tmp/config1" "$@"; }
status() { attach --status /dev/nbd0 | sed -n "s/^$1 //p"; }
other_server() { [ "$(status server)" != "$1" ] && [ "$(status server)" != none ]; }
refused() { # EXIT-CODE TEXT COMMAND...
    local r=0 code=$1 text=$2
    shift 2
    "$@" >/run/printed 2>/run/error || r=$?
    [ $r -eq "$code" ] || { cat /run/error; echo "exit $r, not $code: $*"; return 1; }
    grep -qF -e "$text" /run/error || { cat /run/error; echo "not said: $text"; return 1; }
    [ ! -s /run/printed ]
    [ ! -e /sys/block/nbd0/pid ] && [ ! -e $mapped ] && [ ! -e /run/ihop-attach/nbd0 ]
}
export srcdir
trap 'cat /run/error' EXIT
for m in block/nbd md/dm-mod md/dm-bufio md/dm-verity; do module drivers/$m; done

# Recorded facts, by nobody vouched for.
[ "$(attach --config "$tmp/config2" --verity "$tmp/store/v1" 2>/run/error)" = $mapped ]
grep -q 'nothing vouches for the root hash that release v1 records' /run/error
[ "$(status root-hash)" = "$root" ]
cmp $mapped "$tmp/v1.img"
attach --detach $mapped

# Signed ones: keys of the command line, and those of keys.d.
[ "$(attach --verity=recorded,check-at-most-once --verify-key "$tmp/key1.pub" "$tmp/store/v1" 2>/run/error)" = $mapped ]
[ ! -s /run/error ]
dmsetup table ihop-nbd0 | grep -q 'check_at_most_once$'
attach --detach $mapped
[ "$(trusting --verity "$tmp/store/v1" 2>/run/error)" = $mapped ]
[ ! -s /run/error ]
[ "$(status root-hash)" = "$root" ]
attach --detach $mapped

# What is not signed well, or is not what was signed, is refused.
refused 5 'trusted: ' attach --verity --verify-key "$tmp/key2.pub" "$tmp/store/v1"
refused 5 'is not signed' trusting --verity "$tmp/store/unsigned"
refused 2 'can never be met' attach --signatures 2 --verify-key "$tmp/key1.pub" "$tmp/store/v1"
refused 5 'signed' attach --signatures 2 --verify-key "$tmp/key1.pub" --verify-key "$tmp/key2.pub" "$tmp/store/v1"
refused 10 'none.pub' attach --verify-key "$tmp/none.pub" "$tmp/store/v1"
refused 5 "published as 'v1'" trusting --verity "$tmp/store/renamed"
refused 5 'records no root hash' trusting --verity "$tmp/store/bare"
refused 2 'looks at no signature' attach --detach --verify-key "$tmp/key1.pub" /dev/nbd0
refused 2 'looks at no signature' attach --upgrade --signatures 1 /dev/nbd0
[ "$(trusting --allow-unsigned --verity "$tmp/store/unsigned" 2>/run/error)" = $mapped ]
grep -q 'nothing vouches' /run/error
attach --detach $mapped

# Boot selection goes on to the next one.
[ "$(trusting --boot --verity "$tmp/store" /dev/nbd0 2>/run/error)" = $mapped ]
grep -q 'unsigned cannot be attached: .*signed' /run/error
[ "$(status release)" = v1 ]

# Each byte that is changed in a chunk, of the data or of the tree.
python3 "$srcdir/tests/vm/damage.py" $mapped "$tmp/v1.img" "$tmp/store/v1" "$chunks" | tee "$tmp/result"
[ "$(status corrupted)" = yes ]

# Keys that vanish, or are replaced by others, take nothing away: not from a new server, not from a
# new keeper.
rm "$tmp/config1/keys.d/key1.pub"
cp "$tmp/key2.pub" "$tmp/config1/keys.d/"
server=$(status server)
kill -9 "$server"
wait_until 30 other_server "$server"
server=$(status server)
attach --upgrade /dev/nbd0
other_server "$server"
echo 3 >/proc/sys/vm/drop_caches
cmp $mapped "$tmp/v1.img"
attach --detach $mapped

# Without dm-verity the server hashes each chunk before its first use, unless it is told not to.
hashing() { tr '\0' '\n' <"/proc/$(status server)/cmdline" | grep '^verify=' || echo no; }
[ "$(attach --verify-key "$tmp/key1.pub" "$tmp/store/bare")" = /dev/nbd0 ]
[ "$(hashing)" = verify=first ]
cmp -n 1228800 /dev/nbd0 "$tmp/bare.img"
attach --detach /dev/nbd0
attach --verify-key "$tmp/key1.pub" "$tmp/store/bare" -- verify=off cache=none
[ "$(hashing)" = verify=off ]
attach --detach /dev/nbd0
attach --verify-key "$tmp/key1.pub" --verity "$tmp/store/v2"
[ "$(hashing)" = no ]
attach --detach /dev/nbd0
echo guest done
GUEST

uml 150 "$tmp/guest" || { cat "$tmp/console" >&2; fail "the machine's script failed"; }
cat "$tmp/console"
grep -q '^changes [1-9][0-9]* failed [1-9]' "$tmp/result"
