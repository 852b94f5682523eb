"""A TCP echo by Eventlet: eventlet_echo.py PORT"""
import sys

import eventlet


def echo(sock, address):
    try:
        while True:
            data = sock.recv(16384)
            if not data:
                break
            sock.sendall(data)
    except ConnectionError:
        pass


listener = eventlet.listen(("127.0.0.1", int(sys.argv[1])), backlog=4096)
eventlet.serve(listener, echo, concurrency=20000)
