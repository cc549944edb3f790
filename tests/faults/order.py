#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""order.py: runs a program of ours once and judges the order of its calls: whether a
power cut between any two of them would leave what docs/store.md promises.

    order.py [--fake CALL]... [--inject WHAT]... [--exit CODE] KIND DIRECTORY COMMAND...

KIND: clone, store or compress; DIRECTORY: what is watched; for the first two, the store or
the directory in which it will be made (its name is "store"). Prints what does not hold, and
exits with 1 if anything does. --fake makes calls do nothing; --inject is strace's.

The rules speak of what is durable at an event, not of the calls that made it so.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from calllog import events, record  # noqa: E402
from ihopformat.release import read_release  # noqa: E402
from diskmodel import Disk, Node, is_entry_durable  # noqa: E402

WRITES = {"write": 0, "writev": 0, "pwrite64": 0, "pwritev": 0, "pwritev2": 0, "ftruncate": 0,
          "fallocate": 0, "sendfile": 0, "copy_file_range": 2, "splice": 2}
# The arguments that name something: (directory, name) pairs.
NAMES = {"open": (None, 0), "creat": (None, 0), "openat": (0, 1), "openat2": (0, 1),
         "mkdir": (None, 0), "mkdirat": (0, 1), "unlink": (None, 0), "rmdir": (None, 0),
         "unlinkat": (0, 1)}
PAIRS = {"rename": (None, 0, None, 1), "renameat": (0, 1, 2, 3), "renameat2": (0, 1, 2, 3),
         "link": (None, 0, None, 1), "linkat": (0, 1, 2, 3)}
CHUNK = re.compile(r"/chunks/[0-9a-f]{2,4}/[0-9a-f]+\.chunk$")


def number(text):
    match = re.match(r"\d+", text)
    return int(match[0]) if match else None


class Run:
    """What the calls do to the disk. Rules: an object with appears(path, node) before
    something gets a name, vanishes(path, node, heir) before it loses one (heir: what gets it),
    moves(source, target, node) and ends(code)."""

    def __init__(self, disk, rules):
        self.disk, self.rules = disk, rules
        self.begun = {}

    def path(self, call, directory, name):
        return self.disk.absolute(call.args[directory] if directory is not None else None,
                                  call.args[name])

    def pair(self, call):
        a, b, c, d = PAIRS[call.name]
        return self.path(call, a, b), self.path(call, c, d)

    def source(self, call):
        """What a rename or link gives a name to."""
        magic = re.match(r'"/proc/self/fd/(\d+)"', call.args[PAIRS[call.name][1]])
        if magic:
            return self.disk.open.get(int(magic[1]))
        if "AT_EMPTY_PATH" in call.args[-1]:
            return self.disk.open.get(number(call.args[0]))
        return self.disk.find(self.pair(call)[0])

    # ---- before a call ----

    def begin(self, call):
        self.begun[call.thread] = self.disk.now
        if call.name in WRITES:
            self.write(call)
        elif call.name in PAIRS:
            self.begin_pair(call)
        elif call.name in ("unlink", "unlinkat", "rmdir"):
            path = self.path(call, *NAMES[call.name])
            if self.disk.find(path):
                self.rules.vanishes(path, self.disk.find(path))
        elif call.name in ("mkdir", "mkdirat") or self.creates(call):
            path = self.path(call, *NAMES[call.name])
            if self.disk.parts(path) and not self.disk.find(path):
                self.rules.appears(path, None)
        elif call.name == "close":
            self.disk.open.pop(number(call.args[0]), None)
        elif call.name == "exit_group":
            self.rules.ends(number(call.args[0]))

    def begin_pair(self, call):
        source, target = self.pair(call)
        node, there = self.source(call), self.disk.find(target)
        if "RENAME_NOREPLACE" in call.args[-1] and there:
            return  # it will fail
        if self.disk.parts(target) and node:
            self.rules.appears(target, node)
        if "RENAME_EXCHANGE" in call.args[-1] and there:
            self.rules.appears(source, there)
        elif there and not call.name.startswith("link"):
            self.rules.vanishes(target, there, node)
        if call.name.startswith("rename") and node and not there:
            self.rules.moves(source, target, node)

    @staticmethod
    def creates(call):
        return call.name == "creat" or (call.name.startswith("open") and "O_CREAT" in str(call))

    def write(self, call):
        node = self.disk.open.get(number(call.args[WRITES[call.name]]))
        if node:
            node.changed = self.disk.now

    # ---- after a call that did something ----

    def end(self, call):
        worked = call.result is not None and call.result >= 0
        if call.name in ("fsync", "fdatasync", "syncfs", "sync"):
            if not call.faked or not worked:
                self.sync(call, worked)
            return
        if call.faked or not worked:
            return
        if call.name in WRITES:
            self.write(call)
        elif call.name == "utimensat":
            self.touch(call)
        elif call.name in NAMES:
            self.end_name(call)
        elif call.name in PAIRS:
            self.end_pair(call)
        elif call.name.startswith("dup") or "F_DUPFD" in str(call):
            self.disk.open[call.result] = self.disk.open.get(number(call.args[0]))

    def sync(self, call, worked):
        if not worked and re.search(r"ENOSYS|EPERM|EINVAL|EBADF|EINTR", call.text):
            return  # nothing was tried
        begun = self.begun[call.thread]
        if call.name.startswith("sync"):
            self.disk.sync(self.disk.all_nodes(), begun, worked)
        else:
            node = self.disk.open.get(number(call.args[0]))
            self.disk.sync([node] if node else [], begun, worked)

    def touch(self, call):
        node = (self.disk.open.get(number(call.args[0])) if call.args[1] == "NULL"
                else self.disk.find(self.path(call, 0, 1)))
        if node:
            node.changed = self.disk.now

    def end_name(self, call):
        path = self.path(call, *NAMES[call.name])
        if call.name.startswith("mkdir"):
            self.disk.put(path, Node(True, self.disk.now))
        elif call.name.startswith(("open", "creat")):
            self.opened(call, path)
        else:
            self.disk.put(path, None)

    def opened(self, call, path):
        node = self.disk.find(path)
        if "O_TMPFILE" in str(call):
            node = Node(False, self.disk.now)
        elif not node and self.creates(call) and self.disk.parts(path):
            node = Node(False, self.disk.now)
            self.disk.put(path, node)
        elif node and "O_TRUNC" in str(call):
            node.changed, node.spoilt = self.disk.now, False
        self.disk.open[call.result] = node

    def end_pair(self, call):
        (source, target), node = self.pair(call), self.source(call)
        if "RENAME_EXCHANGE" in call.args[-1]:
            self.disk.put(source, self.disk.find(target))
        elif call.name.startswith("rename"):
            self.disk.put(source, None)
        if node:
            self.disk.put(target, node)

    def follow(self, log):
        for what, call in events(log):
            self.disk.now += 1
            if what == "begin":
                self.begin(call)
            else:
                self.end(call)


class Rules:
    """What holds for every file that gets a name that counts."""

    def __init__(self, disk):
        self.disk = disk
        self.breaches = []

    def breach(self, text):
        self.breaches.append(text)

    def appears(self, path, node):
        pass

    def vanishes(self, path, node, heir=None):
        pass

    def moves(self, source, target, node):
        pass

    def ends(self, code):
        pass

    def needs_data(self, path, node, what):
        if node is None or not node.is_durable():
            self.breach(f"{what} {path} gets its name before its data are durable")

    def needs_entries(self, directory, where, why, since=0, gone=True, deep=False):
        """The names in a directory are durable; gone: those that were taken away, too."""
        for name in sorted({*directory.moved, *directory.entries}):
            child = directory.entries.get(name)
            if not is_entry_durable(directory, name, since) and (child or gone):
                self.breach(f"{where}/{name}: the name is not durable {why}")
            if child and not child.is_directory and child.changed >= since and not child.is_durable():
                self.breach(f"{where}/{name}: the data are not durable {why}")
            if child and child.is_directory and deep:
                self.needs_entries(child, f"{where}/{name}", why, since, gone, deep)


class ArchiveRules(Rules):
    """ihop-compress: the archive's data, then its name, then the exit."""

    def appears(self, path, node):
        if path.endswith(".cba"):
            self.needs_data(path, node, "the archive")

    def ends(self, code):
        if code == 0:
            self.needs_entries(self.disk.top, "", "at exit 0", 1)


class StoreRules(Rules):
    """docs/store.md. A store that is there has on the disk its format, what chunks and
    releases hold, and the chunks' names that a release needs; whether the names of the
    releases and of other chunks are there nobody knows until they are synced."""

    def __init__(self, disk, is_clone):
        super().__init__(disk)
        self.is_clone = is_clone
        self.is_new = self.node() is None
        if not self.is_new:
            self.take_for_durable()

    def take_for_durable(self):
        """What a store of ours has on the disk, whatever was killed."""
        self.disk.top.moved.pop("store", None)
        for name in (".ihop", "chunks"):
            self.node().moved.pop(name, None)
        if self.node(".ihop"):
            self.node(".ihop").moved.pop("format", None)
        for part in ("staging", "retired", "partial"):
            self.forget(self.node(".ihop", part))
        if self.node(".ihop", "format"):
            for name in self.releases():
                for path, _ in read_release(f"{self.disk.root}/store/{name}")[1]:
                    directory, chunk = path.split("/")[-2:]
                    self.node("chunks").moved.pop(directory, None)
                    self.node("chunks", directory).moved.pop(chunk, None)

    def forget(self, directory):
        """Of what lies here, the data may not be on the disk."""
        for child in directory.entries.values() if directory else ():
            child.synced = -1
            self.forget(child)

    def node(self, *names):
        return self.disk.find("/".join([self.disk.root, "store", *names]))

    def releases(self):
        return [n for n in self.node().entries if n not in ("chunks", ".ihop")]

    def below(self, path):
        """The path below the store, or None."""
        top = self.disk.root + "/store"
        return path[len(top):] if path and path.startswith(top + "/") else None

    @staticmethod
    def is_release(path):
        return path is not None and path.count("/") == 1 and path not in ("/chunks", "/.ihop")

    def appears(self, path, node):
        path = self.below(path)
        if path is None:
            return
        if path in ("/.ihop/format", "/.ihop/boot", "/.ihop/id", "/.ihop/floor"):
            self.needs_data(path, node, "the file")
        if path == "/.ihop/floor":
            self.needs_name("id", f"when {path} gets its name")
        elif path == "/chunks" or path.startswith("/chunks/"):
            self.format_first(path)
        if CHUNK.match(path):
            self.needs_data(path, node, "the chunk")
            self.partial_first(path)
        elif self.is_release(path):
            self.needs_name("floor", f"when {path} gets its name")
            self.needs_data(path, node, "the release")
            self.needs_entries(self.node("chunks"), "/chunks", f"when {path} gets its name",
                               gone=False, deep=True)

    def format_first(self, path):
        meta = self.node(".ihop")
        if self.is_new or not meta or "format" in meta.moved:
            ok = meta and meta.entries.get("format") and meta.entries["format"].is_durable()
            if not (ok and is_entry_durable(meta, "format") and
                    is_entry_durable(self.node(), ".ihop")):
                self.breach(f"{path} is made before the store's format is durable")

    def partial_first(self, path):
        directory = self.node(".ihop", "partial")
        for name, node in directory.entries.items() if directory else ():
            if directory.moved.get(name, 0) > 0 or (node.changed > 0 and not node.is_durable()):
                self.breach(f"{path} gets its name before partial/{name} is durable")

    def vanishes(self, path, node, heir=None):
        path = self.below(path)
        if path is None:
            return
        if CHUNK.match(path) and not heir:
            for name in [n for n in self.node().moved if self.is_release("/" + n)]:
                self.breach(f"{path} is removed before the name {name} is durable")
        elif self.is_release(path) and not any(
                n.startswith("/store/.ihop/retired/") for n in self.disk.names_of(node)):
            self.breach(f"the release {path} loses its name and is not in retired/")

    def moves(self, source, target, node):
        source, target = self.below(source), self.below(target)
        if self.is_release(source) and not (target or "").startswith("/.ihop/retired/"):
            self.breach(f"the release {source} is moved to {target}")
        if source and CHUNK.match(source):
            self.breach(f"the chunk {source} is moved to {target}")

    def needs_name(self, name, why):
        """What .ihop has under this name, if anything, is durable."""
        if self.node(".ihop", name) and not is_entry_durable(self.node(".ihop"), name, 1):
            self.breach(f"/.ihop/{name}: the name is not durable {why}")

    def ends(self, code):
        if code != 0 or not self.node():
            return
        since = 0 if self.is_clone else 1
        if not is_entry_durable(self.disk.top, "store", 1):
            self.breach("the store's own name is not durable at exit 0")
        self.needs_entries(self.node(), "", "at exit 0", since)
        self.needs_entries(self.node("chunks"), "/chunks", "at exit 0", since, gone=False, deep=True)
        for name in ("boot", "floor", "id"):
            self.needs_name(name, "at exit 0")
        for part in ("retired", "protected"):
            if self.node(".ihop", part):
                self.needs_entries(self.node(".ihop", part), f"/.ihop/{part}", "at exit 0", 1,
                                   gone=part == "protected")
                if part == "protected" and not is_entry_durable(self.node(".ihop"), part, 1):
                    self.breach("the directory protected/ is not durable at exit 0")


def main():
    p = argparse.ArgumentParser(description="Judges the order of a program's calls.")
    p.add_argument("--fake", action="append", default=[], metavar="CALL")
    p.add_argument("--inject", action="append", default=[], metavar="WHAT")
    p.add_argument("--exit", type=int, default=0, metavar="CODE", help="that is expected")
    p.add_argument("kind", choices=("clone", "store", "compress"))
    p.add_argument("directory")
    p.add_argument("command", nargs=argparse.REMAINDER)
    o = p.parse_args()
    disk = Disk(o.directory)
    rules = ArchiveRules(disk) if o.kind == "compress" else StoreRules(disk, o.kind == "clone")
    run = Run(disk, rules)
    code, stderr, log = record(o.command, [*o.inject, *(f"{f}:retval=0" for f in o.fake)])
    run.follow(log)
    print("\n".join(dict.fromkeys(rules.breaches)))
    if code != o.exit:
        print(f"exit code {code} instead of {o.exit}: {stderr.strip()}")
    sys.exit(1 if rules.breaches or code != o.exit else 0)


if __name__ == "__main__":
    main()
