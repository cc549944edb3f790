#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What releases take in a store: space, inodes, and what is written to the flash.

Run as root:
    bench/store-size.py [--build BUILD-DIRECTORY] [--mkfs OPTIONS] [--size SIZE] ARCHIVE...

Clones the archives one after the other into a store on a fresh ext4, as releases, and then
frees all but the last with gc. A row for each step:

    chunks     of that image, those of zeros left out; new: that the store did not have
    written    to the device while it cloned, the file system's own writes included
    in use     space and inodes of the file system beyond those of an empty one, after it
    most       space in use at any moment while it cloned, looked at every 20 ms
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from clone import SOURCE
from peers import Disk

COLUMNS = "step", "image MB", "chunks", "new", "written MB", "in use MB", "most MB", "inodes"


def inodes(path):
    s = os.statvfs(path)
    return s.f_files - s.f_ffree


class Sizes:
    def __init__(self, build, disk):
        self.build, self.disk = build, disk
        self.store = f"{disk.path}/store"
        self.used, self.inodes = disk.used(), inodes(disk.path)
        print("| " + " | ".join(COLUMNS) + " |")
        print("|---" * len(COLUMNS) + "|")

    def run(self, *command):
        """Returns (the result, the most space in use while it ran)."""
        most = self.disk.used()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as p:
            while p.poll() is None:
                most = max(most, self.disk.used())
                time.sleep(0.02)
            if p.returncode:
                sys.exit(f"this failed: {' '.join(command)}")
            return json.loads(p.stdout.read().splitlines()[-1]), max(most, self.disk.used())

    def step(self, name, *command):
        written = self.disk.written()
        result, most = self.run(*command)
        self.disk.sync()
        written = self.disk.written() - written
        in_use = self.disk.used() - self.used
        chunks = result.get("chunks_total", 0) - result.get("chunks_zero", 0)
        row = (name, f"{result.get('image_size', 0) / 1e6:.1f}", chunks, result.get("chunks_fetched", 0),
               f"{written / 1e6:.1f}", f"{in_use / 1e6:.1f}", f"{(most - self.used) / 1e6:.1f}",
               inodes(self.disk.path) - self.inodes)
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)

    def clone(self, archive):
        name = os.path.basename(archive).split(".")[0]
        self.step(name, f"{self.build}/ihop-clone", "-q", "--json", archive, f"{self.store}/{name}")

    def gc(self):
        self.step("gc --keep 1", f"{self.build}/ihop-store", "gc", "-q", "--json", "--keep", "1", self.store)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=f"{SOURCE}/build", metavar="BUILD-DIRECTORY")
    parser.add_argument("--mkfs", default="", metavar="OPTIONS", help="of mkfs.ext4, in one word: --mkfs='-i 32768'")
    parser.add_argument("--size", default="4G", help="of the file system")
    parser.add_argument("archives", nargs="+", metavar="ARCHIVE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        disk = Disk(work, args.size, args.mkfs)
        try:
            sizes = Sizes(os.path.abspath(args.build), disk)
            for archive in args.archives:
                sizes.clone(archive)
            sizes.gc()
        finally:
            disk.close()


if __name__ == "__main__":
    main()
