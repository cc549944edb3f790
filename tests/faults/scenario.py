# SPDX-License-Identifier: MIT
"""scenario: a clone that something is done to, and what must hold after that.

    first     into a store that does not exist
    update    of a store that has another release, which shares chunks
    delta     update, with a delta pack beside the archive
    replace   with --force, over a release of that name

What must hold, whatever happened: a release is absent, old or new, in full (in
replace never absent); every chunk that has its name is good; the same clone, run
again, succeeds and fetches at most what was missing.
"""
import hashlib
import io
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ihopformat.archive import Archive, fixed_cuts  # noqa: E402
from ihopformat.delta import make_pack, read_table  # noqa: E402
from ihopformat.noise import noise  # noqa: E402
from ihopformat.release import read_release  # noqa: E402
from ihopformat.store import Damaged, check_chunks  # noqa: E402

KINDS = ("first", "update", "delta", "replace")
BATCH_CHUNKS = 1024  # common/store/chunk_writer.h


class Broken(Exception):
    """What must hold does not: what kind of breach, and where."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def numbered(n, size):
    """The content of a chunk; that of -n differs in a byte from that of n."""
    data = noise(b"%d" % abs(n), size)
    return data if n >= 0 else bytes([data[0] ^ 1]) + data[1:]


class Image:
    """An image in an archive, and the names of its chunks in order."""

    def __init__(self, path, chunk_size, numbers):
        data = self.data = b"".join(numbered(n, chunk_size) for n in numbers)
        archive = Archive(data, fixed_cuts(len(data), chunk_size))
        with open(path, "wb") as f:
            f.write(archive.encode())
        self.archive = path
        self.checksum = hashlib.blake2b(data).digest()
        self.order = [hashlib.blake2b(data[at:at + chunk_size]).hexdigest() + ".chunk"
                      for at in range(0, len(data), chunk_size)]
        self.chunks = set(self.order)

    def is_at(self, release, chunks):
        """Whether a release file is this image; chunks: names that are in the store."""
        checksum, order = content(release)
        return checksum == self.checksum and order == self.order and self.chunks <= chunks


known = {}  # releases that were parsed: most of what is looked at is the same


def content(release):
    """The image's checksum and the names of the chunks in order."""
    with open(release, "rb") as f:
        data = f.read()
    if data not in known:
        info, paths = read_release(release)
        known[data] = info["checksum"], [os.path.basename(path) for path, _ in paths]
    return known[data]


class Scenario:
    """In directory: the archives. shared, old, new: how many chunks both images have, and
    each alone."""

    def __init__(self, kind, clone, directory, chunk_size, shared, old, new, sync="fs", jobs=2):
        self.kind, self.sync, self.jobs = kind, sync, jobs
        self.clone = clone
        olds = range(10**6, 10**6 + old)
        heirs = [-n for n in olds][:new] if kind == "delta" else []
        numbers = [*range(shared), *heirs, *range(shared, shared + new - len(heirs))]
        self.new = Image(os.path.join(directory, "new.cba"), chunk_size, numbers)
        self.old = None
        if kind != "first":
            self.old = Image(os.path.join(directory, "old.cba"), chunk_size, [*range(shared), *olds])
        if kind == "delta":
            self.make_pack()
        self.target = "v1" if kind == "replace" else "v2"
        self.fetches = len(self.new.chunks - (self.old.chunks if self.old else set()))

    def make_pack(self):
        """Beside the new archive, from the old one."""
        with open(self.new.archive, "rb") as f:
            pack = make_pack(read_table(self.old.archive), io.BytesIO(self.old.data), f.read())
        with open(f"{self.new.archive}.from-{self.old.checksum.hex()[:16]}", "wb") as f:
            f.write(pack.encode())

    def prepare(self, store):
        """Makes what is there before."""
        if self.old:
            subprocess.run([self.clone, "--quiet", self.old.archive, f"{store}/v1"], check=True)

    def command(self, store):
        options = ["--quiet", "--json", "--sync", self.sync, "--jobs", str(self.jobs)]
        if self.kind == "replace":
            options.append("--force")
        return [self.clone, *options, self.new.archive, f"{store}/{self.target}"]

    def identify(self, store, name, chunks):
        """Which release has the name: absent, old or new."""
        path = os.path.join(store, name)
        if not os.path.lexists(path):
            return "absent"
        try:
            if self.new.is_at(path, chunks):
                return "new"
            if self.old and self.old.is_at(path, chunks):
                return "old"
        except (OSError, AssertionError, ValueError) as error:
            raise Broken("release", f"{name} is damaged: {error}") from error
        raise Broken("release", f"{name} is not whole")

    def judge(self, store):
        """The state of the target, and the names of the chunks that are there."""
        try:
            chunks = check_chunks(store)
        except Damaged as damage:
            raise Broken("chunk", str(damage)) from damage
        state = self.identify(store, self.target, chunks)
        if state not in {"first": ("absent", "new"), "update": ("absent", "new"),
                         "delta": ("absent", "new"), "replace": ("old", "new")}[self.kind]:
            raise Broken("release", f"{self.target} is {state}")
        if self.kind in ("update", "delta") and self.identify(store, "v1", chunks) != "old":
            raise Broken("release", "the old release is gone")
        if os.path.exists(store) and not set(os.listdir(store)) <= {"chunks", ".ihop", "v1", "v2"}:
            raise Broken("stray", f"in the store: {os.listdir(store)}")
        return state, chunks

    def run_again(self, store, limit):
        """Runs the clone once more, undisturbed. It may fetch limit chunks."""
        run = subprocess.run(self.command(store), capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Broken("rerun", f"exit code {run.returncode}: {run.stderr.strip()}")
        result = json.loads(run.stdout.splitlines()[-1])
        fetched = result["chunks_fetched"] + result["chunks_delta"]
        if self.kind == "delta" and result["chunks_fetched"]:
            raise Broken("rerun", "the pack was not used")
        if fetched > limit:
            raise Broken("rerun", f"fetched {fetched} chunks, more than {limit}")
        state, _ = self.judge(store)
        if state != "new":
            raise Broken("rerun", f"{self.target} is {state} after a rerun")
        # One with nothing to do leaves what an earlier one left: a clean-up's work.
        if result["outcome"] != "complete":
            for directory in ("staging", "partial"):
                if os.listdir(os.path.join(store, ".ihop", directory)):
                    raise Broken("stray", f"in {directory} after a rerun")
        return fetched
