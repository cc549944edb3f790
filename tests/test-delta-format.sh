#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two readers of delta packs, one in Python that follows docs/formats.md alone (ihopformat/delta.py)
# and ours, say the same about a pack: what is in it, the header that its patch gives, the content
# of each delta; and both refuse each hostile pack for its fault. With the pack, the Python reader
# makes the new image of the old one.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
requires python3 zstd brotli

show_pack=$builddir/tests/show-pack

# make_images: old.img and new.img, which has bytes put in, changed and appended, and zeros.
make_images() {
    "$python" - "$tmp" <<'EOF_PY'
import sys
from ihopformat.noise import sample_data
old = sample_data(500000) + bytes(300000) + sample_data(200000)[100000:]
new = bytearray(old)
new[620000:] = bytes(200000) + new[620000:]
for at in range(20000, 480000, 30000):
    new[at:at + 20] = b"y" * 20
new[90000:90000] = b"x" * 300
new += sample_data(700000)[600000:]
for name, data in ("old", old), ("new", new):
    with open(f"{sys.argv[1]}/{name}.img", "wb") as f:
        f.write(data)
EOF_PY
}

# make_both [OPTION...]: the archives of both images.
make_both() {
    for name in old new; do
        "$ihop_compress" -q --force-create --avg-chunk-size 16KiB --min-chunk-size 8KiB \
            --max-chunk-size 100KiB "$@" "$tmp/$name.img" "$tmp/$name.cba"
    done
}

# both_readers_agree PACK: and the pack is good.
both_readers_agree() {
    expect_exit 0 "$show_pack" "$1" "$tmp/new.cba" "$tmp/old.cba" "$tmp/old.img"
    silent
    $cba pack-show "$1" "$tmp/new.cba" >"$tmp/python"
    diff "$tmp/python" "$tmp/out" >&2 || fail "the readers do not say the same"
    $cba pack-update "$1" "$tmp/old.cba" "$tmp/old.img" "$tmp/made.img"
    cmp "$tmp/made.img" "$tmp/new.img"
    $cba pack-header "$1" "$tmp/old.cba" "$tmp/made.header"
    cmp -n "$($cba header-size "$tmp/new.cba")" "$tmp/made.header" "$tmp/new.cba"
}

test_packs_by_python() {
    local options

    for options in "" "--compression zstd --hash-length 32" "--compression none --fixed-size 20000"; do
        # shellcheck disable=SC2086 # words
        make_both $options
        $cba pack "$tmp/old.cba" "$tmp/old.img" "$tmp/new.cba" "$tmp/pack"
        both_readers_agree "$tmp/pack"
        for codec in copy zstd bsdiff; do
            expect_exit 0 grep " $codec " "$tmp/python"
        done
    done
}

# make_pack OLD: of ihop-compress, from an archive or a release; moves it to $tmp/pack.
make_pack() {
    local made

    made=$tmp/new.cba$($cba pack-name "$1")
    "$ihop_compress" -q --delta-from "$1" "$tmp/new.cba"
    mv "$made" "$tmp/pack"
}

test_packs_by_ihop_compress() {
    local options

    for options in "" "--compression zstd --hash-length 32" "--compression none --fixed-size 20000"; do
        # shellcheck disable=SC2086 # words
        make_both $options
        make_pack "$tmp/old.cba"
        both_readers_agree "$tmp/pack"
        rm -rf "$tmp/store"
        "$ihop_clone" -q "$tmp/old.cba" "$tmp/store/old"
        make_pack "$tmp/store/old"
        both_readers_agree "$tmp/pack"
        $cba pack-update "$tmp/pack" "$tmp/store/old" "$tmp/old.img" "$tmp/made.img"
        cmp "$tmp/made.img" "$tmp/new.img"
    done
}

# Another cut of the old image: its table is of no use, its bytes are.
test_other_tables() {
    make_both
    $cba pack "$tmp/old.cba" "$tmp/old.img" "$tmp/new.cba" "$tmp/pack"
    "$ihop_compress" -q --fixed-size 30000 --force-create "$tmp/old.img" "$tmp/old.cba"
    expect_exit 1 "$show_pack" "$tmp/pack" "$tmp/new.cba" "$tmp/old.cba" "$tmp/old.img"
    expect_stderr "^header: .*(another chunk table|came from another archive)"
    one_line_on_stderr
    # shellcheck disable=SC2086 # words
    expect_exit 1 $cba pack-header "$tmp/pack" "$tmp/old.cba" "$tmp/made.header"
    expect_stderr "header|reference"
}

# make_hostile: each hostile pack as $tmp/hostile/NAME. The Python reader has to refuse it, but for
# what it could only know from the archive.
make_hostile() {
    mkdir -p "$tmp/hostile"
    "$python" - "$tmp" <<'EOF_PY'
import io, sys
from ihopformat import archive, delta, deltahostile
tmp = sys.argv[1]
old = delta.read_table(f"{tmp}/old.cba")
with open(f"{tmp}/new.cba", "rb") as f:
    header = f.read(archive.header_size(f"{tmp}/new.cba"))
with open(f"{tmp}/pack", "rb") as f:
    good = f.read()
for name in deltahostile.CASES:
    data = deltahostile.hostile_pack(name, delta.parse_pack(good), header)
    with open(f"{tmp}/hostile/{name}", "wb") as f:
        f.write(data)
    try:
        pack = delta.parse_pack(data)
        with open(f"{tmp}/old.img", "rb") as image:
            delta.update(pack, old, image, delta.table_of_archive(pack.header(old)), io.BytesIO())
    except delta.Refused:
        continue
    if name != "other-archive-size":
        sys.exit(f"{name}: the Python reader takes it")
EOF_PY
}

# hostile_case NAME KIND REGEX: ours refuses what is hostile of it, and no more.
hostile_case() {
    expect_exit 1 timeout 60 "$show_pack" "$tmp/hostile/$1" "$tmp/new.cba" "$tmp/old.cba" "$tmp/old.img"
    case $2 in
        pack | header) one_line_on_stderr ;;
    esac
    expect_stderr "^$2[^:]*: .*($3)"
    [ "$2" = pack ] || grep -q '^chunk ' "$tmp/out" || fail "$1: nothing else was read"
}

test_hostile_packs() {
    local name kind regex count=0

    make_both
    $cba pack "$tmp/old.cba" "$tmp/old.img" "$tmp/new.cba" "$tmp/pack"
    make_hostile
    $cba pack-list >"$tmp/list"
    while IFS=$'\t' read -r name kind regex; do
        echo "$name"
        hostile_case "$name" "$kind" "$regex"
        count=$((count + 1))
    done <"$tmp/list"
    echo "$count hostile packs"
    [ "$count" -ge 82 ]
}

make_images
run_cases "$@"
