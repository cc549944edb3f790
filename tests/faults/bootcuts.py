#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bootcuts.py: kills, failing calls and power cuts of the commands that say which release boots.

    bootcuts.py kill IHOP-STORE KILL-AT DIRECTORY
        Kills each command at each of its system calls.
    bootcuts.py fail IHOP-STORE DIRECTORY
        Lets each call of each command fail, with EIO, ENOSPC and EROFS.
    bootcuts.py log [--fs FS] [--points N] [--seed N] [--faked] IHOP-STORE PLUGIN DIRECTORY
        Records all writes of a series of commands (write-log.c), and looks at the disk of many
        moments, with unflushed writes missing or torn.

DIRECTORY has the store "template" with the releases v1, v2 and v3. Prints one line of results;
exits with 1 when something did not hold: after each fault the record is the one before or the one
after, something boots, and a trial boots no more often than it was armed.
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

TRIES = 2
# Each begins with v1 the default, v2 on trial for two boots, and v1 booted.
COMMANDS = {
    "boot": ["boot", "STORE"],
    "good": ["good", "-q", "STORE"],
    "try": ["try", "-q", "--tries", "2", "STORE/v3"],
    "default": ["default", "-q", "STORE/v3"],
    "first": ["default", "-q", "STORE/v1"],
    "mend": ["boot", "STORE"],
}
PREPARED = [["default", "STORE/v1"], ["boot", "STORE"], ["try", "--tries", str(TRIES), "STORE/v2"]]
SERIES = [["default", "STORE/v1"], ["try", "STORE/v2"], ["boot", "STORE"], ["boot", "STORE"],
          ["good", "STORE"], ["try", "--tries", "1", "STORE/v3"], ["boot", "STORE"],
          ["boot", "STORE"], ["default", "STORE/v3"], ["boot", "--skip", "v3", "STORE"],
          ["try", "STORE/v1"], ["boot", "STORE"], ["good", "STORE"]]
CALLS = "openat,openat2,read,pread64,pwrite64,write,fsync,rename,renameat,renameat2,flock,ftruncate," \
        "newfstatat,fstat,unlinkat,close,getdents64,statx"


CHANGING = ("openat", "pwrite64", "fsync", "renameat", "renameat2", "ftruncate", "unlinkat")


class Broken(Exception):
    pass


def run(tool, command, store, before=()):
    return subprocess.run([*before, tool, *[x.replace("STORE", store) for x in command]],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def selection(tool, store):
    """(default, good, trial, tries, booted); "damaged" if it is."""
    done = run(tool, ["selection", "--json", "STORE"], store)
    r = json.loads(done.stdout.splitlines()[-1])
    if done.returncode == 7 and "boot" in r["error"]:
        return "damaged"
    if done.returncode:
        raise Broken(f"selection: {done.returncode} {done.stderr}")
    return tuple(r.get(k) for k in ("default", "good", "trial")) + (r.get("tries", 0), r.get("booted"))


def prepare(o, kind, store):
    shutil.rmtree(store, ignore_errors=True)
    ready = f"{o.directory}/ready-{kind}"
    if not os.path.exists(ready):
        make_ready(o, kind, ready)
    shutil.copytree(ready, store)


def make_ready(o, kind, store):
    shutil.copytree(f"{o.directory}/template", store)
    if kind != "first":
        for command in PREPARED + ([["boot", "STORE"]] if kind == "good" else []):
            if run(o.tool, command, store).returncode:
                raise Broken(f"cannot prepare {command}")
    if kind == "mend":
        os.truncate(f"{store}/.ihop/boot", 100)


def look(o, kind, store, old, new, out):
    """What must hold after a fault; out: what the command printed."""
    now = selection(o.tool, store)
    allowed = [old, new]
    if kind == "boot":  # a trial that could not be counted: the default, recorded or not
        allowed.append(("v1", None, "v2", TRIES, "v1"))
        allowed.append(("v1", None, "v2", TRIES - 1, "v1"))
    if kind == "mend":  # v1 cannot be read at this moment
        allowed.append(("v1", None, None, 0, "v3"))
    if now not in allowed:
        raise Broken(f"{kind}: the selection is {now}, was {old}, should become {new}")
    if out not in ("", "v1\n", "v2\n") and (kind, out) != ("mend", "v3\n"):
        raise Broken(f"{kind}: printed {out!r}")
    if out == "v2\n" and (kind != "boot" or now[3] != TRIES - 1):
        raise Broken(f"{kind}: v2 boots, and was not counted: {now}")
    tries, chosen, limit = 0, None, {"boot": TRIES - (out == "v2\n"), "good": TRIES - 1, "mend": 0}
    while chosen != "v1" and tries < 5 and kind not in ("default", "good", "try"):
        done = run(o.tool, ["boot", "STORE"], store)
        if done.returncode == 10 and kind == "first" and now == old:
            return
        if done.returncode:
            raise Broken(f"{kind}: nothing boots afterwards: {done.stderr}")
        chosen = done.stdout.strip()
        tries += chosen == "v2"
    if tries > limit.get(kind, 0):
        raise Broken(f"{kind}: v2 booted {tries} times more")


def both(o, kind, store):
    """The selection before and after the command."""
    prepare(o, kind, store)
    old = selection(o.tool, store)
    if run(o.tool, COMMANDS[kind], store).returncode:
        raise Broken(f"{kind} fails")
    return old, selection(o.tool, store)


def loading(o, report):
    """How many calls the dynamic linker makes, about: they are not of interest."""
    run(o.tool, ["--version"], "", [o.helper, report, "0"])
    with open(report, encoding="ascii") as f:
        return int(f.read().split()[0]) - 10


def kill(o):
    store, report, kills = f"{o.directory}/store", f"{o.directory}/report", {}
    begin = loading(o, report)
    for kind, command in COMMANDS.items():
        old, new = both(o, kind, store)
        at, call = begin, 0
        while call >= 0:
            at += 1
            prepare(o, kind, store)
            done = run(o.tool, command, store, [o.helper, report, str(at)])
            with open(report, encoding="ascii") as f:
                call = int(f.read().split()[1])
            if done.returncode != (137 if call >= 0 else 0):
                raise Broken(f"{kind}: exit code {done.returncode}")
            look(o, kind, store, old, new, done.stdout)
        kills[kind] = at - 1 - begin
    return "kills: " + ", ".join(f"{n} in {kind}" for kind, n in kills.items())


def count_calls(o, kind, store):
    """How often a command makes each call, in its only thread or its first."""
    prepare(o, kind, store)
    trace = f"{o.directory}/trace"
    run(o.tool, COMMANDS[kind], store, ["strace", "-qq", "-o", trace, "-e", f"trace={CALLS}"])
    with open(trace, encoding="utf-8", errors="replace") as f:
        lines = f.readlines()
    counts, begun = {}, {}
    for line in lines:
        call = re.match(r"(\w+)\(", line)
        if not call:
            continue
        counts[call[1]] = counts.get(call[1], 0) + 1
        if store in line and not begun:
            begun = dict(counts)  # what the dynamic linker does is not of interest
            begun[call[1]] -= 1
    return [(call, n) for call, count in counts.items()
            for n in range(begun.get(call, 0) + 1, count + 1)]


def fail(o):
    store, failures, codes = f"{o.directory}/store", 0, {}
    for kind, command in COMMANDS.items():
        old, new = both(o, kind, store)
        for call, n in count_calls(o, kind, store):
            for error in ("EIO", "ENOSPC", "EROFS") if call in CHANGING else ("EIO",):
                prepare(o, kind, store)
                done = run(o.tool, command, store,
                           ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                            "-e", f"inject={call}:error={error}:when={n}"])
                if done.returncode not in (0, 6, 7, 10):
                    raise Broken(f"{kind}: exit code {done.returncode}, {error} at {call} {n}: {done.stderr}")
                if done.returncode and (done.stderr.count("\n") < 1 or done.stdout):
                    raise Broken(f"{kind}: {error} at {call} {n}: {done.stdout!r} {done.stderr!r}")
                try:
                    look(o, kind, store, old, new, done.stdout)
                except Broken as broken:
                    raise Broken(f"{error} at {call} {n}: {broken}; it said {done.stderr}") from broken
                failures += 1
                codes[done.returncode] = codes.get(done.returncode, 0) + 1
    return f"{failures} failing calls, exit codes {dict(sorted(codes.items()))}"


# ---- power cuts ----

def record_series(o):
    """The log, and for each command the selection after it and how many entries there were."""
    base, path, copy = (f"{o.directory}/{n}" for n in ("base", "log", "recorded"))
    mount = f"{o.directory}/mnt"
    disk.make(base, o.fs)
    with disk.mounted(base, mount, o.fs):
        shutil.copytree(f"{o.directory}/template", f"{mount}/store")
    disk.copy_sparse(base, copy)
    steps, sizes = [(selection(o.tool, f"{o.directory}/template"), "")], [0]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,syncfs",
              "-e", "inject=fsync,syncfs:retval=0"] if o.faked else []
    with disk.served([o.helper], o.directory, f"disk={copy}", f"log={path}") as device:
        with disk.mounted(device, mount, o.fs, *(["commit=300"] if o.faked else [])):
            for command in SERIES:
                done = run(o.tool, command, f"{mount}/store", strace)
                if done.returncode:
                    raise Broken(f"{command}: {done.returncode} {done.stderr}")
                sizes.append(os.path.getsize(path))
                steps.append((selection(o.tool, f"{mount}/store"), done.stdout.strip()))
            with open(f"{mount}/other", "wb") as f:  # the disk is used for something else
                f.write(os.urandom(100000))
                os.fsync(f.fileno())
    os.unlink(copy)
    log = Log(path)
    return log, steps, [log.count_before(size) for size in sizes]


def look_at_cut(o, steps, ends, at):
    done = max(i for i, end in enumerate(ends) if end <= at)
    allowed = [steps[done][0]] + [step[0] for step in steps[done + 1:done + 2]]
    with disk.mounted(f"{o.directory}/cut", f"{o.directory}/mnt", o.fs) as mount:
        now = selection(o.tool, f"{mount}/store")
        if now not in allowed:
            raise Broken(f"after command {done} the selection is {now}, not one of {allowed}")
        boots = run(o.tool, ["boot", "STORE"], f"{mount}/store")
        if boots.returncode != (10 if now[0] is None and now[2] is None else 0):
            raise Broken(f"boot: {boots.returncode} {boots.stderr}")
        return done


def log_cuts(o):
    log, steps, ends = record_series(o)
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
    line = f"boot selection, {o.fs}{', syncs faked' if o.faked else ''}: {o.points} cuts after " \
           f"{len(seen)} of {len(ends)} commands, {breaches or 'no'} breaches"
    if breaches:
        raise Broken(line)
    return line


def main():
    p = argparse.ArgumentParser(description="Faults of the commands about which release boots.")
    commands = p.add_subparsers(dest="command", required=True)
    for name, function in (("kill", kill), ("fail", fail), ("log", log_cuts)):
        c = commands.add_parser(name)
        c.set_defaults(function=function)
        if name == "log":
            c.add_argument("--fs", default="ext4")
            c.add_argument("--points", type=int, default=20)
            c.add_argument("--seed", type=int, default=1)
            c.add_argument("--faked", action="store_true")
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
