#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every bench of bench/ works: each runs once, on small images, and prints its table. What it
# measures in this way is worth nothing. bench/real-images.sh and bench/limit.c have tests of their own
# (test-real-images-small.sh, test-bench-limit.sh); Debian images are not made here, as they
# come from the network.
set -euo pipefail
. "${srcdir:-$(dirname "$0")/..}/tests/lib/functions.sh"
. "$srcdir/tests/lib/net.sh"
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/sbin:/usr/sbin
requires nginx nbdkit nbdcopy nbdinfo curl zstd mkfs.ext4 debugfs mksquashfs mkfs.erofs
if is_sanitized "$ihop_clone"; then
    skip "built with a sanitizer, which is not measured"
fi
[ "$(id -u)" = 0 ] || skip "not root: the benches mount file systems"
losetup --find >/dev/null 2>"$tmp/why" || skip "no loop device: $(cat "$tmp/why")"
export IHOP_BENCH_DIR=$tmp/images

# Three images of 24 MiB as ext4, and their archives.
expect_exit 0 "$srcdir/bench/make-images.sh" --small "$IHOP_BENCH_DIR"
for v in v1 v2 v3; do
    expect_exit 0 "$ihop_compress" --quiet "$IHOP_BENCH_DIR/$v.ext4" "$IHOP_BENCH_DIR/$v.ext4.cba"
done

# bench NAME [ARGUMENT...]: it succeeds; what it prints is in $tmp/out.
bench() {
    expect_exit 0 timeout 300 "$python" "$srcdir/bench/$1" "${@:2}"
    cat "$tmp/out"
}

test_clone() {
    bench clone.py -n 1 --job "first clone" "$builddir"
    expect_stdout '^job +who +median s'
    expect_stdout '^first clone +ihop +[0-9.]+ .* 1\.00$'
    expect_stdout '^first clone +limit +[0-9.]+ '
}

test_compress() {
    bench compress.py -n 1 --job none "$builddir"
    expect_stdout '^none +ihop +[0-9.]+ .* 1\.00$'
    expect_stdout '^none +ihop +[0-9.]+ +[0-9]+$'
}

test_peers() {
    bench peers.py -n 1 --job first "$builddir"
    expect_stdout '^\| first \| wire MB \|'
    expect_stdout '^\| ihop \| [0-9.]+ \| [0-9]+ \|.*\| 1\.00 \|$'
    expect_stdout '^\| image.zst \| '
}

test_traffic() {
    bench traffic.py --only chunks --only RAUC --pair v1:v2 "$builddir"
    expect_stdout '^\| MB on the wire \| v1 -> v2 \|$'
    expect_stdout '^\| ihop, chunks \| [0-9.]+ \|$'
    expect_stdout '^\| RAUC adaptive, erofs \| [0-9.]+ \|$'
}

test_image_options() {
    bench image-options.py --only "erofs, not" "$builddir"
    expect_stdout '^\| erofs, not compressed \| [0-9]+ \|'
    bench image-options.py --only "128 KiB" "$builddir"
    expect_stdout '^\| ext4, chunks of 128 KiB \|.*\| [0-9]+\.[0-9]+ \|$'
}

test_scale() {
    bench scale.py -n 1 --chunks 2000 --releases 2 "$builddir"
    expect_stdout '^clone with nothing to do +[0-9.]+ ms'
    expect_stdout '^gc of all but v1 +[0-9.]+ ms$'
}

test_serve() {
    bench serve.py -n 1 --job "sequential warm" "$builddir"
    expect_stdout '^sequential warm +ihop +[0-9]+ +MiB/s'
    bench serve.py -n 1 --job "first byte, warm" "$builddir"
    expect_stdout '^first byte, warm +ihop +[0-9.]+ +s'
}

test_store_size() {
    bench store-size.py --build "$builddir" --size 512M "$IHOP_BENCH_DIR/v1.ext4.cba" "$IHOP_BENCH_DIR/v2.ext4.cba"
    expect_stdout '^\| v1 \| [0-9.]+ \|'
    expect_stdout '^\| gc --keep 1 \|'
}

# The relay that stands in for netem passes all bytes on, after a while.
test_delay_relay() {
    local port

    start_server "$IHOP_BENCH_DIR"
    port=$(free_port)
    "$python" "$srcdir/bench/delay-relay.py" 127.0.0.1 "$port" 127.0.0.1 "$server_port" 20 &
    at_exit kill $!
    wait_for 10 bash -c ": >/dev/tcp/127.0.0.1/$port"
    expect_exit 0 "$ihop_clone" --quiet "http://127.0.0.1:$port/v1.ext4.cba" "$tmp/relayed/v1"
    holds "$tmp/relayed/v1" "$IHOP_BENCH_DIR/v1.ext4"
}

# The last one, because it skips.
test_slow_line() {
    requires ip tc
    ip netns add "ihop-try-$$" 2>"$tmp/why" || skip "bench/slow-line.sh alone: no network namespaces: $(cat "$tmp/why")"
    ip netns delete "ihop-try-$$"
    expect_exit 0 timeout 300 "$srcdir/bench/slow-line.sh" "$builddir"
    cat "$tmp/out"
    expect_stdout '^[0-9]+ bytes in [0-9]+ requests: [0-9.]+ s, at line speed'
}

run_cases "$@"
