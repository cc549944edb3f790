#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""killcalls.py: kills a clone at its system calls, each in turn, and looks at what is
left and at what the same clone does when it is run again.

    killcalls.py [options] CLONE KILL-AT DIRECTORY

DIRECTORY had better be in memory. Prints one line of results; exits with 1 when something
did not hold, or when fewer points were hit than the clone makes calls.
"""
import argparse
import collections
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import time

from scenario import KINDS, Broken, Scenario

TRIES = 30  # threads differ from run to run, and so does the number of calls


class Killer:
    def __init__(self, o):
        self.o = o
        self.store, self.before = f"{o.directory}/beside/store", f"{o.directory}/before"
        self.scenario = Scenario(o.scenario, o.clone, o.directory, 16384, 6, 4, 10, o.sync)
        self.scenario.prepare(self.before)
        self.killed = 0
        self.kinds, self.states = set(), collections.Counter()

    def run(self, at):
        """A clone into a store as it was before: (exit code, calls, which was not made)."""
        shutil.rmtree(os.path.dirname(self.store), ignore_errors=True)
        os.mkdir(os.path.dirname(self.store))
        if os.path.exists(self.before):
            shutil.copytree(self.before, self.store)
        report = f"{self.o.directory}/report"
        code = subprocess.run([self.o.kill_at, report, str(at), *self.scenario.command(self.store)],
                              stdout=subprocess.DEVNULL, check=False).returncode
        with open(report, encoding="ascii") as f:
            calls, call = map(int, f.read().split())
        if code != (0 if call < 0 else 137):
            raise Broken("exit", f"exit code {code}")
        return code, calls, call

    def look(self):
        """What must hold after a run, killed or not."""
        s = self.scenario
        state, chunks = s.judge(self.store)
        self.states[state] += 1
        s.run_again(self.store, len(s.new.chunks - chunks - staged(self.store)))
        if os.listdir(os.path.dirname(self.store)) != ["store"]:
            raise Broken("stray", "something lies beside the store")

    def kill(self, at):
        """Kills it there; whether it could be."""
        for _ in range(TRIES):
            code, _, call = self.run(at)
            self.look()
            if code == 137:
                self.killed += 1
                self.kinds.add(call)
                return True
        return False


def staged(store):
    """The names of the staged chunks that are good: they will be adopted."""
    names = set()
    for directory, _, files in os.walk(f"{store}/.ihop/staging"):
        for name in files:
            with open(os.path.join(directory, name), "rb") as f:
                if hashlib.blake2b(f.read()).hexdigest() == name.removesuffix(".chunk"):
                    names.add(name)
    return names


def main():
    p = argparse.ArgumentParser(description="Kills a clone at its system calls.")
    p.add_argument("--scenario", choices=KINDS, default="update")
    p.add_argument("--sync", choices=("fs", "files"), default="fs")
    p.add_argument("--every", type=int, default=1, help="only each N-th call")
    p.add_argument("clone")
    p.add_argument("kill_at")
    p.add_argument("directory")
    o = p.parse_args()
    begun = time.monotonic()
    killer = Killer(o)
    calls = statistics.median_low([killer.run(0)[1] for _ in range(5)])
    points = range(calls % o.every or o.every, calls + 1, o.every)  # the last one, too
    failures = 0
    for at in points:
        try:
            killer.kill(at)
        except Broken as breach:
            failures += 1
            print(f"    killed at call {at}: {breach}", flush=True)
    states = ", ".join(f"{n} {name}" for name, n in sorted(killer.states.items()))
    print(f"kill {o.scenario} --sync {o.sync}: {calls} system calls, {len(points)} points, killed "
          f"at {killer.killed} of them ({len(killer.kinds)} different calls), found {states}, "
          f"breaches: {failures or 'none'}, {time.monotonic() - begun:.0f} s")
    sys.exit(1 if failures or killer.killed < len(points) else 0)


if __name__ == "__main__":
    main()
