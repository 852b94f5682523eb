"""A websocket echo by websockets: ws_websockets.py PORT [deflate]"""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import (
    ServerPerMessageDeflateFactory,
)


async def echo(ws, *_):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    extensions = None
    if sys.argv[2:] == ["deflate"]:
        extensions = [
            ServerPerMessageDeflateFactory(
                server_no_context_takeover=True,
                client_no_context_takeover=True,
            )
        ]
    async with websockets.serve(
        echo,
        "127.0.0.1",
        int(sys.argv[1]),
        compression=None,
        extensions=extensions,
        max_size=1 << 24,
        ping_interval=None,
        backlog=4096,
    ):
        await asyncio.Future()


asyncio.run(main())
