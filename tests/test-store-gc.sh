#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ihop-store gc: frees what nothing needs and nothing else; --dry-run says exactly
# what it will do; --keep; what a server and an interrupted clone need stays.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/plugin-functions.sh"
. "$srcdir/tests/lib/net.sh"
requires flock cmp
make_archives
cd "$tmp"
store=$tmp/s
# Five releases of 8 chunks: 4 that all have, and 4 of their own.
for n in 1 2 3 4 5; do
    noise own 131072 "own $n"
    cat <(head -c 131072 image) own >image-$n
    $cba make --fixed 32768 image-$n r$n.cba
done

chunk_count() {
    find "$store/chunks" -name '*.chunk' | wc -l
}

# new_store [N...]: with these releases.
new_store() {
    local n

    rm -rf "$store"
    for n; do
        expect_exit 0 "$ihop_clone" --quiet r"$n.cba" "$store/r$n"
    done
}

everything() {
    find "$store" ! -path '*/.ihop/lock' -printf '%P %y %s %m %T@ %n\n' | sort
}

# gc OPTION...: a dry run first, which changes nothing and says the same.
gc() {
    everything >before
    expect_exit 0 "$ihop_store" gc --json --dry-run "$@" "$store"
    cp err dry.err
    cp out dry.out
    everything >after
    diff before after || fail "a dry run changed the store"
    expect_exit 0 "$ihop_store" gc --json "$@" "$store"
    diff <(sed 's/would remove/removed/' dry.err) err || fail "the dry run told other releases"
    "$python" - <<'PYTHON'
import json
dry, real = (json.load(open(name)) for name in ("dry.out", "out"))
assert dry.pop("dry_run") is True and real.pop("dry_run") is False
del dry["seconds"], real["seconds"]
assert dry == real, f"the dry run told {dry}, and this happened: {real}"
PYTHON
}

# all_whole N...: these releases are there, all of them, and whole.
all_whole() {
    local n

    for n; do
        holds "$store/r$n" "image-$n"
    done
}

# What is freed.
test_freed() {
    new_store 1 2 3 4 5
    equal "$(chunk_count)" 24 "chunks"
    gc
    equal "$(json chunks_removed)" 0 "chunks removed from a store that needs all"
    equal "$(json chunks_kept)" 24 "chunks kept"
    expect_exit 0 "$ihop_store" remove --quiet "$store/r2"
    equal "$(chunk_count)" 24 "chunks before the clean-up"
    du=$(du -s --block-size=1 "$store/chunks" | cut -f1)
    gc
    equal "$(json chunks_removed)" 4 "chunks removed"
    equal "$(json bytes_removed)" $((du - $(du -s --block-size=1 "$store/chunks" | cut -f1))) "bytes removed"
    equal "$(json retired_removed)" 1 "retired releases removed"
    equal "$(chunk_count)" 20 "chunks"
    all_whole 1 3 4 5
    expect_exit 0 "$ihop_store" gc "$store"
    expect_stdout "^$store: removed 0 chunks \(0 bytes\), 20 stay$"

    # Replaced ones.
    expect_exit 0 "$ihop_clone" --quiet --force r2.cba "$store/r1"
    gc
    equal "$(json chunks_removed)" 4 "chunks of a replaced release"
    holds "$store/r1" image-2
}

# --keep.
test_keep() {
    new_store 1 2 3 4 5
    gc --keep 5
    gc --keep 6
    equal "$(releases "$store")" "r1 r2 r3 r4 r5" "releases after --keep 6"
    gc --keep 3
    expect_stderr "^ihop-store: removed release $store/r1$"
    equal "$(releases "$store")" "r3 r4 r5" "releases after --keep 3"
    equal "$(json chunks_removed)" 8 "chunks removed by --keep 3"
    all_whole 3 4 5
    new_store 1 2 3 4 5
    expect_exit 0 "$ihop_store" protect --quiet "$store/r1"
    serve "$store/r3"
    gc --keep 1
    equal "$(releases "$store")" "r1 r3 r5" "releases: protected, served, youngest"
    equal "$(json chunks_removed)" 8 "chunks removed by --keep 1"
    all_whole 1 3 5
    stop_server
    expect_exit 0 "$ihop_store" gc --quiet --keep 1 "$store"
    [ ! -s err ] && [ ! -s out ] || fail "--quiet is not quiet"
    equal "$(releases "$store")" "r1 r5" "releases after the server has ended"
}

# A damaged release: nothing goes.
test_damaged() {
    for options in '' '--keep 1' '--keep 2' '--dry-run' '--dry-run --keep 2'; do
        new_store 1 2 3
        expect_exit 0 "$ihop_clone" --quiet r4.cba "$store/r4"
        expect_exit 0 "$ihop_store" remove --quiet "$store/r1"
        touch -r "$store/r4" when
        truncate -s 30 "$store/r4"
        touch -r when "$store/r4"
        everything >before
        # shellcheck disable=SC2086 # several words
        expect_exit 7 "$ihop_store" gc $options "$store"
        one_line_on_stderr
        expect_stderr "^ihop-store: nothing was deleted.*$store/r4"
        everything >after
        diff before after || fail "something was deleted by gc $options"
    done
    # It is removed, and all is well again; and so it is when --keep lets it go.
    expect_exit 0 "$ihop_store" remove --quiet "$store/r4"
    gc
    all_whole 2 3
    new_store 1 2 3
    : >"$store/r1"
    touch -d 2001-01-01 "$store/r1"
    gc --keep 2
    equal "$(releases "$store")" "r2 r3" "releases"
    all_whole 2 3
}

# One whose name only ihop 0.1 takes, or that NFS has hidden, keeps its chunks, too; when
# it is damaged, nothing goes.
test_hidden() {
    for name in .r1 .nfs000000000000006800000001 .fuse_hidden0000000300000001; do
        new_store 1 2
        mv "$store/r1" "$store/$name"
        everything >before
        expect_exit 0 "$ihop_store" gc "$store"
        expect_stderr "^ihop-store: $store: 1 file is no release and was left alone: $name"
        everything >after
        diff before after || fail "something was deleted beside $name"
        truncate -s 30 "$store/$name"
        everything >before
        expect_exit 7 "$ihop_store" gc "$store"
        expect_stderr "^ihop-store: nothing was deleted.*$store/$name"
        everything >after
        diff before after || fail "something was deleted beside a damaged $name"
        echo note >"$store/$name"
        gc
        equal "$(json chunks_removed)" 4 "chunks of the lost release"
        all_whole 2
        equal "$(cat "$store/$name")" note "the note"
    done
}

# A store that is in use.
test_in_use() {
    new_store 1 2
    exec 9<"$store/.ihop/lock"
    flock -s 9
    expect_exit 8 "$ihop_store" gc "$store"
    one_line_on_stderr
    expect_stderr "^ihop-store: store $store is in use by another program .*--wait"
    expect_exit 0 "$ihop_store" gc --dry-run "$store"
    "$ihop_store" gc --wait 600 "$store" 9<&- &
    waiting=$!
    wait_for 5 has_open "$waiting" "$store/.ihop/lock"
    kill -0 $waiting || fail "it did not wait"
    exec 9<&-
    wait $waiting || fail "exit code $? of one that waited"
}

# Files that are not ours.
test_foreign_files() {
    new_store 1 2
    mkdir "$store/chunks/00ff" "$store/chunks/lost+found"
    touch "$store/chunks/00ff/00ff00ff.chunk" "$store/chunks/README" "$store/notes.txt~" "$store/.hidden"
    directory=$(find "$store/chunks" -mindepth 2 -name '*.chunk' -printf '%h\n' | grep -v 00ff | sed -n 1p)
    touch "$directory/x" "$directory/0123456g.chunk" "$directory/ab.chunk"
    rm "$store/notes.txt~"
    gc
    equal "$(json foreign_files)" 6 "foreign files"
    expect_exit 0 "$ihop_store" gc "$store"
    expect_stdout "^6 files in chunks/ are none of ihop's: they stay$"
    for file in chunks/00ff/00ff00ff.chunk chunks/README chunks/lost+found .hidden; do
        [ -e "$store/$file" ] || fail "$file is gone"
    done
    [ -e "$directory/x" ] && [ -e "$directory/0123456g.chunk" ] || fail "a foreign file is gone"
}

# half KILL: the archive's second half never comes; KILL says how the clone ends.
half() {
    rm -rf "$store"
    expect_exit 0 "$ihop_clone" --quiet r1.cba "$store/r1"
    start_server www "path=/half/ past=$((large_header + 2000000)) : stall"
    if [ "$1" = kill ]; then
        "$ihop_clone" --quiet --timeout 60 "$url/half/large.cba" "$store/large" &
        # What is there is staged or has its name; nothing more will come.
        wait_for 30 staged_half
        kill -9 $!
        wait $! 2>/dev/null || true
    else
        "$ihop_clone" --quiet --retry 0 --timeout 2 "$url/half/large.cba" "$store/large" 2>clone.err && fail "it succeeded"
        grep -q large.cba clone.err || fail "no message"
    fi
    kill -9 "$server_pid"
}

staged_half() {
    [ "$(find "$store/chunks" "$store/.ihop/staging" -name '*.chunk' -size +100 | wc -l)" -ge 15 ]
}

# A clone that was cut off at half, gc, and another run.
test_interrupted_clone() {
    noise large 4000000 large
    $cba make --fixed 100000 large www/large.cba
    large_header=$(header_size www/large.cba)

    for way in kill error; do
        half $way
        fetched=$(find "$store/chunks" "$store/.ihop/staging" -name '*.chunk' -size +100 | wc -l)
        at_least "$fetched" 15 "chunks that had come (of 40)"
        [ ! -e "$store/large" ] || fail "there is a release already"
        expect_exit 0 "$ihop_store" gc --json "$store"
        equal "$(json partial_kept)" 1 "interrupted clones"
        # The chunk that was being written is of no use; nothing else is lost.
        at_least "$(find "$store/chunks" -name '*.chunk' -size +100 | wc -l)" $((fetched - 2)) "chunks after the clean-up ($way)"
        good_chunks "$store" >/dev/null
        start_server www
        have=$(find "$store/chunks" -name '*.chunk' -size +100 | wc -l)
        expect_exit 0 "$ihop_clone" --quiet --json "$url/large.cba" "$store/large"
        equal "$(json chunks_fetched)" $((40 - have)) "chunks fetched by the second run"
        at_most "$(body_sent)" $((25 * 100000 + large_header + 14)) "bytes fetched by the second run"
        holds "$store/large" large
        holds "$store/r1" image-1
        [ -z "$(ls "$store/.ihop/partial")" ] || fail "the announcement stays"

        half $way
        expect_exit 0 "$ihop_store" gc --partial-age 1 --json "$store"
        equal "$(json partial_kept)" 1 "interrupted clones, a day"
        touch -d 2100-01-01 "$store/.ihop/partial/large" # the clock is slow, or was fast
        gc --partial-age 0
        equal "$(json partial_removed)" 1 "interrupted clones removed"
        equal "$(chunk_count)" 8 "chunks without the interrupted clone"
        holds "$store/r1" image-1
    done
}

# still_served IMAGE: the server has the old bytes, whatever gc does.
still_served() {
    expect_exit 0 "$ihop_store" gc --json "$store"
    equal "$(json retired_served)" 1 "replaced releases that are served"
    nbdcopy "$uri" copy
    cmp copy "$1"
}

# A release that is served while it is replaced or removed.
test_served() {
    for maxfds in 4096 0; do # with chunks that are held open, and without
        for way in replace remove; do
            new_store 1 2
            serve "$store/r1" maxfds=$maxfds check=no
            nbd "h.pread(4096, 200000)"
            case $way in
                replace) expect_exit 0 "$ihop_clone" --quiet --force r3.cba "$store/r1" ;;
                *)
                    expect_exit 8 "$ihop_store" remove "$store/r1"
                    one_line_on_stderr
                    expect_stderr "$store/r1 is being served.*--force"
                    expect_exit 0 "$ihop_store" list "$store"
                    expect_stdout '^r1 .* served$'
                    expect_exit 0 "$ihop_store" remove --force "$store/r1"
                    ;;
            esac
            still_served image-1
            expect_exit 0 "$ihop_store" gc "$store"
            expect_stdout '^1 replaced or removed release is still served: its chunks stay$'
            still_served image-1
            stop_server
            gc
            equal "$(json retired_removed)" 1 "retired releases removed"
            equal "$(json chunks_removed)" 4 "chunks freed after the server ended"
            all_whole 2
            [ $way = remove ] || holds "$store/r1" image-3
        done
    done
}

run_cases "$@"
