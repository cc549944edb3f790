#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/examples/ihop-update as a device runs it: the release that the channel names is fetched and put
# on trial; what runs already, is on trial still, or is no name of a release, changes nothing.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires curl
mkdir "$tmp/www" "$tmp/bin"
for name in v1 v2; do
    noise "$tmp/$name.img" 300000 $name
    $cba make --fixed 50000 "$tmp/$name.img" "$tmp/www/$name.cba"
done
start_nginx "$tmp/www"
ln -s "$ihop_clone" "$ihop_store" "$tmp/bin/"
export CHANNEL=$url/stable IHOP_STORE=$tmp/store IHOP_RELEASE=v1 no_proxy='*'
"$ihop_clone" -q "$tmp/www/v1.cba" "$IHOP_STORE/v1"
"$ihop_store" -q default "$IHOP_STORE/v1"
"$ihop_store" boot "$IHOP_STORE" >"$tmp/chosen"
pin=$("$ihop_compress" --info "$tmp/www/v2.cba" | sed -n 's/^.*[Hh]eader checksum[: ]*\([0-9a-f]*\)$/\1/p')
[ -n "$pin" ] || fail "no header checksum: $("$ihop_compress" --info "$tmp/www/v2.cba")"

update() { PATH=$tmp/bin:$PATH sh "$srcdir/docs/examples/ihop-update"; }
trial() { sed -n 's/^trial=//p' "$IHOP_STORE/.ihop/boot"; }
tries() { sed -n 's/^tries=//p' "$IHOP_STORE/.ihop/boot"; }

echo "v1 $pin" >"$tmp/www/stable"
expect_exit 0 update
expect_stdout '^nothing new: v1$'
for line in "../v2 $pin" "-v2 $pin" v2 ""; do
    echo "$line" >"$tmp/www/stable"
    expect_exit 1 update
done
equal "$(trial)" "" "on trial"
# Another archive than the one that was meant.
echo "v2 $(printf '0%.0s' {1..128})" >"$tmp/www/stable"
expect_exit 5 update
equal "$(trial)" "" "on trial"

echo "v2 $pin" >"$tmp/www/stable"
expect_exit 0 update
equal "$(trial) $(tries)" "v2 3" "on trial"
equal "$("$ihop_store" boot "$IHOP_STORE")" v2 "what boots"
# Once more, before and after the reboot: tries stay as they are.
expect_exit 0 update
IHOP_RELEASE=v2 expect_exit 0 update
equal "$(trial) $(tries)" "v2 2" "on trial"
# Another one has to wait.
cp "$tmp/www/v1.cba" "$tmp/www/v3.cba"
echo "v3 $pin" >"$tmp/www/stable"
IHOP_RELEASE=v2 expect_exit 0 update
expect_stdout '^v2 is on trial still: later$'
[ ! -e "$IHOP_STORE/v3" ] || fail "it did not wait"
