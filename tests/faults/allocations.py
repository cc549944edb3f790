#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""allocations.py: makes allocations of a clone fail, each in turn (fail-malloc.c), and
looks at the exit code, the message and the store.

    allocations.py [options] CLONE PRELOAD ARCHIVE DIRECTORY

A library may do without what it did not get; then the clone succeeds. Or it may abort:
OpenSSL 3.5 does, with a message of its own, and all must hold as after a kill. Otherwise
the clone ends with exit code 9 and one line. With --network also 3 or 4 are right: libcurl
does not distinguish a resolver that has no memory from one that has no answer, and without
memory for the header it asks for no range. Prints one line of results; exits with 1 when
something else happened.
"""
import argparse
import collections
import os
import shutil
import signal
import subprocess
import sys
import time

from scenario import Broken
from ihopformat.store import Damaged, check_chunks, check_release


# What OpenSSL says when it takes a failed allocation for a fault of its own.
OPENSSL_ABORTS = "OpenSSL internal error"


def openssl_aborted(run):
    return run.returncode == -signal.SIGABRT and OPENSSL_ABORTS in run.stderr


class Starver:
    def __init__(self, o):
        self.o = o
        self.store, self.before = f"{o.directory}/store", f"{o.directory}/before"
        self.codes = collections.Counter()
        if o.before:
            subprocess.run([o.clone, "--quiet", o.before, f"{self.before}/r"], check=True)

    def run(self, at):
        """A clone into a store as it was before; its N-th allocation fails."""
        o, report = self.o, f"{self.o.directory}/report"
        shutil.rmtree(self.store, ignore_errors=True)
        if o.before:
            shutil.copytree(self.before, self.store)
        env = dict(os.environ, LD_PRELOAD=o.preload, FAIL_MALLOC_AT=str(at), FAIL_MALLOC_REPORT=report)
        if o.onward:
            env["FAIL_MALLOC_ONWARD"] = "1"
        run = subprocess.run([*o.under.split(), *self.command()], env=env, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, check=False)
        if openssl_aborted(run):
            return run, at
        if run.returncode < 0 or run.returncode > 12:
            raise Broken("exit", f"{run.returncode}: {run.stderr}")
        with open(report, encoding="ascii") as f:
            return run, int(f.read())

    def command(self):
        o = self.o
        return [o.clone, "--quiet", "--force", "--jobs", "2", "--retry", "0", o.archive, f"{self.store}/r"]

    def look(self, run):
        """What must hold after a run."""
        told = run.stderr.splitlines()
        allowed = (0, 9, 3, 4) if self.o.network else (0, 9)
        if openssl_aborted(run):
            pass
        elif run.returncode not in allowed or len(told) != (run.returncode != 0):
            raise Broken("exit", f"exit code {run.returncode}: {run.stderr}")
        if run.returncode == 9 and "memory" not in told[0]:
            raise Broken("message", told[0])
        try:
            check_chunks(self.store)
            if os.path.exists(f"{self.store}/r"):
                check_release(f"{self.store}/r")
            elif self.o.before or run.returncode == 0:
                raise Broken("release", "there is none")
        except Damaged as damage:
            raise Broken("store", str(damage)) from damage
        self.codes["OpenSSL's abort" if run.returncode < 0 else f"exit code {run.returncode}"] += 1

    def recover(self):
        """Without the fault it succeeds."""
        subprocess.run(self.command(), check=True, stderr=subprocess.DEVNULL)
        check_release(f"{self.store}/r")


def main():
    p = argparse.ArgumentParser(description="Makes allocations of a clone fail.")
    p.add_argument("--before", help="the archive of the release that is replaced")
    p.add_argument("--every", type=int, default=1, help="only each N-th allocation")
    p.add_argument("--last", type=int, help="only the last N of them")
    p.add_argument("--onward", action="store_true", help="all after it fail as well")
    p.add_argument("--network", action="store_true", help="the archive is on a server")
    p.add_argument("--under", default="", help="valgrind and its options")
    p.add_argument("clone")
    p.add_argument("preload")
    p.add_argument("archive")
    p.add_argument("directory")
    o = p.parse_args()
    begun = time.monotonic()
    starver = Starver(o)
    run, total = starver.run(0)
    starver.look(run)
    points = range(max(1, total + 1 - o.last) if o.last else 1, total + 1, o.every)
    failures = 0
    for i, at in enumerate(points):
        try:
            starver.look(starver.run(at)[0])
            if i % 20 == 0:
                starver.recover()
        except (Broken, subprocess.CalledProcessError) as breach:
            failures += 1
            if failures <= 5:
                print(f"    allocation {at}: {breach}", flush=True)
    codes = ", ".join(f"{n} with {code}" for code, n in sorted(starver.codes.items()))
    print(f"memory {os.path.basename(o.archive)}{' onward' if o.onward else ''}"
          f"{' ' + o.under.split()[0] if o.under else ''}: {total} allocations, {len(points)} failed: "
          f"{codes}, breaches: {failures or 'none'}, {time.monotonic() - begun:.0f} s")
    sys.exit(1 if failures or total < 100 else 0)


if __name__ == "__main__":
    main()
