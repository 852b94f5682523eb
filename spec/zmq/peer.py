# The other side of interop_spec.lua, by python3-zmq; peer.c says how it is used.
import sys

import zmq
from zmq.auth.thread import ThreadAuthenticator

MESSAGES = [
    [b"hello"], [b""], [b"", b""], [b"a", b"", b"b"], [bytes(range(256))],
    [b"x" * 2**20], [b"part"] * 100,
]


def set_option(s, text):
    name, value = text.split("=", 1)
    if name in ("plain_server", "curve_server"):
        s.setsockopt(getattr(zmq, name.upper()), int(value))
    else:
        s.setsockopt(getattr(zmq, name.upper()), value.encode())


def take(s, message):
    got = s.recv_multipart()
    if got != message:
        sys.exit("took %r instead of %r" % (got[:5], message[:5]))


def act(s, what):
    for message in MESSAGES:
        if what in ("ask", "send", "feed"):
            s.send_multipart(message)
        if what in ("ask", "take"):
            take(s, message)


def main(kind, how, endpoint, what, count, *options):
    context = zmq.Context()
    auth = None
    if "plain_server=1" in options:
        auth = ThreadAuthenticator(context)
        auth.start()
        auth.configure_plain(domain="*", passwords={"me": "secret"})
    s = context.socket(getattr(zmq, kind))
    for option in options:
        set_option(s, option)
    getattr(s, how)(endpoint)
    if how == "bind":
        print(s.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode())
    print("ready", flush=True)
    if what == "feed":
        s.recv_multipart()
    for _ in range(int(count)):
        if what == "echo":
            s.send_multipart(s.recv_multipart())
        else:
            act(s, what)
    s.close()
    if auth:
        auth.stop()
    context.term()
    print("ok")


main(*sys.argv[1:])
