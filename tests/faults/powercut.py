#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""powercut.py: power cuts of a disk that a clone writes to.

    powercut.py log [options] CLONE PLUGIN DIRECTORY
        Records all writes of one clone (write-log.c), then makes the disk of many
        moments, with unflushed writes missing or torn, and looks at each.
    powercut.py shutdown [options] CLONE DIRECTORY
        Shuts a file system down at random moments of many clones.

Prints one line of results; exits with 1 when something did not hold. DIRECTORY had better
be in memory.
"""
import argparse
import collections
import contextlib
import fcntl
import os
import random
import re
import struct
import subprocess
import sys
import threading
import time

import disk
from scenario import BATCH_CHUNKS, KINDS, Broken, Scenario
from writelog import Cutter, Log

SYNCS = "fsync,fdatasync,syncfs,sync,sync_file_range"
# strace -ttt -T: "PID TIME syncfs(3) = 0 <SECONDS>" or "PID TIME <... syncfs resumed>) ..."
# One of no file (-1) only asks whether the kernel has it.
RETURNED = re.compile(r"\d+ +([\d.]+) (?:syncfs\(.*= 0 <([\d.]+)>$|<\.\.\. syncfs resumed>.*= 0)")
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
WITHOUT_LOG = 2  # what the journal holds in memory is lost
LONG = {"ext4": ["commit=300"], "btrfs": ["commit=300"], "ext4-writeback": ["commit=300"], "xfs": []}  # xfs: 30 s


class Results:
    """Counts what was found; prints the first breaches."""

    def __init__(self):
        self.states, self.breaches = collections.Counter(), collections.Counter()
        self.fetched = []

    def add(self, where, check):
        """check() returns what to count, and how many chunks a rerun fetched."""
        try:
            state, fetched = check()
            self.states[state] += 1
            self.fetched.append(fetched)
        except (Broken, disk.CannotMount) as breach:
            kind = getattr(breach, "kind", "mount")
            self.breaches[kind] += 1
            if self.breaches[kind] <= 3:
                print(f"    {where}: {breach}", flush=True)

    def line(self, what):
        good = sum(self.states.values())
        states = ", ".join(f"{n} {name}" for name, n in sorted(self.states.items()))
        breaches = ", ".join(f"{n} {name}" for name, n in sorted(self.breaches.items())) or "none"
        fetched = f"{min(self.fetched)} to {max(self.fetched)}" if self.fetched else "no"
        return (f"{what}: {good + sum(self.breaches.values())} cuts: {good} good ({states}), "
                f"reruns fetched {fetched} chunks, breaches: {breaches}")


def scenario(o):
    # 20 MB to fetch, in two batches; three for a first clone.
    return Scenario(o.scenario, o.clone, o.directory, 10000, 100, 50, 2000, o.sync)


def title(o):
    special = ", syncs faked" if o.faked else ", data late" if o.late else ""
    return f"{o.command} {o.fs} {o.scenario} --sync {o.sync}{special}"


# ---- the write log ----

class Recording:
    """One clone on a disk that logs. Entries up to `exit` were there when it ended."""

    def __init__(self, o, s):
        self.base, path = f"{o.directory}/base", f"{o.directory}/log"
        copy, mount = f"{o.directory}/recorded", f"{o.directory}/mnt"
        disk.make(self.base, o.fs)
        with disk.mounted(self.base, mount, o.fs):
            s.prepare(f"{mount}/store")
        disk.copy_sparse(self.base, copy)
        options = LONG[o.fs] if o.faked else []
        with disk.served([o.plugin], o.directory, f"disk={copy}", f"log={path}") as device:
            with disk.mounted(device, mount, o.fs, *options):
                with neighbour(f"{mount}/neighbour"):
                    self.syncs = clone(o, s, f"{mount}/store")
                exit_size = os.path.getsize(path)
                go_on(mount)
                end_size = os.path.getsize(path)
        os.unlink(copy)
        self.log = Log(path)
        self.exit = self.log.count_before(exit_size)
        self.end = self.log.count_before(end_size)

    def batches_before(self, s, at):
        """How many batches were durable before the entry `at` reached the disk."""
        time_of = self.log.entries[at - 1][0] if at else 0
        syncs = sum(1 for t in self.syncs if t < time_of)
        return max(0, syncs - (s.kind == "first"))  # the first one made STORE itself durable

    def points(self, count, rng):
        """Half of them anywhere, half near a flush, where things change; a third after
        the clone's end."""
        points = []
        for i in range(count):
            low, high = (self.exit, self.end) if i % 3 == 0 else (0, self.exit)
            flushes = [f for f in self.log.flushes if low <= f < high]
            if i % 2 and flushes:
                point = rng.choice(flushes) + rng.randint(-2, 3)
            else:
                point = rng.randint(low, high)
            points.append(min(max(point, low), high))
        return sorted(points)


def clone(o, s, store):
    """Runs the clone; when each syncfs returned, in ns since 1970."""
    calls = f"{o.directory}/calls"
    faked = SYNCS if o.faked else "sync_file_range" if o.late else None
    inject = ["-e", f"inject={faked}:retval=0"] if faked else []
    subprocess.run(["strace", "-f", "-qq", "--seccomp-bpf", "-ttt", "-T", "-o", calls,
                    "-e", f"trace=syncfs,{faked or ''}".rstrip(","), *inject, *s.command(store)],
                   check=True, stdout=subprocess.DEVNULL)
    with open(calls, encoding="ascii") as f:
        ends = [RETURNED.match(line) for line in f]
    # A call that took time began at the time on its line; a resumed one ended then.
    return [int((float(m[1]) + float(m[2] or 0)) * 1e9) + 1000 for m in ends if m]


def write_and_sync(path):
    with open(path, "wb") as f:
        f.write(os.urandom(100000))
        f.flush()
        os.fsync(f.fileno())


@contextlib.contextmanager
def neighbour(path):
    """Another program writes to the file system and syncs what it writes; with that the
    kernel makes names durable, of our files too, at times that the clone did not choose."""
    end = threading.Event()

    def write():
        while not end.wait(0.02):
            write_and_sync(path)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def go_on(mount):
    """The disk is used for something else when the clone has ended."""
    for i in range(3):
        write_and_sync(f"{mount}/other{i}")


def look(o, s, recording, at):
    """Checks the disk that is cut at this entry."""
    with disk.mounted(f"{o.directory}/cut", f"{o.directory}/mnt", o.fs) as mount:
        store = f"{mount}/store"
        state, chunks = s.judge(store)
        if at >= recording.exit and state != "new":
            raise Broken("lost", f"{s.target} is {state} after exit code 0")
        limit = len(s.new.chunks - chunks)
        if s.sync == "fs":
            limit = min(limit, max(0, s.fetches - BATCH_CHUNKS * recording.batches_before(s, at)))
        return (state + " after exit" if at >= recording.exit else state), s.run_again(store, limit)


def run_log(o):
    s, rng, results = scenario(o), random.Random(o.seed), Results()
    recording = Recording(o, s)
    cutter = Cutter(recording.log, recording.base, o.directory)
    print(f"    {recording.end} entries, {len(recording.log.flushes)} of them flushes; the clone "
          f"ended after {recording.exit}; seed {o.seed}", flush=True)
    for at in recording.points(o.points, rng):
        cutter.cut(at, f"{o.directory}/cut", rng)
        results.add(f"entry {at}", lambda at=at: look(o, s, recording, at))
    return results


# ---- real file systems that stop ----

def shut_down(directory):
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", WITHOUT_LOG))
    finally:
        os.close(fd)


def stop_clone(o, s, path, delay):
    """A clone on the file system at path, which is shut down after a while; whether
    the clone ended with success: then all of it was durable before."""
    with disk.mounted(path, f"{o.directory}/mnt", o.fs) as mount:
        process = subprocess.Popen(s.command(f"{mount}/store"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        shut_down(mount)
        _, told = process.communicate()
        if process.returncode not in (0, 7) or told.count("\n") != (process.returncode == 7):
            raise Broken("exit", f"exit code {process.returncode} of a clone whose file system was "
                         f"shut down: {told}")
        return process.returncode == 0


def look_after_shutdown(o, s, path, done):
    with disk.mounted(path, f"{o.directory}/mnt", o.fs) as mount:
        store = f"{mount}/store"
        state, chunks = s.judge(store)
        if done and state != "new":
            raise Broken("lost", f"{s.target} is {state} after exit code 0")
        return (state + " after exit" if done else state), s.run_again(
            store, len(s.new.chunks - chunks))


def run_shutdown(o):
    s, rng, results = scenario(o), random.Random(o.seed), Results()
    base, path = f"{o.directory}/base", f"{o.directory}/cut"
    disk.make(base, o.fs)
    with disk.mounted(base, f"{o.directory}/mnt", o.fs) as mount:
        s.prepare(f"{mount}/store")
    disk.copy_sparse(base, path)
    with disk.mounted(path, f"{o.directory}/mnt", o.fs) as mount:
        begun = time.monotonic()
        subprocess.run(s.command(f"{mount}/store"), check=True, stdout=subprocess.DEVNULL)
        took = time.monotonic() - begun
    for i in range(o.points):
        delay = rng.uniform(0, 1.1 * took)

        def check(delay=delay):
            disk.copy_sparse(base, path)
            return look_after_shutdown(o, s, path, stop_clone(o, s, path, delay))
        results.add(f"cut {i} after {delay:.3f} s", check)
    return results


def main():
    p = argparse.ArgumentParser(description="Power cuts of a disk that a clone writes to.")
    commands = p.add_subparsers(dest="command", required=True)
    for name in ("log", "shutdown"):
        c = commands.add_parser(name)
        c.add_argument("--fs", choices=disk.KINDS, default="ext4")
        c.add_argument("--scenario", choices=KINDS, default="update")
        c.add_argument("--sync", choices=("fs", "files"), default="fs")
        c.add_argument("--points", type=int, default=20)
        c.add_argument("--seed", type=int, default=1)
        c.add_argument("clone")
        if name == "log":
            c.add_argument("--faked", action="store_true", help="no sync reaches the kernel")
            c.add_argument("--late", action="store_true", help="data are written only when synced, "
                           "as where sync_file_range does nothing")
            c.add_argument("plugin")
        c.add_argument("directory")
        c.set_defaults(run=run_log if name == "log" else run_shutdown, faked=False, late=False)
    o = p.parse_args()
    begun = time.monotonic()
    results = o.run(o)
    print(f"{results.line(title(o))}, {time.monotonic() - begun:.0f} s")
    sys.exit(1 if results.breaches else 0)


if __name__ == "__main__":
    main()
