#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doclinks.py: what the documents name is there.

    doclinks.py SRCDIR     prints each thing that is not; exit 1 if any

Looks at README.md, the other documents of the root and docs/*.md: each link to a file, each
heading that a link points to, each path in backquotes that begins with a directory of the
sources; and whether README.md links to every document and manual.
"""

import glob
import pathlib
import re
import sys

LINK = re.compile(r"\]\(([^)\s]+)\)")
# What is made by building, or is an example, is not in the sources.
PATH = re.compile(r"`((?:bench|cli|clone|common|compress|contrib|docs|plugin|tests)/[\w./*-]*)`")

problems = []


def anchors(file):
    """The names that headings of a document get on a hosting site."""
    for row in file.read_text(encoding="utf-8").splitlines():
        if row.startswith("#"):
            text = re.sub(r"[^\w\- ]", "", row.lstrip("#").strip().lower())
            yield text.replace(" ", "-")


def check_link(root, file, line, link):
    if re.match(r"\w+:", link):
        return
    name, _, anchor = link.partition("#")
    target = (file.parent / name).resolve() if name else file
    if not target.exists():
        problems.append(f"{file.relative_to(root)}:{line}: no such file: {link}")
    elif anchor and anchor not in anchors(target):
        problems.append(f"{file.relative_to(root)}:{line}: no such heading: {link}")


def check_document(root, file):
    for line, row in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        for link in LINK.findall(row):
            check_link(root, file, line, link)
        for path in PATH.findall(row):
            if not glob.glob(str(root / path)):
                problems.append(f"{file.relative_to(root)}:{line}: no such file: {path}")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    documents = sorted(root.glob("*.md")) + sorted((root / "docs").glob("*.md"))
    for file in documents:
        check_document(root, file)
    readme = LINK.findall((root / "README.md").read_text(encoding="utf-8"))
    manuals = sorted((root / "docs").glob("*.pod"))
    for name in [f.relative_to(root).as_posix() for f in documents + manuals] + ["NEWS", "LICENSE"]:
        if name != "README.md" and name not in readme:
            problems.append(f"README.md: does not link to {name}")
    print("\n".join(problems) if problems else f"{len(documents)} documents name what is there")
    sys.exit(1 if problems or len(documents) < 10 else 0)


if __name__ == "__main__":
    main()
