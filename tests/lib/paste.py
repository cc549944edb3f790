#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""paste.py: runs the commands of the documents as a reader would paste them.

    paste.py CHECKOUT

Takes the sh blocks of README.md and the indented blocks below EXAMPLES in docs/*.pod, each
as it stands, in a shell that stops at the first failure; all blocks of a document in their
order, and the whole document twice, since what the first time leaves must not break the
second. The lines of SYNOPSIS are run without what is optional, and with names in place of
the words in capitals. Each block is told of as "ok", "not run" with a reason, or "FAIL";
exit 1 if there is any of the last, or if nothing was run. It is for a world of its own
(namespaces), which test-docs-paste.sh makes: it ends every nbdkit that it can see.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

LIMIT_S = 120  # only for what hangs

checkout = pathlib.Path(sys.argv[1])
work = pathlib.Path("work").absolute()
failed = 0
run_count = 0


def works(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def has(*programs):
    return all(shutil.which(p) for p in programs)


def can_mount_fuse():
    return has("nbdfuse", "fusermount3") and os.access("/dev/fuse", os.W_OK) and works("losetup", "-f")


def nbd_is_free():
    size = pathlib.Path("/sys/block/nbd0/size")
    return has("nbd-client", "modprobe") and size.exists() and size.read_text().strip() == "0"


# What is not run, and why: the pattern is searched for in the block.
NOT_RUN = [
    (r"^contrib/(demo|test)\.sh$", "takes many minutes", None),
    (r"^contrib/build\.sh |make -C build install", "builds anew and installs", None),
    (r"^\[\w+\]\n", "a unit file", None),
    (r"BYTES|ROOT-HASH", "has words to be filled in", None),
    (r"^(sudo )?ihop-attach ", "attaches a device of the kernel", lambda: False),
    (r"/dev/nbd0", "needs a free /dev/nbd0 and nbd-client", nbd_is_free),
    (r"qemu-system", "needs a virtual machine to boot", None),
    (r"nbdfuse|umount mp|umount fuse", "needs FUSE and a loop device", can_mount_fuse),
    (r"systemd-socket-activate", "needs systemd-socket-activate", lambda: has("systemd-socket-activate")),
    (r"^man ", "needs man", lambda: has("man")),
    (r"\bjq\b", "needs jq", lambda: has("jq")),
]


def reason_not_to(block):
    for pattern, reason, possible in NOT_RUN:
        if re.search(pattern, block, re.M) and not (possible and possible()):
            return reason
    return None


def blocks_of_readme(text):
    return [m.group(1) for m in re.finditer(r"^```sh\n(.*?)^```$", text, re.M | re.S)]


def section(text, title):
    m = re.search(rf"^=head1 {title}$(.*?)(?=^=head1 |\Z)", text, re.M | re.S)
    return m.group(1) if m else ""


def verbatim(text):
    """Indented paragraphs, without the indent; one follows another of the same kind."""
    blocks = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0].startswith(" "):
            blocks.append("".join(line[1:] + "\n" for line in lines))
    return blocks


def report(what, document, block, output=""):
    global failed, run_count
    first = block.strip().split("\n")[0]
    print(f"{what}: {document}: {first}", flush=True)
    if what == "FAIL":
        failed += 1
        print(f"--- the block\n{block}--- its output\n{output}---", flush=True)
    run_count += what == "ok"


def servers():
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == "nbdkit":
                yield int(entry.name)


def stop_servers():
    """The reader's own word for it, at the end of a session."""
    end = time.monotonic() + LIMIT_S
    while (pids := list(servers())) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)


def shell(block, directory):
    """(exit code, output). What stays in the background keeps the file, not a pipe."""
    log = work.parent / "paste.out"
    with log.open("wb") as out:
        try:
            code = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", block], cwd=directory, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out, timeout=LIMIT_S, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
    return code, f"exit code {code}\n" + log.read_text(errors="replace")[-4000:]


def serve_in_foreground(block, directory):
    """A server that stays: a client of its own sees whether it serves."""
    socket = re.search(r"-l (\S+)", block).group(1)
    with subprocess.Popen(["bash", "-eu", "-c", block], cwd=directory, stdin=subprocess.DEVNULL, start_new_session=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        end = time.monotonic() + LIMIT_S
        good = False
        while not good and server.poll() is None and time.monotonic() < end:
            good = works("nbdinfo", f"nbd+unix:///?socket={socket}")
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
    return (0, "") if good else (1, f"it does not serve on {socket}")


def paste(document, blocks, directory):
    for again in "", " (again)":
        for block in blocks:
            reason = reason_not_to(block)
            if reason:
                if not again:
                    report(f"not run ({reason})", document, block)
                continue
            run = serve_in_foreground if "systemd-socket-activate" in block else shell
            code, output = run(block, directory)
            report("ok" if code == 0 else "FAIL", document + again, block, output)
        stop_servers()


# ---- SYNOPSIS ----

def without_options(line):
    line = line.replace("[store=]", "")
    while (shorter := re.sub(r"\[[^][]*\]", "", line)) != line:
        line = shorter
    return " ".join(line.split())


def fill_in(line, count):
    makes = line.startswith("ihop-compress") and "IMAGE" in line
    line = re.sub(r"(IMAGE|ARCHIVE|PACK)\|\S+", r"\1", line)
    if "--delta-from" in line:
        line = line.replace("ARCHIVE", "v2.cba")
    words = {"PACK": "pack", "ARCHIVE": f"new-{count}.cba" if makes else "v1.cba", "STORE/RELEASE": "s/v1", "STORE": "s", "IMAGE": "image",
             "OLD": "v1.cba", "SIZE": "1M", "NAME": "v1", "FILE|KEY": "secret.pem", "KEY": "version", "/A": "/v1", "/B": "/v2"}
    for word, value in words.items():
        line = line.replace(word, value)
    return line


def synopsis_lines(text):
    """One for each command: what is indented further goes on."""
    joined = re.sub(r"\n {2,}", " ", "\n".join("".join(verbatim(section(text, "SYNOPSIS"))).split("\n")))
    return [line for line in joined.split("\n") if line]


def run_synopsis(document, text):
    for count, line in enumerate(synopsis_lines(text)):
        directory = work / f"synopsis-{document}-{count}"
        shutil.copytree("template", directory, symlinks=True)
        command = fill_in(without_options(line), count) + "\n"
        if "/ihop-good " in command:
            report("not run (checks a machine that was booted from a release)", document + " SYNOPSIS", command)
            continue
        if command.startswith("ihop-attach "):
            report("not run (attaches a device of the kernel)", document + " SYNOPSIS", command)
            continue
        code, output = shell(command, directory)
        report("ok" if code == 0 else "FAIL", document + " SYNOPSIS", command, output)
        stop_servers()


def main():
    work.mkdir()
    paste("README.md", blocks_of_readme((checkout / "README.md").read_text()), checkout)
    for pod in sorted((checkout / "docs").glob("*.pod")):
        if pod.stem == "ihop.cmdline":
            continue  # the command line of a kernel, not of a shell
        text = pod.read_text()
        directory = work / pod.stem
        shutil.copytree("examples", directory)
        shutil.rmtree("/var/lib/ihop")
        shutil.copytree("device", "/var/lib/ihop")
        run_synopsis(pod.stem, text)
        paste(pod.stem, verbatim(section(text, "EXAMPLES")), directory)
    if failed or not run_count:
        sys.exit(f"{failed} blocks failed, {run_count} passed")


if __name__ == "__main__":
    main()
