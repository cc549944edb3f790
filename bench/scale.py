#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a store of a million chunks costs.

Run as root, after bench/make-images.sh has made an image (only v1.ext4.cba is used):
    contrib/build.sh
    bench/scale.py [-n ROUNDS] [--chunks N] [--releases N] [BUILD-DIRECTORY]

Two stores on one fresh ext4: one holds only the release v1, the other also many
releases of small chunks. A clone with nothing to do and the start of a server take turns
in the two; the ratio of the medians should be 1. list, du and gc run in the large one
when it is half full and when it is full: the ratio should be 2. All is warm.

IHOP_BENCH_DIR is where the images are (default: bench-images).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ARCHIVE = os.path.abspath(os.environ.get("IHOP_BENCH_DIR", "bench-images")) + "/v1.ext4.cba"
CHUNK = 128


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def seconds(command):
    begun = time.perf_counter()
    run(*command)
    return time.perf_counter() - begun


def median(command, rounds):
    seconds(command)  # fills the page cache
    return statistics.median(seconds(command) for _ in range(rounds))


def add_release(work, store, number, chunks):
    image = f"{work}/image"
    with open(image, "wb") as f:
        f.write(os.urandom(chunks * CHUNK))
    run(sys.executable, f"{SOURCE}/tests/lib/cba.py", "store", "--layout", "2", "--min", str(CHUNK),
        "--max", str(CHUNK), image, f"{store}/r{number:02}")
    os.remove(image)


def compare(title, commands, rounds):
    """commands: for the small store and the large one, in turns."""
    times = [[], []]
    for i in range(rounds + 1):
        for j in (0, 1) if i % 2 else (1, 0):
            t = seconds(commands[j])
            if i:
                times[j].append(t)
    small, large = (statistics.median(t) for t in times)
    print(f"{title:28} {small * 1000:9.1f} ms {large * 1000:9.1f} ms   {large / small:5.2f}", flush=True)


def measure(build, work, args):
    disk = f"{work}/disk"
    small, large = f"{disk}/small", f"{disk}/large"
    clone, tool = f"{build}/ihop-clone", f"{build}/ihop-store"
    plugin = f"{build}/.libs/nbdkit-ihop-plugin.so"

    for store in small, large:
        run(clone, "-q", ARCHIVE, f"{store}/v1")
    tools = [(name, (tool, *name.split(), large)) for name in ("list", "du", "gc --dry-run", "gc")]
    half = args.releases // 2
    for i in range(half):
        add_release(work, large, i, args.chunks // args.releases)
    first = {name: median(command, args.n) for name, command in tools}
    for i in range(half, args.releases):
        add_release(work, large, i, args.chunks // args.releases)

    print(f"\n{'':28} {'v1 alone':>12} {f'{args.chunks:,} chunks':>12}  ratio")
    compare("clone with nothing to do",
            [(clone, "-q", ARCHIVE, f"{store}/v1") for store in (small, large)], args.n)
    compare("server: start to first answer",
            [("nbdkit", "-U", "-", plugin, f"{store}/v1", "--run", 'nbdinfo --size "$uri"')
             for store in (small, large)], args.n)
    print(f"\n{'':28} {'half full':>12} {'full':>12}  ratio")
    for name, command in tools:
        t = median(command, args.n)
        print(f"{name:28} {first[name] * 1000:9.1f} ms {t * 1000:9.1f} ms   {t / first[name]:5.2f}")
    for i in range(args.releases):
        run(tool, "remove", "-q", f"{large}/r{i:02}")
    print(f"{'gc of all but v1':28} {'':12} {seconds((tool, 'gc', large)) * 1000:9.1f} ms")
    run(tool, "verify", "-q", large)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("-n", type=int, default=9, help="rounds [9]")
    p.add_argument("--chunks", type=int, default=1000000, help="in the large store [1000000]")
    p.add_argument("--releases", type=int, default=20, help="[20]")
    p.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = p.parse_args()

    if not os.path.exists(ARCHIVE):
        sys.exit(f"{ARCHIVE} is missing: bench/make-images.sh, then bita compress")
    work = tempfile.mkdtemp(prefix="ihop-scale.")
    try:
        run("truncate", "-s", "16G", f"{work}/fs")
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-i", "4096", "-E", "nodiscard", f"{work}/fs")
        os.mkdir(f"{work}/disk")
        run("mount", "-o", "loop", f"{work}/fs", f"{work}/disk")
        measure(os.path.abspath(args.build), work, args)
    finally:
        subprocess.run(["umount", f"{work}/disk"], check=False)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
