#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""uboot.py: types lines into a U-Boot that runs in qemu, and prints the lines that it answers to
each "echo".

    uboot.py ROM DISK <LINES

DISK is U-Boot's "nvme 0"."""
import os
import select
import subprocess
import sys
import time

LIMIT_S = 200  # software emulation, on a busy machine


def main():
    rom, disk = sys.argv[1:]
    machine = subprocess.Popen(
        ["qemu-system-i386", "-M", "pc", "-m", "256", "-nographic", "-monitor", "none", "-net",
         "none", "-serial", "stdio", "-bios", rom, "-drive", f"file={disk},format=raw,if=none,id=d",
         "-device", "nvme,drive=d,serial=1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    end, seen = time.monotonic() + LIMIT_S, b""

    def read_until(text):
        nonlocal seen
        while text not in seen:
            if not select.select([machine.stdout], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"no {text} from U-Boot: {seen.decode('latin1')}")
            data = os.read(machine.stdout.fileno(), 4096)
            if not data:
                sys.exit(f"the machine ended: {seen.decode('latin1')}")
            seen += data
        answer, seen = seen.split(text, 1)
        return answer.decode("utf-8", "replace").replace("\r", "")

    def type_line(line):
        machine.stdin.write(line.encode() + b"\n")
        machine.stdin.flush()

    try:
        read_until(b"autoboot")
        type_line("")
        read_until(b"=> ")
        for line in sys.stdin.read().splitlines():
            type_line(line)
            answer = read_until(b"\n=> ")
            if line.startswith("echo"):
                print(answer.strip("\n").splitlines()[-1])
            else:
                print(answer, file=sys.stderr)
    finally:
        machine.kill()


if __name__ == "__main__":
    main()
