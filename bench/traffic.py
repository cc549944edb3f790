#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an update costs on the wire, with ihop and with its peers: the table of docs/peers.md.

As root, after bench/make-images.sh has made the images:
    contrib/build.sh
    bench/traffic.py [--install] [--only NAME]... [--pair OLD:NEW]... [BUILD-DIRECTORY]

Each program makes what a device would download, and its own accounting says how much of that a
device needs that has the old image. All bytes count, headers, indexes and signatures of
blocks, too; what HTTP adds does not.

    ihop            ihop-compress --diff: header and chunks, or a delta pack
    bita            the same archive, with the old image as its seed: what an nginx has sent
    casync, desync  the index, and each chunk of the new one that the old one lacks, as stored
    zchunk          zck_delta_size: SWUpdate's delta fetches the same
    RAUC            adaptive mode: the index of block hashes, and each block of 4 KiB that
                    is nowhere in the old image; from a bundle that is not compressed
    rdiff           the delta, compressed by zstd -9; the signature, which a device sends
    OSTree          static delta without bsdiff, from the files of the images, without file system
    xdelta3, zstd   -9 and --patch-from -19, with all of the old image in memory

IHOP_BENCH_DIR is where the images are (default: bench-images): OLD.ext4 and NEW.ext4, and if
they are there .erofs and .squashfs, which only those are asked for that gain by them. Programs are
taken from PATH; one that is missing is left out, unless --install gets it.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from clone import IMAGES, SOURCE, tool
from peers import Server

BLOCK = 4096
PACKAGES = {"casync": "casync", "xdelta3": "xdelta3", "zck": "zchunk", "ostree": "ostree", "rdiff": "rdiff", "zstd": "zstd"}


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def size(path):
    return os.path.getsize(path)


def size_below(directory):
    return sum(size(os.path.join(at, f)) for at, _, files in os.walk(directory) for f in files)


class Traffic:
    """One pair of images; each method returns bytes."""

    def __init__(self, build, work, kind, old, new):
        self.compress = f"{build}/ihop-compress"
        self.work, self.kind = work, kind
        self.old, self.new = (f"{IMAGES}/{v}.{kind}" for v in (old, new))

    def archive(self, image):
        """The archive of an image; it is kept beside it."""
        if not os.path.exists(f"{image}.cba"):
            sh(f"{self.compress} -q {image} {image}.part.cba && mv {image}.part.cba {image}.cba")
        return f"{image}.cba"

    def diff(self, pack):
        """With a pack of its own, or without any: so that what lies beside the archives does not count."""
        with tempfile.TemporaryDirectory(dir=self.work) as place:
            new = f"{place}/new.cba"
            os.symlink(self.archive(self.new), new)
            if pack:
                sh(f"{self.compress} -q --delta-from {self.archive(self.old)} {new}")
            return json.loads(output(self.compress, "--json", "--diff", self.archive(self.old), new))

    def ihop_pack(self):
        return self.diff(True)["bytes_downloaded"]

    def ihop(self):
        return self.diff(False)["bytes_downloaded"]

    def bita(self):
        name = os.path.basename(self.archive(self.new))
        server = Server(self.work, "$body_bytes_sent")
        try:
            server.forget()
            sh(f"{tool('bita')} clone --seed {self.old} {server.url}/{name} {self.work}/image")
            return server.sent()[0]
        finally:
            server.close()

    def casync(self):
        return self.chunk_store("casync make --store={0}/castr {0}/{1}.caibx {2}")

    def desync(self):
        return self.chunk_store(f"mkdir -p {{0}}/castr && {tool('desync')} make -s {{0}}/castr {{0}}/{{1}}.caibx {{2}}")

    def chunk_store(self, command):
        sh(command.format(self.work, "old", self.old))
        before = size_below(f"{self.work}/castr")
        sh(command.format(self.work, "new", self.new))
        return size_below(f"{self.work}/castr") - before + size(f"{self.work}/new.caibx")

    def zchunk(self):
        for image, name in (self.old, "old"), (self.new, "new"):
            sh(f"zck -o {self.work}/{name}.zck {image}")
        said = output("zck_delta_size", f"{self.work}/old.zck", f"{self.work}/new.zck")
        return int(re.search(r"Would download (\d+) of", said)[1])

    def rauc(self):
        """The index has a SHA-256 for each block."""
        def hashes(path):
            with open(path, "rb") as image:
                while block := image.read(BLOCK):
                    yield hashlib.sha256(block).digest()

        there = set(hashes(self.old)) | {hashlib.sha256(bytes(BLOCK)).digest()}
        new = list(hashes(self.new))
        return len(set(new) - there) * BLOCK + len(new) * 32

    def rdiff(self):
        w = self.work
        sh(f"rdiff -f signature {self.old} {w}/signature && rdiff -f delta {w}/signature {self.new} {w}/rdelta && zstd -qf -9 {w}/rdelta")
        return size(f"{w}/rdelta.zst") + size(f"{w}/signature")

    def ostree(self):
        repo = f"{self.work}/ostree"
        sh(f"mkdir {repo} && ostree --repo={repo} init --mode=archive")
        commits = []
        for image in self.old, self.new:
            tree = f"{self.work}/tree"
            sh(f"mkdir {tree} && debugfs -R 'rdump / {tree}' {image}")
            sh(f"find {tree} ! -type f ! -type d ! -type l -delete")
            commits.append(output("ostree", f"--repo={repo}", "commit", "--branch=b", "--timestamp=2020-01-01 00:00:00 +0000",
                                  "--owner-uid=0", "--owner-gid=0", f"--tree=dir={tree}").strip())
            shutil.rmtree(tree)
        sh(f"ostree --repo={repo} static-delta generate --disable-bsdiff --min-fallback-size=0 --from={commits[0]} --to={commits[1]}")
        return size_below(f"{repo}/deltas")

    def xdelta3(self):
        sh(f"xdelta3 -f -e -9 -B {size(self.old)} -s {self.old} {self.new} {self.work}/x")
        return size(f"{self.work}/x")

    def zstd(self):
        sh(f"zstd -qf -19 --long=30 --patch-from={self.old} {self.new} -o {self.work}/z")
        return size(f"{self.work}/z")


# Name, program that it takes, method, kinds of images beside ext4.
ROWS = (
    ("ihop, delta pack", None, Traffic.ihop_pack, ("squashfs", "erofs")),
    ("ihop, chunks", None, Traffic.ihop, ("squashfs", "erofs")),
    ("bita", "bita", Traffic.bita, ()),
    ("OSTree static delta", "ostree", Traffic.ostree, ()),
    ("xdelta3 -9", "xdelta3", Traffic.xdelta3, ()),
    ("zstd -19 --patch-from", "zstd", Traffic.zstd, ()),
    ("rdiff", "rdiff", Traffic.rdiff, ()),
    ("zchunk", "zck", Traffic.zchunk, ()),
    ("casync", "casync", Traffic.casync, ()),
    ("desync", "desync", Traffic.desync, ()),
    ("RAUC adaptive", None, Traffic.rauc, ("erofs",)),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="get missing programs by apt-get")
    parser.add_argument("--only", action="append", metavar="NAME", help="only rows whose name contains this; may be repeated")
    parser.add_argument("--pair", action="append", metavar="OLD:NEW", help="instead of v1:v2 and v2:v3; may be repeated")
    parser.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = parser.parse_args()
    pairs = [p.split(":") for p in args.pair or ("v1:v2", "v2:v3")]
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if args.install and missing:
        sh("apt-get install -y " + " ".join(missing))
    print("| MB on the wire | " + " | ".join(f"{old} -> {new}" for old, new in pairs) + " |")
    print("|---" * (len(pairs) + 1) + "|")
    for name, program, method, kinds in ROWS:
        if (args.only and not any(o in name for o in args.only)) or (program and not tool(program)):
            continue
        for kind in ("ext4", *kinds):
            if all(os.path.exists(f"{IMAGES}/{v}.{kind}") for pair in pairs for v in pair):
                print_row(args, name if kind == "ext4" else f"{name}, {kind}", method, kind, pairs)


def print_row(args, name, method, kind, pairs):
    cells = []
    for old, new in pairs:
        with tempfile.TemporaryDirectory(dir=IMAGES) as work:
            traffic = Traffic(os.path.abspath(args.build), work, kind, old, new)
            cells.append(f"{method(traffic) / 1e6:.2f}")
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
