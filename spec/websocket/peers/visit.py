"""A client by websockets: visit.py URL. One line for each visit: what was agreed on, and whether
everything came back; or the status of a refusal."""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Deflate

SIZES = [0, 1, 125, 126, 65535, 65536, 300000]
VISITS = [
    ("plain", dict(compression=None)),
    ("compressed", dict()),
    ("narrow", dict(compression=None, extensions=[Deflate(
        server_max_window_bits=9, client_max_window_bits=9, server_no_context_takeover=True)])),
    ("protocol", dict(compression=None, subprotocols=["other", "chat"])),
    ("own page", dict(compression=None, origin="HERE")),
    ("other page", dict(origin="http://evil.example")),
]


async def visit(url, options):
    if options.get("origin") == "HERE":
        options["origin"] = url.replace("ws", "http", 1).rstrip("/")
    async with websockets.connect(url, **options) as ws:
        for size in SIZES:
            for message in "é" * (size // 2) + "x" * (size % 2), b"\xff" * size:
                await ws.send(message)
                assert await ws.recv() == message
        await ws.send("bye")
        try:
            while True:
                await ws.recv()
        except websockets.ConnectionClosed:
            return "%s %s %d" % (ws.subprotocol, ",".join(e.name for e in ws.extensions),
                                 ws.close_code)


async def main():
    for name, options in VISITS:
        try:
            print(name, await visit(sys.argv[1], options), flush=True)
        except websockets.InvalidStatusCode as refusal:
            print(name, refusal.status_code, flush=True)


asyncio.run(main())
