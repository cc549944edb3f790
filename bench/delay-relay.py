#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A TCP relay that holds each block of bytes back for a while, in both directions:
the delay of a long line, where the kernel has no netem.

    delay-relay.py LISTEN-ADDRESS PORT TARGET-ADDRESS PORT MILLISECONDS
"""

import asyncio
import sys

BLOCK = 16384
HELD_BLOCKS = 256  # blocks held at a time: more than rate times delay


async def read_all(reader, queue, delay):
    loop = asyncio.get_running_loop()
    while True:
        block = await reader.read(BLOCK)
        await queue.put((loop.time() + delay, block))
        if not block:
            return


async def write_all(queue, writer):
    loop = asyncio.get_running_loop()
    while True:
        due, block = await queue.get()
        await asyncio.sleep(max(0, due - loop.time()))
        if not block:
            writer.close()
            return
        writer.write(block)
        await writer.drain()


async def relay(reader, writer, delay):
    queue = asyncio.Queue(HELD_BLOCKS)
    await asyncio.gather(read_all(reader, queue, delay), write_all(queue, writer), return_exceptions=True)


async def main():
    address, port, target, target_port, ms = sys.argv[1:]
    delay = int(ms) / 1000

    async def serve(reader, writer):
        to_reader, to_writer = await asyncio.open_connection(target, int(target_port))
        await asyncio.gather(relay(reader, to_writer, delay), relay(to_reader, writer, delay))

    server = await asyncio.start_server(serve, address, int(port))
    await server.serve_forever()


asyncio.run(main())
