#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a picture of a terminal from what contrib/demo.sh prints:

    contrib/demo.sh | docs/images/make-demo-svg.py >docs/images/demo.svg

What comes before the first archive is left out: it differs from machine to machine.
"""

import re
import sys
from xml.sax.saxutils import escape

FIRST, LAST = "== Make an archive", "== Done"
COLUMNS = 100
CELL, LINE, MARGIN, BAR = 7.3, 18, 18, 30
# Its own background and a border, so that it can stand on any page.
BACKGROUND, BORDER, TITLE = "#1b1f27", "#5b6475", "#9aa4b5"
STYLES = (
    ("== ", "#ffd479", "bold"),
    ("$ ", "#8fd18f", "bold"),
    ("", "#d6dbe4", "normal"),
)


def wrapped(line):
    """Long lines go on behind an indent, as they would not fit."""
    while len(line) > COLUMNS:
        cut = line.rfind(" ", 0, COLUMNS)
        yield line[:cut]
        line = "    " + line[cut + 1:]
    yield line


def lines_of(text):
    text = text[text.index(FIRST):text.index(LAST)].strip()
    # The port is another one each time.
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", text)
    return [part for line in text.splitlines() for part in wrapped(line.rstrip())]


def text_element(line, y):
    color, weight = next((c, w) for prefix, c, w in STYLES if line.startswith(prefix))
    return (f'<text x="{MARGIN}" y="{y}" fill="{color}" font-weight="{weight}" '
            f'textLength="{len(line) * CELL:.0f}" xml:space="preserve">{escape(line)}</text>')


def main():
    lines = lines_of(sys.stdin.read())
    width = round(COLUMNS * CELL) + 2 * MARGIN
    height = BAR + len(lines) * LINE + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="12">',
        "<!-- SPDX-License-Identifier: MIT -->",
        "<title>contrib/demo.sh: an update of a device from one release to the next</title>",
        f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8" fill="{BACKGROUND}"'
        f' stroke="{BORDER}"/>',
        f'<path d="M1 {BAR} H{width - 1}" stroke="{BORDER}"/>',
        f'<text x="{width / 2}" y="{BAR - 10}" fill="{TITLE}" text-anchor="middle">contrib/demo.sh</text>',
    ]
    y = BAR + MARGIN + LINE - 6
    for line in lines:
        if line:
            out.append(text_element(line, y))
        y += LINE
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
