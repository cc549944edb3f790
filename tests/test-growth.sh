#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whatever an archive, a store or a server may have many of: ten times as much of it is at
# most twelve times the work. Counted are instructions, which no busy machine changes.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
requires valgrind
if is_sanitized "$ihop_clone"; then skip "valgrind does not run what has a sanitizer"; fi
mkdir "$tmp/www"
start_server "$tmp/www"

# instructions CODE COMMAND...: how many it takes, its children's included; a run that takes
# more than two minutes has failed.
instructions() {
    local code=$1

    shift
    rm -f "$tmp"/count.*
    expect_exit "$code" timeout 120 valgrind --tool=cachegrind --cache-sim=no --trace-children=yes \
        --trace-children-skip='*nbdinfo,*nbdcopy,*/sh,*/bash' --cachegrind-out-file=/dev/null --log-file="$tmp/count.%p" "$@"
    cat "$tmp"/count.* | awk '/I +refs:/ { gsub(",", ""); sum += $NF } END { printf "%.0f\n", sum }'
}

# What a program takes in any case.
start=$(instructions 0 "$ihop_clone" --version)

# grows WHAT COUNT CODE COMMAND...: {n} in the command is COUNT, then ten times as much.
grows() {
    local what=$1 count=$2 code=$3 few many

    shift 3
    few=$(instructions "$code" "${@//\{n\}/$count}")
    many=$(instructions "$code" "${@//\{n\}/$((10 * count))}")
    at_least "$few" $((start + 100000)) "instructions counted for $what"
    echo "$what: $few for $count, $many for ten times as many ($start for none)"
    at_most $((many - start)) $((12 * (few - start))) "instructions for ten times as much of: $what"
}

make_growing() {
    $cba growing "$1" "$2" "$tmp/www/$1-$2.cba"
    $cba growing "$1" $((10 * $2)) "$tmp/www/$1-$((10 * $2)).cba"
}

# ---- archives ----
quickly=(-q --retry 0 --allow-short-hash)
make_growing good 300
grows "chunks that are cloned" 300 0 "$ihop_clone" "${quickly[@]}" "$url/good-{n}.cba" "$tmp/good-{n}/r"
grows "chunks that are told about" 300 0 "$ihop_compress" --info "$tmp/www/good-{n}.cba"
grows "chunks that are compared" 300 0 "$ihop_compress" --diff "$tmp/www/good-{n}.cba" "$tmp/www/good-{n}.cba"
grows "chunks that are verified" 300 0 "$ihop_store" verify "$tmp/good-{n}"
make_growing wrong 2000
grows "wrong chunks of a server" 2000 5 "$ihop_clone" "${quickly[@]}" "$url/wrong-{n}.cba" "$tmp/wrong-{n}/r"
grows "wrong chunks of a file" 2000 5 "$ihop_clone" "${quickly[@]}" "$tmp/www/wrong-{n}.cba" "$tmp/wrong2-{n}/r"
for bytes in 8 15; do
    make_growing alike$bytes 2000
    for count in 2000 20000; do
        expect_exit 5 "$ihop_clone" "${quickly[@]}" "$tmp/www/alike$bytes-$count.cba" "$tmp/alike$bytes-$count/r"
    done
    grows "hashes that share $bytes bytes" 2000 0 "$ihop_store" gc "$tmp/alike$bytes-{n}"
done
make_growing metadata 300
for count in 300 3000; do
    expect_exit 0 "$ihop_clone" -q "$tmp/www/metadata-$count.cba" "$tmp/metadata-$count/r"
done
grows "metadata keys of a release" 300 0 "$ihop_store" info "$tmp/metadata-{n}/r"
grows "metadata keys of an archive" 300 0 "$ihop_compress" --info "$tmp/www/metadata-{n}.cba"
make_growing order 20000
grows "entries of the order" 20000 0 "$ihop_clone" "${quickly[@]}" "$tmp/www/order-{n}.cba" "$tmp/order-{n}/r"

# ---- a store's releases ----
for count in 100 1000; do
    expect_exit 0 "$ihop_clone" -q "$tmp/www/order-20000.cba" "$tmp/s$count/r"
    "$ihop_store" info "$tmp/s$count/r" >"$tmp/info"
    $cba growing metadata 1 "$tmp/one.cba"
    expect_exit 0 "$ihop_clone" -q "$tmp/one.cba" "$tmp/s$count/one"
    for ((i = 0; i < count; i++)); do
        cp "$tmp/s$count/one" "$tmp/s$count/one$i"
    done
done
for command in list du verify gc; do
    # shellcheck disable=SC2086
    grows "releases, $command" 100 0 "$ihop_store" $command "$tmp/s{n}"
done

grows "releases, info of one" 100 0 "$ihop_store" info "$tmp/s{n}/one"

# ---- a server ----
if command -v nbdkit nbdinfo >/dev/null && [ -e "$plugin" ]; then
    serve_growing() {
        grows "$1" "$2" 0 nbdkit -U - "$plugin" "$3" --run "$4"
    }
    serve_growing "chunks that are served" 300 "$tmp/good-{n}/r" 'nbdcopy "$uri" null:'
    serve_growing "pieces of a map" 20000 "$tmp/order-{n}/r" 'nbdinfo --map "$uri" >/dev/null'
    serve_growing "exports" 100 "store=$tmp/s{n}" 'nbdinfo --list "$uri" >/dev/null 2>&1 || true'
fi
