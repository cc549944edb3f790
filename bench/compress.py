#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long it takes to make an archive, beside bita and desync.

Run as root, after bench/make-images.sh (or bench/real-images.sh) has made the images:
    contrib/build.sh
    bench/compress.py [-n ROUNDS] [--job NAME] [BUILD-DIRECTORY]

Every job ends durable: ihop-compress does by itself, the others are followed by a sync
of the file system. All write to one fresh ext4 on a loop device; the image is in the
page cache. The commands take turns, so that they share what the machine does besides.
Medians, the ratio of ihop's median to each, and the bytes that came out.

Tools and directories as for bench/clone.py.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from clone import IMAGES, SOURCE, print_table, sh, tool


def jobs(build, image, disk):
    """(job, who, command); each writes below disk, which is empty before."""
    bita, desync = tool("bita"), tool("desync")
    for job, codec, level in ("brotli 6", "brotli", 6), ("zstd 3", "zstd", 3), ("none", "none", 6):
        options = f"--compression {codec} --compression-level {level}"
        yield job, "ihop", f"{build}/ihop-compress -q {options} {image} {disk}/a.cba"
        if bita:
            yield job, "bita", f"{bita} compress -i {image} {options} {disk}/a.cba 2>/dev/null; sync -f {disk}"
        if desync and job == "zstd 3":  # desync has no other compression
            yield job, "desync", f"{desync} make -s {disk}/s {disk}/a.caibx {image} 2>/dev/null; sync -f {disk}"


def bytes_in(directory):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, names in os.walk(directory) for f in names)


def run(commands, disk, rounds):
    times, cpu, sizes = {}, {}, {}
    for i in range(rounds):
        for job in dict.fromkeys(job for job, _, _ in commands):
            these = [(who, command) for j, who, command in commands if j == job]
            first = i % len(these)  # each program goes first in turn
            for who, command in these[first:] + these[:first]:
                sh(f"rm -rf {disk}/*; mkdir {disk}/s; sync -f {disk}; sleep 1")
                before, begun = os.times(), time.monotonic()
                sh(command)
                spent = time.monotonic() - begun
                after = os.times()
                times.setdefault(job, {}).setdefault(who, []).append(spent)
                cpu.setdefault((job, who), []).append(
                    after.children_user + after.children_system - before.children_user - before.children_system)
                sizes[job, who] = bytes_in(disk)
    return times, cpu, sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=5, metavar="ROUNDS")
    parser.add_argument("--job", default="", help="only jobs whose name contains this")
    parser.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = parser.parse_args()
    build, image = os.path.abspath(args.build), f"{IMAGES}/v1.ext4"
    for path in f"{build}/ihop-compress", image:
        if not os.path.exists(path):
            sys.exit(f"{path} is missing")
    with tempfile.TemporaryDirectory(dir=IMAGES) as work:
        disk = f"{work}/disk"
        os.mkdir(disk)
        sh(f"truncate -s 4G {work}/fs && mkfs.ext4 -q -F -m 0 -E nodiscard {work}/fs")
        sh(f"mount -o loop {work}/fs {disk} && rmdir {disk}/lost+found && cat {image} >/dev/null")
        try:
            commands = [c for c in jobs(build, image, disk) if args.job in c[0]]
            times, cpu, sizes = run(commands, disk, args.n)
        finally:
            subprocess.run(["umount", disk], check=False)
    print_table(times)
    print(f"\n{'job':<18} {'who':<20} {'cpu s':>9} {'bytes':>12}")
    for (job, who), spent in cpu.items():
        print(f"{job:<18} {who:<20} {statistics.median(spent):9.3f} {sizes[job, who]:12}")


if __name__ == "__main__":
    main()
