#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""readers.py: reads a device from several threads, past the page cache, and compares.

    readers.py DEVICE IMAGE THREADS STOP COUNT [PAUSE]

Each thread reads pieces of 4 to 64 KiB at places of its own until the file STOP exists, or for one
second after SIGTERM, with PAUSE seconds after each. How many reads there have been is written to the file COUNT all the time. At
the end come a line for the stalls, times in which reads took longer than a tenth of a second, with
the longest read of each, and one for the reads, those that failed, those with other bytes than
IMAGE, and how many seconds the longest took; exit code 1 if any failed or was wrong.
"""

import mmap
import os
import random
import signal
import sys
import threading
import time

BLOCK = 4096
SLOW_S = 0.1


class Reader(threading.Thread):
    def __init__(self, device, image, seed, pause):
        super().__init__()
        self.fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
        self.image = os.open(image, os.O_RDONLY)
        self.blocks = os.fstat(self.image).st_size // BLOCK
        self.random = random.Random(seed)
        self.pause = pause
        self.buffer = mmap.mmap(-1, 16 * BLOCK)
        self.reads = self.failed = self.wrong = 0
        self.longest = 0.0
        self.slow = []  # (begin, end) of slow reads
        self.stopped = False

    def read_once(self):
        count = self.random.randint(1, 16)
        offset = self.random.randrange(self.blocks - count) * BLOCK
        view = memoryview(self.buffer)[:count * BLOCK]
        begun = time.monotonic()
        try:
            n = os.preadv(self.fd, [view], offset)
            if view[:n] != os.pread(self.image, count * BLOCK, offset):
                self.wrong += 1
        except OSError:
            self.failed += 1
        end = time.monotonic()
        if end - begun > SLOW_S:
            self.slow.append((begun, end))
        self.longest = max(self.longest, end - begun)
        self.reads += 1

    def run(self):
        while not self.stopped:
            self.read_once()
            if self.pause:
                time.sleep(self.pause)


def stalls(readers):
    """The longest read of each time in which some were slow."""
    longest, until = [], 0.0
    for begun, end in sorted(s for r in readers for s in r.slow):
        if not longest or begun > until:
            longest.append(0.0)
        longest[-1] = max(longest[-1], end - begun)
        until = max(until, end)
    return longest


def main():
    device, image, threads, stop, count = sys.argv[1:6]
    pause = float(sys.argv[6]) if len(sys.argv) > 6 else 0
    readers = [Reader(device, image, i, pause) for i in range(int(threads))]
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    for r in readers:
        r.start()
    while not os.path.exists(stop) and not terminated.is_set():
        with open(count + ".new", "w", encoding="ascii") as f:
            f.write(f"{sum(r.reads for r in readers)}\n")
        os.rename(count + ".new", count)
        time.sleep(0.05)
    if terminated.is_set():
        time.sleep(1)
    for r in readers:
        r.stopped = True
    for r in readers:
        r.join()
    failed, wrong = sum(r.failed for r in readers), sum(r.wrong for r in readers)
    print("stalls " + " ".join(f"{s:.2f}" for s in stalls(readers)))
    print(f"reads {sum(r.reads for r in readers)} failed {failed} wrong {wrong} "
          f"longest {max(r.longest for r in readers):.2f}")
    sys.exit(1 if failed or wrong else 0)


if __name__ == "__main__":
    main()
