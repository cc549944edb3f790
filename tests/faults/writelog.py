# SPDX-License-Identifier: MIT
"""writelog: reads what write-log.c has written down, and makes the disk as a power
cut at some moment may have left it."""
import mmap
import os
import struct

from disk import copy_sparse

ENTRY = struct.Struct("<QQQ")
SECTOR = 4096  # what a disk writes as a whole


class Log:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.entries = []  # (time, offset, size, where its data are); size 0: a flush
        at = 0
        while at < len(self.data):
            time, offset, size = ENTRY.unpack_from(self.data, at)
            at += ENTRY.size
            self.entries.append((time, offset, size, at))
            at += size
        self.flushes = [i for i, entry in enumerate(self.entries) if entry[2] == 0]

    def count_before(self, size):
        """How many entries the first size bytes of the log hold."""
        return sum(1 for entry in self.entries if entry[3] + entry[2] <= size)

    def apply(self, fd, entry, at=0, size=None):
        _, offset, whole, data = entry
        size = whole - at if size is None else size
        os.pwrite(fd, self.data[data + at:data + at + size], offset + at)

    def apply_torn(self, fd, entry, rng):
        """Each sector of the write arrives or not."""
        _, offset, size, _ = entry
        at = 0
        while at < size:
            piece = min(size - at, SECTOR - (offset + at) % SECTOR)
            if rng.random() < 0.5:
                self.apply(fd, entry, at, piece)
            at += piece


class Cutter:
    """Makes disks of later and later moments: what was flushed is applied once."""

    def __init__(self, log, base, directory):
        self.log, self.done = log, 0
        self.durable = os.path.join(directory, "durable")
        copy_sparse(base, self.durable)

    def cut(self, at, target, rng):
        """The disk after the first `at` entries, to the file target. Of the writes
        since the last flush some are missing and some are torn."""
        entries = self.log.entries
        flush = max((i for i in self.log.flushes if i < at), default=-1)
        with open(self.durable, "r+b") as f:
            for entry in entries[self.done:flush + 1]:
                self.log.apply(f.fileno(), entry)
        self.done = max(self.done, flush + 1)
        copy_sparse(self.durable, target)
        missing = rng.choice((0, 0.1, 0.5, 0.9, 1))
        with open(target, "r+b") as f:
            for entry in entries[flush + 1:at]:
                if rng.random() < missing:
                    continue
                if rng.random() < 0.2:
                    self.log.apply_torn(f.fileno(), entry, rng)
                else:
                    self.log.apply(f.fileno(), entry)
