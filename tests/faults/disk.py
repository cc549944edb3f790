# SPDX-License-Identifier: MIT
"""disk: small file systems in files, for tests that run as root."""
import contextlib
import os
import subprocess
import time

MIB = 1024 * 1024
# mkfs, size, options of mount that keep the kernel from writing for itself.
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-i", "8192", "-E",
              "nodiscard,lazy_itable_init=0,lazy_journal_init=0"], 96 * MIB, ["noinit_itable"]),
    "ext4-writeback": (["mkfs.ext4", "-q", "-F", "-i", "8192", "-E",
              "nodiscard,lazy_itable_init=0,lazy_journal_init=0"], 96 * MIB, ["noinit_itable", "data=writeback"]),
    "xfs": (["mkfs.xfs", "-q", "-f", "-K"], 300 * MIB, []),
    "btrfs": (["mkfs.btrfs", "-q", "-f", "-K"], 256 * MIB, []),
}


class CannotMount(Exception):
    """What mount says."""


def make(path, fs):
    command, size, _ = KINDS[fs]
    with open(path, "wb") as f:
        f.truncate(size)
    subprocess.run([*command, path], check=True, stdout=subprocess.DEVNULL)


def unmount(directory):
    """At once when nobody uses it; a process that was killed may take a moment."""
    for _ in range(2000):
        run = subprocess.run(["umount", directory], stderr=subprocess.PIPE, check=False)
        if run.returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"cannot unmount {directory}: {run.stderr.decode()}")


@contextlib.contextmanager
def mounted(device, directory, fs, *options):
    """A block device, or a file through a loop device that goes with it."""
    options = [*KINDS[fs][2], *options]
    if not device.startswith("/dev/loop"):
        options.append("loop")
    os.makedirs(directory, exist_ok=True)
    run = subprocess.run(["mount", "-t", fs.split("-")[0], "-o", ",".join(options or ["rw"]), device, directory],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise CannotMount(run.stderr.strip())
    try:
        yield directory
    finally:
        unmount(directory)


def copy_sparse(source, target):
    """The holes of source stay holes."""
    with open(source, "rb") as a, open(target, "wb") as b:
        size = os.fstat(a.fileno()).st_size
        b.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(a.fileno(), at, os.SEEK_DATA)
            except OSError:
                break  # nothing but a hole
            end = os.lseek(a.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += os.copy_file_range(a.fileno(), b.fileno(), end - at, at, at)


@contextlib.contextmanager
def served(plugin, directory, *parameters):
    """A loop device on a disk that nbdkit serves with a plugin, through FUSE."""
    fuse = os.path.join(directory, "fuse")
    os.makedirs(fuse, exist_ok=True)
    ready = os.path.join(directory, "fuse.pid")
    server = subprocess.Popen(["nbdfuse", "-P", ready, f"{fuse}/disk", "--command",
                               "nbdkit", "-s", *plugin, *parameters])
    try:
        while not (os.path.exists(ready) and os.path.getsize(ready)):
            if server.poll() is not None:
                raise RuntimeError("nbdfuse does not start")
            time.sleep(0.02)
        run = subprocess.run(["losetup", "--find", "--show", f"{fuse}/disk"], check=True,
                             capture_output=True, text=True)
        try:
            yield run.stdout.strip()
        finally:
            subprocess.run(["losetup", "-d", run.stdout.strip()], check=True)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ready)
        subprocess.run(["umount", fuse], check=False)
        server.wait(300)
