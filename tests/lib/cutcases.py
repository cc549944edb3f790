#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cutcases.py: inputs that are hard to cut, and how bita cuts them.

    cutcases.py vectors             the cases as bita cuts them (tests/data/chunk-sizes.txt)
    cutcases.py check CUT-FILE VECTORS      cuts each case and compares with VECTORS
    cutcases.py compare CUT-FILE FILE OPTION...     cuts FILE as `bita compress OPTION...`
                                    does, which must have put it into FILE.cba

A vector is: ALGORITHM FILTER-BITS MIN MAX WINDOW INPUT COUNT DIGEST, one a line; COUNT
chunks, and DIGEST over their sizes. CUT-FILE is the program of tests/cut-file.c.
"""

import hashlib
import os
import struct
import subprocess
import sys
import tempfile

from ihopformat.archive import BUZHASH, FIXED
from ihopformat.noise import noise
from ihopformat.protobuf import fields, unpack_numbers

ALGORITHMS = ["buzhash", "rollsum", "fixed"]
JOBS = (0, 3)
# Average, minimum, maximum, window; bita wants them in order, window aside.
ROLLING = [
    (1024, 256, 4096, 64),
    (1024, 256, 4096, 16),
    (64, 16, 512, 64),      # the window exceeds the minimum
    (256, 64, 1024, 64),    # is the minimum
    (256, 65, 1024, 64),    # is one less
    (256, 66, 1024, 64),
    (128, 0, 1000, 48),     # no minimum
    (128, 1, 1000, 33),
    (300, 300, 300, 20),    # a fixed size in disguise
    (64, 64, 64, 64),       # all of it the window
    (4, 2, 64, 1),
    (1 << 17, 100, 1 << 18, 32),    # needs the upper half of the sum
]
FIXED_SIZES = [1, 100, 4096, 65536]


def inputs(low, high, window):
    """Name and content of each input for chunks of low to high bytes."""
    yield "empty", b""
    sizes = {1, window - 1, window, window + 1, low - 1, low, low + 1, high - 1, high, high + 1}
    for size in sorted(s for s in sizes if 0 < s <= 1 << 18):
        yield f"noise-{size}", noise("short", size)
        yield f"zeros-{size}", bytes(size)
    yield "noise", noise("long", 30011)
    yield "zeros", bytes(30011)
    yield "ones", b"\xff" * 30011
    yield "bits", bytes(b & 1 for b in noise("bits", 30011))
    yield "period", noise("period", window) * (20000 // window)
    yield "period-1", noise("period", window + 1) * (20000 // (window + 1))
    # Runs around the window's length.
    yield "runs", b"".join(bytes([b]) * (window - 2 + i % 5) for i, b in enumerate(noise("runs", 300)))
    # BuzHash starts in its own way when zeros follow the first window.
    for last in (0, 1, 77, 200):
        head = noise("head", window)[:-1] + bytes([last])
        yield f"start-{last}", head + bytes(9000) + noise("tail", 9000)
        for gap in (window - 1, window, window + 1):
            yield f"start-{last}-{gap}", head + bytes(gap) + noise("tail", 9000)
    # All that is fed are zeros, but there is noise below the minimum.
    skipped = max(low - window - 1, 0)
    head = noise("head", window).ljust(skipped, b"\5")
    yield "unfed", head + bytes(high - len(head)) + (noise("unfed", skipped) + bytes(high - skipped)) * 3


def cases():
    """(algorithm, filter bits, min, max, window, name of the input), bita's options, input."""
    for algorithm in ("rollsum", "buzhash"):
        for average, low, high, window in ROLLING:
            bits = average.bit_length() - 2
            options = rolling_options(algorithm, average, low, high, window)
            for name, data in inputs(low, high, window):
                yield (algorithm, bits, low, high, window, name), options, data
    for size in FIXED_SIZES:
        for name, data in (("empty", b""), ("less", bytes(size - 1)), ("one", bytes(size)),
                           ("more", noise("more", size + 1)), ("noise", noise("fixed", 20000))):
            yield ("fixed", 0, 0, size, 0, name), ["--fixed-size", f"{size}B"], data


def rolling_options(algorithm, average, low, high, window):
    name = {"rollsum": "RollSum", "buzhash": "BuzHash"}[algorithm]
    return ["--hash-chunking", name, "--avg-chunk-size", f"{average}B", "--min-chunk-size",
            f"{low}B", "--max-chunk-size", f"{high}B", "--rolling-window-size", f"{window}B"]


def archive_sizes(path):
    """What an archive was cut with, as cut-file takes it, and its chunks' sizes."""
    with open(path, "rb") as f:
        dictionary = f.read(struct.unpack("<Q", f.read(14)[6:])[0])
    order, sizes, params = [], [], {}
    for field, value in fields(dictionary):
        if field == 4:
            params = dict(fields(value))
        elif field == 6:
            order += unpack_numbers(value)
        elif field == 7:
            sizes.append(dict(fields(value))[5])
    algorithm = params.get(6, BUZHASH)
    numbers = [params.get(i, 0) for i in (1, 2, 3, 4)]
    if algorithm == FIXED:
        numbers = [0, 0, params[3], 0]
    return (ALGORITHMS[algorithm], *numbers), [sizes[i] for i in order]


def bita_sizes(options, image, archive):
    run = subprocess.run(["bita", "compress", "--force-create", "--compression", "none", *options,
                          "--input", image, archive], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    # It writes the archive of an empty image, then divides by its size.
    if run.returncode != 0 and os.path.getsize(image) > 0:
        sys.exit(run.stdout.decode(errors="replace"))
    return archive_sizes(archive)


def our_sizes(program, config, jobs, image):
    with open(image, "rb") as f:
        run = subprocess.run([program, *map(str, config), str(jobs)], stdin=f, check=True,
                             stdout=subprocess.PIPE)
    return list(map(int, run.stdout.split()))


def vector(case, sizes):
    digest = hashlib.blake2b(" ".join(map(str, sizes)).encode(), digest_size=8).hexdigest()
    return " ".join(map(str, (*case, len(sizes), digest)))


def write_vectors(image):
    for case, options, data in cases():
        with open(image, "wb") as f:
            f.write(data)
        config, sizes = bita_sizes(options, image, image + ".cba")
        assert config == case[:5], f"bita cut {case} with {config}"
        assert sum(sizes) == len(data), case
        print(vector(case, sizes))


def check(image, program, path):
    with open(path, encoding="ascii") as f:
        expected = f.read().splitlines()
    wrong = count = 0
    for (case, _, data), line in zip(cases(), expected, strict=True):
        with open(image, "wb") as f:
            f.write(data)
        for jobs in JOBS:
            sizes = our_sizes(program, case[:5], jobs, image)
            count += 1
            if vector(case, sizes) != line:
                wrong += 1
                print(f"jobs {jobs}: {vector(case, sizes)}, bita: {line}; {sizes[:12]}")
    print(f"{count} cuts, {wrong} wrong")
    return wrong > 0 or count == 0


def compare(program, image, options):
    config, sizes = bita_sizes(options, image, image + ".cba")
    print(f"{os.path.basename(image)}: {config}, {len(sizes)} chunks")
    for jobs in JOBS:
        ours = our_sizes(program, config, jobs, image)
        if ours != sizes:
            first = next(i for i, (a, b) in enumerate(zip(ours + [0], sizes + [0])) if a != b)
            print(f"jobs {jobs}: chunk {first} differs: {ours[first:first + 5]}, "
                  f"bita: {sizes[first:first + 5]}")
            return True
    return not sizes


def main(args):
    with tempfile.TemporaryDirectory() as directory:
        image = os.path.join(directory, "image")
        if args == ["vectors"]:
            return write_vectors(image)
        if len(args) == 3 and args[0] == "check":
            return check(image, *args[1:])
        if len(args) >= 3 and args[0] == "compare":
            return compare(args[1], args[2], args[3:])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
