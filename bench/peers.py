#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an update costs with ihop and with its peers: on the wire, on the flash, in time.

Run as root, after bench/make-images.sh has made the images (docs/peers.md tells more):
    contrib/build.sh
    bench/peers.py [-n ROUNDS] [--job NAME]... [BUILD-DIRECTORY]

One nginx on loopback serves everything. Every tool reads and writes on one fresh ext4 on a
loop device, and ends durable: ihop-clone does by itself, the others are followed by a sync
of the file system. Bytes are medians, times are medians of ratios, ihop's to the other's of
the same round; the tools take turns, so that they share what the machine does besides.

    wire      sent by nginx, HTTP headers included
    written   to the loop device, the file system's own writes included
    room      more space in use than before, without what may be deleted afterwards
    memory    peak of the largest process

Tools are taken from PATH, or from BITA, CASYNC, DESYNC and XDELTA3; one that is missing is
left out. IHOP_BENCH_DIR is where the images are (default: bench-images).
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from clone import IMAGES, SOURCE, sh, tool

VERSIONS = "v1", "v2", "v3"
COLUMNS = "wire MB", "requests", "written MB", "room MB", "memory MB", "s", "ihop / it"


class Disk:
    """A fresh ext4 on a loop device, which counts what is written to it."""

    def __init__(self, work, size, options=""):
        self.path = f"{work}/disk"
        sh(f"rm -f {work}/fs && truncate -s {size} {work}/fs")
        sh(f"mkfs.ext4 -q -F -m 0 -E nodiscard,lazy_itable_init=0 {options} {work}/fs")
        os.makedirs(self.path, exist_ok=True)
        sh(f"mount -o loop {work}/fs {self.path}")
        device = subprocess.run(["findmnt", "-no", "SOURCE", self.path], check=True, text=True,
                                stdout=subprocess.PIPE).stdout.strip()
        self.stat = f"/sys/block/{os.path.basename(device)}/stat"

    def sync(self):
        subprocess.run(["sync", "-f", self.path], check=True)

    def written(self):
        with open(self.stat) as stat:
            return int(stat.read().split()[6]) * 512

    def used(self):
        s = os.statvfs(self.path)
        return (s.f_blocks - s.f_bfree) * s.f_frsize

    def close(self):
        subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL)


class Server:
    """An nginx that logs the bytes of each answer: all of them, or what another of its variables says."""

    def __init__(self, work, logged="$bytes_sent"):
        self.log = f"{work}/access"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with open(f"{work}/nginx.conf", "w") as conf:
            conf.write(
                f"daemon off; pid {work}/pid; error_log {work}/error; user root; events {{}}\n"
                f"http {{ log_format sent '{logged}'; access_log {self.log} sent;\n"
                "sendfile on; keepalive_requests 100000; default_type application/octet-stream;\n"
                f"server {{ listen 127.0.0.1:{port}; root {IMAGES}; }} }}\n"
            )
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(["nginx", "-c", f"{work}/nginx.conf"], stderr=subprocess.DEVNULL)
        while subprocess.run(["curl", "-so", "/dev/null", self.url]).returncode:
            if self.process.poll() is not None:
                sys.exit(f"nginx does not start: see {work}/error")
            time.sleep(0.05)

    def forget(self):
        os.truncate(self.log, 0)

    def sent(self):
        """(bytes, requests) since forget(); waits until the log stands still."""
        size = -1
        while size != os.path.getsize(self.log):
            size = os.path.getsize(self.log)
            time.sleep(0.2)
        with open(self.log) as log:
            lines = [int(line) for line in log]
        return sum(lines), len(lines)

    def close(self):
        self.process.terminate()
        self.process.wait()


class Peers:
    def __init__(self, build, disk, server):
        self.clone, self.compress = f"{build}/ihop-clone", f"{build}/ihop-compress"
        self.bita, self.casync = tool("bita"), tool("casync")
        self.desync, self.xdelta3 = tool("desync"), tool("xdelta3")
        self.disk, self.d, self.url = disk, disk.path, server.url

    def make_archives(self):
        """What the images are made into is kept beside them."""
        for v in VERSIONS:
            image = f"{IMAGES}/{v}.ext4"
            if not os.path.exists(image):
                sys.exit(f"{image} is missing: bench/make-images.sh {IMAGES}")
            self.make(f"{image}.cba", f"{self.compress} -q {image} {{}}")
            self.make(f"{image}.zst", f"zstd -q -12 -T0 {image} -o {{}}")
            if self.casync:
                self.make(f"{image}.casync.caibx", f"{self.casync} make --store={IMAGES}/casync.castr {{}} {image}")
            if self.desync:
                self.make(f"{image}.caibx", f"{self.desync} make -s {IMAGES}/castr {{}} {image}")
        os.makedirs(f"{IMAGES}/castr", exist_ok=True)
        for old, new in ("v1", "v2"), ("v2", "v3"):
            if self.xdelta3:
                self.make(f"{IMAGES}/{new}-from-{old}.xdelta",
                          f"{self.xdelta3} -e -9 -B {self.window(old)} -s {IMAGES}/{old}.ext4 {IMAGES}/{new}.ext4 {{}}")

    @staticmethod
    def make(path, command):
        if not os.path.exists(path):
            part = f"{path}.part{os.path.splitext(path)[1]}"
            os.makedirs(f"{IMAGES}/castr", exist_ok=True)
            sh("rm -f " + part + " && " + command.format(part) + f" && mv {part} {path}")

    @staticmethod
    def window(v):
        """All of the old image may serve xdelta3 as a source."""
        return os.path.getsize(f"{IMAGES}/{v}.ext4")

    def ihop(self, store, v):
        return f"{self.clone} -q {self.url}/{v}.ext4.cba {self.d}/{store}/{v}"

    def desync_cache(self, cache, v):
        return f"{self.desync} cache -s {self.url}/castr/ -c {self.d}/{cache} {self.url}/{v}.ext4.caibx"

    def prepare(self):
        """What a device has before an update: stores, images, caches of v1 and of v2."""
        d = self.d
        sh(f"{self.ihop('base-v1', 'v1')} && cp -a {d}/base-v1 {d}/base-v2 && {self.ihop('base-v2', 'v2')}")
        for v in "v1", "v2":
            sh(f"cp --sparse=never {IMAGES}/{v}.ext4 {d}/{v}.ext4")
            if self.desync:
                sh(f"cp {IMAGES}/{v}.ext4.caibx {d}/")
        if self.desync:
            sh(f"mkdir {d}/cache-v1; {self.desync_cache('cache-v1', 'v1')} 2>/dev/null")
            sh(f"cp -a {d}/cache-v1 {d}/cache-v2; {self.desync_cache('cache-v2', 'v2')} 2>/dev/null")

    def jobs(self):
        """(job, who, prepare, command): prepare is not measured."""
        d, url = self.d, self.url
        image = f"rm -f {d}/o"
        yield "first", "ihop", f"rm -rf {d}/s", self.ihop("s", "v1")
        yield "first", "image.zst", image, f"curl -s {url}/v1.ext4.zst | zstd -q -dc --no-sparse >{d}/o"
        if self.bita:
            yield "first", "bita", image, f"{self.bita} clone {url}/v1.ext4.cba {d}/o"
        if self.casync:
            yield "first", "casync", image, self.casync_extract("", "v1")
        if self.desync:
            yield "first", "desync", image, f"{self.desync} extract -s {url}/castr/ {url}/v1.ext4.caibx {d}/o"
            yield "first", "desync cache", f"rm -rf {d}/c; mkdir {d}/c", self.desync_cache("c", "v1")
        for old, new in ("v1", "v2"), ("v2", "v3"):
            yield from self.updates(f"{old} -> {new}", old, new)

    def updates(self, job, old, new):
        d, url = self.d, self.url
        image = f"rm -f {d}/o"
        yield job, "ihop", f"rm -rf {d}/s && cp -a {d}/base-{old} {d}/s", self.ihop("s", new)
        yield job, "image.zst", image, f"curl -s {url}/{new}.ext4.zst | zstd -q -dc --no-sparse >{d}/o"
        if self.bita:
            bita = f"{self.bita} clone %s {url}/{new}.ext4.cba {d}/o"
            yield job, "bita, other slot", image, bita % f"--seed {d}/{old}.ext4"
            yield job, "bita, in place", f"cp --sparse=never {d}/{old}.ext4 {d}/o", bita % "--seed-output"
        if self.casync:
            yield job, "casync", image, self.casync_extract(f"--seed={d}/{old}.ext4", new)
        if self.desync:
            yield (job, "desync", image, f"{self.desync} extract -s {url}/castr/"
                   f" --seed {d}/{old}.ext4.caibx {url}/{new}.ext4.caibx {d}/o")
            yield (job, "desync cache", f"rm -rf {d}/c; cp -a {d}/cache-{old} {d}/c",
                   self.desync_cache("c", new))
        if self.xdelta3:
            yield (job, "xdelta3", image, f"curl -s {url}/{new}-from-{old}.xdelta |"
                   f" {self.xdelta3} -d -c -B {self.window(old)} -s {d}/{old}.ext4 >{d}/o")

    def casync_extract(self, seed, v):
        url = self.url
        return f"{self.casync} extract --store={url}/casync.castr {seed} {url}/{v}.ext4.casync.caibx {self.d}/o"


def measure(disk, server, command):
    """One run: a value for each column but the last."""
    before = disk.used()
    written = disk.written()
    server.forget()
    begun = time.monotonic()
    memory = run(command)
    disk.sync()
    seconds = time.monotonic() - begun
    sent, requests = server.sent()
    return (sent / 1e6, requests, (disk.written() - written) / 1e6, (disk.used() - before) / 1e6, memory, seconds)


# Prints the peak memory, in KiB, of what a shell command runs. A process also counts the memory
# that it had before it became another program, so this program is small: about 10 MB.
RUNNER = """
import os, resource, sys
code = os.spawnvp(os.P_WAIT, "bash", ["bash", "-o", "pipefail", "-c", sys.argv[1]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def run(command):
    """Returns the peak memory of the command's largest process in MB."""
    done = subprocess.run([sys.executable, "-ISc", RUNNER, f"{{ {command}; }} >/dev/null"],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"this failed: {command}\n{done.stderr[-2000:]}")
    return int(done.stdout) * 1024 / 1e6


def run_all(peers, disk, server, rounds, wanted):
    by_job, values = {}, {}
    for job, who, prepare, command in peers.jobs():
        if not wanted or any(w in job for w in wanted):
            by_job.setdefault(job, []).append((who, prepare, command))
    for i in range(rounds):
        for job, commands in by_job.items():
            # Each program goes first in turn, because what one leaves to write slows down the next.
            first = i % len(commands)
            for who, prepare, command in commands[first:] + commands[:first]:
                sh(prepare)
                disk.sync()
                time.sleep(1)
                row = measure(disk, server, command)
                print(job, who, *(f"{value:.1f}" for value in row), file=sys.stderr, flush=True)
                values.setdefault(job, {}).setdefault(who, []).append(row)
    return {job: {c[0]: values[job][c[0]] for c in commands} for job, commands in by_job.items()}


def print_table(values):
    for job, by_who in values.items():
        print(f"\n| {job} | " + " | ".join(COLUMNS) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        own = [row[-1] for row in by_who["ihop"]]
        for who, rows in by_who.items():
            medians = [statistics.median(column) for column in zip(*rows)]
            ratio = statistics.median(mine / row[-1] for mine, row in zip(own, rows))
            cells = [f"{m:.1f}" if name != "requests" else f"{m:.0f}" for name, m in zip(COLUMNS, medians)]
            print(f"| {who} | " + " | ".join(cells) + f" | {ratio:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=3, metavar="ROUNDS")
    parser.add_argument("--job", action="append", metavar="NAME",
                        help="only jobs whose name contains this (first, v1, v2, v3); may be repeated")
    parser.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=IMAGES) as work:
        disk = server = None
        try:
            server = Server(work)
            disk = Disk(work, "12G")
            peers = Peers(os.path.abspath(args.build), disk, server)
            peers.make_archives()
            peers.prepare()
            print_table(run_all(peers, disk, server, args.n, args.job))
        finally:
            for part in server, disk:
                if part:
                    part.close()


if __name__ == "__main__":
    main()
