# SPDX-License-Identifier: MIT
"""mutate: makes small mistakes in copies of the sources, one at a time, and tells which of
them the tests notice. tests/mutate.sh calls it and says how; tests/mutations.txt has the
mistakes, and how to write one.

A mistake is noticed when a named test fails that passes without it. A build that fails
notices nothing: then the mistake has to be written in another way.
"""
import argparse
import fnmatch
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

TIMEOUT_S, UNIT_TIMEOUT_S = 300, 60
NOT_SOURCES = ("tests", "bench", "contrib", "docs")
PROGRAMS = ["ihop-clone", "ihop-store", "ihop-compress", "ihop-attach", "ihop-attach-keeper",
            "nbdkit-ihop-plugin.la", "tests/cut-file", "tests/faults/kill-at",
            "tests/faults/refuse-call", "tests/faults/write-log.la"]


class Mutation:
    """name, files (a glob of names), old and new text, tests in the order in which to try them."""

    def __init__(self, number, name, files, line):
        self.number, self.name, self.files, self.line = number, name, files, line
        self.old, self.new, self.tests = "", "", []

    def key(self):
        text = "\0".join([self.old, self.new])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def pattern(self):
        """Matches the old text whatever white space is between its words."""
        return re.compile(r"\s*".join(map(re.escape, re.findall(r"\w+|[^\w\s]", self.old))))

    def find(self, root):
        """(path, start, end) of the one place where the old text is."""
        hits = []
        pattern = self.pattern()
        for path in sources(pathlib.Path(root)):
            if not fnmatch.fnmatch(path.name, self.files):
                continue
            text = path.read_text(encoding="utf-8")
            hits += [(path, m.start(), m.end()) for m in pattern.finditer(text)]
        if len(hits) != 1:
            raise LookupError(f"its text occurs {len(hits)} times in {self.files}")
        return hits[0]


def sources(root):
    """What the programs are made of: not the tests, not a build."""
    for directory, directories, files in os.walk(root):
        directories[:] = sorted(f for f in directories if f[0] != "." and f not in NOT_SOURCES and
                            not os.path.exists(os.path.join(directory, f, "config.status")))
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                yield pathlib.Path(directory, name)


def read_table(path):
    mutations, current = [], None
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.partition(" ")
        if kind == "==":
            name, files = rest.split()
            current = Mutation(len(mutations) + 1, name, files, i)
            mutations.append(current)
        elif kind == "-":
            current.old += rest + "\n"
        elif kind == "+":
            current.new += rest + "\n"
        elif kind == "by":
            current.tests += [t.strip() for t in rest.split(",")]
        else:
            sys.exit(f"{path}:{i}: a line begins with ==, -, +, by or #")
    names = [m.name for m in mutations]
    for m in mutations:
        if not m.old or not m.tests or names.count(m.name) > 1:
            sys.exit(f"{path}:{m.line}: {m.name}: no old text, no tests, or named twice")
    return mutations


class Results:
    """What is known of each mutation, kept in a file: name -> {key, status, test, seconds}."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.known = json.loads(path.read_text()) if path.exists() else {}

    def set(self, name, **values):
        with self.lock:
            self.known[name] = values
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(self.known, indent=1))
            temporary.rename(self.path)

    def of(self, m):
        result = self.known.get(m.name)
        return result if result and result["key"] == m.key() else None


class Tree:
    """A copy of the sources with its build."""

    def __init__(self, source, directory):
        self.source, self.directory, self.build = source, directory, directory / "build"
        self.log = directory.with_suffix(".log")

    def run(self, command, timeout=None, env=None):
        """The exit code; 124 when it took too long, and then nothing of it lives on."""
        with open(self.log, "a", encoding="utf-8") as log:
            print("$", *command, file=log, flush=True)
            p = subprocess.Popen(command, cwd=self.build if self.build.exists() else self.directory,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True, env={**os.environ, **(env or {})})
            try:
                return p.wait(timeout)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGTERM)  # a test cleans up then
                try:
                    p.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(p.pid, signal.SIGKILL)
                    p.wait()
                return 124

    def prepare(self):
        """Brings the copy to what the sources are, and builds it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for path in self.listed():
            source, target = self.source / path, self.directory / path
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                shutil.copymode(source, target)
        if not (self.build / "Makefile").exists():
            compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
            code = self.run(["contrib/build.sh", "-q", "build", f"CC={compiler}", "CFLAGS=-O1 -g0"])
            if code != 0:
                sys.exit(f"{self.directory}: the build fails, see {self.log}")
        if self.make(["all", *self.helpers()]) != 0:
            sys.exit(f"{self.directory}: the build fails without any mistake, see {self.log}")

    def helpers(self):
        """What else the tests run, which no mistake changes."""
        lines = [line for path in sorted((self.directory / "tests").glob("*.mk"))
                 for line in path.read_text(encoding="utf-8").splitlines()
                 if line.startswith(("check_PROGRAMS +=", "check_LTLIBRARIES +="))]
        return re.findall(r"tests/(?!unit/|fuzz/)[\w./-]+", "\n".join(lines))

    def listed(self):
        out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                             cwd=self.source, check=True, capture_output=True, text=True).stdout
        return [p for p in out.splitlines() if (self.source / p).is_file()]

    def make(self, targets):
        return self.run(["make", "-s", *targets], 900)

    @staticmethod
    def targets(test):
        """What has to be built for it: a unit test needs none of the programs."""
        program = program_of(test)
        return [program] if program.startswith("tests/unit/") else PROGRAMS

    def test(self, name):
        """0: passed, 77: skipped, anything else: failed."""
        words = name.split()
        env = dict(w.split("=", 1) for w in words[:-1])
        env.update(srcdir=str(self.directory), builddir=str(self.build))
        path = program_of(name)
        if path.startswith("tests/unit/"):
            return self.run([str(self.build / path)], UNIT_TIMEOUT_S, env)
        return self.run(["bash", str(self.directory / path)], TIMEOUT_S, env)


def program_of(test):
    """"A=b unit/test_x" -> tests/unit/test_x; "net-cut" -> tests/test-net-cut.sh."""
    name = test.split()[-1]
    return f"tests/{name}" if "/" in name else f"tests/test-{name}.sh"


class Runner:
    def __init__(self, o, source):
        self.source, self.directory = source, pathlib.Path(o.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.results = Results(self.directory / "results.json")
        self.todo, self.lock = queue.Queue(), threading.Lock()
        self.sound, self.testing = {}, {}  # test -> passes without any mistake; a lock

    def is_sound(self, tree, test):
        with self.lock:
            mutex = self.testing.setdefault(test, threading.Lock())
        with mutex:
            if test not in self.sound:
                self.sound[test] = tree.make(tree.targets(test)) == 0 and tree.test(test) == 0
            return self.sound[test]

    def judge(self, tree, m):
        """(status, the test that noticed)."""
        unfit = []
        for test in m.tests:
            if not self.is_sound(tree, test):
                unfit.append(test)
                continue
            status = self.judge_by(tree, m, test)
            if status != "passed":
                return status, test
        if len(unfit) == len(m.tests):
            return "no test passes without it", " ".join(unfit)
        return "NOT NOTICED", ""

    @staticmethod
    def judge_by(tree, m, test):
        path, start, end = m.find(tree.directory)
        text = path.read_text(encoding="utf-8")
        try:
            path.write_text(text[:start] + m.new.rstrip("\n") + text[end:], encoding="utf-8")
            if tree.make(tree.targets(test)) != 0:
                return "does not compile"
            return "passed" if tree.test(test) in (0, 77) else "noticed"
        finally:
            path.write_text(text, encoding="utf-8")

    def work(self, tree):
        tree.prepare()
        while True:
            try:
                m = self.todo.get_nowait()
            except queue.Empty:
                return
            begun = time.monotonic()
            try:
                status, test = self.judge(tree, m)
            except LookupError as error:
                status, test = f"cannot be made: {error}", ""
            seconds = round(time.monotonic() - begun)
            self.results.set(m.name, key=m.key(), status=status, test=test, seconds=seconds)
            print(f"{m.number:3} {m.name:34} {status} {test} ({seconds} s)", flush=True)

    def run(self, mutations, jobs):
        for m in mutations:
            self.todo.put(m)
        trees = [Tree(self.source, self.directory / str(i)) for i in range(jobs)]
        workers = [threading.Thread(target=self.work, args=(t,)) for t in trees]
        for w in workers:
            w.start()
        for w in workers:
            w.join()


def chosen(mutations, words):
    out = [m for m in mutations
           if any(w == str(m.number) or fnmatch.fnmatch(m.name, w) for w in words)]
    for w in words:
        if not any(w == str(m.number) or fnmatch.fnmatch(m.name, w) for m in mutations):
            sys.exit(f"there is no mutation {w}")
    return out


def check(source, mutations):
    """Whether each can be made; the tests are there."""
    wrong = 0
    for m in mutations:
        try:
            m.find(source)
            for test in map(program_of, m.tests):
                file = test + ".c" if test.startswith("tests/unit/") else test
                if not (source / file).exists():
                    raise LookupError(f"there is no {file}")
        except LookupError as error:
            wrong += 1
            print(f"tests/mutations.txt:{m.line}: {m.name}: {error}")
    print(f"{len(mutations)} mutations, {wrong} cannot be made")
    return wrong


def report(mutations, results):
    print("| mistake | in | noticed by |\n|---|---|---|")
    for m in mutations:
        r = results.of(m) or {"status": "not run", "test": ""}
        what = r["test"].split()[-1] if r["status"] == "noticed" else f"**{r['status']}**"
        print(f"| {m.name} | {m.files} | {what} |")


def main():
    p = argparse.ArgumentParser(prog="mutate.sh")
    p.add_argument("--jobs", type=int)
    p.add_argument("--directory")
    for option in ("--list", "--check", "--report"):
        p.add_argument(option, action="store_true")
    p.add_argument("source", type=pathlib.Path)
    p.add_argument("names", nargs="*")
    o = p.parse_args()
    mutations = read_table(o.source / "tests/mutations.txt")
    if o.check:
        sys.exit(1 if check(o.source, mutations) else 0)
    runner = Runner(o, o.source)
    if o.list:
        for m in mutations:
            r = runner.results.of(m) or {"status": "-", "test": ""}
            print(f"{m.number:3} {m.name:34} {m.files:28} {r['status']} {r['test']}")
        return
    if o.report:
        report(mutations, runner.results)
        return
    todo = (chosen(mutations, o.names) if o.names
            else [m for m in mutations if not runner.results.of(m)])
    runner.run(todo, o.jobs)
    bad = [m.name for m in mutations if (runner.results.of(m) or {}).get("status") != "noticed"]
    print(f"{len(mutations) - len(bad)} of {len(mutations)} are noticed"
          + (", not: " + " ".join(bad) if bad else ""))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
