"""A client by websockets: client.py URL [CODE]. Sends what an echo must send back, then closes with a
code and a reason. Prints "ok N" for N messages."""

import asyncio
import sys

import websockets


async def fragments():
    for part in ("in ", "three ", "fragments"):
        yield part


async def main():
    sizes = (0, 1, 125, 126, 127, 65535, 65536, 1 << 20)
    sent = []
    for size in sizes:
        sent.append(("ä€𝄞." * (size // 10)).ljust(size // 2, "*"))
        sent.append(b"\xfe" * size)
    got = 0
    async with websockets.connect(
        sys.argv[1], max_size=17 << 20, subprotocols=["chat"]
    ) as ws:
        for message in sent:
            await ws.send(message)
            assert await ws.recv() == message, got
            got += 1
        await ws.send(fragments())
        assert await ws.recv() == "in three fragments"
        pong = await ws.ping(b"here")
        await asyncio.wait_for(pong, 10)
        code = int(sys.argv[2]) if sys.argv[2:] else 1000
        await ws.close(code, "enough")
        names = [e.name for e in ws.extensions]
        print("ok", got + 1, ws.close_code, ws.subprotocol, *names)


asyncio.run(main())
