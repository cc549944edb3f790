#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is not ihop's stays: no program, with no option, replaces, moves, removes, lists or
# serves a file that is no release, and a directory that is no store does not become one by
# accident. Each case compares all that there is before and after.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
mkdir "$tmp/work"
cd "$tmp/work"
for n in 1 2; do
    noise "image-$n" 100000 "$n"
    $cba make "image-$n" "v$n.cba"
done
cp -r "$srcdir/common/store" sources
expect_exit 0 "$ihop_clone" --quiet v1.cba pristine/v1
head -c 300000 /dev/zero >zeros

# content DIRECTORY: names, types and contents of all files that are not ihop's own.
content() {
    (cd "$1" && find . -path ./.ihop -prune -o -path ./chunks -prune -o ! -name v1 -printf '%p %y %l\n' | sort
        find . -path ./.ihop -prune -o -path ./chunks -prune -o -type f ! -name v1 -print0 | sort -z | xargs -0r b2sum)
}

# untouched DIRECTORY CODE REGEX CMD...: exits with CODE and says REGEX, DIRECTORY stays as it is, and
# nothing is fetched.
untouched() {
    local directory=$1 code=$2 regex=$3

    shift 3
    state_of "$directory" >"$tmp/before"
    expect_exit "$code" timeout 60 "$@"
    expect_stderr "$regex"
    state_of "$directory" >"$tmp/after"
    diff "$tmp/before" "$tmp/after" || fail "changed by: $*"
}

state_of() {
    (cd "$1" && find . -printf '%p %y %s %T@ %i\n' | sort && find . -type f -print0 | sort -z | xargs -0r b2sum)
}

# A directory that is no store.
test_no_store() {
    mkdir -p place/chunks/ab
    echo root >place/passwd
    cp v1.cba place
    : >place/empty
    for options in '' --force --make-room --dry-run --compat-store; do
        # shellcheck disable=SC2086 # one word or none
        for name in v1 empty; do
            untouched place 7 "place is no store, and not empty: .*example place/ihop" "$ihop_clone" $options v2.cba "place/$name"
        done
        # shellcheck disable=SC2086
        untouched place 12 "place/v1.cba is a bita archive, which is never replaced: are the operands swapped" \
            "$ihop_clone" $options v2.cba place/v1.cba
        # shellcheck disable=SC2086
        untouched place 12 "place/passwd is a text file, which is never replaced" "$ihop_clone" $options v2.cba place/passwd
    done
    for command in list info du verify 'verify --repair' gc 'gc --keep 1' 'gc --dry-run'; do
        # shellcheck disable=SC2086 # several words
        untouched place 10 "place is no store" "$ihop_store" $command place
    done
    for command in info verify remove 'remove --force' protect unprotect; do
        # shellcheck disable=SC2086
        untouched place 10 "place is no store" "$ihop_store" $command place/empty
        # shellcheck disable=SC2086
        untouched place 10 "place/v1.cba: this is a bita archive, not a release: clone it first" "$ihop_store" $command place/v1.cba
    done
    untouched place 10 "place/passwd: this is a text file, not a release" "$ihop_store" diff place/passwd place/v1.cba
    mkdir none
    for command in list du gc; do
        untouched none 10 "none is no store" "$ihop_store" $command none
    done
    # Sources, with a directory of the name that a store has, and other things in it.
    for make in true 'mkdir -p sources/chunks/0001; touch sources/chunks/0001/data' 'mkdir sources/.ihop' \
        'touch sources/.ihop/lock' 'rm -r sources/chunks'; do
        eval "$make"
        untouched sources 7 "sources is no store, and not empty" "$ihop_clone" --force v1.cba sources/v1
        untouched sources 10 "sources is no store" "$ihop_store" gc --keep 2 sources
    done
}

# Operands.
test_operands() {
    mkdir here
    cp v1.cba here/x.cba
    cp -r pristine here/s
    cd here
    for args in 's/v1 x.cba' 's/v1 new.cba' 's/v1 t/v1' 's/v1 s/v2'; do
        # shellcheck disable=SC2086 # two words
        untouched . 2 "s/v1 is a release in a store, not an archive: are the operands swapped" "$ihop_clone" $args
    done
    untouched . 12 "x.cba is a bita archive, .*are the operands swapped" "$ihop_clone" x.cba x.cba
    untouched . 2 "'v9' names no store: use STORE/RELEASE, for example images/v9" "$ihop_clone" x.cba v9
    untouched . 2 "'s' names no release: use STORE/RELEASE, for example s/v1" "$ihop_clone" x.cba s
    untouched . 7 "^ihop-clone: \. is no store, and not empty: .*example ./ihop" "$ihop_clone" x.cba ./v9
    cd ..
    untouched pristine 2 "pristine/v1 is a release, but gc takes a store: use ihop-store gc pristine$" "$ihop_store" gc pristine/v1
    untouched pristine 2 "use ihop-store list pristine$" "$ihop_store" list pristine/v1
    untouched pristine 2 "use ihop-store du \.$" env -C pristine "$ihop_store" du v1
    untouched pristine 10 "store pristine has no release v3; it has v1" "$ihop_store" info pristine/v3
    untouched pristine 10 "has no release v3; it has v1" "$ihop_store" remove pristine v3
    for options in --json '--progress none' '--wait 1' '-q --json'; do
        # shellcheck disable=SC2086 # several words
        expect_exit 0 "$ihop_store" $options list pristine
    done
    expect_exit 0 "$ihop_store" --json list pristine
    expect_stdout '"name": ?"v1"'
    expect_exit 2 "$ihop_store" --json
    expect_stderr "no command after '--json'"
}

unharmed() {
    content store | diff "$tmp/was" - || fail "after $*"
    find store -path '*.ihop*' \( -name notes -o -name v1.cba -o -name link -o -name dir \) | sort | diff "$tmp/ours" - || fail "after $*"
}

# What lies in a store.
test_in_a_store() {
    cp -r pristine store
    cd store
    echo "keep me" >README.txt
    cp README.txt 'README.txt~'
    : >'#v1#'
    : >'v1~'
    : >FSCK0000.REC
    cp v1 fsck0001.rec
    cp ../v1.cba ../zeros .
    cp "$(type -P env)" true
    { head -c 64 /dev/zero; echo x; } >nearly
    truncate -s 200M huge
    : >.nfs000000000000006800000001
    echo x >.hidden
    ln -s README.txt link
    ln -s v1 alias
    mkfifo fifo
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    mkdir directory lost+found
    echo x >directory/file
    ln README.txt hard
    rm zeros
    mkdir .ihop/staging/0123456789abcdef .ihop/staging/mine
    for place in partial retired staging staging/0123456789abcdef staging/mine; do
        echo "keep me" >.ihop/$place/notes
        cp ../v1.cba .ihop/$place/v1.cba
        ln -s notes .ihop/$place/link
        mkdir -p .ihop/$place/dir
    done
    chunk=$(cd chunks && find . -name '*.chunk' | sed -n 1p)
    echo x >"chunks/${chunk%/*}/notes"
    ln -s notes "chunks/${chunk%/*}/0123456789.chunk"
    cd ..
    find store -path '*.ihop*' \( -name notes -o -name v1.cba -o -name link -o -name dir \) | sort >"$tmp/ours"
    content store >"$tmp/was"

    note="^ihop-store: store: [0-9]+ files are no releases and were left alone: #v1#, \.hidden, \.nfs"
    for command in list du verify info gc 'gc --keep 1' 'gc --partial-age 0'; do
        # shellcheck disable=SC2086 # several words
        expect_exit 0 "$ihop_store" $command store
        one_line_on_stderr
        expect_stderr "$note"
        unharmed "$command"
    done
    expect_exit 0 "$ihop_store" list store
    equal "$(sed 1d "$tmp/out" | cut -d' ' -f1)" v1 "releases"
    expect_exit 0 "$ihop_store" --quiet verify store
    [ ! -s "$tmp/err" ] || fail "--quiet is not quiet"

    foreign=(README.txt 'README.txt~' '#v1#' 'v1~' v1.cba true nearly huge hard)
    special=(link alias fifo socket directory)
    for name in "${foreign[@]}"; do
        for options in '' --force --make-room; do
            # shellcheck disable=SC2086 # one word or none
            expect_exit 12 timeout 20 "$ihop_clone" $options v2.cba "store/$name"
            expect_stderr "^ihop-clone: store/$name is an? .*, which is never replaced"
        done
        for command in remove 'remove --force' protect info verify; do
            # shellcheck disable=SC2086
            expect_exit 10 timeout 20 "$ihop_store" $command "store/$name"
            expect_stderr "^ihop-store: release store/$name: this is an? .*, not a release"
        done
        unharmed "$name"
    done
    for name in "${special[@]}"; do
        expect_exit 7 timeout 20 "$ihop_clone" --force v2.cba "store/$name"
        expect_stderr "store/$name is not a regular file \(an? .*\): choose"
        for command in remove 'remove --force' protect info verify; do
            [[ $name != directory || $command =~ remove|protect ]] || continue # it names a store then
            # shellcheck disable=SC2086
            expect_exit 7 timeout 20 "$ihop_store" $command "store/$name"
            expect_stderr "store/$name: this is a .*, not a release"
        done
        unharmed "$name"
    done
    expect_exit 2 "$ihop_clone" v2.cba store/FSCK0000.REC
    expect_stderr "a name that fsck gives"
    # What is said of contents.
    for pair in 'v1.cba=a bita archive' 'true=an ELF program' 'README.txt=a text file' 'v1~=an empty file' \
        'nearly=a file of other content'; do
        expect_exit 12 "$ihop_clone" v2.cba "store/${pair%%=*}"
        expect_stderr "is ${pair#*=}, which is never replaced"
    done

    # A clone of its own name works beside all that; the store serves, too.
    expect_exit 0 "$ihop_clone" --force v2.cba store/v1
    holds store/v1 image-2
    unharmed "a clone"
    expect_exit 0 "$ihop_store" gc store
    unharmed "gc after a clone"
    holds store/v1 image-2
    # In the way of what an interrupted clone would leave.
    echo mine >store/.ihop/partial/v7
    expect_exit 12 "$ihop_clone" v1.cba store/v7
    expect_stderr "store/.ihop/partial/v7 is a text file"
    equal "$(cat store/.ihop/partial/v7)" mine "a file in partial/"
    rm store/.ihop/partial/v7
}

# What a power cut leaves of a release that ihop 0.1 wrote.
test_power_cut() {
    for blank in 'truncate -s 0' 'cp zeros'; do
        rm -rf cut
        cp -r pristine cut
        $blank cut/v2
        expect_exit 7 "$ihop_store" gc cut
        expect_stderr "nothing was deleted.*clone it again, or remove it with ihop-store remove.*cut/v2"
        expect_exit 0 "$ihop_clone" v2.cba cut/v2
        expect_stderr "cut/v2.*it will be replaced"
        $blank cut/v3
        expect_exit 0 "$ihop_store" remove cut/v3
        expect_exit 0 "$ihop_store" gc cut
        [ ! -e cut/v3 ] || fail "cut/v3 is there"
    done
}

# Where a new store may be.
test_new_stores() {
    mkdir fresh{1,2,3,4}
    mkdir fresh2/lost+found fresh3/.ihop fresh4/.ihop
    : >fresh3/.ihop/lock
    printf 'ihop-store 1\nfol' >fresh4/.ihop/format.new
    for directory in fresh1 fresh2 fresh3 fresh4 fresh5 fresh1/; do
        expect_exit 0 "$ihop_clone" --quiet v1.cba "$directory/v1"
    done
    # Once it is a store, it stays one, whatever is put there.
    echo note >fresh1/note
    rm -r fresh1/v1 fresh1/chunks
    expect_exit 0 "$ihop_clone" --quiet v1.cba fresh1/v1
    # The original's: by its chunks, or by what it has and nothing else.
    mkdir -p old1/chunks/0a1b old2/chunks/0a1b old3/chunks old4/chunks/lib
    : >old1/chunks/0a1b/0a1b2c3d4e5f60718293a4b5c6d7e8f9.chunk
    echo note >old1/note
    echo note >old3/note
    echo note >old4/note
    expect_exit 0 "$ihop_clone" --quiet --compat-store v1.cba old5/v1
    rm -r old5/chunks old5/.ihop # all but the release was lost
    for directory in old1 old2 old3 old5; do
        expect_exit 0 "$ihop_store" list "$directory"
        expect_exit 0 "$ihop_clone" --quiet v1.cba "$directory/v1"
        [ ! -e "$directory/.ihop/format" ] || fail "$directory is not the original's any more"
    done
    untouched old4 7 "old4 is no store, and not empty" "$ihop_clone" v1.cba old4/v1
}

# A link in place of a directory of the store.
test_links() {
    mkdir user
    for directory in chunks .ihop/staging .ihop/retired .ihop/partial; do
        rm -rf linked
        cp -a pristine linked
        rm -r "linked/$directory"
        ln -s "$PWD/user" "linked/$directory"
        for command in gc remove; do
            name=linked
            [ $command = gc ] || name=linked/v1
            expect_exit 7 "$ihop_store" $command "$name"
            expect_stderr "linked/$directory is not a directory of its own"
        done
        expect_exit 7 "$ihop_clone" v2.cba linked/v2
        expect_stderr "linked/$directory is not a directory of its own"
        equal "$(ls -A user)" "" "what is in the user's directory"
    done
}

# No store in the middle of another one, which would remove it.
test_store_in_store() {
    expect_exit 0 "$ihop_clone" --quiet --compat-store v1.cba old6/v1
    for directory in retired partial; do
        untouched old6/.ihop/$directory 7 "old6/.ihop/$directory belongs to a store" "$ihop_clone" v1.cba old6/.ihop/$directory/v1
    done
}

# Archives.
test_archives() {
    cp image-1 target.img
    untouched . 12 "target.img exists" "$ihop_compress" image-2 target.img
    for name in target.img zeros; do
        untouched . 12 "$name is no archive, and the image is one: are the operands swapped" "$ihop_compress" -f v1.cba "$name"
    done
    : >new.cba
    expect_exit 0 "$ihop_compress" -f image-1 new.cba
    expect_exit 0 "$ihop_compress" -f image-2 new.cba
}

run_cases "$@"
