#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an update costs, by how the image is made and how it is cut: the numbers of
docs/images.md.

Run as root, after bench/make-images.sh has made the images (v1.ext4, v2.ext4):
    contrib/build.sh
    bench/image-options.py [--only NAME] [BUILD-DIRECTORY]

The files of the two images are packed again with other tools and options. For each
kind: the image, the archive, its header, the chunks of v1, and what ihop-compress --diff
tells of the update from v1 to v2. "again" is the update from v1 to v1 made once more.
By chunk size also: how long a copy of the served v1 takes with cold caches (median of 5),
from a fresh ext4 on a loop device with direct I/O.

IHOP_BENCH_DIR is where the images are (default: bench-images).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGES = os.path.abspath(os.environ.get("IHOP_BENCH_DIR", "bench-images"))
UUID = "0b0e0000-0000-4000-8000-000000000002"
EPOCH = "1700000000"


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# How to make an image OUT of the directory TREE. These ways are reproducible unless they say so.
KINDS = {
    "ext4": f"{SOURCE}/contrib/make-ext4.sh TREE OUT 640M {UUID}",
    "ext4, as mkfs makes it": "truncate -s 640M OUT && mkfs.ext4 -q -F -m 0 -d TREE OUT",
    "erofs, not compressed": f"mkfs.erofs -T {EPOCH} -U {UUID} OUT TREE",
    "erofs, lz4hc": f"mkfs.erofs -zlz4hc -T {EPOCH} -U {UUID} OUT TREE",
    "squashfs, zstd": f"SOURCE_DATE_EPOCH={EPOCH} mksquashfs TREE OUT -comp zstd -noappend",
    "squashfs, zstd, 1 MiB blocks": f"SOURCE_DATE_EPOCH={EPOCH} mksquashfs TREE OUT -comp zstd -b 1M -noappend",
    "squashfs, zstd, no fragments": f"SOURCE_DATE_EPOCH={EPOCH} mksquashfs TREE OUT -comp zstd -no-fragments -noappend",
    "squashfs, not compressed": f"SOURCE_DATE_EPOCH={EPOCH} mksquashfs TREE OUT -noI -noD -noF -noX -noappend",
}
CHUNK_SIZES = {  # of the plain ext4: average KiB -> minimum KiB
    16: 4,
    32: 8,
    64: 16,
    128: 32,
}


class Bench:
    def __init__(self, build, work):
        self.compress, self.clone, self.work = f"{build}/ihop-compress", f"{build}/ihop-clone", work
        self.plugin, self.disk = f"{build}/.libs/nbdkit-ihop-plugin.so", f"{work}/disk"
        if not os.path.exists(self.compress):
            sys.exit(f"{self.compress} is not built: contrib/build.sh")

    def mount(self, v):
        tree = f"{self.work}/{v}"
        os.mkdir(tree)
        sh(f"mount -o ro,loop {IMAGES}/{v}.ext4 {tree}")
        return tree

    def image(self, command, tree, name):
        out = f"{self.work}/{name}.img"
        if os.path.exists(out):
            os.remove(out)
        sh(command.replace("TREE", tree).replace("OUT", out))
        return out

    def archive(self, image, name, options=""):
        out = f"{self.work}/{name}.cba"
        sh(f"{self.compress} -q -f {options} {image} {out}")
        return out

    def ask(self, options):
        result = subprocess.run(f"{self.compress} --json {options}", shell=True, check=True, capture_output=True)
        return json.loads(result.stdout)

    def cold_copy(self, archive):
        """Seconds, as a text."""
        os.makedirs(self.disk, exist_ok=True)
        sh(f"truncate -s 4G {self.work}/fs && mkfs.ext4 -q -F -m 0 -E nodiscard {self.work}/fs")
        loop = subprocess.check_output(["losetup", "-f", "--show", "--direct-io=on", f"{self.work}/fs"], text=True).strip()
        times = []
        try:
            sh(f"mount {loop} {self.disk} && {self.clone} -q {archive} {self.disk}/s/v1")
            for _ in range(5):
                sh("sync; echo 3 >/proc/sys/vm/drop_caches")
                begun = time.monotonic()
                sh(f"nbdkit -U - {self.plugin} {self.disk}/s/v1 --run 'nbdcopy \"$uri\" null:'")
                times.append(time.monotonic() - begun)
        finally:
            sh(f"umount {self.disk}; losetup -d {loop}; rm {self.work}/fs")
        return f"{statistics.median(times):.2f}"

    def row(self, name, image, v1, v2, last):
        info, update = self.ask(f"--info {v1}"), self.ask(f"--diff {v1} {v2}")
        cells = [f"{os.path.getsize(image) / 1e6:.0f}", f"{info['archive_size'] / 1e6:.1f}",
                 f"{info['header_size'] / 1e3:.0f}", f"{info['chunks_unique']:,}",
                 f"{update['bytes_downloaded'] / 1e6:.1f}", f"{update['bytes_written'] / 1e6:.1f}",
                 f"{update['requests']:,}"]
        cells.append(last)
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)

    def kinds(self, trees, wanted):
        for name, command in KINDS.items():
            if wanted not in name:
                continue
            archives = []
            for n, tree in (("v1", trees[0]), ("v2", trees[1]), ("again", trees[0])):
                image = self.image(command, tree, n)
                archives.append(self.archive(image, n))
            again = self.ask(f"--diff {archives[0]} {archives.pop()}")["bytes_downloaded"]
            self.row(name, f"{self.work}/v1.img", *archives, f"{again / 1e6:.1f}")

    def sizes(self, trees, wanted):
        images = [self.image(KINDS["ext4"], tree, v) for tree, v in zip(trees, ("v1", "v2"))]
        for average, least in CHUNK_SIZES.items():
            name = f"ext4, chunks of {average} KiB"
            if wanted in name:
                options = f"--avg-chunk-size {average}KiB --min-chunk-size {least}KiB"
                archives = [self.archive(image, v, options) for image, v in zip(images, ("v1", "v2"))]
                self.row(name, images[0], *archives, self.cold_copy(archives[0]))

    def run(self, wanted):
        trees = [self.mount("v1"), self.mount("v2")]
        head = "| image | MB | archive MB | header kB | chunks | update MB | written MB | requests |"
        for last, rows in ("again MB", self.kinds), ("cold copy s", self.sizes):
            print(f"{head} {last} |\n|---|---|---|---|---|---|---|---|---|")
            rows(trees, wanted)
            print()

    def stop(self):
        for v in "v1", "v2":
            subprocess.run(f"umount {self.work}/{v}", shell=True, stderr=subprocess.DEVNULL)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--only", default="", help="kinds whose name contains this")
    p.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = p.parse_args()
    work = tempfile.mkdtemp(prefix="ihop-options.", dir=IMAGES)
    bench = Bench(os.path.abspath(args.build), work)
    try:
        bench.run(args.only)
    finally:
        bench.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
