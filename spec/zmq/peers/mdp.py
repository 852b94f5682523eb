#!/usr/bin/env python3
"""A client and a worker of the Majordomo Protocol with pyzmq, written from ZeroMQ's RFCs 7 and 18.

  mdp.py client 0.1|0.2 ENDPOINT SERVICE TEXT...   asks once for each text, prints the answers
  mdp.py worker 0.1|0.2 ENDPOINT SERVICE           answers in capitals, says "ready" first
  mdp.py fail   0.2 ENDPOINT SERVICE               takes one request, and exits at once
  mdp.py broker 0.1|0.2 ENDPOINT                   the simplest broker there can be
"""

import collections
import os
import sys
import time

import zmq

BEAT = 0.5
PATIENCE = 10000  # ms

W = {
    "0.1": dict(ready=1, request=2, final=3, heartbeat=4, disconnect=5),
    "0.2": dict(ready=1, request=2, partial=3, final=4, heartbeat=5, disconnect=6),
}


def worker_head(version, kind):
    head = [b""] if version == "0.1" else []
    name = b"MDPW01" if version == "0.1" else b"MDPW02"
    return head + [name, bytes([W[version][kind]])]


def worker_read(version, frames):
    if version == "0.1":
        assert frames[0] == b"" and frames[1] == b"MDPW01", frames
        frames = frames[1:]
    else:
        assert frames[0] == b"MDPW02", frames
    kinds = {number: kind for kind, number in W[version].items()}
    return kinds[frames[1][0]], frames[2:]


def client(version, endpoint, service, *texts):
    context = zmq.Context()
    socket = context.socket(zmq.REQ if version == "0.1" else zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    for text in texts:
        body = [service.encode(), text.encode()]
        head = [b"MDPC01"] if version == "0.1" else [b"MDPC02", b"\x01"]
        socket.send_multipart(head + body)
        while True:
            if not socket.poll(PATIENCE):
                print("no answer")
                return
            frames = socket.recv_multipart()
            if version == "0.1":
                assert frames[0] == b"MDPC01" and frames[1] == service.encode(), frames
                print("answer", *[f.decode() for f in frames[2:]])
                break
            assert frames[0] == b"MDPC02" and frames[2] == service.encode(), frames
            print("partial" if frames[1] == b"\x02" else "answer",
                  *[f.decode() for f in frames[3:]])
            if frames[1] == b"\x03":
                break


def worker(version, endpoint, service, fails=False):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 1000
    socket.connect(endpoint)
    socket.send_multipart(worker_head(version, "ready") + [service.encode()])
    print("ready", flush=True)
    beat_at = time.monotonic() + BEAT
    while True:
        if socket.poll(int(max(0, beat_at - time.monotonic()) * 1000)):
            kind, rest = worker_read(version, socket.recv_multipart())
            if kind == "disconnect":
                print("disconnect", flush=True)
                return
            if kind == "request":
                address, empty, *body = rest
                assert empty == b"", rest
                if fails:
                    os._exit(0)
                if version == "0.2":
                    socket.send_multipart(worker_head(version, "partial")
                                          + [address, b"", b"soon"])
                socket.send_multipart(worker_head(version, "final") + [address, b""]
                                      + [part.upper() for part in body])
        if time.monotonic() >= beat_at:
            socket.send_multipart(worker_head(version, "heartbeat"))
            beat_at = time.monotonic() + BEAT


def broker(version, endpoint):
    """Passes requests on to the worker that has waited longest, whatever the bodies are."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(endpoint)
    print(socket.last_endpoint.decode(), flush=True)
    idle, waiting, known = collections.deque(), collections.deque(), {}
    beat_at = time.monotonic() + BEAT
    c, w = (b"MDPC01", b"MDPW01") if version == "0.1" else (b"MDPC02", b"MDPW02")
    gap = [b""] if version == "0.1" else []
    while True:
        if socket.poll(int(max(0, beat_at - time.monotonic()) * 1000)):
            peer, *frames = socket.recv_multipart()
            frames = frames[len(gap):]
            if frames[0] == c:
                at = 1 if version == "0.1" else 2
                waiting.append((peer, frames[at], frames[at + 1:]))
            else:
                kind, rest = worker_read(version, gap + frames)
                if kind == "ready":
                    known[peer] = rest[0]
                    idle.append(peer)
                elif kind == "final":
                    address, _, *body = rest
                    head = gap + ([c] if version == "0.1" else [c, b"\x03"])
                    socket.send_multipart([address] + head + [known[peer]] + body)
                    idle.append(peer)
        while idle and waiting:
            peer, service, body = waiting.popleft()
            socket.send_multipart([idle.popleft()] + worker_head(version, "request")
                                  + [peer, b""] + body)
        if time.monotonic() >= beat_at:
            for peer in known:
                socket.send_multipart([peer] + worker_head(version, "heartbeat"))
            beat_at = time.monotonic() + BEAT


if sys.argv[1] == "client":
    client(*sys.argv[2:])
elif sys.argv[1] == "broker":
    broker(*sys.argv[2:])
else:
    worker(*sys.argv[2:], fails=sys.argv[1] == "fail")
