#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast a release is served, beside nbdkit's file plugin on the flat image.

Run as root, after bench/make-images.sh has made the images and bita the archive of
v1 (bench/clone.py does it):
    contrib/build.sh
    bench/serve.py [-n ROUNDS] [--job NAME] [BUILD-DIRECTORY]

"file" serves the image as an updater or dd writes it: a copy with every block. "file,
sparse" is a copy with holes where the image file has them, less to read and to send.

Store and images lie on one fresh ext4 on a loop device that bypasses the page cache of
the file behind it: after a drop of the caches everything comes from the disk. Its
readahead is 128 KiB, as the kernel sets it for disks. "200 MB/s" limits the servers'
reads by a control group, to what an eMMC does. All take turns, so that they share what
the machine does besides. A ratio compares ihop with another server in the same round;
the table has its median and extremes, turned so that above 1 is better for ihop.

Memory is what a control group (version 1) is charged for the server after it has
served every byte, kernel memory included, without what the kernel may drop, a second
later: it frees inodes late.

desync (FUSE) is taken from PATH, or from DESYNC; missing, it is left out. IHOP_BENCH_DIR
is where the images are (default: bench-images).
"""

import argparse
import contextlib
import glob
import json
import os
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGES = os.path.abspath(os.environ.get("IHOP_BENCH_DIR", "bench-images"))
CGROUPS = "/sys/fs/cgroup"  # of version 1
MIB = 1024 * 1024


def sh(command):
    return subprocess.run(command, shell=True, check=True, stdout=subprocess.PIPE).stdout


def drop_caches():
    sh("sync; echo 3 >/proc/sys/vm/drop_caches")
    # This fills the page cache with the programs themselves, which are not measured.
    sh("nbdcopy --version; nbdkit --version; nbdkit file --version; openssl version; fio --version")


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            sys.exit("a server does not start")
        time.sleep(0.0002)


class Server:
    """nbdkit, from start to end of a with block."""

    group = None  # the control group that every server is put into

    def __init__(self, arguments, work):
        self.command = ["nbdkit", "-f", "-U", f"{work}/socket.{random.randrange(2**40)}"] + arguments
        self.path = self.command[3]
        self.uri = f"nbd+unix:///?socket={self.path}"

    def join_group(self):
        if Server.group:
            with open(f"{Server.group}/cgroup.procs", "w") as procs:
                procs.write("0")

    def __enter__(self):
        self.process = subprocess.Popen(self.command, preexec_fn=self.join_group)
        wait_for(lambda: os.path.exists(self.path))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def copy(self, options=""):
        """MiB/s of a whole copy to nowhere."""
        begun = time.monotonic()
        sh(f"nbdcopy {options} '{self.uri}' null:")
        return self.size() / MIB / (time.monotonic() - begun)

    def size(self):
        return os.path.getsize(f"{IMAGES}/v1.ext4")

    def random_reads(self, depth, limit):
        """Reads of 4 KiB per second."""
        return fio(f"--ioengine=nbd --uri={self.uri}", depth, limit)


class Fuse:
    """desync mount-index: the image as a file."""

    def __init__(self, command, work):
        self.directory = f"{work}/fuse"
        self.command = command + [self.directory]
        self.file = f"{self.directory}/v1.ext4"

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.file))
        return self

    def __exit__(self, *_):
        sh(f"umount {self.directory}")
        self.process.wait()

    def copy(self):
        begun = time.monotonic()
        sh(f"dd if={self.file} of=/dev/null bs=256k status=none")
        return os.path.getsize(self.file) / MIB / (time.monotonic() - begun)

    def random_reads(self, depth, limit):
        return fio(f"--ioengine=libaio --direct=1 --filename={self.file}", depth, limit)


def fio(engine, depth, limit):
    out = sh(
        f"fio --name=r --rw=randread --bs=4k --readonly --output-format=json --iodepth={depth} "
        f"--randseed={random.randrange(2**31)} {limit} {engine} 2>/dev/null"
    )
    return json.loads(out[out.index(b"{") :])["jobs"][0]["read"]["iops"]


def receive(s, size):
    data = b""
    while len(data) < size:
        data += s.recv(size - len(data)) or sys.exit("the server hung up")
    return data


def first_byte(server):
    """Seconds from the start of nbdkit until 4 KiB have come, by the least of clients: it
    polls for the socket, negotiates one export and reads."""
    begun = time.monotonic()
    with server, socket.socket(socket.AF_UNIX) as s:
        wait_for(lambda: s.connect_ex(server.path) == 0)
        receive(s, 18)
        s.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 1, 0))
        receive(s, 10)
        s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, server.size() // 2 & -4096, 4096))
        receive(s, 16 + 4096)
        return time.monotonic() - begun


@contextlib.contextmanager
def control_group(controller, **settings):
    """Puts all servers that are started within the with block into a control group."""
    Server.group = group = f"{CGROUPS}/{controller}/ihop-bench.{os.getpid()}"
    os.mkdir(group)
    try:
        for name, value in settings.items():
            with open(f"{group}/{controller}.{name.replace('__', '.')}", "w") as f:
                f.write(value)
        yield group
    finally:
        Server.group = None
        wait_for(lambda: not open(f"{group}/cgroup.procs").read())
        os.rmdir(group)


def charged(arguments, work):
    """MiB that a server holds after everything was read, and descriptors of chunks."""
    drop_caches()  # Cached pages stay charged to the group that read them first.
    with control_group("memory") as group:
        with Server(arguments, work) as server:
            server.copy()
            server.random_reads(16, "--number_ios=2000")
            for _ in range(3):  # The kernel frees inodes only after their pages, and late.
                sh("echo 3 >/proc/sys/vm/drop_caches; sleep 1")
            with open(f"{group}/memory.usage_in_bytes") as f:
                used = int(f.read())
            links = [os.readlink(fd) for fd in glob.glob(f"/proc/{server.process.pid}/fd/*")]
        return used / MIB, sum(link.endswith(".chunk") for link in links)


class Bench:
    def __init__(self, build, work):
        self.clone, self.plugin = f"{build}/ihop-clone", f"{build}/.libs/nbdkit-ihop-plugin.so"
        for needed in self.clone, self.plugin, f"{IMAGES}/v1.ext4", f"{IMAGES}/v1.ext4.cba":
            if not os.path.exists(needed):
                sys.exit(f"{needed} is missing: see the top of this script")
        self.desync = shutil.which(os.environ.get("DESYNC", "desync"))
        if not self.desync or not os.path.exists(f"{IMAGES}/v1.ext4.caibx"):
            self.desync = None
            print("desync or its index is missing: left out")
        self.work, self.disk, self.loop = work, f"{work}/disk", None

    def start(self):
        sh(f"truncate -s 10G {self.work}/fs && mkfs.ext4 -q -F -m 0 -E nodiscard {self.work}/fs")
        os.mkdir(self.disk)
        self.loop = sh(f"losetup --direct-io=on --show -f {self.work}/fs").decode().strip()
        sh(f"echo 128 >/sys/block/{os.path.basename(self.loop)}/queue/read_ahead_kb; mount {self.loop} {self.disk}")
        sh(f"{self.clone} -q {IMAGES}/v1.ext4.cba {self.disk}/store/v1")
        sh(f"cp --sparse=never {IMAGES}/v1.ext4 {self.disk}/v1.img && cp {IMAGES}/v1.ext4 {self.disk}/sparse.img")
        if self.desync:
            sh(f"{self.desync} make -s {self.disk}/castr {self.disk}/v1.caibx {self.disk}/v1.img 2>/dev/null"
               f" || {{ mkdir -p {self.disk}/castr && {self.desync} make -s {self.disk}/castr"
               f" {self.disk}/v1.caibx {self.disk}/v1.img 2>/dev/null; }}")
            os.rename(f"{self.disk}/v1.caibx", f"{self.disk}/v1.ext4.caibx")
        sh(f"sync -f {self.disk}")

    def stop(self):
        if self.loop:
            subprocess.run(f"umount {self.disk}; losetup -d {self.loop}", shell=True)

    def ihop(self, *parameters):
        return Server([self.plugin, f"{self.disk}/store/v1", *parameters], self.work)

    def file(self, *filters, image="v1.img"):
        return Server([*filters, "file", f"{self.disk}/{image}"], self.work)

    def fuse(self):
        return Fuse([self.desync, "mount-index", "-s", f"{self.disk}/castr", f"{self.disk}/v1.ext4.caibx"], self.work)

    def contenders(self, *more):
        return {"ihop": self.ihop, "file": self.file, **dict(more)}

    def desync_too(self):
        return [("desync", self.fuse)] if self.desync else []

    def jobs(self):
        """(job, unit, {who: server}, measure): measure(server) gives a number; for times, seconds."""
        readahead = ("file+readahead", lambda: self.file("--filter=readahead"))
        sparse = ("file, sparse", lambda: self.file(image="sparse.img"))
        sparse_readahead = ("sparse+readahead", lambda: self.file("--filter=readahead", image="sparse.img"))
        verify = ("ihop verify=first", lambda: self.ihop("verify=first"))
        no_check = ("ihop check=no", lambda: self.ihop("check=no"))

        def warm(measure):
            def run(make):
                with make() as server:
                    server.copy()
                    return measure(server)

            return run

        def cold(measure):
            def run(make):
                drop_caches()
                with make() as server:
                    return measure(server)

            return run

        def first_copy(make):
            sh(f"cat {self.disk}/*.img {self.disk}/store/chunks/*/* >/dev/null")
            with make() as server:
                return server.copy()

        def slow_disk(make):
            device = sh(f"cat /sys/block/{os.path.basename(self.loop)}/dev").decode().strip()
            with control_group("blkio", throttle__read_bps_device=f"{device} 200000000"):
                return cold(copy)(make)

        copy = lambda s: s.copy()
        one_by_one = lambda s: s.copy("--connections=1 --requests=1 --request-size=131072")
        runtime = "--time_based --runtime=2"
        yield "sequential warm", "MiB/s", self.contenders(sparse), warm(copy)
        yield "first copy, pages warm", "MiB/s", self.contenders(sparse, verify, *self.desync_too()), first_copy
        yield "random, depth 16, warm", "IO/s", self.contenders(sparse, *self.desync_too()), warm(
            lambda s: s.random_reads(16, runtime))
        yield "random, depth 1, warm", "IO/s", self.contenders(sparse, *self.desync_too()), warm(
            lambda s: s.random_reads(1, runtime))
        yield "sequential cold", "MiB/s", self.contenders(
            readahead, sparse, sparse_readahead, verify, *self.desync_too()), cold(copy)
        yield "sequential cold, 1 by 1", "MiB/s", self.contenders(readahead, sparse, sparse_readahead), cold(one_by_one)
        yield "sequential cold, 200 MB/s", "MiB/s", self.contenders(readahead, sparse), slow_disk
        yield "random, depth 1, cold", "IO/s", self.contenders(sparse, no_check, *self.desync_too()), cold(
            lambda s: s.random_reads(1, "--number_ios=1500"))
        yield "first byte, warm", "s", self.contenders(no_check), lambda make: first_byte(make())
        yield "first byte, cold", "s", self.contenders(no_check), lambda make: (drop_caches(), first_byte(make()))[1]

    def run(self, rounds, wanted):
        for job, unit, contenders, measure in self.jobs():
            if wanted not in job:
                continue
            values = {who: [] for who in contenders}
            for i in range(rounds):
                # Each server goes first in turn.
                first = i % len(contenders)
                for who, make in (list(contenders.items()) * 2)[first : first + len(contenders)]:
                    values[who].append(measure(make))
            print_job(job, unit, values)

    def memory(self):
        before = None
        for who, arguments in (
            ("file", ["file", f"{self.disk}/v1.img"]),
            ("ihop", [self.plugin, f"{self.disk}/store/v1"]),
            ("ihop maxfds=0", [self.plugin, f"{self.disk}/store/v1", "maxfds=0"]),
        ):
            used, descriptors = charged(arguments, self.work)
            before = before or used
            allowed = before if who == "file" else before + 4 + 3 * descriptors / 1024
            print(f"{'memory':<26} {who:<18} {used:9.1f} MiB, {descriptors} chunks open (allowed {allowed:.1f})")


def print_job(job, unit, values):
    for who, v in values.items():
        ratios = [own / other if unit != "s" else other / own for own, other in zip(values["ihop"], v)]
        shown = "" if who == "ihop" else f"{statistics.median(ratios):6.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        median = f"{statistics.median(v):9.0f}" if unit != "s" else f"{statistics.median(v):9.4f}"
        print(f"{job:<26} {who:<18} {median} {unit:<6} {shown}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=7, metavar="ROUNDS")
    parser.add_argument("--job", default="", help="only jobs whose name contains this; memory is one")
    parser.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = parser.parse_args()
    if not os.path.isdir(IMAGES):
        sys.exit(f"{IMAGES} is missing: see the top of this script")
    with tempfile.TemporaryDirectory(dir=IMAGES) as work:
        bench = Bench(os.path.abspath(args.build), work)
        try:
            bench.start()
            print(f"{'job':<26} {'who':<18} {'median':>9} {'':<6} ihop / it (min-max)")
            bench.run(args.n, args.job)
            if args.job in "memory" or not args.job:
                bench.memory()
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
