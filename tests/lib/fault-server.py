#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fault-server.py: an HTTP/1.1 server that keeps to the rules, except where told.

    fault-server.py [options] DIRECTORY [RULE...]

Serves the files of DIRECTORY on 127.0.0.1 and prints the port as its first line.
The last component of a request's path names the file, so that rules can tell
/bad/a.cba from /good/a.cba. Without rules it answers a single range with a
correct 206 and everything else with a 200 or 404.

A RULE is `SELECTOR... : ACTION...`, words separated by blanks, quoted as in a
shell. The first rule whose selectors all match a request is applied to it.

Selectors (none: every request)
    path=PREFIX    of the request's path
    offset=X       its range includes byte X
    past=X         its range begins at byte X or later
    n=A-B          the A-th to the B-th request (A, A- too), counted from 1 among
                   those that match the rule's other selectors
    uses=A-B       the same, but counted for each path
    every=K        each K-th request, of those that match the other selectors
    header=NAME    it has this header

Actions; {n} in a value is the server's count of requests, {port} its port
    status=S           an error or a redirect, with a short body
    text=TEXT          ... that says TEXT
    header='K: V'      add this header (several)
    location=URL       add a Location header
    ignore-range       200 and the whole file
    content-range=T    instead of the right one; 'none': leave it out
    shift=D            serve, and declare, a range that begins D bytes later
    twice              send Content-Range twice
    multipart          a multipart/byteranges body
    body=N             send N bytes of the body, then do what end= says
    end=close|rst|stall        after body=, default close
    no-length          no Content-Length: the body ends with the connection
    extra=N            N bytes too many, not announced
    late=TEXT          TEXT after the body, once that has been read, not announced
    announce-extra=N   N bytes too many, in Content-Length too
    endless            a body that never ends
    total=D            declare a total size that is larger by D
    root=DIRECTORY        serve from this directory
    etag=TEXT          another entity tag ({n}: see below); 'none': leave it out
    encoding=NAME      declare this Content-Encoding
    corrupt=X          flip the byte at offset X of the file
    delay=SECONDS      wait before the answer
    stall              never answer
    drip=header|body   send one byte a second
    trickle=N          send N header lines of 20 bytes, ten a second, first
    interim=N          send N interim responses (100) first
    chunked            with Transfer-Encoding: chunked
    trailer='K: V'     after the last chunk (with chunked)
    http10             answer as HTTP/1.0
    hang-up            close without an answer
    raw=TEXT           send this instead of an answer (escapes as in Python)
    close              close the connection after the answer
    type=T             another Content-Type
    alone=HOW          while another file is being sent: a status, or 'rst' (a reset),
                       or 'hold' (not a word until that one is done)
    rate=N             send about N bytes a second

A request with the method RULES replaces the rules by the lines of its body, and
empties the log: a test need not start a server for each case.

Options
    --log FILE         a JSON line for each connection (peer), each request as it
                       comes (n, time, peer, method, path, query, first, last,
                       headers) and as it ends (n, status, sent, rule)
    --port N --bind ADDR --cert FILE --key FILE (TLS)
    --etag MODE        file (default): of name, size and content; none
"""
import argparse
import hashlib
import itertools
import json
import os
import re
import shlex
import socket
import ssl
import struct
import sys
import threading
import time

BLOCK = 65536
PATIENCE = 120  # seconds until a stalled connection's thread gives up


class Cut(Exception):
    """The connection ends here; rst: with a reset."""

    def __init__(self, rst=False):
        super().__init__()
        self.rst = rst


def parse_count(text):
    first, dash, last = text.partition("-")
    return int(first), int(last) if last else (None if dash else int(first))


class Rule:
    SELECTORS = {"path", "offset", "past", "n", "uses", "every", "header"}

    def __init__(self, text):
        left, right = [], []
        side = left
        for word in shlex.split(text):
            if word == ":":
                side = right
                continue
            key, _, value = word.partition("=")
            side.append((key, value))
        self.text = text
        self.selectors = dict(left)
        self.headers = [v for k, v in right if k == "header"]
        self.actions = {k: v for k, v in right if k != "header"}
        unknown = set(self.selectors) - self.SELECTORS | set(self.actions) - ACTIONS
        if unknown:
            sys.exit(f"fault-server.py: unknown word in rule: {', '.join(sorted(unknown))}")
        self.counts = {}

    def matches(self, request):
        s = self.selectors
        start = request["first"]
        end = request["last"]
        if not request["path"].startswith(s.get("path", "")):
            return False
        if "header" in s and s["header"].lower() not in request["headers"]:
            return False
        if "offset" in s and (start is None or not start <= int(s["offset"]) <= end):
            return False
        if "past" in s and (start is None or start < int(s["past"])):
            return False
        return (self.counted("n", "") and self.counted("uses", request["path"])
                and self.counted("every", ""))

    def counted(self, selector, key):
        if selector not in self.selectors:
            return True
        count = self.counts[selector, key] = self.counts.get((selector, key), 0) + 1
        if selector == "every":
            return count % int(self.selectors[selector]) == 0
        first, last = parse_count(self.selectors[selector])
        return count >= first and (last is None or count <= last)


ACTIONS = {"status", "text", "location", "ignore-range", "content-range", "shift", "twice",
           "multipart", "body", "end", "no-length", "extra", "late", "announce-extra", "endless", "total",
           "root", "etag", "encoding", "corrupt", "delay", "stall", "drip", "trickle", "interim",
           "chunked", "trailer", "http10", "hang-up", "raw", "close", "rate", "type",
           "alone"}


class Log:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.lock = threading.Lock()

    def empty(self):
        if self.file:
            with self.lock:
                self.file.truncate(0)

    def write(self, **fields):
        if self.file:
            with self.lock:
                self.file.write(json.dumps(fields) + "\n")
                self.file.flush()


class Server:
    def __init__(self, options):
        self.o = options
        self.rules = [Rule(text) for text in options.rules]
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.sending = threading.Lock()  # of rules with alone=
        self.log = Log(options.log)
        self.tls = None
        if options.cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.cert, options.key)
        self.socket = socket.create_server((options.bind, options.port), backlog=64)
        self.port = self.socket.getsockname()[1]

    def run(self):
        print(self.port, flush=True)
        while True:
            connection, address = self.socket.accept()
            self.log.write(event="connection", peer=address[1])
            threading.Thread(target=self.serve, args=(connection, address[1]), daemon=True).start()

    def serve(self, connection, peer):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            Connection(self, connection, peer).run()
        except Cut as cut:
            if cut.rst:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        connection.close()

    def set_rules(self, lines):
        rules = [Rule(text) for text in lines]
        with self.lock:
            self.rules = rules
            self.numbers = itertools.count(1)
            self.log.empty()

    def choose(self, request):
        with self.lock:
            request["n"] = next(self.numbers)
            return next((r for r in self.rules if r.matches(request)), None)


class Connection:
    """One client; its requests one after another."""

    def __init__(self, server, connection, peer):
        self.server = server
        self.socket = connection
        self.peer = peer
        self.buffer = b""
        self.sent = 0
        self.before_last = None

    def run(self):
        while True:
            request = self.read_request()
            if request is None:
                return
            if request["method"] == "RULES":
                self.take_rules(int(request["headers"]["content-length"]))
                return
            rule = self.server.choose(request)
            self.server.log.write(event="request", **request)
            answer = Answer(self, request, rule)
            self.sent = 0
            try:
                answer.send()
            finally:
                self.server.log.write(event="end", n=request["n"], status=answer.status,
                                      sent=self.sent, rule=rule.text if rule else None)
            if answer.closes:
                raise Cut()

    def read_request(self):
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(BLOCK)
            if not data:
                return None
            self.buffer += data
            if self.buffer[0] == 0x16:  # TLS, where none is spoken
                self.send_raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                raise Cut()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        path, _, query = target.partition("?")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        first, last = (int(g) for g in wanted.groups()) if wanted else (None, None)
        return {"method": method, "path": path, "query": query, "first": first, "last": last,
                "headers": headers, "peer": self.peer, "time": time.monotonic()}

    def take_rules(self, size):
        while len(self.buffer) < size:
            self.buffer += self.socket.recv(BLOCK)
        self.server.set_rules(self.buffer[:size].decode().splitlines())
        self.send_raw(b"HTTP/1.1 200 Taken\r\nContent-Length: 0\r\n\r\n")

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_body(self, data, rate=None):
        """Sends part of a body and counts it."""
        step = max(1, min(BLOCK, rate // 20)) if rate else BLOCK
        for at in range(0, len(data), step):
            part = data[at:at + step]
            if at + step >= len(data):
                self.run_before_last()
            self.socket.sendall(part)
            self.sent += len(part)
            if rate:
                time.sleep(len(part) / rate)

    def run_before_last(self):
        if self.before_last:
            self.before_last()
        self.before_last = None

    def wait_for_close(self):
        """Returns when the client goes away."""
        self.socket.settimeout(PATIENCE)
        try:
            while self.socket.recv(BLOCK):
                pass
        except OSError:
            pass
        raise Cut()


class Answer:
    def __init__(self, connection, request, rule):
        self.c = connection
        self.request = request
        self.a = dict(rule.actions) if rule else {}
        self.extra_headers = list(rule.headers) if rule else []
        self.status = 0
        self.closes = "close" in self.a or "no-length" in self.a or "http10" in self.a

    def fill(self, text):
        return text.replace("{n}", str(self.request["n"])).replace("{port}", str(self.c.server.port))

    def number(self, action):
        return int(self.a.get(action) or 0)

    def load(self):
        root = self.a.get("root", self.c.server.o.directory)
        path = os.path.join(root, os.path.basename(self.request["path"]))
        try:
            with open(path, "rb") as f:
                data = bytearray(f.read())
        except OSError:
            return None
        self.etag = self.fill(
            self.a.get("etag", '"' + hashlib.sha256(data).hexdigest()[:16] + '"'))
        if self.c.server.o.etag == "none" and "etag" not in self.a:
            self.etag = "none"
        if "corrupt" in self.a:
            data[self.number("corrupt")] ^= 0xFF
        return data

    def send(self):
        a = self.a
        if "delay" in a:
            time.sleep(float(a["delay"]))
        if "hang-up" in a:
            raise Cut(a.get("end") == "rst")
        if "stall" in a:
            self.c.wait_for_close()
        if "raw" in a:
            self.c.send_raw(a["raw"].encode().decode("unicode_escape").encode("latin-1"))
            raise Cut()
        for _ in range(self.number("interim")):
            self.c.send_raw(b"HTTP/1.1 100 Continue\r\nContent-Range: bytes 5-9/10\r\n\r\n")
        if "status" in a:
            self.send_status(int(a["status"]), a.get("text", "as told\n"))
            return
        data = self.load()
        if data is None:
            self.send_status(404, "not found\n")
            return
        if "alone" in a:
            self.send_alone(data)
        else:
            self.send_file(data)

    def send_alone(self, data):
        how = self.a["alone"]
        if not self.c.server.sending.acquire(blocking=how == "hold"):
            if how == "rst":
                raise Cut(rst=True)
            self.send_status(int(how), "one at a time\n")
            return
        # Before the last bytes are sent: the client may be quick to ask for more.
        self.c.before_last = self.c.server.sending.release
        try:
            self.send_file(data)
        finally:
            self.c.run_before_last()

    def send_status(self, status, text):
        headers = [f"Content-Length: {len(text)}"]
        if "location" in self.a:
            headers.append("Location: " + self.fill(self.a["location"]))
        if "endless" in self.a:
            headers.remove(f"Content-Length: {len(text)}")
        self.send_head(status, headers)
        self.c.send_body(text.encode())
        while "endless" in self.a:
            self.c.send_body(b"as told\n" * 8192)

    def send_head(self, status, headers):
        self.status = status
        version = "1.0" if "http10" in self.a else "1.1"
        lines = [f"HTTP/{version} {status} As told"]
        if "trickle" in self.a:
            self.c.send_raw((lines.pop() + "\r\n").encode())
            for i in range(self.number("trickle")):
                self.c.send_raw(f"X-Slow: {i:010d}\r\n".encode())
                time.sleep(0.1)
        lines += headers + [self.fill(h) for h in self.extra_headers]
        if self.closes:
            lines.append("Connection: close")
        text = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if self.a.get("drip") == "header":
            for i in range(len(text)):
                self.c.send_raw(text[i:i + 1])
                time.sleep(1)
        self.c.send_raw(text)

    def send_file(self, data):
        first, last = self.request["first"], self.request["last"]
        total = len(data) + self.number("total")
        if first is None or "ignore-range" in self.a:
            self.send_head(200, [f"Content-Length: {len(data)}"] + self.common_headers())
            self.c.send_body(bytes(data), self.number("rate") or None)
            return
        if first >= len(data):
            self.send_status(416, "no such range\n")
            return
        first, last = first + self.number("shift"), last + self.number("shift")
        last = min(last, len(data) - 1)
        body = bytes(data[first:last + 1])
        declared = self.a.get("content-range", f"bytes {first}-{last}/{total}")
        self.send_part(body, declared)

    def common_headers(self):
        headers = ["Content-Type: " + self.a.get("type", "application/octet-stream"),
                   "Accept-Ranges: bytes"]
        if self.etag != "none":
            headers.append("ETag: " + self.etag)
        if "encoding" in self.a:
            headers.append("Content-Encoding: " + self.a["encoding"])
        return headers

    def send_part(self, body, declared):
        headers = self.common_headers()
        if declared != "none":
            headers += ["Content-Range: " + declared] * (2 if "twice" in self.a else 1)
        if "multipart" in self.a:
            headers[0] = "Content-Type: multipart/byteranges; boundary=cut"
            body = (b"--cut\r\nContent-Type: application/octet-stream\r\nContent-Range: "
                    + declared.encode() + b"\r\n\r\n" + body + b"\r\n--cut--\r\n")
        length = len(body) + self.number("announce-extra")
        body += b"\xaa" * (self.number("extra") + self.number("announce-extra"))
        if "chunked" in self.a:
            headers.append("Transfer-Encoding: chunked")
        elif not ({"no-length", "http10", "endless"} & set(self.a)):
            headers.append(f"Content-Length: {length}")
        self.send_head(206, headers)
        self.send_content(body)

    def send_content(self, body):
        a = self.a
        rate = self.number("rate") or None
        if "chunked" in a:
            self.send_chunked(body)
        elif a.get("drip") == "body":
            for i in range(len(body)):
                self.c.send_body(body[i:i + 1])
                time.sleep(1)
        elif "body" in a:
            self.c.send_body(body[:self.number("body")], rate)
            if a.get("end") == "stall":
                self.c.wait_for_close()
            raise Cut(a.get("end") == "rst")
        else:
            self.c.send_body(body, rate)
        while "endless" in a:
            self.c.send_body(b"\xaa" * BLOCK)
        if "late" in a:
            time.sleep(0.02)
            self.c.send_raw(a["late"].encode())
        if "extra" in a:
            raise Cut()

    def send_chunked(self, body):
        if "body" in self.a:
            self.c.send_raw(b"%x\r\n" % len(body))
            self.c.send_body(body[:self.number("body")])
            raise Cut(self.a.get("end") == "rst")
        for at in range(0, len(body), 1000):
            part = body[at:at + 1000]
            self.c.send_raw(b"%x\r\n" % len(part))
            self.c.send_body(part)
            self.c.send_raw(b"\r\n")
        trailer = self.a["trailer"] + "\r\n" if "trailer" in self.a else ""
        self.c.send_raw(b"0\r\n" + trailer.encode() + b"\r\n")


def main():
    p = argparse.ArgumentParser(description="Serves a directory, with faults as told.")
    p.add_argument("--log")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--bind", default="127.0.0.1")
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--etag", choices=("file", "none"), default="file")
    p.add_argument("directory")
    p.add_argument("rules", nargs="*", metavar="RULE")
    Server(p.parse_args()).run()


if __name__ == "__main__":
    main()
