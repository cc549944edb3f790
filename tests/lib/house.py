#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""house.py: the rules of the house that can be read off the sources.

    house.py SRCDIR     prints each violation as FILE:LINE: RULE; exit 1 if any

Who may include whom, where third-party headers may be, what common/ may call, which
prototypes must not be ignored, how long a file and a function may be, that functions have
names of their own, that a header begins with its name and purpose, that a test waits for
conditions, and the licence line of each file.

Code is in the rooms of common/, in the directories of programs, in tests/ and in bench/; a
directory that no rule names is a violation.
"""

import collections
import pathlib
import re
import sys

# Which rooms of common/ each room may include, besides itself.
ROOMS = {
    "base": set(),
    "format": {"base"},
    "signature": {"base", "format"},
    "codec": {"base", "format"},
    "chunker": {"base", "format"},
    "store": {"base", "format", "signature"},
    "reader": {"base"},
    "fetch": {"base", "format", "signature", "codec", "chunker", "store", "reader"},
}
# Which rooms each program may include; no program includes another one.
PROGRAMS = {
    "plugin": {"base", "format", "signature", "store"},  # neither curl nor a codec in nbdkit
    "cli": set(ROOMS),  # what the programs below share
    "clone": {"cli", *ROOMS},
    "manage": {"cli", *ROOMS},
    "compress": {"cli", *ROOMS},
    "attach": {"cli", "base", "format", "signature", "store"},  # neither curl nor a codec in an initramfs
}
# What is no program may include common/ alone; tests of a program's modules may all.
OTHERS = ("bench", "tests")
# Header prefix -> where it may be included.
HOMES = {
    "curl/": r"common/reader/http(_\w+)?\.[ch]",
    "nbdkit": r"plugin/\w+\.[ch]",
    "brotli/": r"common/codec/brotli_(de|en)coder\.c",
    "lzma": r"common/codec/xz_state\.h",
    "zstd": r"common/codec/(zstd|delta)_(de|en)coder\.c",
    "openssl/": r"common/(format/chunk_hash|signature/(ed25519|ed25519_sign|scrypt))\.c",
    "jansson": r"cli/json\.h",
    "protobuf-c/": r"common/format/dictionary\.h",
    "libmnl/": r"attach/nbd_netlink\.c",
    "linux/nbd": r"attach/nbd_netlink\.c",
    "linux/dm-ioctl": r"attach/dm\.c",
    "linux/io_uring": r"plugin/read_batch\.c",
}
FORBIDDEN_CALLS = re.compile(
    r"\b(v?f?printf|puts|fputs|putchar|perror|_?exit|quick_exit|abort|v?errx?|v?warnx?|assert)\s*\(")
# Maxima on what comes from outside, LIMIT_*, are in this file, and nothing else is but units.
LIMITS = "common/base/limits.h"
UNITS = {"KIB", "MIB"}
# Functions that fill an error and return -1 to be passed on: nothing to check.
ERROR_MAKERS = ("common/base/err.h", "common/reader/http_error.h")
MAX_LINES = 600
MAX_FUNCTION_LINES = 50
# Of the functions of common/ and of the programs, how many may share their name with a
# function of another file, without main and those that a table names.
MAX_NAMESAKES = 0.03
# A test waits for what it needs; it may sleep between two looks, not instead of them.
LONGEST_SLEEP_S = 0.1
SOURCES = ("*.c", "*.h", "*.sh", "*.py", "*.mk", "*.proto")

problems = []
functions = collections.defaultdict(list)  # name -> (path, line) of each definition
in_tables = set()  # names of functions that a table of functions holds


def complain(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def without_comments(text):
    """Blanks comments and strings, keeping the line numbers."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def check_directories(root):
    """Each directory with code has rules, and a program has not the name of a room of common/:
    the two could not be told apart in an include."""
    for name in sorted(set(ROOMS) & set(PROGRAMS)):
        complain(f"{name}/", 1, f"has the name of common/{name}")
    rooms = {f.parent.name for f in (root / "common").glob("*/*.[ch]")}
    builds = {f.parent.name for f in root.glob("*/config.status")}
    tops = {f.parent.name for f in root.glob("*/*.[ch]")} - set(OTHERS) - builds
    for name in sorted(rooms - set(ROOMS)):
        complain(f"common/{name}", 1, "no rule says whom it may include")
    for name in sorted(tops - set(PROGRAMS)):
        complain(name, 1, "no rule says whom it may include")
    for name in sorted(tops & set(ROOMS)):
        complain(name, 1, f"has the name of common/{name}")


def check_local_include(path, line, name):
    parts, room = path.split("/"), name.split("/")[0]
    if "/" not in name:
        if name != "config.h":
            complain(path, line, f"{name} is included without its directory")
        return
    in_common = parts[0] == "common"
    own = parts[1] if in_common else parts[0]
    allowed = ROOMS.get(own, set()) if in_common else PROGRAMS.get(own, set(ROOMS))
    if room in PROGRAMS and room != "cli" and (in_common or room != own):
        complain(path, line, f"{name} is a header of the program in {room}/")
    elif room != own and room not in allowed:
        complain(path, line, f"{own} may not include {name}")
    if name == "store/store_private.h" and not path.startswith("common/store/"):
        complain(path, line, "store/store_private.h is for store/ alone")


def check_system_include(path, line, name):
    for prefix, home in HOMES.items():
        if name.startswith(prefix) and not re.fullmatch(home, path):
            complain(path, line, f"<{name}> may be included in {home} only")


def check_includes(path, text):
    for i, row in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', row)
        if m and m[1] == '"':
            check_local_include(path, i, m[2])
        elif m:
            check_system_include(path, i, m[2])


def check_calls(path, code):
    for i, row in enumerate(code.splitlines(), 1):
        m = FORBIDDEN_CALLS.search(row)
        if m and "__attribute__((format" not in row:
            complain(path, i, f"common/ may not call {m[1]}")


def check_limits(path, code):
    for i, row in enumerate(code.splitlines(), 1):
        m = re.match(r"\s*#\s*define\s+(\w+)\s+\S|\s*(LIMIT_\w+)\s*=", row)
        if not m:
            continue
        name = m[1] or m[2]
        if path != LIMITS and name.startswith("LIMIT_"):
            complain(path, i, f"{name} is not defined in {LIMITS}")
        if path == LIMITS and not name.startswith("LIMIT_") and name not in UNITS:
            complain(path, i, f"{name} is no limit on what comes from outside")


def prototypes(code):
    """Yields (line, text) of the function declarations at file level."""
    code = re.sub(r"^\s*#(?:[^\n\\]|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group()), code,
                  flags=re.M)
    depth, start = 0, 0
    for i, c in enumerate(code):
        if c == "{":
            depth += 1
        elif c == "}":
            depth -= 1
            if depth == 0:
                start = i + 1
        elif c == ";" and depth == 0:
            statement = code[start:i]
            line = code.count("\n", 0, start + len(statement) - len(statement.lstrip())) + 1
            start = i + 1
            if "(" in statement and not re.match(r"\s*(typedef|extern|struct \w+$)", statement):
                yield line, " ".join(statement.split())


def check_prototypes(path, code):
    for line, text in prototypes(code):
        fallible = not text.startswith("void ") and re.search(r"struct err \*\w*\)", text)
        if fallible and "warn_unused_result" not in text:
            complain(path, line, f"not warn_unused_result: {text.split('(')[0].strip()}")


def definitions(code):
    """Yields (name, first line of the body, last line) of the functions of a file that
    clang-format has formatted: their braces stand in the first column."""
    lines = code.splitlines()
    for i, row in enumerate(lines):
        if row != "{" or "}" not in lines[i:]:
            continue
        start = i
        while start > 0 and lines[start - 1].strip() and not re.match(r"[}#]|.*;\s*$", lines[start - 1]):
            start -= 1
        head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", " ".join(lines[start:i]))
        m = re.search(r"(\w+)\s*\(", head)
        if m:
            yield m[1], i + 1, lines.index("}", i) + 1


def check_functions(path, code):
    for name, first, last in definitions(code):
        if last - first + 1 > MAX_FUNCTION_LINES:
            complain(path, first, f"{name} has {last - first + 1} lines, at most {MAX_FUNCTION_LINES}")
        if not path.startswith("tests/"):
            functions[name].append((path, first))
    # Either .member = NAME, or a row of a table: {"name", NAME}.
    in_tables.update(re.findall(r"\.\w+ = (\w+)\s*[,}]", code))
    for row in re.findall(r"^\s+\{.*\},?$", code, flags=re.M):
        in_tables.update(re.findall(r"\w+", row))


def check_namesakes():
    own = {n: places for n, places in functions.items() if n != "main" and n not in in_tables}
    shared = {n: places for n, places in own.items() if len({path for path, _ in places}) > 1}
    count, total = sum(map(len, shared.values())), sum(map(len, own.values()))
    if total and count / total >= MAX_NAMESAKES:
        for name, places in sorted(shared.items()):
            for path, line in places:
                complain(path, line, f"{name} is the name of a function of another file, too "
                         f"({count} of {total} functions are)")


def check_header(path, lines):
    name = pathlib.PurePath(path).stem
    if len(lines) < 2 or not lines[1].startswith(f"/* {name}: "):
        complain(path, 2, f"a header begins with a comment that says what it is for: /* {name}: ...")


def check_sleeps(path, lines):
    for i, row in enumerate(lines, 1):
        for seconds in re.findall(r"\bsleep\(?\s*([0-9.]+)", row):
            if float(seconds) > LONGEST_SLEEP_S:
                complain(path, i, f"waits {seconds} s, not for a condition")


def check_file(root, file):
    path = file.relative_to(root).as_posix()
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        complain(path, MAX_LINES + 1, f"{len(lines)} lines, at most {MAX_LINES}")
    if not any("SPDX-License-Identifier: MIT" in row for row in lines[:2]):
        complain(path, 1, "no SPDX line on top")
    if re.fullmatch(r"tests/test-[\w-]+\.sh", path):
        check_sleeps(path, lines)
    if file.suffix not in (".c", ".h"):
        return
    code = without_comments(text)
    check_limits(path, code)
    if file.suffix == ".h":
        check_header(path, lines)
    else:
        check_functions(path, code)
    if not path.startswith("tests/"):
        check_includes(path, text)
    if path.startswith("common/"):
        check_calls(path, code)
        if file.suffix == ".h" and path not in ERROR_MAKERS:
            check_prototypes(path, code)


def main():
    root = pathlib.Path(sys.argv[1])
    directories = ["common", *PROGRAMS, *OTHERS, "contrib"]
    files = [f for d in directories for s in SOURCES for f in sorted((root / d).rglob(s))
             if ".pb-c." not in f.name and "__pycache__" not in f.parts]
    check_directories(root)
    for file in files:
        check_file(root, file)
    check_namesakes()
    print("\n".join(problems) if problems else f"{len(files)} files keep the rules")
    sys.exit(1 if problems or len(files) < 50 else 0)


if __name__ == "__main__":
    main()
