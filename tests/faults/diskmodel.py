# SPDX-License-Identifier: MIT
"""diskmodel: what of a directory is durable, as far as POSIX promises: a file's data after
fsync of the file, a name after fsync of its directory, all of it after syncfs. What a file
system gives beyond that (ordered data, one journal for all) counts for nothing.

Times are numbers of events. What is there before the first one has the time 0: nobody
knows whether it is durable, unless the rules say that it must be.
"""
import os
import re
import stat


class Node:
    """A file or a directory. changed: when data or attributes last changed; synced: up to
    which time they are durable; spoilt: a sync of them failed. entries: of a directory;
    moved: name -> when it last changed, if that is not durable. A new file is empty,
    whatever is synced."""

    def __init__(self, is_directory, now):
        self.is_directory, self.changed, self.synced, self.spoilt = is_directory, now, now, False
        self.entries, self.moved = {}, {}

    def is_durable(self):
        return not self.spoilt and (self.is_directory or self.synced >= self.changed)

    def sync(self, until):
        self.synced = max(self.synced, until)
        self.moved = {name: at for name, at in self.moved.items() if at > until}


class Disk:
    """The directory root, and the program's open files."""

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self.top = self.scan(self.root)
        self.now = 0
        self.open = {}  # descriptor -> Node

    def scan(self, path):
        node = Node(True, 0)
        for entry in os.scandir(path):
            is_directory = stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode)
            node.entries[entry.name] = self.scan(entry.path) if is_directory else Node(False, 0)
            node.moved[entry.name] = 0
        return node

    # ---- names ----

    def absolute(self, directory, name):
        """The path of what a call names: directory as strace shows a descriptor, or None."""
        name = re.match(r'"(.*)"', name)
        base = re.search(r"<(.*?)(?: ?\(deleted\))?>", directory or "")
        if not name:
            return base[1] if base else None
        return os.path.normpath(os.path.join(base[1] if base else os.getcwd(), name[1]))

    def parts(self, path):
        """Of a path below root: the names that lead there, or None."""
        if path is None or not (path + "/").startswith(self.root + "/"):
            return None
        return [p for p in path[len(self.root):].split("/") if p]

    def find(self, path):
        parts = self.parts(path)
        node = self.top if parts is not None else None
        for part in parts or ():
            node = node.entries.get(part) if node else None
        return node

    def parent(self, path):
        """(directory, name), directory is None for what lies elsewhere."""
        parts = self.parts(path)
        return (self.find(os.path.dirname(path)), parts[-1]) if parts else (None, None)

    def put(self, path, node):
        """Gives a name to a node; None takes it away."""
        directory, name = self.parent(path)
        if directory is None:
            return
        directory.moved[name] = self.now
        if node is None:
            directory.entries.pop(name, None)
        else:
            directory.entries[name] = node

    def names_of(self, node, directory=None, path=""):
        """All paths below root that lead to a node."""
        for name, child in (directory or self.top).entries.items():
            if child is node:
                yield f"{path}/{name}"
            if child.is_directory:
                yield from self.names_of(node, child, f"{path}/{name}")

    # ---- syncs ----

    def all_nodes(self):
        seen, todo = set(), [self.top, *self.open.values()]
        while todo:
            node = todo.pop()
            if node is not None and id(node) not in seen:
                seen.add(id(node))
                todo += node.entries.values()
                yield node

    def sync(self, nodes, begun, worked):
        for node in nodes:
            if worked:
                node.sync(begun)
            elif not node.is_directory and node.synced < node.changed:
                node.spoilt = True  # the kernel may take the pages for clean from now on


def is_entry_durable(directory, name, since=0):
    """Whether a name is on the disk as it is now; since: older changes do not matter."""
    return directory.moved.get(name, -1) < since
