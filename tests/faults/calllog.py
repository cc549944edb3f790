# SPDX-License-Identifier: MIT
"""calllog: the calls of a program that change what is on a disk, in their order, from
strace's log.

strace writes a line when a call begins and, if another thread's call came between,
another one when it has ended. Both are events here: a sync covers what had ended when
it began, and holds from its end on.
"""
import os
import re
import subprocess
import tempfile

TRACED = ("/^open,creat,close,/^dup,fcntl,/^rename,/^link,/^unlink,/^symlink,/^mkdir,rmdir,"
          "fsync,fdatasync,/^sync,/^pwrite,write,writev,/truncate,fallocate,copy_file_range,"
          "sendfile,splice,utimensat,ioctl,exit_group")
CUT = " <unfinished ...>"


class Call:
    """name; args: as strace writes them; result: an int once it has ended, text for all
    that follows it; faked: strace said so without the kernel having done anything."""

    def __init__(self, thread, name, args):
        self.thread, self.name, self.args = thread, name, args
        self.result, self.text, self.faked = None, "", False

    def end(self, answer):
        match = re.match(r"(-?\d+|\?|0x[0-9a-f]+)", answer)
        self.result = int(match[1], 0) if match and match[1] != "?" else None
        self.text = answer
        self.faked = "INJECTED" in answer

    def __str__(self):
        return f"{self.name}({', '.join(self.args)})"


def split(text):
    """The arguments of a call: at commas outside of quotes and brackets."""
    args, depth, quoted, start, at = [], 0, False, 0, 0
    while at < len(text):
        c = text[at]
        if quoted:
            at += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "[{(":
            depth += 1
        elif c in "]})":
            depth -= 1
        elif c == "," and depth == 0:
            args.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [*args, text[start:].strip()]


def events(log):
    """Yields ("begin" or "end", Call) in the order in which they happened."""
    open_calls = {}
    for line in log:
        thread, _, rest = line.rstrip("\n").partition(" ")
        rest = rest.lstrip()
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed and thread in open_calls:
            call = open_calls.pop(thread)
            call.end(resumed[1].rpartition(") = ")[2] if ") = " in resumed[1]
                     else resumed[1].rpartition("= ")[2])
            yield "end", call
            continue
        match = re.match(r"(\w+)\((.*)", rest)
        if not match:
            continue  # a signal, an exit
        name, body = match[1], match[2]
        if body.endswith(CUT):
            call = open_calls[thread] = Call(thread, name, split(body[:-len(CUT)]))
            yield "begin", call
            continue
        inside, _, answer = re.sub(r"\)\s+= ", ") = ", body).rpartition(") = ")
        call = Call(thread, name, split(inside))
        yield "begin", call
        call.end(answer)
        yield "end", call


def record(command, injections=()):
    """Runs a command under strace: (exit code, stderr, the lines of its log)."""
    with tempfile.NamedTemporaryFile("r", suffix=".calls") as log:
        strace = ["strace", "-qq", "-f", "-y", "-s", "4096", "-e", f"trace={TRACED}"]
        for injection in injections:
            strace += ["-e", f"inject={injection}"]
        run = subprocess.run([*strace, "-o", log.name, *command], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, check=False)
        return run.returncode, run.stderr, log.readlines()
