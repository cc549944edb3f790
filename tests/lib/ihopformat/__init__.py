# SPDX-License-Identifier: MIT
"""ihopformat: archives, releases and stores, written and read without ihop's C code.

The tests compare the programs with it, so nothing here is taken from them: it follows
docs/formats.md and docs/store.md. Python's standard library is all that it needs.
tests/lib/cba.py is its command line.

    noise      bytes that do not compress
    protobuf   the wire format
    codecs     streams of each codec, good ones and wrong ones
    archive    bita archives
    ed25519    signatures of RFC 8032, and what an attacker makes of them
    minisign   keys and signatures as text, and their space in an archive
    release    releases
    columns    numbers as delta packs have them
    delta      delta packs: made, read and applied
    deltahostile   one delta pack for each fault that ihop must see
    store      chunk stores: making, checking and damaging them
    hostile, wrong   one archive for each fault that ihop must see
    growing    archives of any number of items
    corpus     seeds of the fuzzers
"""
