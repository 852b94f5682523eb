"""An echo by websockets: echo.py PORT. Messages come back as they are, compressed if the client
offers it. Tells on a line that it listens."""

import asyncio
import sys

import websockets


async def echo(ws, *_):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    async with websockets.serve(
        echo,
        "127.0.0.1",
        int(sys.argv[1]),
        max_size=17 << 20,
        max_queue=None,
        subprotocols=["chat"],
    ) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
