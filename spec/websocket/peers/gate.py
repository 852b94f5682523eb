"""A server by websockets: gate.py PORT. What it does depends on the path: / sends back what comes,
with the sub-protocol "chat" or "feed.v2" if that is asked for; /refuse answers 403, /close says
goodbye with 3001 at the first message, /drop ends without a word, /say sends what it knows of the
handshake."""

import asyncio
import http
import json
import sys

import websockets


async def refuse(path, headers):
    if path.startswith("/refuse"):
        return http.HTTPStatus.FORBIDDEN, [("X-Why", "because")], b"not you\n"
    return None


async def serve(ws, path):
    if path == "/say":
        await ws.send(json.dumps([ws.origin, ws.subprotocol, ws.request_headers.get("Cookie"),
                                  [e.name for e in ws.extensions]]))
    async for message in ws:
        if path == "/close":
            await ws.close(3001, "enough")
        elif path == "/drop":
            ws.transport.abort()
        else:
            await ws.send(message)


async def main():
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), process_request=refuse,
                                subprotocols=["feed.v2", "chat"]):
        await asyncio.Future()


asyncio.run(main())
