#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a server sends to a fleet of mixed versions, with delta packs for no, one or several old
releases (docs/publishing.md has a result).

    contrib/build.sh
    bench/fleet.py [--devices N] [--reached SHARE] [--packs LIST] ARCHIVE ARCHIVE...

The archives are an image's releases in the order of their publishing. At each release that share
of the devices [0.8] updates, from whatever it has; the others try again at the next one. So some
are one release behind, fewer two, and so on. For each update the cost is what ihop-compress
--diff tells; for each number of packs the last so many releases before the new one have a pack.
The packs are made in a directory of their own; the archives' place stays as it is.

    sent        to all devices for all releases but the first
    a device    the mean of that, for each release
    packs       what they take on the server, and how long making them took
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Releases:
    def __init__(self, build, work, archives, packs):
        self.compress, self.work = f"{build}/ihop-compress", work
        self.archives = [os.path.abspath(a) for a in archives]
        self.pack_bytes, self.pack_seconds = {}, {}
        self.plain = self.costs(0)
        self.patched = self.costs(packs) if packs else self.plain

    def costs(self, packs):
        """{(old, new): bytes} with packs for so many old releases."""
        costs = {}
        for new in range(1, len(self.archives)):
            with tempfile.TemporaryDirectory(dir=self.work) as place:
                archive = f"{place}/{os.path.basename(self.archives[new])}"
                os.symlink(self.archives[new], archive)
                for old in range(max(0, new - packs), new):
                    self.make_pack(old, new, archive, place)
                for old in range(new):
                    costs[old, new] = self.diff(self.archives[old], archive)
        return costs

    def make_pack(self, old, new, archive, place):
        before, begun = set(os.listdir(place)), time.monotonic()
        # A pack that would not pay is refused: then there is none.
        subprocess.run([self.compress, "-q", "--delta-from", self.archives[old], archive], stderr=subprocess.DEVNULL)
        self.pack_seconds[old, new] = time.monotonic() - begun
        self.pack_bytes[old, new] = sum(os.path.getsize(f"{place}/{f}") for f in set(os.listdir(place)) - before)

    def diff(self, old, new):
        done = subprocess.run([self.compress, "--json", "--diff", old, new], check=True, text=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)["bytes_downloaded"]

    def cost(self, old, new, packs):
        return (self.patched if new - old <= packs else self.plain)[old, new]


def simulate(releases, reached, packs):
    """The mean bytes of a device, over all releases: a share is what a device expects."""
    at, sent = {0: 1.0}, 0.0
    for new in range(1, len(releases.archives)):
        moved = {old: share * reached for old, share in at.items()}
        sent += sum(share * releases.cost(old, new, packs) for old, share in moved.items())
        at = {old: share * (1 - reached) for old, share in at.items()}
        at[new] = sum(moved.values())
    return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=10000, metavar="N")
    parser.add_argument("--reached", type=float, default=0.8, metavar="SHARE")
    parser.add_argument("--packs", default="0,1,3", metavar="LIST", help="numbers of packs to compare [0,1,3]")
    parser.add_argument("--build", default=f"{SOURCE}/build", metavar="DIRECTORY")
    parser.add_argument("archives", nargs="+", metavar="ARCHIVE")
    args = parser.parse_args()
    if len(args.archives) < 2 or not 0 < args.reached <= 1:
        sys.exit("fleet.py: at least two archives, and a share above 0 and at most 1")
    numbers = [int(n) for n in args.packs.split(",")]
    with tempfile.TemporaryDirectory() as work:
        releases = Releases(os.path.abspath(args.build), work, args.archives, max(numbers))
    updates = len(args.archives) - 1
    print("| packs for each release | sent, GB | a device and release, MB | packs, MB | made in, s |")
    print("|---|---|---|---|---|")
    for packs in numbers:
        kept = [pair for pair in releases.pack_bytes if pair[1] - pair[0] <= packs]
        mean = simulate(releases, args.reached, packs)
        print(f"| {packs} | {mean * args.devices / 1e9:.1f} | {mean / updates / 1e6:.2f} |"
              f" {sum(releases.pack_bytes[p] for p in kept) / 1e6:.1f} | {sum(releases.pack_seconds[p] for p in kept):.0f} |")


if __name__ == "__main__":
    main()
