#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-store: what each command prints, for people and for programs; what it says
# about wrong use; both ways to name a release.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
data=$srcdir/tests/data

# a and b share 12 chunks of data and one of zeros; b has 8 of its own.
make_archives
noise "$tmp/other" $((8 * 32768)) other
{
    head -c $((12 * 32768)) "$tmp/image"
    cat "$tmp/other"
    head -c 32768 /dev/zero
} >"$tmp/image-b"
head -c 32768 /dev/zero >>"$tmp/image"
$cba make --fixed 32768 "$tmp/image" "$tmp/www/a.cba"
$cba make --fixed 32768 --codec xz "$tmp/image-b" "$tmp/www/b.cba"
start_nginx "$tmp/www"
cd "$tmp"
store=$tmp/s
expect_exit 0 "$ihop_clone" --quiet "$url/b.cba" "$store/b"
expect_exit 0 "$ihop_clone" --quiet "$url/a.cba" "$store/a"
expect_exit 0 "$ihop_clone" --quiet "$data/metadata.cba" "$store/meta"

# json_is EXPRESSION: true of the last JSON line, which is r.
json_is() {
    "$python" -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
r = lines[-1]
assert r["type"] == "result" and r["store"] == sys.argv[3], r
assert eval(sys.argv[2]), (sys.argv[2], lines)' "$tmp/out" "$1" "${2:-$store}"
}

b2() {
    b2sum <"$1" | cut -d' ' -f1
}

# wrong CODE REGEX ARGUMENT...: one line on stderr, nothing on stdout.
wrong() {
    local code=$1 regex=$2

    shift 2
    expect_exit "$code" "$ihop_store" "$@"
    one_line_on_stderr
    expect_stderr "^ihop-store: .*$regex"
    [ ! -s "$tmp/out" ] || { show_output; fail "output although it failed: $*"; }
}

# List.
test_list() {
    expect_exit 0 "$ihop_store" list "$store"
    silent
    equal "$(awk '{ print $1 }' "$tmp/out" | tr '\n' ' ')" "RELEASE b a meta " "names, the oldest first"
    expect_stdout '^RELEASE +PUBLISHED +SIZE +CHUNKS +IMAGE +STATE$'
    expect_stdout "^a +20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{5} +672.0 KiB +21 +$(b2 image | cut -c 1-16) +-$"
    expect_exit 0 "$ihop_store" list --json "$store"
    silent
    json_is "[x['name'] for x in r['releases']] == ['b', 'a', 'meta']"
    json_is "r['releases'][1]['source_checksum'] == '$(b2 image)'"
    json_is "r['releases'][1]['image_size'] == 688128 and r['releases'][1]['chunks'] == 21"
    json_is "not any(x['served'] or x['protected'] or x['damaged'] for x in r['releases'])"
    json_is "r['ok'] is True and r['exit_code'] == 0"
    json_is "r['releases'][1]['published'] == $(stat -c %Y "$store/a")"
}

# Info.
test_info() {
    expect_exit 0 "$ihop_store" info "$store/b"
    silent
    expect_stdout "^image: +$(b2 image-b)$"
    expect_stdout '^image size: +672.0 KiB \(688128 bytes\)$'
    expect_stdout '^chunks: +21$'
    expect_stdout '^of zeros: +1$'
    expect_stdout "^archive: +$url/b.cba$"
    expect_stdout '^compression: +lzma$'
    expect_stdout '^shares with: +a: 13 chunks, 384.0 KiB$'
    expect_exit 0 "$ihop_store" info --json "$store/b"
    json_is "r['name'] == 'b' and r['archive_url'] == '$url/b.cba' and r['chunks_zero'] == 1"
    json_is "r['archive_size'] == $(file_size www/b.cba) and r['header_size'] == $(header_size www/b.cba)"
    json_is "r['bytes'] == 20 * 32768 and r['hash_length'] == 64 and r['compression'] == 'lzma'"
    json_is "r['shared_with'] == {'a': {'chunks': 13, 'bytes': 12 * 32768}} and r['metadata'] == {}"
    # What ihop-clone --verify-header wants.
    expect_exit 0 "$ihop_clone" --quiet --verify-header "$(json header_checksum)" "$url/b.cba" "$store/b"
    expect_exit 0 "$ihop_store" info "$store/meta"
    expect_stdout '^archive: +a local file$'
    expect_stdout '^metadata: +notes \(74 bytes\)$'
    expect_stdout '^ +version \(5 bytes\)$'
    expect_exit 0 "$ihop_store" info --json "$store" meta
    json_is "r['metadata'] == {'notes': 74, 'version': 5} and 'archive_url' not in r"
    expect_exit 0 "$ihop_store" info "$store"
    expect_stdout '^releases: +3$'
    expect_exit 0 "$ihop_store" info --json "$store"
    json_is "r['releases'] == 3 and r['folder_digits'] == 2 and r['bytes_free'] > 0"
}

# Metadata, byte by byte.
test_metadata() {
    expect_exit 0 "$ihop_store" info --metadata-key notes "$store/meta"
    silent
    cmp out "$data/metadata-notes.txt"
    expect_exit 0 "$ihop_store" info --json --metadata-key notes "$store" meta
    cmp out "$data/metadata-notes.txt"
    if command -v bita >/dev/null; then
        for key in notes version; do
            expect_exit 0 "$ihop_store" info --metadata-key $key "$store/meta"
            bita info --metadata-key $key "$data/metadata.cba" >bita.out
            cmp out bita.out
        done
    fi
    printf 'raw\0\377\nbytes' >value
    $cba make --fixed 32768 --metadata-file raw=value --metadata empty= image raw.cba
    expect_exit 0 "$ihop_clone" --quiet raw.cba "$store/raw"
    expect_exit 0 "$ihop_store" info --metadata-key raw "$store/raw"
    cmp out value
    expect_exit 0 "$ihop_store" info --metadata-key empty "$store/raw"
    [ ! -s out ] || fail "an empty value is not empty"
    wrong 10 "no metadata with the key 'no'" info --metadata-key no "$store/raw"
    wrong 2 "--metadata-key needs a release" info --metadata-key raw "$store"
    expect_exit 0 "$ihop_store" remove --quiet "$store/raw"
}

# Diff and du, against another program's sums.
test_diff_and_du() {
    "$python" - "$store" >sums <<'PYTHON'
import os, sys
from ihopformat.release import read_release
sets = {n: dict(read_release(os.path.join(sys.argv[1], n))[1]) for n in ("a", "b", "meta")}

def total(paths):
    data = [s for p in paths for s in sets.values() if p in s]
    size = {p: n for s in sets.values() for p, n in s.items()}
    return {"chunks": len(paths), "bytes": sum(size[p] for p in paths if any(open(p, "rb").read()))}

a, b = set(sets["a"]), set(sets["b"])
print("r['shared'] == %r and r['only_a'] == %r and r['only_b'] == %r" % (total(a & b), total(a - b), total(b - a)))
rows = []
for n in ("b", "a", "meta"):
    rest = set().union(*(s for m, s in sets.items() if m != n))
    mine = set(sets[n])
    rows.append({"name": n, "alone": total(mine - rest), "shared": total(mine & rest)})
print("r['releases'] == %r and r['total'] == %r" % (rows, total(set().union(*sets.values()))))
PYTHON
    expect_exit 0 "$ihop_store" diff --json "$store/a" "$store/b"
    json_is "r['a'] == 'a' and r['b'] == 'b'"
    json_is "$(sed -n 1p sums)"
    json_is "r['shared']['chunks'] == 13 and r['only_b']['bytes'] == 8 * 32768"
    cp out diff.json
    expect_exit 0 "$ihop_store" diff --json "$store" a b
    cmp out diff.json
    expect_exit 0 "$ihop_store" diff "$store/a" "$store/b"
    expect_stdout '^shared +13 +384.0 KiB$'
    expect_stdout '^only in a +8 +256.0 KiB$'
    expect_exit 0 "$ihop_store" diff --json "$store/a" "$store/a"
    json_is "r['only_a'] == r['only_b'] == {'chunks': 0, 'bytes': 0} and r['shared']['chunks'] == 21"
    expect_exit 0 "$ihop_store" du --json "$store"
    json_is "$(sed -n 2p sums)"
    expect_exit 0 "$ihop_store" du "$store"
    expect_stdout '^b +8 +256.0 KiB +13 +384.0 KiB$'
    expect_stdout '^all, each chunk once +33 '
}

# Protect, unprotect, remove; both ways to name a release.
test_protect_and_remove() {
    expect_exit 0 "$ihop_store" protect "$store/a"
    expect_stdout "^$store/a: protected$"
    expect_exit 0 "$ihop_store" protect --json "$store" meta
    json_is "r['release'] == 'meta' and r['outcome'] == 'protected'"
    expect_exit 0 "$ihop_store" list "$store"
    expect_stdout '^a .* protected$'
    expect_exit 0 "$ihop_store" list --json "$store"
    json_is "[x['protected'] for x in r['releases']] == [False, True, True]"
    expect_exit 0 "$ihop_store" info --json "$store/a"
    json_is "r['protected'] is True"
    wrong 11 "$store/a is protected.*unprotect" remove "$store/a"
    wrong 11 "$store/a is protected.*unprotect" remove --force "$store" a
    expect_exit 11 "$ihop_store" remove --json "$store/a"
    one_line_on_stderr
    "$python" -c 'import json; r = json.load(open("out"))
assert r["ok"] is False and r["exit_code"] == 11 and "protected" in r["error"] and r["type"] == "result", r'
    expect_exit 0 "$ihop_store" unprotect "$store" a
    expect_stdout "^$store/a: not protected$"
    expect_exit 0 "$ihop_store" unprotect --quiet "$store/a"
    [ ! -s out ] || fail "--quiet is not quiet"
    expect_exit 0 "$ihop_store" remove "$store/a"
    expect_stdout "^$store/a: removed$"
    wrong 10 "$store has no release a" remove "$store/a"
    expect_exit 0 "$ihop_clone" --quiet --max-download 0 "$url/a.cba" "$store/a"
    expect_exit 0 "$ihop_store" gc --quiet "$store"
    [ ! -s out ] || fail "--quiet is not quiet"
    # A store by a relative path, and one whose name ends in a slash.
    expect_exit 0 "$ihop_store" info s/a
    expect_exit 0 "$ihop_store" info s a
    expect_exit 0 "$ihop_store" info s/ a
    expect_exit 0 "$ihop_store" list s/
    expect_exit 0 "$ihop_store" info s
    expect_stdout '^store: +s$'
    # A release that is named like a directory below the store's parent.
    mkdir a
    expect_exit 0 "$ihop_store" info s a
    expect_stdout '^release: +a$'
}

# Wrong use.
test_wrong_use() {
    # Those who asked for JSON get it, even where --json was not reached.
    for arguments in --json 'lits --json' "list --foo --json $store" "gc --keep x --json $store"; do
        # shellcheck disable=SC2086 # several words
        expect_exit 2 "$ihop_store" $arguments
        expect_stdout '^\{"type":"result","ok":false,"exit_code":2,"error":"'
    done
    expect_exit 2 "$ihop_clone" --foo --json a s/b
    expect_stdout '^\{"type":"result","ok":false,"exit_code":2,"error":"'

    wrong 2 "a command is missing"
    wrong 2 "unknown command 'lits'" lits "$store"
    wrong 2 "unknown or ambiguous option '--foo'" list --foo "$store"
    wrong 2 "unknown or ambiguous option '--keep=2'" list --keep=2 "$store"
    wrong 2 "unknown option '-x'" list -x "$store"
    for command in list gc du; do
        wrong 2 "an argument is missing: use ihop-store $command" $command
        wrong 2 "too many arguments: use ihop-store $command" $command "$store" a
        wrong 10 "store $tmp/none does not exist" $command "$tmp/none"
        wrong 7 "cannot open store $tmp/image: Not a directory" $command "$tmp/image"
    done
    for command in info verify; do
        wrong 2 "an argument is missing: use ihop-store $command" $command
        wrong 2 "too many arguments: use ihop-store $command" $command "$store" a b
        wrong 10 "store $store has no release none" $command "$store/none"
        wrong 10 "store $store has no release none" $command "$store" none
        wrong 10 "store $tmp/none does not exist" $command "$tmp/none/a"
        wrong 2 "begins with a dot" $command "$store" ..
        wrong 2 "" $command "$store" chunks
    done
    for command in remove protect; do
        wrong 2 "an argument is missing: use ihop-store $command" $command
        wrong 2 "too many arguments: use ihop-store $command" $command "$store" a b
        wrong 2 "the store is missing: use ihop-store $command" $command nowhere
        (cd "$store/.." && wrong 2 "a release is missing: use ihop-store $command" $command "${store##*/}")
        wrong 10 "store $store has no release none" $command "$store/none"
        wrong 10 "store $tmp/none does not exist" $command "$tmp/none/a"
        wrong 2 "begins with a dot" $command "$store/.."
        wrong 2 "begins with a dot" $command "$store" ../s/a
    done
    wrong 2 "an argument is missing: use ihop-store diff" diff "$store/a"
    wrong 2 "too many arguments: use ihop-store diff" diff "$store" a b meta
    wrong 2 "the store is missing: use ihop-store diff" diff nowhere b
    (cd "$store/.." && wrong 2 "a release is missing: use ihop-store diff" diff "${store##*/}" a)
    wrong 2 "are not in the same store" diff "$store/a" "$tmp/b/b"
    wrong 10 "has no release none|none.*does not exist" diff "$store/a" "$store/none"
    wrong 2 "--keep takes a whole number from 1 .* not '0'" gc --keep 0 "$store"
    wrong 2 "--keep takes a whole number .* not '2x'" gc --keep 2x "$store"
    wrong 2 "option '--keep' needs a value" gc "$store" --keep
    wrong 2 "--partial-age takes a whole number from 0 .* not '-1'" gc --partial-age -1 "$store"
    wrong 2 "--wait takes a whole number .* not 'long'" list --wait long "$store"
    wrong 2 "--progress takes auto.bar.json.none, not 'x'" verify --progress x "$store"
    wrong 2 "--from is for --repair" verify --from x "$store"
    wrong 2 "--jobs takes a whole number" verify --jobs 0 "$store"
    [ ! -e "$tmp/none" ] || fail "a store was created"

    expect_exit 0 "$ihop_store" --help
    expect_stdout '^  unprotect STORE/RELEASE'
    for command in list info verify gc remove diff du protect unprotect; do
        expect_exit 0 "$ihop_store" $command --help
        silent
        expect_stdout "^usage: ihop-store $command"
        expect_stdout '^      --wait SECONDS'
    done
    expect_exit 0 "$ihop_store" --version
    expect_stdout '^ihop-store [0-9]'
    cp out version
    expect_exit 0 "$ihop_store" du -V
    cmp out version
    # No room for the output: not silently.
    expect_exit 7 bash -c '"$0" list "$1" >/dev/full' "$ihop_store" "$store"
    expect_stderr 'cannot write to standard output'
}

# A store without releases, and an empty directory, which is none.
test_empty() {
    mkdir nothing
    for command in list info verify du gc 'gc --dry-run'; do
        # shellcheck disable=SC2086 # two words
        wrong 10 "$tmp/nothing is no store" $command "$tmp/nothing"
    done
    [ -z "$(ls -A nothing)" ] || fail "a command has created $(ls -A nothing)"
    cp -r "$store" empty
    rm empty/{a,b,meta}
    find empty | sort >before
    expect_exit 0 "$ihop_store" list --json "$tmp/empty"
    json_is "r['releases'] == []" "$tmp/empty"
    for command in info verify du 'gc --dry-run'; do
        # shellcheck disable=SC2086 # two words
        expect_exit 0 "$ihop_store" $command "$tmp/empty"
    done
    find empty | sort | diff before - || fail "a command that reads has changed a store"
}

# A damaged release.
test_damaged() {
    cp "$store/b" b.keep
    truncate -s -1 "$store/b"
    expect_exit 0 "$ihop_store" list "$store"
    one_line_on_stderr
    expect_stderr "$store/b"
    expect_stdout '^b +20.* - +- +- +damaged$'
    expect_stdout '^a +.* 21 '
    expect_exit 0 "$ihop_store" list --json "$store"
    json_is "[x['damaged'] for x in r['releases'] if x['name'] == 'b'] == [True]"
    json_is "all('chunks' not in x for x in r['releases'] if x['damaged'])"
    wrong 7 "$store/b" info "$store/b"
    wrong 7 "$store/b" du "$store"
    wrong 7 "$store/b" diff "$store/a" "$store/b"
    expect_exit 7 "$ihop_store" verify "$store"
    one_line_on_stderr
    expect_stderr "^ihop-store: release $store/b: "
    expect_stdout '^a: all 21 chunks are good$'
    wrong 7 "nothing was deleted.*clone it again.*$store/b" gc "$store"
    expect_exit 0 "$ihop_store" info "$store"
    expect_exit 0 "$ihop_store" info "$store/a" # and shares nothing with what cannot be read
    expect_exit 0 "$ihop_store" verify "$store/a"
    expect_exit 0 "$ihop_store" diff "$store/a" "$store/meta"
    cp b.keep "$store/b"
    expect_exit 0 "$ihop_store" verify "$store"
}

# --wait.
test_wait() {
    requires flock
    expect_exit 0 "$ihop_store" list --wait 5 "$store" # never waits
    exec 9<"$store/.ihop/lock"
    flock -x 9
    for command in list du info 'gc --dry-run'; do # beside one that cleans up
        # shellcheck disable=SC2086 # two words
        expect_exit 0 "$ihop_store" $command "$store"
    done
    wrong 8 "$store is in use.*--wait" protect "$store/a"
    wrong 8 "$store is in use.*--wait" remove "$store/a"
    wrong 8 "$store is in use.*--wait" gc "$store"
    wrong 8 "$store is in use.*--wait" verify "$store"
    wrong 8 "$store is in use.*--wait" verify --repair "$store"
    # One that waits is there as long as the lock is held, and then goes on.
    "$ihop_store" protect --wait 600 "$store/a" 9<&- &
    waiting=$!
    wait_for 5 has_open "$waiting" "$store/.ihop/lock"
    kill -0 $waiting || fail "it did not wait"
    exec 9<&-
    wait $waiting || fail "exit code $? of one that waited"
}

# One is one: in results and messages.
test_singular() {
    head -c 20000 /dev/urandom >"$tmp/single"
    $cba make --fixed 32768 "$tmp/single" "$tmp/single.cba"
    expect_exit 0 "$ihop_clone" "$tmp/single.cba" "$tmp/one/r"
    expect_stderr ': done: 0 chunks reused, 1 fetched'
    expect_exit 0 "$ihop_clone" "$tmp/single.cba" "$tmp/one/again"
    expect_stderr ': done: 1 chunk reused, 0 fetched'
    expect_exit 0 "$ihop_store" verify "$tmp/one"
    expect_stdout '^r: its 1 chunk is good$'
    "$ihop_store" remove -q "$tmp/one/r"
    "$ihop_store" remove -q "$tmp/one/again"
    expect_exit 0 "$ihop_store" gc "$tmp/one"
    expect_stdout ': removed 1 chunk \('
}

# No line of a help text runs into its explanation.
test_help_texts() {
    for help in "$ihop_clone --help" "$ihop_compress --help" "$ihop_store verify --help" "$ihop_store gc --help"; do
        $help >"$tmp/out"
        if grep -E '^  +-.{30,}[^ ] [^ ]' "$tmp/out" | grep -Ev '^.{35} [^ ]|^ +[^ ]+ --[^ ]+( [^ ]+)?$|^ +--[^ ]+ [^ ]+$'; then
            fail "$help: a line without a gap"
        fi
    done
}

run_cases "$@"
