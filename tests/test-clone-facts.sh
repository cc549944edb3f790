#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What an archive says about itself: set and shown by ihop-compress, and held against the device's
# type, the store's minimum and what is installed, on every path that trusts a header.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
root=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# archive NAME SEED [OPTION...]: www/NAME.cba of an image of its own.
archive() {
    local name=$1 seed=$2

    shift 2
    mkdir -p "$tmp/www"
    noise "$tmp/$name" 60000 "$seed"
    expect_exit 0 "$ihop_compress" --quiet --force --fixed-size 20000 "$@" "$tmp/$name" "$tmp/www/$name.cba"
}

# raw NAME KEY=VALUE...: the same by another maker, which checks nothing.
raw() {
    local name=$1 options=() pair

    shift
    for pair; do
        options+=(--metadata "$pair")
    done
    mkdir -p "$tmp/www"
    noise "$tmp/$name" 60000 "$name"
    $cba make "${options[@]}" --fixed 20000 "$tmp/$name" "$tmp/www/$name.cba"
}

# clone [OPTION...] NAME: into $tmp/s, under that name.
clone() {
    "$ihop_clone" --quiet --config "$tmp/none" "${@:1:$#-1}" "$tmp/www/${!#}.cba" "$tmp/s/${!#}"
}

setup() {
    rm -rf "$tmp/s" "$tmp/none"
    mkdir -p "$tmp/none"
}

test_maker() {
    archive all 1 --image-version 7 --minimum-version 3 --compatible 'board a' --compatible board-b \
        --metadata-value ihop.verity.root-hash $root --metadata-value ihop.verity.hash-offset 40960
    expect_exit 0 "$ihop_compress" --info "$tmp/www/all.cba"
    expect_stdout '^  Image version: 7$'
    expect_stdout '^  Minimum version: 3$'
    expect_stdout '^  For devices of type: board a$'
    expect_stdout '^  For devices of type: board-b$'
    expect_stdout "^  Verity root hash: $root\$"
    expect_stdout '^  Verity hash offset: 40960 bytes$'
    expect_exit 0 "$ihop_compress" --info --json "$tmp/www/all.cba"
    equal "$(json version) $(json minimum_version) $(json compatible)" "7 3 ['board a', 'board-b']" "facts in JSON"
    equal "$(json verity_root_hash) $(json verity_hash_offset)" "$root 40960" "verity in JSON"
    expect_exit 0 "$ihop_compress" --info --metadata-key ihop.compatible "$tmp/www/all.cba"
    equal "$(cat "$tmp/out")" $'board a\nboard-b' "the value itself"
    # Other ways to say it give the same archive.
    printf 'board a\nboard-b' >"$tmp/types"
    expect_exit 0 "$ihop_compress" -q --fixed-size 20000 --metadata-value ihop.version 7 \
        --metadata-value ihop.minimum-version 3 --metadata-file ihop.compatible "$tmp/types" \
        --metadata-value ihop.verity.hash-offset 40960 --metadata-value ihop.verity.root-hash $root \
        "$tmp/all" "$tmp/same.cba"
    cmp "$tmp/same.cba" "$tmp/www/all.cba"
    archive largest 1 --image-version 18446744073709551615 --minimum-version 0018446744073709551615
    expect_exit 0 "$ihop_compress" --info --json "$tmp/www/largest.cba"
    equal "$(json version)" 18446744073709551615 "the largest version"
    archive plain 2
    expect_exit 0 "$ihop_compress" --info --json "$tmp/www/plain.cba"
    if grep -E '"(version|minimum_version|compatible|verity_[a-z_]+|facts_error)"' "$tmp/out"; then
        fail "facts of an archive that has none"
    fi
}

# refused REGEX OPTION...: ihop-compress does not make such an archive.
refused() {
    local regex=$1

    shift
    rm -f "$tmp/no.cba"
    expect_exit 2 "$ihop_compress" -q --fixed-size 20000 "$@" "$tmp/plain" "$tmp/no.cba"
    one_line_on_stderr
    expect_stderr "$regex"
    [ ! -e "$tmp/no.cba" ] || fail "an archive was made"
}

test_maker_refuses() {
    archive plain 2
    refused 'image-version takes a whole number' --image-version -1
    refused 'image-version takes a whole number' --image-version 18446744073709551616
    refused 'image-version is given twice' --image-version 1 --image-version 1
    refused 'minimum-version takes a whole' --minimum-version 1x
    refused 'ihop.minimum-version \(2\) is above ihop.version \(1\): the image would refuse itself' \
        --image-version 1 --minimum-version 2
    refused 'above ihop.version \(0\)' --minimum-version 2
    refused 'compatible takes a device type' --compatible ''
    refused 'compatible takes a device type' --compatible $'a\nb'
    refused 'compatible takes a device type' --compatible ' a'
    refused "'ihop.version' is given twice" --image-version 1 --metadata-value ihop.version 1
    refused "'ihop.compatible' is given twice" --compatible a --metadata-value ihop.compatible a
    refused "'ihop.versoin' is not known" --metadata-value ihop.versoin 1
    refused 'ihop.version is no number' --metadata-value ihop.version 01
    refused 'ihop.compatible has a line that is no device type' --metadata-value ihop.compatible $'a\t'
    refused 'belong together' --metadata-value ihop.verity.root-hash $root
    # Only when it has been read is it known how large the image is.
    refused 'hash-offset .* is no place in the image' --metadata-value ihop.verity.root-hash $root \
        --metadata-value ihop.verity.hash-offset 59904
}

# An archive of somebody else may say anything; what is malformed is refused, what is not known is not.
test_malformed() {
    local n=0 said

    setup
    for said in 'ihop.version=' 'ihop.version=1 ' 'ihop.version=+1' 'ihop.version=18446744073709551616' \
        'ihop.minimum-version=1' 'ihop.compatible=' $'ihop.compatible=a\n\nb' 'ihop.verity.root-hash=00' \
        'ihop.verity.hash-offset=512'; do
        n=$((n + 1))
        raw "bad$n" "$said"
        expect_exit 5 "$ihop_clone" --config "$tmp/none" "$tmp/www/bad$n.cba" "$tmp/s/bad$n"
        one_line_on_stderr
        expect_stderr "bad$n.cba: ihop\\."
        [ ! -e "$tmp/s" ] || fail "a store was made"
        # It can be looked at.
        expect_exit 0 "$ihop_compress" --info "$tmp/www/bad$n.cba"
        expect_stdout '^  Malformed, and refused by ihop-clone: ihop\.'
        expect_exit 0 "$ihop_compress" --info --json "$tmp/www/bad$n.cba"
        [[ $(json facts_error) == ihop.* ]] || fail "no facts_error"
    done
    raw twice ihop.version=1 ihop.version=2
    expect_exit 5 clone twice
    expect_stderr 'ihop.version is there twice'
    raw later ihop.later=1 ihop.version=3
    expect_exit 0 clone later
    expect_exit 0 "$ihop_store" info --json "$tmp/s/later"
    equal "$(json version)" 3 "version of the release"
}

test_device_type() {
    setup
    archive plain 2
    archive a 3 --compatible board-a --compatible board-b
    start_server "$tmp/www"
    expect_exit 0 clone a
    rm -rf "$tmp/s"
    # Before a chunk is requested, and nothing is made.
    expect_exit 5 "$ihop_clone" --config "$tmp/none" --compatible board-c "$url/good/a.cba" "$tmp/s/a"
    one_line_on_stderr
    expect_stderr "a.cba: it is for devices of the type 'board-a', 'board-b', and this one is 'board-c'"
    equal "$(requests "past=$(header_size "$tmp/www/a.cba")")" 0 "requests for chunks"
    expect_exit 5 clone --compatible board-c plain
    expect_stderr "does not say which devices it is for, and this one has the type 'board-c'"
    expect_exit 5 clone --dry-run --compatible board-c a
    [ ! -e "$tmp/s" ] || fail "a store was made"
    expect_exit 0 clone --compatible board-b a
    # A run with nothing to do is held to it, too, and one that repairs.
    expect_exit 0 clone --compatible board-a a
    expect_exit 5 clone --compatible board-c a
    expect_stderr "for devices of the type 'board-a'"
    $cba lose "$tmp/s/a" 1
    expect_exit 5 clone --compatible board-c a
    expect_exit 5 clone --recheck --compatible board-c a
    expect_exit 0 clone --compatible board-a a
    holds "$tmp/s/a" "$tmp/a"
}

test_device_conf() {
    local conf=$tmp/conf

    setup
    archive a 3 --compatible board-a
    archive b 4 --compatible board-b
    mkdir -p "$conf"
    # configured CODE [OPTION...] NAME
    configured() {
        expect_exit "$1" "$ihop_clone" --quiet --config "$conf" "${@:2:$#-2}" "$tmp/www/${!#}.cba" "$tmp/s/${!#}"
    }
    configured 0 b
    printf '# what this is\n\ncompatible=board-a\n' >"$conf/device.conf"
    configured 0 a
    configured 5 b
    expect_stderr "it is for devices of the type 'board-b', and this one is 'board-a'"
    configured 0 --compatible board-b b
    printf 'compatible=board-a' >"$conf/device.conf"
    configured 0 a
    configured 5 b
    # A slip of the pen never means that there is no type.
    for text in '' '#compatible=board-a\n' 'compatable=board-a\n' 'compatible=\n' 'compatible=a\ncompatible=a\n' \
        'compatible=board-a\r\n' ' compatible=board-a\n' 'compatible = board-a\n' 'compatible=a\0b\n' 'board-a\n' \
        'compatible=board-a \n' 'compatible=board-a\nother=1\n'; do
        # shellcheck disable=SC2059 # the text has escapes
        printf "$text" >"$conf/device.conf"
        configured 7 a
        one_line_on_stderr
        expect_stderr "conf/device.conf: "
        configured 7 b
        configured 0 --compatible board-b b
    done
    head -c 70000 /dev/zero >"$conf/device.conf"
    configured 7 b
    rm "$conf/device.conf"
    mkdir "$conf/device.conf"
    configured 7 b
    rmdir "$conf/device.conf"
    mkfifo "$conf/device.conf"
    configured 7 b
    rm "$conf/device.conf"
    ln -s device.conf "$conf/device.conf"
    configured 7 b
    expect_stderr 'cannot open .*conf/device.conf, which says what type this device has'
    rm "$conf/device.conf"
    configured 0 b
    expect_exit 2 "$ihop_clone" --config "$tmp/nowhere" "$tmp/www/b.cba" "$tmp/s/b"
    expect_stderr 'nowhere is no directory'
    # A link is what /etc may have.
    printf 'compatible=board-a\n' >"$tmp/elsewhere"
    ln -s "$tmp/elsewhere" "$conf/device.conf"
    configured 5 b
    if [ "$(id -u)" != 0 ]; then
        chmod 0 "$tmp/elsewhere"
        configured 7 a
    fi
    expect_exit 2 clone --compatible $'a\nb' a
}

test_minimum() {
    setup
    for n in 1 2 3 5; do
        archive v$n $n --image-version $n
    done
    archive v4 4 --image-version 4 --minimum-version 3
    archive plain 9
    for name in v1 plain v2 v4; do
        expect_exit 0 clone --allow-downgrade $name
    done
    equal "$("$ihop_store" minimum --json "$tmp/s" | "$python" -c 'import json, sys
r = json.load(sys.stdin)
print(r["minimum"], r["recorded"], r["newest"], r["newest_release"])')" "3 True 4 v4" "what the store says"
    # For ever, on every path, whatever is removed and whatever is allowed.
    expect_exit 0 "$ihop_store" remove -q "$tmp/s/v4"
    for options in --allow-downgrade --force '--allow-downgrade --dry-run' '--recheck --allow-downgrade'; do
        for name in v2 v1; do
            # shellcheck disable=SC2086 # several words
            expect_exit 5 clone $options $name
            one_line_on_stderr
            expect_stderr "$name.cba: its version ${name#v} is below 3, the minimum that this store has accepted"
        done
        # shellcheck disable=SC2086
        expect_exit 5 clone $options plain
        expect_stderr "it has no version, which is below 3"
    done
    $cba lose "$tmp/s/v2" 0
    expect_exit 5 clone v2
    expect_stderr 'its version 2 is below 3'
    expect_exit 5 "$ihop_store" verify --repair --from "$tmp/www/v2.cba" "$tmp/s/v2"
    expect_stderr 'v2.cba: its version 2 is below 3'
    expect_exit 0 clone v3
    expect_exit 0 clone v5
    equal "$("$ihop_store" minimum --json "$tmp/s" | grep -o '"minimum":[0-9]*')" '"minimum":3' "the minimum"
    # What lies below is still there, served and looked after.
    equal "$(releases "$tmp/s")" "v1 plain v2 v3 v5" "releases"
    expect_exit 0 "$ihop_store" verify "$tmp/s/v1"
}

test_dry_run_raises_nothing() {
    setup
    archive v1 1 --image-version 1
    archive v4 4 --image-version 4 --minimum-version 3
    expect_exit 0 clone v1
    expect_exit 0 clone --dry-run v4
    expect_exit 0 clone v1
    equal "$("$ihop_store" minimum --json "$tmp/s" | grep -o '"minimum":[0-9]*')" '"minimum":0' "the minimum"
}

test_downgrade() {
    setup
    archive v1 1 --image-version 1
    archive v3 3 --image-version 3
    archive plain 9
    expect_exit 0 clone v1
    expect_exit 0 clone v3
    # What is installed already is no downgrade: nothing to do, and a repair.
    expect_exit 0 clone --json v1
    equal "$(json outcome)" complete "a rerun of the older one"
    $cba lose "$tmp/s/v1" 1
    expect_exit 0 clone --json v1
    equal "$(json outcome)" restored "a repair of the older one"
    truncate -s 100 "$tmp/s/v1"
    expect_exit 5 clone v1
    expect_exit 0 clone --allow-downgrade v1
    # So it is when something was put behind the archive.
    cp "$tmp/www/v1.cba" "$tmp/keep.cba"
    printf more >>"$tmp/www/v1.cba"
    expect_exit 0 clone --json v1
    equal "$(json outcome)" complete "a rerun with a longer archive"
    mv "$tmp/keep.cba" "$tmp/www/v1.cba"
    # Under another name, or in place of the newest, it is one.
    expect_exit 5 "$ihop_clone" --config "$tmp/none" "$tmp/www/v1.cba" "$tmp/s/again"
    one_line_on_stderr
    expect_stderr 'v1.cba: its version 1 is lower than 3, the version of release v3: pass --allow-downgrade'
    expect_exit 5 "$ihop_clone" --config "$tmp/none" --force "$tmp/www/v1.cba" "$tmp/s/v3"
    expect_exit 5 clone --dry-run plain
    expect_stderr 'it has no version, which is lower than 3'
    expect_exit 0 "$ihop_clone" --config "$tmp/none" -q --force --allow-downgrade "$tmp/www/v1.cba" "$tmp/s/v3"
    expect_exit 0 "$ihop_store" info --json "$tmp/s/v3"
    equal "$(json version)" 1 "version after a downgrade"
    # Now 1 is the newest.
    expect_exit 0 "$ihop_clone" --config "$tmp/none" -q "$tmp/www/v1.cba" "$tmp/s/again"
    expect_exit 5 clone plain
    for name in v1 v3 again; do
        expect_exit 0 "$ihop_store" remove -q "$tmp/s/$name"
    done
    expect_exit 0 clone plain
}

# The image is the same and only what it says is another: the release must say it, too.
test_same_image_other_version() {
    setup
    archive v1 1 --image-version 1
    expect_exit 0 clone v1
    archive v1 1 --image-version 5 --minimum-version 5
    expect_exit 0 clone --json v1
    equal "$(json outcome) $(json chunks_fetched)" "published 0" "outcome"
    expect_exit 0 "$ihop_store" info --json "$tmp/s/v1"
    equal "$(json version)" 5 "version of the release"
    equal "$("$ihop_store" minimum --json "$tmp/s" | grep -o '"minimum":[0-9]*')" '"minimum":5' "the minimum"
    expect_exit 0 clone --json v1
    equal "$(json outcome)" complete "outcome"
    archive v1 1 --image-version 4
    expect_exit 5 clone --allow-downgrade v1
}

test_trial() {
    setup
    for n in 1 2 3; do
        archive v$n $n --image-version $n
    done
    archive v4 4 --image-version 4 --minimum-version 3
    expect_exit 0 clone v1
    expect_exit 0 "$ihop_store" default -q "$tmp/s/v1"
    expect_exit 0 clone v2
    expect_exit 0 "$ihop_clone" --config "$tmp/none" --try "$tmp/www/v4.cba" "$tmp/s/v4"
    expect_stderr 'warning: the default, .*/v1, is below the minimum of the store from now on \(3\)'
    expect_exit 5 clone --try v2
    expect_stderr 'its version 2 is below 3'
    expect_exit 5 "$ihop_store" try "$tmp/s/v2"
    expect_stderr 'v2 has the version 2, which is below 3, the minimum of the store'
    expect_exit 5 "$ihop_store" default "$tmp/s/v2"
    expect_exit 0 "$ihop_store" boot "$tmp/s"
    equal "$(cat "$tmp/out")" v4 "what boots"
    expect_exit 0 "$ihop_store" boot --skip v4 "$tmp/s"
    equal "$(cat "$tmp/out")" v1 "the last resort"
    expect_stderr 'warning: v1 is below the minimum of the store, and boots all the same'
    expect_exit 0 "$ihop_store" boot "$tmp/s"
    equal "$(cat "$tmp/out")" v4 "what boots"
    expect_exit 0 "$ihop_store" good "$tmp/s"
    expect_exit 10 "$ihop_store" boot --skip v4 "$tmp/s"
    expect_stderr 'v1 is skipped: its version 1 is below 3'
    expect_exit 0 "$ihop_store" gc --keep 1 "$tmp/s"
    expect_exit 0 clone --allow-downgrade v3
}

run_cases "$@"
