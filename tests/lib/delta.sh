# SPDX-License-Identifier: MIT
# delta.sh: two archives and the pack between them, for the tests of updates by packs. A test
# sources it after functions.sh.

# change FILE CHUNK SEED BYTES: the first BYTES of a chunk of 32 KiB become other noise.
change() {
    noise "$tmp/part" "$4" "$3"
    dd if="$tmp/part" of="$1" bs=32768 seek="$2" conv=notrunc status=none
}

# make_update: $tmp/www/v1.cba and v2.cba, of the images $tmp/i1 and $tmp/i2, and the pack between
# them, $pack ($pack_name without its directory). 13 chunks of v2 are new, and one of zeros: ten
# have a byte changed, and one half its bytes, so that they have deltas; two are copies.
make_update() {
    mkdir -p "$tmp/www"
    noise "$tmp/i1" $((40 * 32768)) old
    cp "$tmp/i1" "$tmp/i2"
    for chunk in 1 3 5 7 9 11 13 15 17 19; do
        change "$tmp/i2" "$chunk" "byte$chunk" 1
    done
    change "$tmp/i2" 22 half 16384
    change "$tmp/i2" 30 whole 32768
    change "$tmp/i2" 33 other 32768
    truncate -s +65536 "$tmp/i2"
    make_update_archive 1
    make_update_archive 2
    pack_name=v2.cba$($cba pack-name "$tmp/www/v1.cba")
    pack=$tmp/www/$pack_name
    "$ihop_compress" -q -f --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    [ -e "$pack" ] || fail "no pack was made"
    header=$(header_size "$tmp/www/v2.cba")
    head=$(pack_head "$pack")
}

# pack_head PACK: where its deltas begin.
pack_head() {
    "$python" -c 'import struct, sys
print(78 + struct.unpack("<Q", open(sys.argv[1], "rb").read(14)[6:])[0])' "$1"
}

# make_update_archive N [OPTION...]
make_update_archive() {
    "$ihop_compress" -q -f --fixed-size 32768 --compression zstd "${@:2}" "$tmp/i$1" "$tmp/www/v$1.cba"
}

# old_store STORE: has v1 alone.
old_store() {
    rm -rf "$1"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1.cba" "$1/v1"
}

# delta MEMBER: of the member delta of the last JSON.
delta() {
    "$python" -c 'import json, sys
print(json.loads(open(sys.argv[1]).read().splitlines()[-1])["delta"][sys.argv[2]])' "$tmp/out" "$1"
}

# updated STORE/RELEASE: it is v2, nothing is staged, and the old release is still whole.
updated() {
    holds "$1" "$tmp/i2"
    nothing_staged "${1%/*}"
}
