#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bootmodel.py: random sequences of commands about which release boots, each compared with a
model that was written from docs/store.md.

    bootmodel.py SEQUENCES FIRST-SEED IHOP-STORE IHOP-CLONE SCRIPT SHELL DIRECTORY

DIRECTORY/N.cba are archives of images that share no chunk, N from 0. SCRIPT is
docs/which-boots.sh, which SHELL runs: what it says must be the same wherever it can tell.
"""
import os
import random
import shlex
import shutil
import subprocess
import sys

NAMES = ["v1", "v 2", "é=x", "q'\"$(x)`", "-n", "tries=3", "a\\b;#", "n" * 200]
ROLES = ("default", "good", "trial", "booted")
STEPS = 14


def cksum(data):
    """POSIX."""
    crc, n = 0, len(data)
    while n:
        data += bytes([n & 255])
        n >>= 8
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 1 << 31 else 0)) & 0xFFFFFFFF
    return crc ^ 0xFFFFFFFF


class Model:
    """What should be. An image is its number; a role is (name, image) or None."""

    def __init__(self):
        self.default = self.good = self.trial = self.booted = None
        self.tries, self.this_boot, self.chosen = 0, True, False
        self.releases = {}  # by name, the oldest first
        self.broken = set()  # images
        self.damaged = None  # the record of the spare, when the file is damaged

    def whole(self, name):
        return name in self.releases and self.releases[name] not in self.broken

    def now(self, name):
        return (name, self.releases[name])

    def failed(self):
        return self.trial and self.tries == 0 and not (self.trial == self.booted and self.this_boot)

    def keeps(self, name):
        kept = [self.default, self.good, self.booted] + ([] if self.failed() else [self.trial])
        return name in [r[0] for r in kept if r]

    def become_default(self, choice):
        if self.default and self.default[0] != choice[0]:
            self.good = self.default
        elif self.good and self.good[0] == choice[0]:
            self.good = None
        self.default, self.trial, self.tries = choice, None, 0

    def set_default(self, name):
        if not self.whole(name):
            return 10
        self.become_default(self.now(name))
        self.chosen = True
        return 0

    def try_it(self, name, tries, once=False):
        if not self.whole(name):
            return 10
        new = self.now(name)
        if new == self.default or once and new in (self.trial, self.good):
            return 0
        if self.default and self.default[0] == name:
            return 12
        if self.good and self.good[0] == name:
            self.good = None
        self.trial, self.tries, self.chosen = new, tries, True
        return 0

    def choose(self, skip):
        if not self.chosen:
            return None, None
        for role in (self.trial, self.default, self.good):
            if not role or role[0] in skip or not self.whole(role[0]):
                continue
            if role is self.trial and (self.tries == 0 or role != self.now(role[0])):
                continue
            return self.now(role[0]), role is self.trial
        looked = [r[0] for r in (self.trial, self.default, self.good) if r]
        for name in reversed(list(self.releases)):
            if name not in looked and name not in skip and self.whole(name):
                return self.now(name), False
        return None, None

    def boot(self, skip):
        choice, trial = self.choose(skip)
        if choice:
            self.tries -= 1 if trial else 0
            self.booted, self.this_boot = choice, True
        return choice[0] if choice else None

    def say_good(self, name):
        if not self.chosen:
            return 10
        if not self.booted or not self.this_boot or name not in (None, self.booted[0]):
            return 0
        if self.booted != self.trial:
            return 0
        if not self.whole(self.booted[0]):
            return 10
        if self.now(self.booted[0]) != self.booted:
            return 12
        self.become_default(self.booted)
        return 0

    def clone(self, name, image, tries):
        if tries and self.default and self.default[0] == name and self.default[1] != image:
            return 12
        if self.releases.get(name) != image or image in self.broken:
            self.releases.pop(name, None)
            self.releases[name] = image
            self.broken.discard(image)
        return self.try_it(name, tries, once=True) if tries else 0

    def remove(self, name):
        if name not in self.releases:
            return 10
        if self.keeps(name):
            return 8
        del self.releases[name]
        return 0

    def clean(self):
        for name in list(self.releases)[:-1]:
            if not self.keeps(name):
                del self.releases[name]
        return 0


class Device:
    """What is."""

    def __init__(self, arguments):
        self.tool, self.cloner, script, shell, self.directory = arguments
        self.script = [*shlex.split(shell), script]
        self.store = f"{self.directory}/store"
        self.boot_file = f"{self.store}/.ihop/boot"
        self.ids = {}  # id to image

    def run(self, *command):
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def lines(self):
        if not os.path.exists(self.boot_file):
            return b""
        with open(self.boot_file, "rb") as f:
            data = f.read()
        before, check = data[:data.index(b"check=")], data[data.index(b"check=") + 6:]
        assert cksum(before) == int(check.split(b"\n")[0])
        return before

    def record(self):
        """As the model has it."""
        pairs = dict(line.split("=", 1) for line in self.lines().decode().splitlines()
                     if line and not line.startswith("#"))
        roles = [(pairs[r], self.ids[pairs[r + "_id"]]) if pairs.get(r) else None for r in ROLES]
        return [*roles, int(pairs.get("tries", 0))]

    def rewrite(self, lines):
        with open(self.boot_file, "wb") as f:
            f.write(lines + b"check=%d\n" % cksum(lines))

    def reboot(self):
        """The kernel's id of this boot is another one."""
        lines = [x for x in self.lines().split(b"\n") if not x.startswith(b"boot_id=")][:-1]
        self.rewrite(b"\n".join(lines) + b"\nboot_id=0-0\n")

    def chunk(self, image):
        with open(f"{self.directory}/{image}.chunk", encoding="ascii") as f:
            name = f.read().strip()
        return f"{self.store}/chunks/{name[:2]}/{name}.chunk"


class Walk:
    def __init__(self, arguments, seed):
        self.device, self.model, self.random = Device(arguments), Model(), random.Random(seed)
        self.log = [f"seed {seed}"]
        shutil.rmtree(self.device.store, ignore_errors=True)
        self.images = len([f for f in os.listdir(self.device.directory) if f.endswith(".cba")])
        for image in range(self.images):
            with open(f"{self.device.directory}/{image}.id", encoding="ascii") as f:
                self.device.ids[f.read().strip()] = image
        self.names = self.random.sample(NAMES, 4)
        for name in self.names[:self.random.randint(1, 4)]:
            self.clone(name, False)

    def expect(self, wanted, what, *command):
        got, out, err = self.device.run(*command)
        self.log.append(f"{what}: {got} {out.strip()!r} {err.strip()!r}, wanted {wanted}")
        if got != wanted:
            raise AssertionError("exit code")
        if "Sanitizer" in err:
            raise AssertionError("sanitizer")
        return out

    def tool(self, wanted, command, *arguments):
        return self.expect(wanted, f"{command} {arguments}", self.device.tool, command, *arguments)

    def clone(self, name, trying):
        image, tries = self.random.randrange(self.images), self.random.randint(1, 3)
        options = ["--try", "--tries", str(tries)] if trying else []
        wanted = self.model.clone(name, image, tries if trying else 0)
        self.expect(wanted, f"clone {name} {image} {options}", self.device.cloner, "-q", "-f",
                    *options, f"{self.device.directory}/{image}.cba", f"{self.device.store}/{name}")

    def boot(self, skip):
        options = [x for name in skip for x in ("--skip", name)]
        wanted = self.model.boot(skip)
        out = self.tool(0 if wanted else 10, "boot", *options, self.device.store)
        assert out == (wanted + "\n" if wanted else ""), "choice"

    def script_can_tell(self):
        m = self.model
        roles = [r for r in (m.trial, m.default, m.good) if r]
        return all(r[0] not in m.releases or m.whole(r[0]) and m.now(r[0]) == r for r in roles) and \
            any(r[0] in m.releases and (r is not m.trial or m.tries) for r in roles)

    def script(self, counts):
        """What the shell's script says."""
        if not self.script_can_tell():
            return
        wanted = self.model.boot([]) if counts else self.model.choose([])[0][0]
        out = self.expect(0, f"script {counts}", *self.device.script,
                          *(["--count"] if counts else []), self.device.store)
        assert out == wanted + "\n", "choice of the script"

    def damage(self, image, on):
        path = self.device.chunk(image)
        if not on and image in self.model.broken:
            shutil.copy(f"{self.device.directory}/{image}.data", path)
            self.model.broken.discard(image)
        elif on and image in self.model.releases.values():
            with open(path, "wb"):
                self.model.broken.add(image)
        self.log.append(f"broken: {self.model.broken}")

    def step(self):
        m, store, r = self.model, self.device.store, self.random
        name = r.choice(self.names)
        kind = r.choices(["default", "try", "boot", "good", "clone", "clone --try", "script",
                          "remove", "gc", "break", "mend", "reboot"],
                         [2, 4, 8, 4, 2, 3, 2, 1, 1, 1, 1, 1])[0]
        if kind == "default":
            self.tool(m.set_default(name), kind, store, "--", name)
        elif kind == "try":
            tries = r.randint(1, 3)
            self.tool(m.try_it(name, tries), kind, "--tries", str(tries), f"{store}/{name}")
        elif kind == "boot":
            self.boot(r.sample(self.names, r.choice([0, 0, 0, 1, 2])))
        elif kind == "good":
            named = r.choice([None, None, name])
            self.tool(m.say_good(named), kind, f"{store}/{named}" if named else store)
        elif kind in ("clone", "clone --try"):
            self.clone(name, kind != "clone")
        elif kind == "script":
            self.script(True)
        elif kind == "remove":
            self.tool(m.remove(name), kind, f"{store}/{name}")
        elif kind == "gc":
            self.tool(m.clean(), kind, "--keep", "1", store)
        elif kind in ("break", "mend"):
            self.damage(r.randrange(self.images), kind == "break")
        elif m.chosen:
            self.device.reboot()
            m.this_boot = m.booted is None
            self.log.append("reboot")

    def compare(self):
        m, got = self.model, self.device.record()
        wanted = [m.default, m.good, m.trial, m.booted, m.tries]
        self.log.append(f"record: {got}, wanted {wanted}")
        assert got == wanted, "record"
        choice = m.choose([])[0]
        out = self.tool(0 if choice else 10, "boot", "--dry-run", self.device.store)
        assert out == (choice[0] + "\n" if choice else ""), "dry run"
        self.script(False)
        assert self.device.record() == wanted, "changed by looking"


def main():
    sequences, first, *arguments = sys.argv[1:]
    for seed in range(int(first), int(first) + int(sequences)):
        walk = Walk(arguments, seed)
        try:
            for _ in range(STEPS):
                walk.step()
                walk.compare()
        except (AssertionError, KeyError, ValueError) as wrong:
            print(*walk.log, f"{type(wrong).__name__}: {wrong}", sep="\n")
            return 1
    print(f"{sequences} sequences of {STEPS} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
