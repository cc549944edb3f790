#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cba.py: archives, releases and stores for tests, from the command line.

What it knows of the formats is in the package ihopformat beside it. It signs its own
headers, so that a hostile dictionary gets past the checksum and is judged by its content.

Archives:
    make [options] INPUT OUTPUT    a valid archive of the file INPUT
    hostile NAME OUTPUT            the hostile archive of that name
    list                           hostile cases: NAME, exit code, regex, flags
    describe                       hostile cases: NAME, exit code, what the fault is
    growing KIND COUNT OUTPUT      an archive of COUNT items (ihopformat/growing.py)
    header-size ARCHIVE            how many bytes its header has
    table ARCHIVE                  what its header says, one fact on each line
    corpus DIRECTORY               seeds for the fuzzers of tests/fuzz

Signatures (ihopformat/minisign.py), by keys whose secret is a number:
    key NUMBER PATH                PATH.pub and PATH.sec as minisign writes them, PATH.pub.pem and
                                   PATH.pem in PEM; prints both ids
    signature [options] NUMBER ARCHIVE   prints a signature of the archive's header
    put-signatures ARCHIVE FILE    puts a text into the archive's space for signatures
    signed-by ARCHIVE KEY.pub...   who signed: id, key file or -, and trusted comment of each

Delta packs (ihopformat/delta.py); OLD is an archive or STORE/RELEASE:
    pack OLD IMAGE NEW.cba OUTPUT  a pack from OLD, whose image is the file IMAGE
    pack-name OLD                  what follows an archive's name in that of its pack
    pack-show PACK NEW.cba         what it says, one fact or delta on each line
    pack-header PACK OLD OUTPUT    the header that its patch gives
    pack-update PACK OLD IMAGE OUTPUT   the new image, of the old one and the pack alone
    pack-hostile NAME PACK NEW.cba OUTPUT   a good pack, bent (ihopformat/deltahostile.py)
    pack-list                      hostile cases: NAME, what is not used of it, regex why

Releases and stores:
    store [options] IMAGE STORE/RELEASE   puts an image into a store; prints its chunks
    image STORE/RELEASE            the image that a store holds, to stdout
    chunks STORE/RELEASE           the path of each of its chunk files, in source order,
                                   each once
    check STORE/RELEASE [IMAGE]    every chunk is what its name says, and together they are
                                   the image of the release (the file IMAGE, too)
    good-chunks STORE              every chunk is what its name says; prints how many
    lose STORE/RELEASE N...        removes the N-th chunk files (from 0, in source order);
                                   prints how many bytes they had

Files:
    noise FILE SIZE [SEED [ZERO-START ZERO-SIZE]...]   bytes that do not compress, the same
                                   ones every time, with runs of zeros
    flip FILE OFFSET               inverts a bit of the byte there
"""

import argparse
import os
import sys

from ihopformat import archive, delta, minisign, noise, release, store
from ihopformat.codecs import CODECS
from ihopformat.protobuf import unknown_fields


def write_file(path, data):
    with open(path, "wb") as f:
        f.write(data)


# ---- archives ----


def archive_of(data, o):
    """Returns the archive that the options of `make` describe."""
    cuts = [int(c) for c in o.cuts.split(",")] if o.cuts else archive.fixed_cuts(len(data), o.fixed)
    a = archive.Archive(data, cuts, CODECS[o.codec], o.hash_length, o.tools, o.raw_every)
    if not o.cuts:
        a.params.update(bits=0, min=0, max=o.fixed, window=0, algorithm=archive.FIXED)
    if o.window:
        a.params["window"] = o.window
    if o.unreferenced:
        a.add(b"nothing refers to this chunk")
    if o.duplicate and a.descriptors:
        # The second descriptor of the same chunk has a place of its own.
        first = data[:(cuts + [len(data)])[0]]
        a.order[-1 if a.order[-1] == 0 else 0] = a.add(first, o.tools)
    if o.shuffle or o.gap:
        a.place(o.shuffle, o.gap)
    return a


def make_command(o):
    with open(o.input, "rb") as f:
        a = archive_of(f.read(), o)
    if o.old_magic:
        a.magic = archive.OLD_MAGIC
    a.packed = not o.unpacked
    for item in o.metadata:
        key, _, value = item.partition("=")
        a.metadata.append((os.fsencode(key), os.fsencode(value)))
    for item in o.metadata_file:
        key, _, path = item.partition("=")
        with open(path, "rb") as f:
            a.metadata.append((os.fsencode(key), f.read()))
    if o.unknown_fields:
        a.extra = a.nested_extra = unknown_fields()
        for d in a.descriptors:
            d.extra = unknown_fields()
    a.data_offset_gap = o.data_offset_gap
    write_file(o.output, a.encode())


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
    p.add_argument("--metadata-file", action="append", default=[], metavar="KEY=FILE")
    p.add_argument("--raw-every", type=int, default=0, help="store each Nth chunk uncompressed")
    p.add_argument("--gap", type=int, default=0, help="bytes between chunks in the archive")
    p.add_argument("--shuffle", action="store_true", help="chunks in random places")
    p.add_argument("--data-offset-gap", type=int, default=0, help="bytes after the header")
    p.add_argument("--unreferenced", action="store_true", help="a chunk that nothing uses")
    p.add_argument("--duplicate", action="store_true", help="two descriptors of one chunk")
    p.add_argument("input")
    p.add_argument("output")
    p.set_defaults(run=make_command)


def hostile_cases():
    """Returns the hostile cases; only the commands that need them import them."""
    from ihopformat import wrong  # pylint: disable=import-outside-toplevel
    return wrong.CASES


def hostile_command(o):
    cases = hostile_cases()
    if o.name not in cases:
        sys.exit(f"cba.py: no hostile case {o.name}; cba.py list has them all")
    write_file(o.output, cases[o.name][0]())


def list_command(_):
    for name, (_, code, regex, flags) in hostile_cases().items():
        print(f"{name}\t{code}\t{regex}\t{flags}")


def describe_command(_):
    for name, (make, code, _, _) in hostile_cases().items():
        print(f"{name:28} {code:2}  {make.__doc__}")


def growing_command(o):
    from ihopformat.growing import KINDS  # pylint: disable=import-outside-toplevel
    write_file(o.output, KINDS[o.kind](o.count).encode())


def corpus_command(o):
    hostile_cases()
    from ihopformat.corpus import write_corpus  # pylint: disable=import-outside-toplevel
    write_corpus(o.directory)


def add_archive_commands(add):
    add_make_options(add("make"))
    add("hostile", hostile_command, "name", "output")
    add("list", list_command)
    add("describe", describe_command)
    add("growing", growing_command, "kind", ("count", int), "output")
    add("header-size", lambda o: print(archive.header_size(o.archive)), "archive")
    add("table", lambda o: print("\n".join(archive.archive_table(o.archive))), "archive")
    add("corpus", corpus_command, "directory")


# ---- signatures ----


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def key_command(o):
    key = minisign.Key(o.number)
    for suffix, data in (("pub", key.public_file()), ("sec", key.secret_file()),
                         ("pub.pem", key.public_pem()), ("pem", key.secret_pem())):
        write_file(f"{o.path}.{suffix}", data)
    print(key.id_text(), key.pem_id_text())


def signature_command(o):
    text = minisign.signature(minisign.Key(o.number), minisign.checksum(read_file(o.archive)),
                              os.fsencode(o.comment), o.fault)
    sys.stdout.buffer.write(text)


def signed_by_command(o):
    keys = [minisign.public_of(path) for path in o.keys]
    for kid, who, comment in minisign.signed_by(read_file(o.archive), keys):
        print(kid, "-" if who is None else o.keys[who], comment.decode())


def add_signature_commands(add):
    add("key", key_command, ("number", int), "path")
    p = add("signature", signature_command, ("number", int), "archive")
    p.add_argument("--comment", default="")
    p.add_argument("--fault", choices=minisign.FAULTS, default="none")
    add("put-signatures", lambda o: write_file(o.archive, minisign.put(
        read_file(o.archive), read_file(o.file))), "archive", "file")
    add("signed-by", signed_by_command, "archive").add_argument("keys", nargs="*")


# ---- delta packs ----


def pack_command(o):
    with open(o.image, "rb") as image:
        made = delta.make_pack(delta.read_table(o.old), image, read_file(o.archive))
    write_file(o.output, made.encode())


def pack_update_command(o):
    pack, old = delta.read_pack(o.pack), delta.read_table(o.old)
    header = pack.header(old)
    if header is None:
        raise delta.Refused("a pack without a header patch")
    with open(o.image, "rb") as image, open(o.output, "wb") as out:
        delta.update(pack, old, image, delta.table_of_archive(header), out)


def pack_header_command(o):
    write_file(o.output, delta.read_pack(o.pack).header(delta.read_table(o.old)) or b"")


def pack_hostile_command(o):
    from ihopformat import deltahostile  # pylint: disable=import-outside-toplevel
    with open(o.archive, "rb") as f:
        header = f.read(archive.header_size(o.archive))
    write_file(o.output, deltahostile.hostile_pack(o.name, delta.read_pack(o.pack), header))


def pack_list_command(_):
    from ihopformat import deltahostile  # pylint: disable=import-outside-toplevel
    for name, (_, kind, regex) in deltahostile.CASES.items():
        print(f"{name}\t{kind}\t{regex}")


def add_pack_commands(add):
    add("pack", pack_command, "old", "image", "archive", "output")
    add("pack-name", lambda o: print(f".from-{delta.read_table(o.old).checksum.hex()[:16]}"), "old")
    add("pack-show", lambda o: print("\n".join(delta.describe(
        delta.read_pack(o.pack), delta.read_table(o.archive)))), "pack", "archive")
    add("pack-header", pack_header_command, "pack", "old", "output")
    add("pack-update", pack_update_command, "pack", "old", "image", "output")
    add("pack-hostile", pack_hostile_command, "name", "pack", "archive", "output")
    add("pack-list", pack_list_command)


# ---- releases and stores ----


def store_command(o):
    for line in store.make_store(o.image, o.release, o):
        print(line)


def add_store_options(p):
    p.add_argument("--layout", type=int, choices=(2, 4), default=4,
                   help="4 (default): as ihop 0.1 writes it; 2: as ihop does")
    p.add_argument("--min", type=int, default=4096, help="shortest chunk")
    p.add_argument("--max", type=int, default=131072, help="longest chunk")
    p.add_argument("--align", type=int, default=0, help="cut at multiples of this")
    p.add_argument("--seed", type=int, default=1, help="of the places where it is cut")
    p.add_argument("--hash-length", type=int, default=64)
    p.add_argument("--url", help="recorded archive URL (layout 2)")
    p.add_argument("--sparse", action="store_true", help="64 KiB of zeros become holes")
    p.add_argument("image")
    p.add_argument("release")
    p.set_defaults(run=store_command)


def check_command(o):
    if o.image:
        store.check_image(o.release, o.image)
    else:
        store.check_release(o.release)


def add_release_commands(add):
    add_store_options(add("store"))
    add("image", lambda o: release.write_image(o.release, sys.stdout.buffer), "release")
    add("chunks", lambda o: print("\n".join(dict(release.read_release(o.release)[1]))),
        "release")
    add("check", check_command, "release").add_argument("image", nargs="?")
    add("good-chunks", lambda o: print(len(store.check_chunks(o.store))), "store")
    add("lose", lambda o: print(store.lose_chunks(o.release, o.numbers)),
        "release").add_argument("numbers", type=int, nargs="+")


# ---- files ----


def noise_command(o):
    zeros = list(zip(o.zeros[::2], o.zeros[1::2], strict=True))
    write_file(o.file, noise.noise_with_zeros(o.seed, o.size, zeros))


def add_file_commands(add):
    p = add("noise", noise_command, "file", ("size", int))
    p.add_argument("seed", nargs="?", default="1")
    p.add_argument("zeros", type=int, nargs="*")
    add("flip", lambda o: store.flip_bit(o.file, o.offset), "file", ("offset", int))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, run=None, *arguments):
        p = commands.add_parser(name)
        p.set_defaults(run=run)
        for argument in arguments:
            key, kind = argument if isinstance(argument, tuple) else (argument, str)
            p.add_argument(key, type=kind)
        return p

    add_archive_commands(add)
    add_signature_commands(add)
    add_pack_commands(add)
    add_release_commands(add)
    add_file_commands(add)
    o = parser.parse_args()
    try:
        o.run(o)
    except (store.Damaged, delta.Refused) as refused:
        sys.exit(f"cba.py: {refused}")


if __name__ == "__main__":
    main()
