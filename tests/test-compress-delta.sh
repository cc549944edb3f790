#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --delta-from makes packs beside an archive: from archives and from releases, the same on any
# number of threads, whole or not at all; what is wrong or useless is refused in one line.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"

# make_images: v1, v2, v3: 3 MiB of which a third is text and the rest noise, with a hole of 1 MiB,
# and changes in the text, between other parts, and at another place than before. other has nothing
# in common with them.
make_images() {
    python3 - "$tmp" <<'EOF_PY'
import random, sys
tmp = sys.argv[1]
r = random.Random(11)
words = [bytes(r.choices(b"abcdefghijklmnopqrstuvwxyz", k=r.randint(3, 9))) for _ in range(2000)]
text = b" ".join(r.choices(words, k=170000))[:1 << 20]
noise = r.randbytes(2 << 20)

def edit(data, count):
    data = bytearray(data)
    for _ in range(count):
        at = r.randrange(len(data) - 8)
        data[at:at + 8] = b"changed!"
    return bytes(data)

hole = bytes(1 << 20)
v1 = text + noise[:1000000] + hole + noise[1000000:]
changed = edit(text, 40)
v2 = noise[:300000] + changed + noise[300000:1000000] + hole + noise[1000000:]
v3 = v2[:2000000] + r.randbytes(300000) + edit(v2[2000000:], 3)
for name, data in (("v1", v1), ("v2", v2), ("v3", v3), ("other", r.randbytes(4 << 20))):
    open(f"{tmp}/{name}", "wb").write(data + bytes(-len(data) % 512))
EOF_PY
}

# make_samples: the images, and their archives in $tmp/www.
make_samples() {
    [ ! -d "$tmp/www" ] || return 0
    mkdir "$tmp/www"
    make_images
    for v in v1 v2 v3 other; do
        expect_exit 0 "$ihop_compress" -q "$tmp/$v" "$tmp/www/$v.cba"
    done
}

# pack_of OLD NEW: the path of the pack from archive to archive.
pack_of() {
    echo "$tmp/www/$2.cba$($cba pack-name "$tmp/www/$1.cba")"
}

# no_packs: as before any was made.
no_packs() {
    rm -f "$tmp"/www/*.from-*
}

# updates OLD NEW: the pack gives the new image, header and all, out of the old one alone.
updates() {
    $cba pack-update "$(pack_of "$1" "$2")" "$tmp/www/$1.cba" "$tmp/$1" "$tmp/made"
    cmp "$tmp/made" "$tmp/$2" || fail "the pack from $1 does not give $2"
}

test_update() {
    make_samples
    no_packs
    expect_exit 0 "$ihop_compress" --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    one_line_on_stderr
    expect_stderr "^$(pack_of v1 v2): done: .* for [0-9]+ chunks; an update from $tmp/www/v1.cba downloads .* instead of .*"
    updates v1 v2
    # All that changed in place or moved costs next to nothing.
    at_most "$(stat -c %s "$(pack_of v1 v2)")" 20000 "bytes of a pack whose changes have 320 bytes"
    equal "$(stat -c %a "$(pack_of v1 v2)")" "$(stat -c %a "$tmp/www/v2.cba")" "mode of the pack"
    # What is new is in it once.
    expect_exit 0 "$ihop_compress" -q --delta-from "$tmp/www/v2.cba" "$tmp/www/v3.cba"
    silent
    updates v2 v3
    at_most "$(stat -c %s "$(pack_of v2 v3)")" 310000 "bytes of a pack with 300000 new ones"
    at_least "$(stat -c %s "$(pack_of v2 v3)")" 300000 "bytes of a pack with 300000 new ones"
}

# Nothing is where it was, or near what was near it, and each part has changed: only what it has
# itself tells where it came from.
test_moved() {
    make_samples
    python3 - "$tmp" <<'EOF_PY'
import random, sys
r = random.Random(5)
parts = [bytearray(r.randbytes(100000)) for _ in range(24)]
open(f"{sys.argv[1]}/moved1", "wb").write(b"".join(parts) + bytes(256))
r.shuffle(parts)
for part in parts:
    for at in range(0, len(part), 10000):
        part[at:at + 4] = r.randbytes(4)
open(f"{sys.argv[1]}/moved2", "wb").write(b"".join(parts) + bytes(256))
EOF_PY
    for v in moved1 moved2; do
        expect_exit 0 "$ihop_compress" -q -f "$tmp/$v" "$tmp/www/$v.cba"
    done
    expect_exit 0 "$ihop_compress" -q -f --delta-from "$tmp/www/moved1.cba" "$tmp/www/moved2.cba"
    updates moved1 moved2
    at_most "$(stat -c %s "$(pack_of moved1 moved2)")" 100000 "bytes of a pack with 960 new ones"
    rm "$tmp"/www/moved*
}

test_same_pack() {
    make_samples
    no_packs
    expect_exit 0 "$ihop_compress" -q -j 1 --delta-from "$tmp/www/v1.cba" "$tmp/www/v3.cba"
    cp "$(pack_of v1 v3)" "$tmp/one"
    for jobs in 2 3 16; do
        expect_exit 0 "$ihop_compress" -q -f -j $jobs --delta-from "$tmp/www/v1.cba" "$tmp/www/v3.cba"
        cmp "$tmp/one" "$(pack_of v1 v3)" || fail "another pack with $jobs jobs"
    done
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1.cba" "$tmp/s/old"
    expect_exit 0 "$ihop_compress" -q -f -j 2 --delta-from "$tmp/s/old" "$tmp/www/v3.cba"
    cmp "$tmp/one" "$(pack_of v1 v3)" || fail "another pack from the release"
    start_server "$tmp/www"
    expect_exit 0 "$ihop_compress" -q -f --delta-from "$url/v1.cba" "$tmp/www/v3.cba"
    cmp "$tmp/one" "$(pack_of v1 v3)" || fail "another pack from the URL"
}

# Two old images, one of them twice, and an archive that is made in the same run.
test_several() {
    make_samples
    no_packs
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1.cba" "$tmp/s/old"
    expect_exit 0 "$ihop_compress" --json --delta-from "$tmp/www/v1.cba" --delta-from "$tmp/s/old" \
        --delta-from "$tmp/www/v2.cba" "$tmp/www/v3.cba"
    silent
    cp "$tmp/out" "$tmp/json"
    equal "$(ls "$tmp"/www/*.from-* | wc -l)" 2 "packs"
    updates v1 v3
    updates v2 v3
    python3 - "$tmp/json" "$(pack_of v1 v3)" "$(pack_of v2 v3)" "$tmp/www/v3.cba" <<'EOF_PY'
import json, os, sys
line = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert line["ok"] and line["exit_code"] == 0 and line["archive"] == sys.argv[4], line
first, again, second = line["packs"]
assert again["pack"] == first["pack"] == sys.argv[2] and "pack_size" not in again, again
for pack, path in ((first, sys.argv[2]), (second, sys.argv[3])):
    assert pack["pack"] == path and pack["header_patch"] is True, pack
    assert pack["pack_size"] == os.stat(path).st_size, pack
    assert pack["bytes_downloaded"] == pack["pack_size"] + 14 + 64, pack
    assert pack["bytes_downloaded_without"] > 1.1 * pack["bytes_downloaded"], pack
    deltas = sum(pack["deltas_" + c] for c in ("copy", "zstd", "bsdiff"))
    assert deltas > 0 and sum(pack["bytes_" + c] for c in ("copy", "zstd", "bsdiff")) < pack["pack_size"]
EOF_PY
    cp "$(pack_of v1 v3)" "$tmp/one"
    cp "$tmp/www/v3.cba" "$tmp/v3.cba"
    no_packs
    rm "$tmp/www/v3.cba"
    expect_exit 0 "$ihop_compress" --delta-from "$tmp/www/v1.cba" --delta-from "$tmp/www/v2.cba" \
        "$tmp/v3" "$tmp/www/v3.cba"
    equal "$(wc -l <"$tmp/err")" 4 "lines about an archive and two packs"
    cmp "$tmp/v3.cba" "$tmp/www/v3.cba"
    cmp "$tmp/one" "$(pack_of v1 v3)"
    expect_exit 0 "$ihop_compress" -f --json --delta-from "$tmp/www/v1.cba" --input "$tmp/v3" "$tmp/www/v3.cba"
    equal "$(json packs | grep -c "$(pack_of v1 v3)")" 1 "packs in the result"
    equal "$(json archive)" "$tmp/www/v3.cba" "archive in the result"
}

# refused CODE REGEX ARGUMENT...: in one line, and nothing is written.
refused() {
    local code=$1 regex=$2

    shift 2
    ls -l "$tmp/www" >"$tmp/before"
    expect_exit "$code" "$ihop_compress" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-compress: $regex"
    ls -l "$tmp/www" | cmp - "$tmp/before" || fail "something was written: $*"
}

test_refused() {
    make_samples
    no_packs
    refused 2 "$tmp/www/v1.cba has the same image as $tmp/www/v1.cba: there is nothing to update" \
        --delta-from "$tmp/www/v1.cba" "$tmp/www/v1.cba"
    refused 2 "a pack from $tmp/www/other.cba would not pay: .* would download .* instead of .* No pack was written" \
        --delta-from "$tmp/www/other.cba" "$tmp/www/v2.cba"
    refused 10 "there is no archive $tmp/www/none.cba" --delta-from "$tmp/www/none.cba" "$tmp/www/v2.cba"
    refused 10 "there is no archive $tmp/www/none.cba" --delta-from "$tmp/www/v1.cba" "$tmp/www/none.cba"
    refused 5 "$tmp/v1" --delta-from "$tmp/v1" "$tmp/www/v2.cba"
    refused 2 "packs are made beside the archive, and http://.* is a URL" \
        --delta-from "$tmp/www/v1.cba" http://127.0.0.1:1/v2.cba
    refused 2 "--delta-from makes packs, and --info" --info --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    refused 2 "--delta-from makes packs, and --info" --diff "$tmp/www/v1.cba" --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    refused 2 "an archive that exists is either signed or given packs" \
        --sign "$tmp/v1" --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    for option in "compression brotli" "compression-level 6" "avg-chunk-size 64KiB" "min-chunk-size 16KiB" \
        "max-chunk-size 16MiB" "hash-chunking RollSum" "rolling-window-size 64" "fixed-size 64KiB" \
        "hash-length 64" "metadata-value a b" "image-version 1" "compatible x" "signature-space 0" "verity"; do
        # shellcheck disable=SC2086
        refused 2 "--${option%% *}.* is for making an archive of an image" --$option \
            --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    done
    # Before the image is read.
    echo "what was there" >"$(pack_of v1 v2)"
    refused 12 "$(pack_of v1 v2) exists: pass --force-create to replace it" \
        --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    mv "$tmp/www/v2.cba" "$tmp/v2.cba"
    refused 12 "$(pack_of v1 v2) exists: pass --force-create to replace it" \
        --delta-from "$tmp/www/v1.cba" "$tmp/v2" "$tmp/www/v2.cba"
    mv "$tmp/v2.cba" "$tmp/www/v2.cba"
    expect_exit 0 "$ihop_compress" -q -f --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    updates v1 v2
}

# One that does not pay does not keep the others from being made.
test_useless_among_others() {
    make_samples
    no_packs
    expect_exit 2 "$ihop_compress" --delta-from "$tmp/www/other.cba" --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    expect_stderr "a pack from $tmp/www/other.cba would not pay"
    equal "$(ls "$tmp"/www/*.from-*)" "$(pack_of v1 v2)" "packs"
    updates v1 v2
    # Many chunks are judged by some of them.
    expect_exit 0 "$ihop_compress" -q -f --avg-chunk-size 4k --min-chunk-size 1k "$tmp/other" "$tmp/small.cba"
    expect_exit 2 "$ihop_compress" --delta-from "$tmp/www/v1.cba" "$tmp/small.cba"
    expect_stderr "would not pay: an update .* would download about .* instead of"
    equal "$(ls "$tmp" | grep -c small.cba.from)" 0 "packs of no use"
}

# The hashes of an archive with shorter ones name other chunks; the old image serves all the same.
test_other_hash_length() {
    make_samples
    no_packs
    expect_exit 0 "$ihop_compress" -q -f --hash-length 32 "$tmp/v2" "$tmp/www/short.cba"
    cp "$tmp/v2" "$tmp/short"
    expect_exit 0 "$ihop_compress" -q --delta-from "$tmp/www/v1.cba" "$tmp/www/short.cba"
    updates v1 short
    at_most "$(stat -c %s "$(pack_of v1 short)")" 20000 "bytes of a pack between hash lengths"
    rm "$tmp/www/short.cba"
}

# Chunks that are mostly zeros, and larger than any base.
test_large_chunks() {
    make_samples
    python3 - "$tmp" <<'EOF_PY'
import random, sys
r = random.Random(3)
data = bytearray(12 << 20)
for at in range(0, len(data), 1 << 20):
    data[at + 1000:at + 30000] = r.randbytes(29000)
open(f"{sys.argv[1]}/holes1", "wb").write(data)
data[5 << 20:(5 << 20) + 4] = b"new!"
data[(9 << 20) + 5000:(9 << 20) + 5004] = b"new!"
open(f"{sys.argv[1]}/holes2", "wb").write(data)
EOF_PY
    for v in holes1 holes2; do
        expect_exit 0 "$ihop_compress" -q -f --fixed-size 6MiB "$tmp/$v" "$tmp/www/$v.cba"
    done
    expect_exit 0 "$ihop_compress" -q -f --delta-from "$tmp/www/holes1.cba" "$tmp/www/holes2.cba"
    updates holes1 holes2
    at_most "$(stat -c %s "$(pack_of holes1 holes2)")" 2000 "bytes of a pack with 8 new ones"
    rm "$tmp"/www/holes*
}

test_damaged() {
    make_samples
    no_packs
    cp "$tmp/www/v1.cba" "$tmp/bad.cba"
    flip "$tmp/bad.cba" 1500000
    refused 5 "$tmp/bad.cba is damaged: chunk [0-9a-f]{128} at byte [0-9]+: " \
        --delta-from "$tmp/bad.cba" "$tmp/www/v2.cba"
    cp "$tmp/www/v1.cba" "$tmp/www/bad.cba"
    size=$(stat -c %s "$tmp/www/bad.cba")
    truncate -s $((size - 1)) "$tmp/www/bad.cba"
    refused 5 "$tmp/www/bad.cba" --delta-from "$tmp/www/bad.cba" "$tmp/www/v2.cba"
    # The archive that gets the packs.
    cp "$tmp/www/v2.cba" "$tmp/www/bad.cba"
    python3 - "$tmp/www/bad.cba" "$(header_size "$tmp/www/bad.cba")" <<'EOF_PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
for at in range(int(sys.argv[2]) + 5000, len(data), 1000):
    data[at] ^= 1
open(sys.argv[1], "wb").write(data)
EOF_PY
    refused 5 "$tmp/www/bad.cba is damaged: chunk " --delta-from "$tmp/www/v1.cba" "$tmp/www/bad.cba"
    rm "$tmp/www/bad.cba"
    # A release.
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1.cba" "$tmp/s/old"
    chunk=$($cba chunks "$tmp/s/old" | sed -n 5p)
    chmod u+w "$chunk"
    flip "$chunk" 100
    refused 7 "chunk $chunk is damaged" --delta-from "$tmp/s/old" "$tmp/www/v2.cba"
    rm "$chunk"
    refused 10 ".*$chunk" --delta-from "$tmp/s/old" "$tmp/www/v2.cba"
}

test_info() {
    make_samples
    no_packs
    $cba key 1 "$tmp/one" >/dev/null
    cp "$tmp/www/v3.cba" "$tmp/www/signed.cba"
    expect_exit 0 "$ihop_compress" -q --sign "$tmp/one.sec" "$tmp/www/signed.cba"
    expect_exit 0 "$ihop_compress" -q --delta-from "$tmp/www/v1.cba" "$tmp/www/signed.cba"
    pack=$(pack_of v1 signed)
    expect_exit 0 "$ihop_compress" --info --verify-key "$tmp/one.pub" "$pack"
    expect_stdout '^Delta pack:$'
    expect_stdout "^  Header checksum: $("$ihop_compress" --print-header "$tmp/www/signed.cba")$"
    expect_stdout "^  Archive size: .* \($(stat -c %s "$tmp/www/signed.cba") bytes\)$"
    expect_stdout '^  Deltas by bsdiff: [0-9]+, .*bytes\)$'
    expect_stdout '[Ss]ignature.*good'
    expect_exit 0 "$ihop_compress" --info --json "$pack"
    equal "$(json pack_size)" "$(stat -c %s "$pack")" "size of the pack"
    equal "$(json old_image_size)" "$(stat -c %s "$tmp/v1")" "size of the old image"
    equal "$(json header_patch)" True "whether there is a patch"
    equal "$(json archive_size)" "$(stat -c %s "$tmp/www/signed.cba")" "size of the archive"
    # The counts are those of the deltas themselves.
    $cba pack-show "$pack" "$tmp/www/signed.cba" >"$tmp/shown"
    at_least "$(json deltas_copy)" 2 "chunks that are new"
    for codec in copy zstd bsdiff; do
        equal "$(json deltas_$codec) $(json bytes_$codec)" \
            "$(awk -v c=$codec '$1 == "chunk" && $3 == c { n++; b += $4 } END { print n + 0, b + 0 }' "$tmp/shown")" \
            "deltas by $codec and their bytes"
    done
    start_server "$tmp/www"
    expect_exit 0 "$ihop_compress" --info "$url/${pack##*/}"
    expect_stdout '^Delta pack:$'
    refused 2 "$pack is a delta pack: --info tells about it" --print-header "$pack"
    refused 2 "$pack is a delta pack: --info tells about it" --metadata-key a "$pack"
    cp "$pack" "$tmp/www/bad"
    flip "$tmp/www/bad" 100
    refused 5 "$tmp/www/bad: " --info "$tmp/www/bad"
    head -c 200 "$pack" >"$tmp/www/bad"
    refused 5 "$tmp/www/bad: .* cut short" --info "$tmp/www/bad"
    rm "$tmp/www/bad"
}

# stale: the pack is for another v2.cba; the device does as if there were none.
stale() {
    expect_exit 0 "$ihop_compress" --diff "$tmp/www/v1.cba" --json "$url/v2.cba"
    expect_stderr 'another build of the archive: going on without this delta pack$'
    equal "$(json chunks_delta)" 0 "chunks from a stale pack"
    at_least "$(json chunks_fetched)" 5 "chunks from the archive"
    at_least "$(json chunks_reused)" 5 "chunks that the device has"
}

# As a device does it: to the byte and the request.
test_diff() {
    local old

    make_samples
    no_packs
    start_server "$tmp/www"
    expect_exit 0 "$ihop_compress" -q --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1.cba" "$tmp/s/old"
    expect_exit 0 "$ihop_clone" --dry-run --no-delta --json "$url/v2.cba" "$tmp/s/new"
    without=$(json bytes_downloaded)
    requests=$(json requests)
    expect_exit 0 "$ihop_clone" --dry-run --json "$url/v2.cba" "$tmp/s/new"
    cp "$tmp/out" "$tmp/clone.json"
    for old in "$tmp/www/v1.cba" "$tmp/s/old" "$url/v1.cba"; do
        expect_exit 0 "$ihop_compress" --diff "$old" --json "$url/v2.cba"
        for member in bytes_downloaded bytes_written requests chunks_total chunks_reused \
            chunks_fetched chunks_delta chunks_zero; do
            wanted=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
                "$tmp/clone.json" "$member")
            equal "$(json $member)" "$wanted" "$member from $old"
        done
    done
    python3 - "$tmp/out" "$without" "$requests" "$(stat -c %s "$(pack_of v1 v2)")" <<'EOF_PY'
import json, sys
line = json.loads(open(sys.argv[1]).read().splitlines()[-1])
without, requests, size = map(int, sys.argv[2:])
delta = line["delta"]
assert delta["bytes_downloaded_without"] == without, (delta, without)
assert delta["requests_without"] == requests, (delta, requests)
assert delta["bytes"] == size and line["bytes_downloaded"] == size + 14 + 64, (line, size)
EOF_PY
    bytes=$(json bytes_downloaded)
    expect_exit 0 "$ihop_compress" --max-download "$bytes" --diff "$tmp/www/v1.cba" "$url/v2.cba"
    expect_stdout "^with the pack .*v2.cba.from-[0-9a-f]{16}; without it .*\($without bytes\) would be downloaded in $requests requests$"
    expect_exit 6 "$ihop_compress" --max-download $((bytes - 1)) --diff "$tmp/www/v1.cba" "$url/v2.cba"
    # A pack of another build of the archive is of no use, even if that has the same size.
    expect_exit 0 "$ihop_compress" -q -f --metadata-value build a --delta-from "$tmp/www/v1.cba" "$tmp/v2" "$tmp/www/v2.cba"
    expect_exit 0 "$ihop_compress" -q -f --metadata-value build b "$tmp/v2" "$tmp/www/v2.cba"
    stale
    expect_exit 0 "$ihop_compress" -q -f --compression-level 3 "$tmp/v2" "$tmp/www/v2.cba"
    stale
    rm -r "$tmp/www"
}

# Interrupted or killed at any point: the pack is there whole, or nothing is.
test_killed() {
    local signal point code kills=0

    requires strace
    strace -qq -f -o /dev/null -e trace=getpid true 2>/dev/null || skip "strace may not trace here"
    make_samples
    no_packs
    mkdir -p "$tmp/t"
    expect_exit 0 "$ihop_compress" -q --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    mv "$(pack_of v1 v2)" "$tmp/whole"
    for signal in INT KILL; do
        for point in openat:30 ftruncate:1 pwrite64:1 pwrite64:9 copy_file_range:1 fsync:1 linkat:1 \
            linkat:2 fsync:2; do
            code=0
            { TMPDIR=$tmp/t ASAN_OPTIONS=detect_leaks=0 strace -qq -f -o /dev/null -e trace="${point%:*}" \
                -e inject="${point%:*}:signal=$signal:when=${point#*:}" \
                "$ihop_compress" -q -j 1 --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba" ||
                code=$?; } 2>/dev/null
            [ "$code" = 0 ] || kills=$((kills + 1))
            if [ "$code" != 0 ] && [ "$code" -le 128 ]; then fail "exit code $code at $point"; fi
            if [ -e "$(pack_of v1 v2)" ]; then
                cmp "$(pack_of v1 v2)" "$tmp/whole" || fail "half a pack after $signal at $point"
                rm "$(pack_of v1 v2)"
            fi
            equal "$(find "$tmp/www" -name '.?*' -o -name '*.from-*' | wc -l)" 0 "files that are left at $point"
            equal "$(ls -A "$tmp/t")" "" "temporary files after $signal at $point"
        done
    done
    at_least $kills 12 "runs that were ended"
}

test_full() {
    [ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted"
    make_samples
    no_packs
    mkdir -p "$tmp/disk"
    mount -t tmpfs -o size=1m none "$tmp/disk" 2>"$tmp/mount" || skip "no mounts here: $(cat "$tmp/mount")"
    at_exit umount -l "$tmp/disk"
    # The copy of the old image does not fit.
    TMPDIR=$tmp/disk refused 6 "cannot keep the content of $tmp/www/v1.cba in $tmp/disk .*: No space left on device" \
        --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    equal "$(ls -A "$tmp/disk")" "" "what is left in TMPDIR"
    TMPDIR=$tmp/none refused 7 "cannot keep the content of $tmp/www/v1.cba in $tmp/none .*: No such file" \
        --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    # A release needs none.
    rm -rf "$tmp/s"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1.cba" "$tmp/s/old"
    TMPDIR=$tmp/disk expect_exit 0 "$ihop_compress" -q --delta-from "$tmp/s/old" "$tmp/www/v2.cba"
    no_packs
    # The pack does not fit.
    mount -o remount,size=8m "$tmp/disk"
    cp "$tmp/www/v3.cba" "$tmp/disk/v3.cba"
    head -c 100000000 /dev/zero >"$tmp/disk/filler" 2>/dev/null || true
    expect_exit 6 "$ihop_compress" --delta-from "$tmp/www/v1.cba" "$tmp/disk/v3.cba"
    one_line_on_stderr
    expect_stderr "^ihop-compress: cannot (write|create) $tmp/disk/v3.cba.from-[0-9a-f]{16}: No space left on device"
    equal "$(ls -A "$tmp/disk" | paste -sd' ')" "filler v3.cba" "what is on the disk"
}

test_progress() {
    make_samples
    no_packs
    on_terminal "$ihop_compress" --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    grep -q 'reading the old image' "$tmp/shown" || fail "no bar for the old image"
    grep -q 'making deltas' "$tmp/shown" || fail "no bar for the deltas"
    expect_exit 0 "$ihop_compress" -f --progress json --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    expect_stdout '"phase":"reading-old"'
    expect_stdout '"phase":"deltas".*"chunks_total":[1-9]'
}

run_cases "$@"
