#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An archive is installed when enough trusted keys have signed its header, and otherwise refused
# before a chunk of it is requested: signatures inside and beside it, keys from files, directories
# and keys.d, hostile signatures and servers, and each other way that ends at a header.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/nbdkit.sh"
# base.cba has space for signatures between its header and its chunks, full of rubbish, and is
# otherwise like apart.cba; solid.cba has none.
make_archives
with_space="--fixed 32768 --gap 4000 --data-offset-gap 8192"
# shellcheck disable=SC2086
$cba make $with_space "$tmp/image" "$tmp/www/base.cba"
first_chunk=$((apart_header + 8192 + 4000))
read -r id1 pem1 < <($cba key 1 "$tmp/k1")
$cba key 2 "$tmp/k2" >"$tmp/id2"
$cba key 3 "$tmp/k3" >"$tmp/id3"
mkdir "$tmp/www/signed" "$tmp/empty"
start_server "$tmp/www"
clone=("$ihop_clone" "${quick[@]}")

# sign NAME SIGNER...: $tmp/www/NAME.cba, base.cba with signatures of these keys inside. A signer is
# a number, or "NUMBER OPTIONS" of cba.py signature.
sign() {
    local name=$1 signer words

    shift
    cp "$tmp/www/base.cba" "$tmp/www/$name.cba"
    : >"$tmp/signatures"
    for signer in "$@"; do
        read -ra words <<<"$signer"
        $cba signature "${words[@]:1}" "${words[0]}" "$tmp/www/$name.cba" >>"$tmp/signatures"
    done
    $cba put-signatures "$tmp/www/$name.cba" "$tmp/signatures"
}

# refused REGEX ARGUMENT...: exit 5 with one line, no request for a chunk, nothing written.
refused() {
    rm -rf "$tmp/no"
    rules
    expect_exit 5 "${clone[@]}" "${@:2}" "$tmp/no/r"
    one_line_on_stderr
    expect_stderr "^ihop-clone: .*$1"
    equal "$(requests "past=$first_chunk")" 0 "requests for chunks"
    [ ! -e "$tmp/no" ] || fail "a store was created"
}

# accepted ARGUMENT...
accepted() {
    rm -rf "$tmp/yes"
    rules
    expect_exit 0 "${clone[@]}" "$@" "$tmp/yes/r"
    holds "$tmp/yes/r" "$tmp/image"
}

test_inside() {
    sign one 1
    expect_exit 0 "${clone[@]}" "$url/good/one.cba" "$tmp/plain/r" # nobody demands a signature
    rules
    expect_exit 0 "${clone[@]}" "$url/good/base.cba" "$tmp/plain/s"
    without=$(requests)
    for key in k1.pub k1.pub.pem; do
        accepted --verify-key "$tmp/$key" "$url/good/one.cba"
        at_most "$(requests)" $((without + 20)) "requests with a signature"
        equal "$(requests past=0 "past=$first_chunk")" 20 "ranges of chunks"
        equal "$(($(requests) - 20))" 2 "requests for the header"
    done
    refused "$id1.*$(cut -d' ' -f1 "$tmp/id2")|$(cut -d' ' -f1 "$tmp/id2").*$id1" --verify-key "$tmp/k2.pub" \
        "$url/good/one.cba"
    refused "$pem1|$id1" --verify-key "$tmp/k2.pub" "$url/good/one.cba"
    accepted --verify-key "$tmp/k2.pub" --verify-key "$tmp/k1.pub" "$url/good/one.cba"
    accepted --verify-key "$tmp/k2.pub" --allow-unsigned "$url/good/one.cba"
    # Also from a file, and when only what is there would be told.
    accepted --verify-key "$tmp/k1.pub" "$tmp/www/one.cba"
    refused 'signed' --verify-key "$tmp/k2.pub" "$tmp/www/one.cba"
    refused 'signed' --dry-run --verify-key "$tmp/k2.pub" "$url/good/one.cba"
}

test_several() {
    sign both 1 2
    sign twice 1 1
    accepted --signatures 2 --verify-key "$tmp/k1.pub" --verify-key "$tmp/k2.pub" "$url/good/both.cba"
    refused '' --signatures 2 --verify-key "$tmp/k1.pub" --verify-key "$tmp/k2.pub" "$url/good/twice.cba"
    # The same key in two forms is one key.
    expect_exit 2 "${clone[@]}" --signatures 2 --verify-key "$tmp/k1.pub" --verify-key "$tmp/k1.pub.pem" \
        "$url/good/both.cba" "$tmp/no/r"
    expect_stderr 'can never be met: 1 different key is trusted'
    # More than comes with the header: one request more.
    sign many 3 "3 --comment $(printf 'x%.0s' {1..4000})" 1
    accepted --verify-key "$tmp/k1.pub" "$url/good/many.cba"
    equal "$(($(requests) - 20))" 3 "requests for a long text"
}

test_keys() {
    sign one 1
    mkdir -p "$tmp/etc/keys.d" "$tmp/broken" "$tmp/both"
    # No key: nothing is demanded. One key: of all archives.
    accepted --config "$tmp/etc" "$url/good/base.cba"
    cp "$tmp/k2.pub" "$tmp/etc/keys.d/two.pub"
    refused 'signed' --config "$tmp/etc" "$url/good/one.cba"
    cp "$tmp/k1.pub.pem" "$tmp/etc/keys.d/one.pem"
    accepted --config "$tmp/etc" "$url/good/one.cba"
    refused 'signed' --config "$tmp/etc" "$url/good/base.cba"
    # Keys that are named stand for themselves.
    refused 'signed' --config "$tmp/etc" --verify-key "$tmp/k3.pub" "$url/good/one.cba"
    accepted --config "$tmp/etc" --allow-unsigned "$url/good/base.cba"
    # What cannot be read is never no key.
    cp "$tmp/k1.pub" "$tmp/broken/one.pub"
    head -c 60 "$tmp/k1.pub" >"$tmp/broken/two.pub"
    for path in "$tmp/broken" "$tmp/empty" "$tmp/none.pub" "$tmp/k1.sec" "$tmp/k1.pem" /dev/null "$tmp/image"; do
        rules
        expect_exit "$([ "$path" = "$tmp/none.pub" ] && echo 10 || echo 7)" "${clone[@]}" --verify-key "$path" \
            "$url/good/one.cba" "$tmp/no/r"
        expect_stderr "${path##*/}"
        equal "$(requests)" 0 "requests"
    done
    cp "$tmp/broken/two.pub" "$tmp/etc/keys.d"
    for more in "" --allow-unsigned; do
        # shellcheck disable=SC2086
        expect_exit 7 "${clone[@]}" --config "$tmp/etc" $more "$url/good/one.cba" "$tmp/no/r"
        expect_stderr 'two.pub'
    done
    # A link that leads nowhere, and what an interrupted upgrade of packages leaves.
    mkdir -p "$tmp/dangling" "$tmp/leftover/keys.d"
    ln -s /nonexistent "$tmp/dangling/keys.d"
    cp "$tmp/k1.pub" "$tmp/leftover/keys.d/one.pub.dpkg-new"
    for etc in dangling leftover; do
        expect_exit $([ $etc = dangling ] && echo 10 || echo 7) "${clone[@]}" --config "$tmp/$etc" "$url/good/base.cba" "$tmp/no/r"
        one_line_on_stderr
        expect_stderr "$etc/keys.d"
    done
    rm "$tmp/dangling/keys.d"
    ln -s /nonexistent "$tmp/dangling/device.conf"
    expect_exit 7 "${clone[@]}" --config "$tmp/dangling" "$url/good/base.cba" "$tmp/no/r"
    [ "$(id -u)" = 0 ] || {
        chmod 0 "$tmp/broken"
        expect_exit 7 "${clone[@]}" --verify-key "$tmp/broken" "$url/good/one.cba" "$tmp/no/r"
        chmod 755 "$tmp/broken"
    }
    [ ! -e "$tmp/no" ] || fail "a store was created"
}

test_hostile() {
    local fault

    for fault in legacy global comment flip short s-plus-l small-r; do
        sign "bad-$fault" "1 --fault $fault"
        refused '' --verify-key "$tmp/k1.pub" "$url/good/bad-$fault.cba"
        # Nor does it spoil, or profit from, a good one beside it; a text that cannot be read does.
        sign "mixed-$fault" 2 "1 --fault $fault"
        case $fault in
            legacy | short) refused '' --verify-key "$tmp/k2.pub" "$url/good/mixed-$fault.cba" ;;
            *) accepted --verify-key "$tmp/k2.pub" "$url/good/mixed-$fault.cba" ;;
        esac
    done
    # A hint that is wrong does not matter.
    sign hint "1 --fault other-id"
    accepted --verify-key "$tmp/k1.pub" "$url/good/hint.cba"
    # Of another archive, of an older one.
    $cba make --fixed 65536 "$tmp/image" "$tmp/www/other.cba"
    $cba signature 1 "$tmp/www/other.cba" >"$tmp/other.minisig"
    cp "$tmp/www/base.cba" "$tmp/www/stolen.cba"
    $cba put-signatures "$tmp/www/stolen.cba" "$tmp/other.minisig"
    refused '' --verify-key "$tmp/k1.pub" "$url/good/stolen.cba"
    # Nobody has signed; somebody whom nobody trusts has.
    refused 'signed' --verify-key "$tmp/k1.pub" "$url/good/base.cba"
    sign stranger 3
    refused "$(cut -d' ' -f1 "$tmp/id3")" --verify-key "$tmp/k1.pub" "$url/good/stranger.cba"
}

# beside TEXT-FILE: solid.cba has this beside it.
beside() {
    cp "$1" "$tmp/www/solid.cba.minisig"
}

test_beside() {
    $cba signature 1 "$tmp/www/solid.cba" >"$tmp/good.minisig"
    beside "$tmp/good.minisig"
    accepted --verify-key "$tmp/k1.pub" "$url/good/solid.cba"
    accepted --verify-key "$tmp/k1.pub" "$tmp/www/solid.cba"
    accepted --verify-key "$tmp/k1.pub" "$url/good/solid.cba?token=1"
    refused '' --verify-key "$tmp/k2.pub" "$url/good/solid.cba"
    # What is not there, not a signature, or too large. A web page with status 200.
    rm "$tmp/www/solid.cba.minisig"
    refused 'minisig' --verify-key "$tmp/k1.pub" "$url/good/solid.cba"
    refused 'minisig' --verify-key "$tmp/k1.pub" "$tmp/www/solid.cba"
    printf '<html>%01000d</html>' 0 >"$tmp/page"
    beside "$tmp/page"
    refused 'no signature' --verify-key "$tmp/k1.pub" "$url/good/solid.cba"
    : >"$tmp/www/solid.cba.minisig"
    refused '' --verify-key "$tmp/k1.pub" "$url/good/solid.cba"
    beside "$tmp/good.minisig"
    rules 'path=/good/solid.cba.minisig : total=10000000000'
    expect_exit 5 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/solid.cba" "$tmp/no/r"
    expect_stderr 'that is no signature'
    equal "$(requests path=/good/solid.cba.minisig)" 1 "requests for 10 GB"
    for i in $(seq 1000); do cat "$tmp/good.minisig"; done >"$tmp/thousand"
    beside "$tmp/thousand"
    refused '' --verify-key "$tmp/k1.pub" "$url/good/solid.cba"
    # A server that fails: not installed, and worth another try.
    beside "$tmp/good.minisig"
    rules 'path=/good/solid.cba.minisig : status=500'
    expect_exit 3 "${clone[@]}" --retry 1 --verify-key "$tmp/k1.pub" "$url/good/solid.cba" "$tmp/no/r"
    one_line_on_stderr
    for status in 404 403 410; do
        rules "path=/good/solid.cba.minisig : status=$status"
        expect_exit 5 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/solid.cba" "$tmp/no/r"
    done
    [ ! -e "$tmp/no" ] || fail "a store was created"
    # It is looked for beside the mirrors, too.
    rules 'path=/main/solid.cba.minisig : status=404'
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" --mirror "$url/mirror/solid.cba" "$url/main/solid.cba" \
        "$tmp/mirrored/r"
    # Of a file it is kept without a demand, so that the release can be checked later.
    expect_exit 0 "${clone[@]}" "$tmp/www/solid.cba" "$tmp/kept/r"
    expect_exit 0 "$ihop_store" verify --quiet --verify-key "$tmp/k1.pub" "$tmp/kept"
    # Beside a signed archive nobody looks.
    sign one 1
    accepted --verify-key "$tmp/k1.pub" "$url/good/one.cba"
    equal "$(requests path=/good/one.cba.minisig)" 0 "requests for a file beside"
}

# The archive changes when its header was checked.
test_exchanged() {
    noise "$tmp/evil" 655360 evil
    sign one 1
    # shellcheck disable=SC2086
    $cba make $with_space "$tmp/evil" "$tmp/www/signed/one.cba"
    $cba signature 3 "$tmp/www/signed/one.cba" >"$tmp/evil.minisig"
    $cba put-signatures "$tmp/www/signed/one.cba" "$tmp/evil.minisig"
    # The prefix from the right one, all else from the evil one; then the header from the right one
    # and the chunks from the evil one.
    rules "past=14 : root=$tmp/www/signed"
    expect_exit 5 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/no/r"
    for etag in file none; do
        rules "past=$((apart_header + 1)) : root=$tmp/www/signed etag=$etag"
        ! "${clone[@]}" --retry 0 --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/no/r" 2>/dev/null ||
            fail "chunks of another archive were accepted"
        [ ! -e "$tmp/no/r" ] || fail "a release was published"
    done
    # A redirect to the evil one, once the header was checked; and from the start.
    for past in $((apart_header + 1)) 0; do
        rules "path=/good/ past=$past : status=302 location=$url/evil/one.cba" "path=/evil/ : root=$tmp/www/signed"
        ! "${clone[@]}" --retry 0 --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/no/r" 2>/dev/null ||
            fail "an archive behind a redirect was accepted"
        [ "$(requests path=/evil/)" -gt 0 ] || fail "the redirect was not followed"
        [ ! -e "$tmp/no/r" ] || fail "a release was published"
    done
    # A mirror that has the evil one.
    rules 'path=/main/ n=3- : status=503'
    ln -sfn ../signed "$tmp/www/signed/self"
    ! "${clone[@]}" --retry 2 --verify-key "$tmp/k1.pub" --mirror "$url/evil/one.cba" "$url/main/one.cba" \
        "$tmp/no/r" 2>/dev/null || holds "$tmp/no/r" "$tmp/image"
}

test_rerun() {
    sign one 1
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/again/r"
    rules
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/again/r"
    equal "$(requests)" 2 "requests of a rerun"
    at_most "$(body_sent)" 1024 "bytes of a rerun"
    # Nothing to do is no way round the key.
    refused 'signed' --verify-key "$tmp/k2.pub" "$url/good/one.cba"
    rules
    expect_exit 5 "${clone[@]}" --verify-key "$tmp/k2.pub" "$url/good/one.cba" "$tmp/again/r"
    # Signed by another key meanwhile, for which the header was not touched.
    sign one 1 2
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k2.pub" "$url/good/one.cba" "$tmp/again/r"
    holds "$tmp/again/r" "$tmp/image"
    rules
    expect_exit 0 "${clone[@]}" --json --verify-key "$tmp/k2.pub" "$url/good/one.cba" "$tmp/again/r"
    equal "$(json outcome)" complete "outcome of a rerun with the new key"
    equal "$(requests)" 2 "requests of a rerun with the new key"
    expect_exit 0 "$ihop_store" verify --verify-key "$tmp/k2.pub" --quiet "$tmp/again"
    # Installed without a key, and checked later.
    expect_exit 0 "${clone[@]}" "$url/good/one.cba" "$tmp/late/r"
    expect_exit 5 "$ihop_store" verify --verify-key "$tmp/k1.pub" --quiet "$tmp/late"
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/late/r"
    expect_exit 0 "$ihop_store" verify --verify-key "$tmp/k1.pub" --quiet "$tmp/late"
    # Under another name it is another release: verify tells.
    mv "$tmp/late/r" "$tmp/late/s"
    expect_exit 5 "$ihop_store" verify --verify-key "$tmp/k1.pub" --quiet "$tmp/late"
    expect_stderr "late/s.*published as 'r'"
}

test_repair() {
    sign one 1
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/one.cba" "$tmp/mend/r"
    for key in k2 k1; do
        rm "$(find "$tmp/mend/chunks" -name '*.chunk' | sort | head -n 1)"
        rules
        expect_exit $([ $key = k1 ] && echo 0 || echo 5) "$ihop_store" verify --repair --quiet \
            --verify-key "$tmp/$key.pub" "$tmp/mend"
        [ $key = k1 ] || equal "$(requests)" 0 "requests of a repair that is refused"
    done
    holds "$tmp/mend/r" "$tmp/image"
}

# What nobody who is trusted has signed does not say what is the lowest version from now on.
test_unsigned_raises_nothing() {
    # shellcheck disable=SC2086
    $cba make $with_space --metadata ihop.version=9 --metadata ihop.minimum-version=9 "$tmp/image" "$tmp/www/high.cba"
    # shellcheck disable=SC2086
    $cba make $with_space --metadata ihop.version=3 "$tmp/image" "$tmp/www/low.cba"
    $cba signature 1 "$tmp/www/low.cba" >"$tmp/low.minisig"
    $cba put-signatures "$tmp/www/low.cba" "$tmp/low.minisig"
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" --allow-unsigned "$url/good/high.cba" "$tmp/floor/a"
    expect_exit 0 "$ihop_store" remove --quiet "$tmp/floor/a"
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/low.cba" "$tmp/floor/b"
    expect_exit 0 "${clone[@]}" "$url/good/high.cba" "$tmp/floor/c"
    expect_exit 5 "${clone[@]}" --verify-key "$tmp/k1.pub" "$url/good/low.cba" "$tmp/floor/d"
    expect_stderr 'below 9'
}

# version N [MINIMUM]: $tmp/www/versionN.cba, signed by key 1.
version() {
    # shellcheck disable=SC2086
    $cba make $with_space --metadata "ihop.version=$1" --metadata "ihop.minimum-version=${2:-0}" "$tmp/image" \
        "$tmp/www/version$1.cba"
    $cba signature 1 "$tmp/www/version$1.cba" >"$tmp/version.minisig"
    $cba put-signatures "$tmp/www/version$1.cba" "$tmp/version.minisig"
    expect_exit 0 "${clone[@]}" --verify-key "$tmp/k1.pub" "$tmp/www/version$1.cba" "$tmp/versions/v$1"
}

# What boots as a last resort is served to whoever has keys, too, or a device whose trial fails would
# stand still.
test_last_resort() {
    local serve=("${nbdkit[@]}" -U - "$plugin" "store=$tmp/versions" verify-key="$tmp/k1.pub")

    version 1
    expect_exit 0 "$ihop_store" default --quiet "$tmp/versions/v1"
    version 2 2
    expect_exit 0 "${serve[@]}" release=v1 --run true
    expect_exit 0 "${serve[@]}" release=v2 --run true
    # A minimum that cannot be read lets nothing but the default pass.
    cp "$tmp/versions/.ihop/floor" "$tmp/floor-file"
    echo rubbish >"$tmp/versions/.ihop/floor"
    expect_exit 0 "${serve[@]}" release=v1 --run true
    expect_exit 1 "${serve[@]}" release=v2 --run true
    cp "$tmp/floor-file" "$tmp/versions/.ihop/floor"
    expect_exit 0 "$ihop_store" default --quiet "$tmp/versions/v2"
    expect_exit 1 "${serve[@]}" release=v1 --run true
    expect_stderr 'v1 is not served: its version is 1, below 2'
    # A minimum that only a release tells is recorded before that goes.
    rm "$tmp/versions/.ihop/floor"
    version 3
    rm "$tmp/versions/.ihop/floor"
    expect_exit 0 "$ihop_store" default --quiet "$tmp/versions/v3"
    expect_exit 0 "$ihop_store" default --quiet "$tmp/versions/v3"
    rm -f "$tmp/versions/.ihop/boot" "$tmp/versions/.ihop/boot.spare"
    expect_exit 0 "$ihop_store" remove --quiet "$tmp/versions/v2"
    expect_exit 0 "$ihop_store" minimum --json "$tmp/versions"
    equal "$(json minimum)" 2 "the minimum when its release has gone"
}

run_cases "$@"
