#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An update by a delta pack: which requests it takes, what it saves and says, how it is found, named
# and refused, from a server, from files, and from a pack alone, within the budgets.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
. "$srcdir/tests/lib/delta.sh"
make_update
start_server "$tmp/www"
clone=("$ihop_clone" "${quick[@]}")
s=$tmp/s
from_pack=path=/good/$pack_name

# fresh [RULE...]: $s has v1 alone.
fresh() {
    old_store "$s"
    rules "$@"
}

# by_pack: the last run took all from the pack, and nothing of the archive but the ends of its
# header.
by_pack() {
    silent
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched) $(json chunks_zero)" "13 0 1" "chunks"
    equal "$(json bytes_downloaded)" $(($(file_size "$pack") + 14 + 64)) "bytes downloaded"
    equal "$(delta bytes)" "$(file_size "$pack")" "bytes of the pack"
}

# by_archive: the last run took nothing from a pack.
by_archive() {
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "0 13" "chunks"
    [[ $(tail -n 1 "$tmp/out") != *'"delta":'* ]] || fail "a pack is told that was not used"
}

test_update() {
    fresh
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    by_pack
    equal "$(body_sent)" "$(json bytes_downloaded)" "bytes that the server sent"
    # The first bytes of both, the rest of the dictionary, the header's checksum, all deltas.
    equal "$(requests) $(requests "$from_pack")" "5 3" "requests, and for the pack"
    equal "$(requests "$from_pack" first=0) $(requests "$from_pack" last=$((head - 1)))" "1 1" "beginning"
    equal "$(requests "$from_pack" "first=$head" "last=$(($(file_size "$pack") - 1))")" 1 "deltas"
    equal "$(requests first=0 last=13) $(requests "first=$((header - 64))" "last=$((header - 1))")" "1 1" \
        "of the archive's header"
    equal "$(delta pack)" "$url/good/$pack_name" "the pack that is told"
    equal "$(delta from)" "${pack_name#*.from-}" "the old image"
    equal "$(delta saved)" $((13 * 32768 + header - 78 - $(file_size "$pack"))) "bytes saved"
    # Nothing is left to do.
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    equal "$(json outcome) $(requests) $(requests "$from_pack")" "complete 2 0" "a run with nothing to do"
}

# The name that is replaced has the old image.
test_replaced() {
    fresh
    mv "$s/v1" "$s/v2"
    expect_exit 0 "${clone[@]}" --force --json "$url/good/v2.cba" "$s/v2"
    by_pack
    equal "$(requests "$from_pack" first=0)" 1 "requests for a pack"
}

# The release is served as any other, from its chunks.
test_served() {
    requires nbdkit nbdcopy
    . "$srcdir/tests/lib/nbdkit.sh"
    fresh
    expect_exit 0 "${clone[@]}" "$url/good/v2.cba" "$s/v2"
    expect_exit 0 "$ihop_store" verify "$s/v2"
    expect_exit 0 "${nbdkit[@]}" -U "$tmp/run.socket" --run "nbdcopy \"\$uri\" '$tmp/copy'" "$plugin" "$s/v2"
    cmp "$tmp/copy" "$tmp/i2"
}

test_words() {
    fresh
    expect_exit 0 "$ihop_clone" "$url/good/v2.cba" "$s/v2"
    expect_stderr ': done: 27 chunks reused, 13 fetched, 81\.[0-9] KiB downloaded in 5 requests \(saved 337\.[0-9] KiB by a delta pack\), '
}

test_dry_run() {
    fresh
    expect_exit 0 "${clone[@]}" --dry-run --json "$url/good/v2.cba" "$s/v2"
    cp "$tmp/out" "$tmp/told"
    told="$(json bytes_downloaded) $(json requests) $(json chunks_delta) $(delta bytes) $(delta saved)"
    [ ! -e "$s/v2" ] || fail "a dry run has published"
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    equal "$(json bytes_downloaded) $(json requests) $(json chunks_delta) $(delta bytes) $(delta saved)" \
        "$told" "what it took, and what was told"
}

test_progress() {
    fresh
    expect_exit 0 "$ihop_clone" --progress json "$url/good/v2.cba" "$s/v2"
    "$python" - "$tmp/out" $((13)) $(($(file_size "$pack") - head)) <<'EOF_PY'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
chunks = [line for line in lines if line.get("phase") == "chunks"]
assert chunks, "no progress"
last = chunks[-1]
assert last["chunks_done"] == last["chunks_total"] == int(sys.argv[2]), last
assert last["bytes_done"] == last["bytes_total"] == int(sys.argv[3]), last
EOF_PY
}

# None is there, or something else is: nothing is said about it.
test_no_pack() {
    local rule

    for rule in status=404 status=403 status=401 "ignore-range" "ignore-range type=text/html" status=410 \
        "root=$tmp/empty"; do
        mkdir -p "$tmp/empty"
        fresh "$from_pack : $rule"
        expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
        silent
        by_archive
        equal "$(requests "$from_pack")" 1 "requests for a pack ($rule)"
    done
}

# No release, no question.
test_first_install() {
    rm -rf "$s"
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    equal "$(json chunks_delta) $(requests "$from_pack")" "0 0" "deltas, and requests for a pack"
}

test_no_delta() {
    fresh
    expect_exit 0 "${clone[@]}" --no-delta --json "$url/good/v2.cba" "$s/v2"
    silent
    by_archive
    equal "$(requests path=/good/v2.cba.)" 0 "requests for a pack"
    expect_exit 2 "${clone[@]}" --no-delta --delta x "$url/good/v2.cba" "$s/v3"
}

# others N: the store gets releases a1 .. aN of other images, after v1.
others() {
    local i

    for ((i = 1; i <= $1; i++)); do
        noise "$tmp/i9" $((40 * 32768 + i * 512)) "other$i"
        make_update_archive 9
        expect_exit 0 "$ihop_clone" -q "$tmp/www/v9.cba" "$s/a$i"
    done
}

# The newest are asked for first, three at most; each image once.
test_other_releases() {
    fresh
    others 2
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v9.cba" "$s/same"
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    silent
    updated "$s/v2"
    equal "$(json chunks_delta) $(requests path=/good/v2.cba.from first=0)" "13 3" "deltas, probes"
    equal "$(requests path=/good/v2.cba.from first=0 n=2)" 1 "the second request is a probe"
    fresh
    others 3
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    by_archive
    equal "$(requests path=/good/v2.cba.from)" 3 "probes"
    # The one that is replaced comes first.
    expect_exit 0 "$ihop_store" remove "$s" v2
    rules
    expect_exit 0 "${clone[@]}" -f --json "$url/good/v2.cba" "$s/v1"
    updated "$s/v1"
    equal "$(json chunks_delta) $(requests path=/good/v2.cba.from first=0)" "0 1" "deltas and probes"
}

# A query belongs to the address of the pack as well, before it the suffix; mirrors are not asked.
test_query() {
    fresh
    expect_exit 0 "${clone[@]}" --json --mirror "$url/mirror/v2.cba" "$url/good/v2.cba?token=1" "$s/v2"
    by_pack
    equal "$(requests "$from_pack" query=token=1) $(requests path=/mirror)" "3 0" "requests"
    equal "$(delta pack)" "$url/good/$pack_name" "the pack that is told"
}

test_given() {
    mkdir -p "$tmp/elsewhere"
    cp "$pack" "$tmp/elsewhere/p"
    for where in "$tmp/elsewhere/p" "$url/elsewhere/p"; do
        fresh "path=/elsewhere/ : root=$tmp/elsewhere"
        expect_exit 0 "${clone[@]}" --json --delta "$where" "$url/good/v2.cba" "$s/v2"
        by_pack
        equal "$(requests path=/good/v2.cba.)" 0 "requests beside the archive"
        fresh "path=/elsewhere/ : root=$tmp/elsewhere"
        expect_exit 0 "${clone[@]}" --json --delta "$where" "$tmp/www/v2.cba" "$s/v2"
        updated "$s/v2"
        equal "$(json chunks_delta)" 13 "deltas for a local archive"
    done
    # For another archive, or no such old release: one note, and the archive.
    fresh
    expect_exit 0 "$ihop_clone" --json --delta "$pack" "$url/good/v1.cba" "$s/again"
    fresh
    noise "$tmp/i9" $((50 * 32768)) nine
    make_update_archive 9
    expect_exit 0 "$ihop_clone" --json --delta "$pack" "$url/good/v9.cba" "$s/v9"
    expect_stderr 'another build of the archive: going on without this delta pack'
    one_line_on_stderr
    holds "$s/v9" "$tmp/i9"
    rm -rf "$s"
    expect_exit 0 "$ihop_clone" --json --delta "$pack" "$url/good/v2.cba" "$s/v2"
    expect_stderr 'no release of the store has the image that it is against'
    by_archive_of_first_install
    # What cannot be read is an error.
    old_store "$s"
    expect_exit 10 "${clone[@]}" --delta "$tmp/none" "$url/good/v2.cba" "$s/v2"
    expect_exit 10 "${clone[@]}" --delta "$url/good/none" "$url/good/v2.cba" "$s/v2"
    expect_exit 5 "${clone[@]}" --delta "$tmp/www/v1.cba" "$url/good/v2.cba" "$s/v2"
    expect_stderr 'is no delta pack'
    head -c 1000 "$pack" >"$tmp/cut"
    expect_exit 5 "${clone[@]}" --delta "$tmp/cut" "$url/good/v2.cba" "$s/v2"
    expect_stderr 'cut short'
    one_line_on_stderr
    [ ! -e "$s/v2" ] || fail "a release was published"
}

by_archive_of_first_install() {
    holds "$s/v2" "$tmp/i2"
    equal "$(json chunks_delta)" 0 "deltas of a first installation"
}

test_local() {
    fresh
    expect_exit 0 "${clone[@]}" --json "$tmp/www/v2.cba" "$s/v2"
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "13 0" "chunks"
    equal "$(delta pack)" "$pack" "the pack that is told"
    # A directory of that name is no pack, and one that may not be read is none.
    mkdir -p "$tmp/local/$pack_name"
    cp "$tmp/www/v2.cba" "$tmp/local"
    fresh
    expect_exit 0 "${clone[@]}" --json "$tmp/local/v2.cba" "$s/v2"
    silent
    by_archive
}

# Of two releases with the old image, the newer was cut otherwise: the older gives the header.
test_alone_with_another_table() {
    fresh
    "$ihop_compress" -q -f --fixed-size 16384 "$tmp/i1" "$tmp/otherwise.cba"
    expect_exit 0 "$ihop_clone" -q "$tmp/otherwise.cba" "$s/v1b"
    expect_exit 0 "${clone[@]}" --json "$pack" "$s/v2"
    holds "$s/v2" "$tmp/i2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "13 0" "chunks"
    fresh
    expect_exit 0 "$ihop_clone" -q "$tmp/otherwise.cba" "$s/v1b"
    expect_exit 0 "$ihop_store" remove -q "$s/v1"
    expect_exit 5 "${clone[@]}" "$pack" "$s/v2"
    expect_stderr 'came from another archive than the one that it was made for'
}

# A mirror may have the archive of a pack that was asked for; what is recorded is no pack's address.
test_pack_with_a_mirror() {
    fresh
    expect_exit 0 "${clone[@]}" --retry 0 --mirror "$url/good/v2.cba" "http://127.0.0.1:1/$pack_name" "$s/v2"
    holds "$s/v2" "$tmp/i2"
    expect_exit 0 "$ihop_store" info --json "$s/v2"
    ! grep -q '\.from-' "$tmp/out" || fail "the address of a pack is recorded"
}

# The pack as operand, as from a USB stick.
test_alone() {
    mkdir -p "$tmp/stick"
    cp "$pack" "$tmp/stick/update"
    fresh
    expect_exit 0 "${clone[@]}" --json "$tmp/stick/update" "$s/v2"
    silent
    updated "$s/v2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "13 0" "chunks"
    expect_exit 0 "${clone[@]}" --json "$tmp/stick/update" "$s/v2"
    equal "$(json outcome) $(json chunks_delta)" "complete 0" "a run with nothing to do"
    # From a server the archive's address is recorded, so that the archive can mend the release.
    fresh
    expect_exit 0 "${clone[@]}" --json "$url/good/$pack_name?x=1" "$s/v2"
    updated "$s/v2"
    expect_exit 0 "$ihop_store" info --json "$s/v2"
    expect_stdout "\"archive_url\": ?\"$url/good/v2.cba\""
    rm "$(a_chunk_of_both 1)"
    expect_exit 0 "$ihop_store" verify --repair "$s/v2"
    # So does the pack, as far as it has deltas.
    rm "$(a_new_chunk)"
    rules
    expect_exit 0 "${clone[@]}" --json "$tmp/stick/update" "$s/v2"
    equal "$(json outcome) $(json chunks_delta)" "restored 1" "a release that lacked a chunk"
    updated "$s/v2"
    rm "$(a_chunk_of_both 2)"
    expect_exit 5 "${clone[@]}" --json "$tmp/stick/update" "$s/v2"
    one_line_on_stderr
    expect_stderr '1 of 1 missing chunks cannot be made out of this delta pack.*clone the archive itself'
    # The names of other files are nobody's address.
    fresh
    expect_exit 0 "${clone[@]}" "$url/good/$pack_name" "$s/v2"
    fresh
    expect_exit 2 "${clone[@]}" --delta "$pack" "$pack" "$s/v2"
    expect_exit 5 "${clone[@]}" "$pack" "$tmp/none/v2"
    one_line_on_stderr
    expect_stderr 'no release of .* has: clone the archive itself'
    [ ! -e "$tmp/none" ] || fail "a store was made"
}

# chunk_file N IMAGE: the file of a chunk of 32 KiB.
chunk_file() {
    local hash

    hash=$(dd if="$2" bs=32768 skip="$1" count=1 status=none | b2sum | cut -d' ' -f1)
    echo "$s/chunks/${hash:0:2}/$hash.chunk"
}

a_chunk_of_both() {
    chunk_file $((2 * $1)) "$tmp/i2"
}

a_new_chunk() {
    chunk_file 5 "$tmp/i2"
}

# Keys and pins are asked of a pack as of its archive.
test_trust() {
    $cba key 1 "$tmp/k1" >"$tmp/id1"
    $cba key 2 "$tmp/k2" >"$tmp/id2"
    mkdir -p "$tmp/www/signed"
    cp "$tmp/www/v2.cba" "$tmp/www/signed/v2.cba"
    make_update_archive 2
    $cba signature 1 "$tmp/www/v2.cba" >"$tmp/signature"
    $cba put-signatures "$tmp/www/v2.cba" "$tmp/signature"
    rm "$pack"
    "$ihop_compress" -q --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    pin=$("$ihop_compress" --print-header "$tmp/www/v2.cba")
    for operand in "$url/good/v2.cba" "$pack" "$url/good/$pack_name"; do
        fresh
        expect_exit 5 "${clone[@]}" --verify-key "$tmp/k2.pub" "$operand" "$s/v2"
        one_line_on_stderr
        expect_exit 5 "${clone[@]}" --verify-header "${pin//[0-9]/0}" "$operand" "$s/v2"
        one_line_on_stderr
        [ ! -e "$s/v2" ] || fail "a release was published"
        expect_exit 0 "${clone[@]}" --json --verify-key "$tmp/k1.pub" --verify-header "$pin" "$operand" "$s/v2"
        silent
        updated "$s/v2"
        equal "$(json chunks_delta)" 13 "deltas"
        expect_exit 0 "$ihop_store" verify --verify-key "$tmp/k1.pub" "$s/v2"
        # A run with nothing to do asks as well.
        expect_exit 5 "${clone[@]}" --verify-key "$tmp/k2.pub" "$operand" "$s/v2"
        expect_exit 0 "${clone[@]}" --json --verify-key "$tmp/k1.pub" "$operand" "$s/v2"
        equal "$(json outcome)" complete "outcome"
    done
    make_update
}

# Device types, versions and the floor are asked of a pack as of its archive.
test_facts() {
    make_update_archive 2 --image-version 5 --compatible board-a
    rm "$pack"
    "$ihop_compress" -q --delta-from "$tmp/www/v1.cba" "$tmp/www/v2.cba"
    make_update_archive 1 --image-version 7 --minimum-version 6
    fresh
    expect_exit 5 "${clone[@]}" "$pack" "$s/v2"
    one_line_on_stderr
    expect_stderr 'below 6, the minimum'
    make_update_archive 1
    fresh
    expect_exit 5 "${clone[@]}" --compatible board-b "$pack" "$s/v2"
    expect_exit 0 "${clone[@]}" --compatible board-a "$pack" "$s/v2"
    updated "$s/v2"
    make_update
}

test_budgets() {
    deltas=$(($(file_size "$pack") - head))
    written=$((13 * 32768))
    fresh
    expect_exit 6 "${clone[@]}" --max-download $((deltas - 1)) "$url/good/v2.cba" "$s/v2"
    one_line_on_stderr
    expect_stderr "would download .*\($deltas bytes\), but --max-download allows"
    equal "$(requests "$from_pack" "past=$head")" 0 "requests for deltas"
    expect_exit 6 "${clone[@]}" --max-write $((written - 1)) "$url/good/v2.cba" "$s/v2"
    one_line_on_stderr
    expect_exit 0 "${clone[@]}" --json --max-download "$deltas" --max-write "$written" "$url/good/v2.cba" "$s/v2"
    by_pack
}

# With seeds: what they have is not asked of the pack.
test_seed() {
    fresh
    dd if="$tmp/i2" of="$tmp/seed" bs=32768 skip=30 count=4 status=none
    expect_exit 0 "${clone[@]}" --json --seed "$tmp/seed" "$url/good/v2.cba" "$s/v2"
    updated "$s/v2"
    equal "$(json chunks_seeded) $(json chunks_delta) $(json chunks_fetched)" "2 11 0" "chunks"
    at_most "$(delta bytes)" $(($(file_size "$pack") - 2 * 32768)) "bytes of the pack"
}

# Part of the old release is gone: only what needs it comes from the archive, in the same plan.
test_part_of_base() {
    fresh
    rm "$(chunk_file 3 "$tmp/i1")" "$(chunk_file 22 "$tmp/i1")"
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    silent
    holds "$s/v2" "$tmp/i2"
    equal "$(json chunks_delta) $(json chunks_fetched)" "11 2" "chunks"
    fresh
    rm "$(chunk_file 3 "$tmp/i1")"
    expect_exit 5 "${clone[@]}" "$pack" "$s/v2"
    one_line_on_stderr
    expect_stderr '1 of 13 missing chunks cannot be made'
}

# An old release that was cut otherwise has the same image: the header is read, the deltas serve.
test_same_image() {
    "$ihop_compress" -q -f --fixed-size 8192 "$tmp/i1" "$tmp/www/v1b.cba"
    rm -rf "$s"
    expect_exit 0 "$ihop_clone" -q "$tmp/www/v1b.cba" "$s/v1"
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    silent
    updated "$s/v2"
    at_least "$(json chunks_delta)" 13 "deltas"
    equal "$(requests "first=14")" 1 "requests for the header"
    expect_exit 0 "$ihop_store" remove "$s" v2
    expect_exit 5 "${clone[@]}" "$pack" "$s/v3"
    one_line_on_stderr
}

# The store of the original ihop, with four digits.
test_compat_store() {
    rm -rf "$s"
    expect_exit 0 "$ihop_clone" -q --compat-store "$tmp/www/v1.cba" "$s/v1"
    rules
    expect_exit 0 "${clone[@]}" --json "$url/good/v2.cba" "$s/v2"
    by_pack
}

run_cases "$@"
