#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""serverlog.py: what the fault server has seen, from its log.

    serverlog.py requests LOG [FILTER...]   how many requests there were to which all the
                                            filters apply
    serverlog.py sent LOG                   how many bytes of bodies were sent
    serverlog.py last LOG                   the number of the last request, counted by the
                                            server from its start

Filters; those that fault-server.py's rules have, too, mean the same here
    path=PREFIX      of the request's path
    past=X           its range begins at byte X or later
    first=X, last=X  its range begins, or ends, with byte X
    n=X              it is the request of that number
    query=TEXT       of its address; empty: it has none
    host=PREFIX      of its Host header
    header=NAME      it has this header
    header=NAME:V    it has this header, with the value V
    no-range         it asks for no range
    backwards        its range ends before it begins
    not:FILTER       the filter does not apply
"""

import json
import sys


def has_header(request, value):
    name, colon, wanted = value.partition(":")
    found = request["headers"].get(name.lower())
    return found is not None and (not colon or found == wanted)


FILTERS = {
    "path": lambda r, v: r["path"].startswith(v),
    "past": lambda r, v: r["first"] is not None and r["first"] >= int(v),
    "first": lambda r, v: r["first"] == int(v),
    "last": lambda r, v: r["last"] == int(v),
    "n": lambda r, v: r["n"] == int(v),
    "query": lambda r, v: r["query"] == v,
    "host": lambda r, v: r["headers"]["host"].startswith(v),
    "header": has_header,
    "no-range": lambda r, _: r["first"] is None,
    "backwards": lambda r, _: r["first"] is not None and r["last"] < r["first"],
}


def applies(request, text):
    if text.startswith("not:"):
        return not applies(request, text.removeprefix("not:"))
    name, _, value = text.partition("=")
    if name not in FILTERS:
        sys.exit(f"serverlog.py: unknown filter {text}")
    return FILTERS[name](request, value)


def rows(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def main(command, path, *filters):
    log = rows(path)
    if command == "requests":
        requests = [r for r in log if r["event"] == "request"]
        print(sum(all(applies(r, text) for text in filters) for r in requests))
        for text in filters:
            applies({"headers": {"host": ""}, "path": "", "query": "", "n": 0, "first": 0, "last": 0}, text)
    elif command == "sent":
        print(sum(r["sent"] for r in log if r["event"] == "end"))
    elif command == "last":
        print(max((r.get("n", 0) for r in log), default=0))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
