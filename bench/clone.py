#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long clones take, beside bita, desync and the limit of the machine.

Run as root, after bench/make-images.sh (or bench/real-images.sh) has made the images:
    contrib/build.sh
    bench/clone.py [-n ROUNDS] [--job NAME] [BUILD-DIRECTORY]

Every job ends durable: ihop-clone does by itself, the others are followed by a sync
of the file system. All write to one fresh ext4 on a loop device and read from one nginx
on loopback. The commands take turns, so that they share what the machine does
besides. Medians, and the ratio of ihop's median to each.

Delta packs are made once, into packs/ beside the images, or into IHOP_BENCH_PACKS; where they
lie nobody finds them but who asks there.

Tools are taken from PATH, or from BITA and DESYNC; one that is missing is left out.
IHOP_BENCH_DIR is where the images are (default: bench-images).
"""

import argparse
import glob
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGES = os.path.abspath(os.environ.get("IHOP_BENCH_DIR", "bench-images"))


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def tool(name):
    extra = os.path.expanduser("~/.cargo/bin")
    path = shutil.which(os.environ.get(name.upper(), name), path=f"{os.environ['PATH']}:{extra}")
    if not path:
        print(f"{name} is missing: left out", file=sys.stderr)
    return path


class Bench:
    def __init__(self, build, work):
        self.clone = f"{build}/ihop-clone"
        self.compress = f"{build}/ihop-compress"
        self.limit = f"{build}/bench-limit"
        for program in self.clone, self.limit:
            if not os.path.exists(program):
                sys.exit(f"{program} is not built: make -C {build}")
        self.bita, self.desync = tool("bita"), tool("desync")
        self.work, self.disk = work, f"{work}/disk"
        self.packs = os.path.abspath(os.environ.get("IHOP_BENCH_PACKS", f"{IMAGES}/packs"))
        self.nginx = None

    def archives(self):
        """What the images are made into is kept beside them."""
        for v in "v1", "v2", "v3":
            image = f"{IMAGES}/{v}.ext4"
            if not os.path.exists(image):
                sys.exit(f"{image} is missing: bench/make-images.sh {IMAGES}")
            if not os.path.exists(f"{image}.cba"):
                if not self.bita:
                    sys.exit(f"{image}.cba is missing, and there is no bita to make it")
                sh(f"{self.bita} compress -i {image} {image}.cba")
            os.makedirs(self.packs, exist_ok=True)
            archive = f"{self.packs}/{v}.ext4.cba"
            if not os.path.exists(archive):
                os.symlink(f"{image}.cba", archive)
            older = {"v2": "v1", "v3": "v2"}.get(v)
            if older and not glob.glob(f"{archive}.from-*"):
                sh(f"{self.compress} -q --delta-from {self.packs}/{older}.ext4.cba {archive}")
            if self.desync and not os.path.exists(f"{image}.caibx"):
                sh(f"mkdir -p {IMAGES}/castr && {self.desync} make -s {IMAGES}/castr {image}.caibx {image}")

    def start(self):
        sh(f"truncate -s 10G {self.work}/fs && mkfs.ext4 -q -F -m 0 -E nodiscard {self.work}/fs")
        os.mkdir(self.disk)
        sh(f"mount -o loop {self.work}/fs {self.disk}")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with open(f"{self.work}/nginx.conf", "w") as conf:
            conf.write(
                f"daemon off; pid {self.work}/pid; error_log {self.work}/error; user root;\n"
                "events {}\n"
                f"http {{ access_log off; sendfile on; keepalive_requests 100000; server {{ listen 127.0.0.1:{port};"
                f" root {IMAGES}; location /packs/ {{ alias {self.packs}/; }} }} }}\n"
            )
        self.nginx = subprocess.Popen(["nginx", "-c", f"{self.work}/nginx.conf"], stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        time.sleep(1)

    def stop(self):
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait()
        subprocess.run(f"umount {self.disk}", shell=True, stderr=subprocess.DEVNULL)

    def ihop(self, store, v, options="", directory=""):
        return f"{self.clone} -q {options} {self.url}/{directory}{v}.ext4.cba {self.disk}/{store}/{v}"

    def bita_clone(self, options, v, output):
        return f"{self.bita} clone {options} {self.url}/{v}.ext4.cba {self.disk}/{output} 2>/dev/null; sync -f {self.disk}"

    def desync_cache(self, cache, v):
        return (
            f"{self.desync} cache -s {self.url}/castr/ -c {self.disk}/{cache} {self.url}/{v}.ext4.caibx"
            f" 2>/dev/null; sync -f {self.disk}"
        )

    def jobs(self):
        """(job, who, prepare, command): prepare is not timed."""
        d = self.disk
        base = f"rm -rf {d}/s && cp -a {d}/base {d}/s"
        yield "first clone", "ihop", f"rm -rf {d}/s", self.ihop("s", "v1")
        yield "first clone", "limit", f"rm -rf {d}/l", f"{self.limit} {IMAGES}/v1.ext4.cba {d}/l"
        if self.bita:
            yield "first clone", "bita", f"rm -f {d}/o", self.bita_clone("", "v1", "o")
        if self.desync:
            yield "first clone", "desync", f"rm -rf {d}/c; mkdir {d}/c", self.desync_cache("c", "v1")
        for old, new in ("v1", "v2"), ("v2", "v3"):
            job = f"update {old} -> {new}"
            release = f"{d}/base/{old}" if old == "v1" else f"{d}/base/v1 {d}/base2/v2"
            if old == "v2":
                base = f"rm -rf {d}/s && cp -a {d}/base2 {d}/s"
            yield job, "ihop", base, self.ihop("s", new)
            yield job, "ihop, delta pack", base, self.ihop("s", new, directory="packs/")
            yield job, "limit", f"rm -rf {d}/l", f"{self.limit} {IMAGES}/{new}.ext4.cba {d}/l {release}"
            if self.bita:
                yield job, "bita --seed", f"rm -f {d}/o", self.bita_clone(f"--seed {d}/{old}.img", new, "o")
                yield job, "bita --seed-output", f"cp {d}/{old}.img {d}/o", self.bita_clone("--seed-output", new, "o")
            if self.desync:
                cache = "cbase" if old == "v1" else "cbase2"
                yield job, "desync", f"rm -rf {d}/c; cp -a {d}/{cache} {d}/c", self.desync_cache("c", new)
        if self.bita:
            yield "first, with seed", "ihop", f"rm -rf {d}/s", self.ihop("s", "v2", f"--seed {d}/v1.img")
            yield "first, with seed", "bita", f"rm -f {d}/o", self.bita_clone(f"--seed {d}/v1.img", "v2", "o")
        yield "nothing to do", "ihop", "true", self.ihop("base", "v1")
        if self.desync:
            yield "nothing to do", "desync", "true", self.desync_cache("cbase", "v1")

    def prepare(self):
        d = self.disk
        sh(self.ihop("base", "v1") + f" && cp -a {d}/base {d}/base2 && " + self.ihop("base2", "v2"))
        sh(f"cp {IMAGES}/v1.ext4 {d}/v1.img; cp {IMAGES}/v2.ext4 {d}/v2.img")
        if self.desync:
            sh(f"mkdir {d}/cbase; {self.desync_cache('cbase', 'v1')}")
            sh(f"cp -a {d}/cbase {d}/cbase2; {self.desync_cache('cbase2', 'v2')}")

    def run(self, rounds, wanted):
        by_job, times = {}, {}
        for job, who, prepare, command in self.jobs():
            if wanted in job:
                by_job.setdefault(job, []).append((who, prepare, command))
        for i in range(rounds):
            for job, commands in by_job.items():
                # Each program goes first in turn, because what one leaves to write slows down the next.
                first = i % len(commands)
                for who, prepare, command in commands[first:] + commands[:first]:
                    sh(prepare)
                    sh(f"sync -f {self.disk}; sync {self.work}/fs; sleep 1")
                    begun = time.monotonic()
                    sh(command)
                    times.setdefault(job, {}).setdefault(who, []).append(time.monotonic() - begun)
        return times


def print_table(times):
    print(f"{'job':<18} {'who':<20} {'median s':>9} {'min':>7} {'max':>7} {'ihop / it':>10}")
    for job, by_who in times.items():
        own = statistics.median(by_who["ihop"])
        for who, t in by_who.items():
            m = statistics.median(t)
            print(f"{job:<18} {who:<20} {m:9.3f} {min(t):7.3f} {max(t):7.3f} {own / m:10.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=5, metavar="ROUNDS")
    parser.add_argument("--job", default="", help="only jobs whose name contains this")
    parser.add_argument("build", nargs="?", default=f"{SOURCE}/build")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=IMAGES) as work:
        bench = Bench(os.path.abspath(args.build), work)
        try:
            bench.archives()
            bench.start()
            bench.prepare()
            print_table(bench.run(args.n, args.job))
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
