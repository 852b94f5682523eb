# A ROUTER that sends back what it gets, by python3-zmq's asyncio: PATH
import asyncio
import sys

import zmq
import zmq.asyncio


async def main():
    s = zmq.asyncio.Context().socket(zmq.ROUTER)
    s.bind("ipc://" + sys.argv[1])
    while True:
        await s.send_multipart(await s.recv_multipart())


asyncio.run(main())
