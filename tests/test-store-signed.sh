#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who can write the store of a device that is off changes its signed releases, their kept headers
# and their chunks: nbdkit with verify-key= refuses to start, or serves the right bytes or EIO, and
# never other ones; ihop-store verify --verify-key finds it.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
cd "$tmp"
mkdir images
for n in 1 2; do
    $cba key "$n" "key$n" >key$n.ids
done

# install RELEASE KEY-NUMBER IMAGE OPTION...: an archive of the image, signed, and cloned.
install() {
    local name=$1 number=$2 image=$3

    shift 3
    $cba make --data-offset-gap 4096 "$@" "$image" "$name.cba"
    $cba signature "$number" "$name.cba" >text
    $cba put-signatures "$name.cba" text
    expect_exit 0 "$ihop_clone" --quiet --allow-downgrade --verify-key "key$number.pub" "$name.cba" "s/$name"
    cp "$image" "images/$name"
}

noise image1 16384 1 4096 4096
noise image2 16384 2 4096 4096
noise tiny 72 3 24 24
noise large 200000 4
install v1 1 image1 --fixed 4096 --metadata ihop.version=3
install v2 1 image2 --fixed 4096 --metadata ihop.version=4
install foreign 2 image2 --fixed 4096 --metadata ihop.version=4
install tiny 1 tiny --fixed 24
install large 1 large --fixed 100000
# Headers that cannot be made again, so that the release keeps them.
install unused 1 image1 --fixed 4096 --unreferenced
install twice 1 image1 --fixed 4096 --duplicate
install old 1 image1 --fixed 4096 --old-magic
install unknown 1 image1 --fixed 4096 --unknown-fields

test_attacks() {
    PYTHONPATH=$srcdir/tests/lib "$python" "$srcdir/tests/lib/offline.py" "$tmp/s" "$tmp/images" "$tmp/key1.pub" \
        "${nbdkit[@]}" -- "$plugin" "$ihop_store"
}

# served RELEASE PARAMETER...; refused REGEX RELEASE PARAMETER...
served() {
    local release=$1

    shift
    compare "images/$release" "s/$release" "$@"
}
refused() {
    local regex=$1 release=$2

    shift 2
    expect_exit 1 ihop_run true -- "s/$release" "$@"
    one_line_on_stderr
    expect_stderr "^nbdkit: error: release .*s/$release.*$regex"
}

# A release below the store's minimum is there, and not served to who demands signatures.
test_minimum() {
    cp -a s before
    served v1 verify-key=key1.pub
    install v5 1 image2 --fixed 4096 --metadata ihop.version=5 --metadata ihop.minimum-version=4
    refused "is not served: its version is 3, below 4, the minimum" v1 verify-key=key1.pub
    served v2 verify-key=key1.pub
    served v1
    rm -rf s
    mv before s
}

# How many must have signed, and who.
test_demands() {
    refused "" foreign verify-key=key1.pub
    served foreign verify-key=key2.pub
    served v1 verify-key=key2.pub verify-key=key1.pub
    mkdir keys
    cp key1.pub key2.pub keys
    served foreign verify-key=keys
    refused "" v1 verify-key=keys signatures=2
    $cba signature 1 v1.cba >both
    $cba signature 2 v1.cba >>both
    cp v1.cba two.cba
    $cba put-signatures two.cba both
    expect_exit 0 "$ihop_clone" --quiet --allow-downgrade --verify-key keys --signatures 2 two.cba s/two
    cp image1 images/two
    served two verify-key=keys signatures=2
    rm s/two images/two
}

# Each export of a whole store is judged when it is opened; the others go on.
test_whole_store() {
    cp s/v1 s/renamed
    serve s verify-key=key1.pub
    nbdcopy "nbd+unix:///v1?socket=$socket" copy
    cmp images/v1 copy
    for name in foreign renamed; do
        expect_exit 1 nbdinfo "nbd+unix:///$name?socket=$socket"
        expect_log "release .*s/$name"
    done
    expect_log "was published as 'v1' and has been renamed or copied"
    rm -f copy
    nbdcopy "nbd+unix:///v2?socket=$socket" copy
    cmp images/v2 copy
    stop_server
    rm s/renamed
    # id= of all digits finds the image, whatever it is called by now.
    mv s/v1 s/moved
    sum=$(b2sum <images/v1 | cut -d' ' -f1)
    cp images/v1 images/moved
    served moved verify-key=key1.pub id="$sum"
    refused "has been renamed or copied" moved verify-key=key1.pub id="${sum:0:64}"
    rm images/moved
    mv s/moved s/v1
}

# Without keys the store is trusted, as ever; with verify=off dm-verity has to look at the chunks.
test_without() {
    cp s/v1 s/renamed
    cp images/v1 images/renamed
    served renamed
    rm s/renamed
    served v1 verify-key=key1.pub verify=off
}

run_cases "$@"
