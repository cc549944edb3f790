#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""floorcuts.py: kills, failing calls and power cuts of the commands that raise a store's minimum.

    floorcuts.py kill [--every N] IHOP-CLONE IHOP-STORE KILL-AT DIRECTORY
        Kills each command at each (each N-th) of its system calls.
    floorcuts.py fail [--every N] IHOP-CLONE IHOP-STORE DIRECTORY
        Lets each call of each command that could fail on a disk fail.
    floorcuts.py log [--fs FS] [--points N] [--seed N] [--faked] IHOP-CLONE IHOP-STORE PLUGIN DIRECTORY
        Records all writes of a series of commands (write-log.c), and looks at the disk of many
        moments, with unflushed writes missing or torn.

DIRECTORY has archives v1.cba to v7.cba, whose version is their number and whose minimum is that
of MINIMA, and the store "template" with v1, which is the default. Prints one line of results;
exits with 1 when something did not hold: the minimum is the one before or the one after, and never
less than a release in the store demands; something boots; and the same command, run again, works.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys

import disk
from writelog import Cutter, Log

MINIMA = {"v1": 0, "v2": 2, "v3": 2, "v5": 5, "v7": 5}
CLONE = ["clone", "--quiet", "--config", "DIRECTORY", "--jobs", "1"]
COMMANDS = {
    "clone": [*CLONE, "DIRECTORY/v5.cba", "STORE/v5"],
    "first": [*CLONE, "DIRECTORY/v5.cba", "STORE/v5"],  # in a store of an earlier version
    "again": [*CLONE, "DIRECTORY/v5.cba", "STORE/v5"],  # which is there; the minimum is lower
    "set": ["store", "minimum", "--quiet", "--set", "5", "STORE"],
    "mend": ["store", "minimum", "--quiet", "--force", "--set", "5", "STORE"],
}
SERIES = [[*CLONE, "DIRECTORY/v2.cba", "STORE/v2"], [*CLONE, "DIRECTORY/v3.cba", "STORE/v3"],
          ["store", "default", "-q", "STORE/v3"], ["store", "minimum", "-q", "--set", "3", "STORE"],
          [*CLONE, "DIRECTORY/v5.cba", "STORE/v5"], ["store", "default", "-q", "STORE/v5"],
          ["store", "remove", "-q", "STORE/v2"], ["store", "minimum", "-q", "--set", "6", "STORE"],
          [*CLONE, "DIRECTORY/v7.cba", "STORE/v7"]]
CALLS = ("openat", "pwrite64", "write", "fsync", "syncfs", "renameat", "renameat2", "flock", "ftruncate",
         "pread64", "newfstatat", "fstat", "statx", "getdents64")
DAMAGED = "damaged"


class Broken(Exception):
    pass


def run(o, command, store, before=()):
    program = {"clone": o.clone, "store": o.tool}[command[0]]
    words = [w.replace("STORE", store).replace("DIRECTORY", o.directory) for w in command[1:]]
    return subprocess.run([*before, program, *words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)


def minimum(o, store):
    done = run(o, ["store", "minimum", "--json", "STORE"], store)
    r = json.loads(done.stdout.splitlines()[-1])
    if done.returncode == 7 and "floor" in r["error"]:
        return DAMAGED
    if done.returncode:
        raise Broken(f"minimum: {done.returncode} {done.stderr}")
    return r["minimum"]


def prepare(o, kind, store):
    shutil.rmtree(store, ignore_errors=True)
    ready = f"{o.directory}/ready-{kind}"
    if not os.path.exists(ready):
        make_ready(o, kind, ready)
    shutil.copytree(ready, store)


def make_ready(o, kind, store):
    shutil.copytree(f"{o.directory}/template", store)
    if kind == "first":
        for name in ("floor", "id"):
            os.unlink(f"{store}/.ihop/{name}")
    if kind == "again":
        for command in (COMMANDS["clone"], ["store", "minimum", "--set", "1", "--force", "STORE"]):
            if run(o, command, store).returncode:
                raise Broken("cannot prepare it")
    if kind == "mend":
        os.truncate(f"{store}/.ihop/floor", 50)


def demanded(store):
    """The highest minimum of the releases that are there."""
    return max([MINIMA[name] for name in os.listdir(store) if name in MINIMA])


def look(o, kind, store, old, new):
    """What must hold after a fault."""
    now = minimum(o, store)
    if now not in (old, new):
        raise Broken(f"{kind}: the minimum is {now}, was {old}, should become {new}")
    if kind in ("clone", "first") and demanded(store) > now:
        raise Broken(f"{kind}: the minimum is {now}, and there is a release that demands {demanded(store)}")
    boots = run(o, ["store", "boot", "--dry-run", "STORE"], store)
    if boots.returncode or boots.stdout not in ("v1\n", "v5\n"):
        raise Broken(f"{kind}: what boots afterwards: {boots.returncode} {boots.stdout} {boots.stderr}")
    again = run(o, COMMANDS[kind], store)
    if again.returncode or minimum(o, store) != new:
        raise Broken(f"{kind}: once more: {again.returncode} {again.stderr}, the minimum is {minimum(o, store)}")
    below = run(o, [*CLONE, "--allow-downgrade", "DIRECTORY/v3.cba", "STORE/v3"], store)
    if below.returncode != 5:
        raise Broken(f"{kind}: what is below the minimum is accepted: {below.returncode} {below.stderr}")


def both(o, kind, store):
    """The minimum before and after the command."""
    prepare(o, kind, store)
    old = minimum(o, store)
    done = run(o, COMMANDS[kind], store)
    if done.returncode:
        raise Broken(f"{kind} fails: {done.stderr}")
    return old, minimum(o, store)


def loading(o, report):
    """How many calls the dynamic linker makes, about: they are not of interest."""
    counts = []
    for program in (o.clone, o.tool):
        subprocess.run([o.helper, report, "0", program, "--version"], stdout=subprocess.DEVNULL, check=True)
        with open(report, encoding="ascii") as f:
            counts.append(int(f.read().split()[0]) - 10)
    return dict(zip(("clone", "store"), counts))


def kill(o):
    store, report, kills = f"{o.directory}/store", f"{o.directory}/report", {}
    begin = loading(o, report)
    for kind, command in COMMANDS.items():
        old, new = both(o, kind, store)
        at, call, count = begin[command[0]], 0, 0
        while call >= 0:
            at += o.every
            prepare(o, kind, store)
            done = run(o, command, store, [o.helper, report, str(at)])
            with open(report, encoding="ascii") as f:
                call = int(f.read().split()[1])
            if done.returncode != (137 if call >= 0 else 0):
                raise Broken(f"{kind}: exit code {done.returncode}")
            count += call >= 0
            look(o, kind, store, old, new)
        kills[kind] = count
    return "kills: " + ", ".join(f"{n} in {kind}" for kind, n in kills.items())


def count_calls(o, kind, store):
    """How often the first thread of a command makes each call, behind the dynamic linker's."""
    prepare(o, kind, store)
    trace = f"{o.directory}/trace"
    run(o, COMMANDS[kind], store, ["strace", "-qq", "-o", trace, "-e", f"trace={','.join(CALLS)}"])
    with open(trace, encoding="utf-8", errors="replace") as f:
        lines = f.readlines()
    counts, begun = {}, {}
    for line in lines:
        call = re.match(r"(\w+)\(", line)
        if not call:
            continue
        counts[call[1]] = counts.get(call[1], 0) + 1
        if store in line and not begun:
            begun = dict(counts)
            begun[call[1]] -= 1
    return [(call, n) for call, count in counts.items()
            for n in range(begun.get(call, 0) + 1, count + 1)]


def fail(o):
    store, failures, codes = f"{o.directory}/store", 0, {}
    for kind, command in COMMANDS.items():
        old, new = both(o, kind, store)
        points = [(call, n, error) for call, n in count_calls(o, kind, store)
                  for error in (("EIO", "ENOSPC", "EROFS") if call in CALLS[:9] else ("EIO",))]
        for call, n, error in points[o.seed % o.every::o.every]:
            prepare(o, kind, store)
            done = run(o, command, store,
                       ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                        "-e", f"inject={call}:error={error}:when={n}"])
            if done.returncode not in (0, 5, 6, 7, 9, 10, 11):
                raise Broken(f"{kind}: exit code {done.returncode}, {error} at {call} {n}: {done.stderr}")
            if done.returncode and done.stderr.count("\n") < 1:
                raise Broken(f"{kind}: {error} at {call} {n} says nothing")
            if done.returncode == 0 and minimum(o, store) != new:
                raise Broken(f"{kind}: {error} at {call} {n}: exit code 0, but the minimum is {minimum(o, store)}")
            try:
                look(o, kind, store, old, new)
            except Broken as broken:
                raise Broken(f"{error} at {call} {n}: {broken}; it said {done.stderr}") from broken
            failures += 1
            codes[done.returncode] = codes.get(done.returncode, 0) + 1
    return f"{failures} failing calls, exit codes {dict(sorted(codes.items()))}"


# ---- power cuts ----

def record_series(o):
    """The log, and for each command the minimum after it and how many entries there were."""
    base, path, copy = (f"{o.directory}/{n}" for n in ("base", "log", "recorded"))
    mount = f"{o.directory}/mnt"
    disk.make(base, o.fs)
    with disk.mounted(base, mount, o.fs):
        shutil.copytree(f"{o.directory}/template", f"{mount}/store")
    disk.copy_sparse(base, copy)
    steps, sizes = [minimum(o, f"{o.directory}/template")], [0]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,syncfs",
              "-e", "inject=fsync,syncfs:retval=0"] if o.faked else []
    with disk.served([o.helper], o.directory, f"disk={copy}", f"log={path}") as device:
        with disk.mounted(device, mount, o.fs, *(["commit=300"] if o.faked else [])):
            for command in SERIES:
                done = run(o, command, f"{mount}/store", strace)
                if done.returncode:
                    raise Broken(f"{command}: {done.returncode} {done.stderr}")
                sizes.append(os.path.getsize(path))
                steps.append(minimum(o, f"{mount}/store"))
            with open(f"{mount}/other", "wb") as f:  # the disk is used for something else
                f.write(os.urandom(100000))
                os.fsync(f.fileno())
    os.unlink(copy)
    log = Log(path)
    return log, steps, [log.count_before(size) for size in sizes]


def look_at_cut(o, steps, ends, at):
    done = max(i for i, end in enumerate(ends) if end <= at)
    with disk.mounted(f"{o.directory}/cut", f"{o.directory}/mnt", o.fs) as mount:
        store = f"{mount}/store"
        now = minimum(o, store)
        if now not in steps[done:done + 2]:
            raise Broken(f"after command {done} the minimum is {now}, not one of {steps[done:done + 2]}")
        if demanded(store) > now:
            raise Broken(f"after command {done} the minimum is {now}, and a release demands {demanded(store)}")
        boots = run(o, ["store", "boot", "--dry-run", "STORE"], store)
        if boots.returncode:
            raise Broken(f"after command {done} nothing boots: {boots.stderr}")
        return done


def log_cuts(o):
    log, steps, ends = record_series(o)
    if steps != sorted(steps) or steps[-1] != 6:
        raise Broken(f"the minimum was {steps}")
    cutter, rng, seen = Cutter(log, f"{o.directory}/base", o.directory), random.Random(o.seed), set()
    breaches = 0
    # Half of them right at a command's end, where its exit code has been seen.
    points = [rng.choice(ends) + rng.randint(0, 2) if i % 2 else rng.randint(0, ends[-1])
              for i in range(o.points)]
    for at in sorted(min(at, ends[-1]) for at in points):
        cutter.cut(at, f"{o.directory}/cut", rng)
        try:
            seen.add(look_at_cut(o, steps, ends, at))
        except (Broken, disk.CannotMount) as breach:
            breaches += 1
            if breaches <= 3:
                print(f"    entry {at}: {breach}", flush=True)
    line = f"the minimum, {o.fs}{', syncs faked' if o.faked else ''}: {o.points} cuts after " \
           f"{len(seen)} of {len(ends)} commands, {breaches or 'no'} breaches"
    if breaches:
        raise Broken(line)
    return line


def main():
    p = argparse.ArgumentParser(description="Faults of the commands that raise a store's minimum.")
    commands = p.add_subparsers(dest="command", required=True)
    for name, function in (("kill", kill), ("fail", fail), ("log", log_cuts)):
        c = commands.add_parser(name)
        c.set_defaults(function=function)
        c.add_argument("--every", type=int, default=1)
        c.add_argument("--fs", default="ext4")
        c.add_argument("--points", type=int, default=20)
        c.add_argument("--seed", type=int, default=1)
        c.add_argument("--faked", action="store_true")
        c.add_argument("clone")
        c.add_argument("tool")
        if name != "fail":
            c.add_argument("helper")
        c.add_argument("directory")
    o = p.parse_args()
    try:
        print(o.function(o))
    except Broken as broken:
        print(broken)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
