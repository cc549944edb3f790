#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cba.py: makes bita archives (.cba) for tests, valid ones and hostile ones.

It signs its own headers, so that a hostile dictionary gets past the checksum and
is judged by its content. Python's standard library is all it needs: brotli and
zstd streams are put together by hand here (stored blocks and runs), unless
their command line tools are there and --tools asks for them.

    cba.py make [options] INPUT OUTPUT    a valid archive of the file INPUT
    cba.py list                           hostile cases: NAME, exit code, regex, flags
    cba.py describe                       the same with one line on each fault
    cba.py hostile NAME OUTPUT            writes that archive
    cba.py image STORE/RELEASE            the image that a store holds, to stdout
    cba.py chunks STORE/RELEASE           the path of each of its chunk files
    cba.py table ARCHIVE                  what its header says, a fact on each line
    cba.py corpus DIRECTORY                  seeds for the fuzzers of tests/fuzz

The format, in short (docs/formats.md has it all):

    magic 6 | n: u64 LE | dictionary n | chunk data offset: u64 LE | BLAKE2b-512
"""

import argparse
import os
import sys

from cbacorpus import write_corpus
from cbaformat import CODECS, FIXED, OLD_MAGIC, Archive, fixed_cuts, read_release, unknown_fields
from cbaformat import archive_table, write_image
from cbahostile import CASES
import cbawrong  # noqa: F401  pylint: disable=unused-import  (adds to CASES)



def make_command(o):
    with open(o.input, "rb") as f:
        data = f.read()
    cuts = [int(c) for c in o.cuts.split(",")] if o.cuts else fixed_cuts(len(data), o.fixed)
    a = Archive(data, cuts, CODECS[o.codec], o.hash_length, o.tools, o.raw_every)
    if not o.cuts:
        a.params.update(bits=0, min=0, max=o.fixed, window=0, algorithm=FIXED)
    if o.window:
        a.params["window"] = o.window
    if o.old_magic:
        a.magic = OLD_MAGIC
    a.packed = not o.unpacked
    for item in o.metadata:
        key, _, value = item.partition("=")
        a.metadata.append((os.fsencode(key), os.fsencode(value)))
    if o.unreferenced:
        a.add(b"nothing refers to this chunk")
    if o.duplicate and a.descriptors:
        # The second descriptor of the same chunk has a place of its own.
        first = data[:(cuts + [len(data)])[0]]
        a.order[-1 if a.order[-1] == 0 else 0] = a.add(first, o.tools)
    if o.unknown_fields:
        a.extra = a.nested_extra = unknown_fields()
        for d in a.descriptors:
            d.extra = unknown_fields()
    if o.shuffle or o.gap:
        a.place(o.shuffle, o.gap)
    a.data_offset_gap = o.data_offset_gap
    with open(o.output, "wb") as f:
        f.write(a.encode())


def add_make_options(p):
    p.add_argument("--codec", choices=CODECS, default="none")
    p.add_argument("--tools", action="store_true", help="real zstd and brotli encoders")
    p.add_argument("--fixed", type=int, default=65536, help="chunk size, bytes")
    p.add_argument("--cuts", help="chunk borders instead: offsets, separated by commas")
    p.add_argument("--window", type=int, default=0, help="of the rolling sum, as declared")
    p.add_argument("--hash-length", type=int, default=64)
    p.add_argument("--old-magic", action="store_true", help="as bita 0.1.x")
    p.add_argument("--unpacked", action="store_true", help="one field for each order entry")
    p.add_argument("--unknown-fields", action="store_true", help="at every level")
    p.add_argument("--metadata", action="append", default=[], metavar="KEY=VALUE")
    p.add_argument("--raw-every", type=int, default=0, help="store each Nth chunk uncompressed")
    p.add_argument("--gap", type=int, default=0, help="bytes between chunks in the archive")
    p.add_argument("--shuffle", action="store_true", help="chunks in random places")
    p.add_argument("--data-offset-gap", type=int, default=0, help="bytes behind the header")
    p.add_argument("--unreferenced", action="store_true", help="a chunk that nothing uses")
    p.add_argument("--duplicate", action="store_true", help="two descriptors of one chunk")
    p.add_argument("input")
    p.add_argument("output")


def main():
    parser = argparse.ArgumentParser(description="Makes bita archives for tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    add_make_options(commands.add_parser("make"))
    commands.add_parser("list")
    commands.add_parser("describe")
    p = commands.add_parser("hostile")
    p.add_argument("name", choices=CASES, metavar="NAME")
    p.add_argument("output")
    for name in ("image", "chunks"):
        commands.add_parser(name).add_argument("release")
    commands.add_parser("table").add_argument("archive")
    commands.add_parser("corpus").add_argument("directory")
    o = parser.parse_args()

    if o.command == "make":
        make_command(o)
    elif o.command == "list":
        for name, (_, code, regex, flags) in CASES.items():
            print(f"{name}\t{code}\t{regex}\t{flags}")
    elif o.command == "describe":
        for name, (make, code, _, _) in CASES.items():
            print(f"{name:28} {code:2}  {make.__doc__}")
    elif o.command == "hostile":
        with open(o.output, "wb") as f:
            f.write(CASES[o.name][0]())
    elif o.command == "image":
        write_image(o.release, sys.stdout.buffer)
    elif o.command == "chunks":
        print("\n".join(dict(read_release(o.release)[1])))
    elif o.command == "table":
        print("\n".join(archive_table(o.archive)))
    elif o.command == "corpus":
        write_corpus(o.directory)


if __name__ == "__main__":
    main()
