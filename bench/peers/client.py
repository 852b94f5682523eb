# An HTTP client by requests (as many native threads as connections) or httpx (asyncio):
# client.py requests|httpx PORT REQUESTS CONNECTIONS WARMUP
import asyncio
import sys
import threading
import time

kind, port = sys.argv[1], sys.argv[2]
count, conns, warmup = map(int, sys.argv[3:6])
url = "http://127.0.0.1:%s/" % port
left = errors = 0


def check(answer):
    global errors
    if answer.status_code != 200 or answer.text != "hello\n":
        errors += 1


def run_requests(n):
    import requests

    global left
    left = n

    def ask():
        global left
        session = requests.Session()
        while left > 0:
            left -= 1
            check(session.get(url))

    threads = [threading.Thread(target=ask) for _ in range(conns)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


async def run_httpx(client, n):
    global left
    left = n

    async def ask():
        global left
        while left > 0:
            left -= 1
            check(await client.get(url))

    await asyncio.gather(*(ask() for _ in range(conns)))


def tell(cpu, wall):
    print("requests=%d errors=%d seconds=%.3f cpu_ns=%.0f"
          % (count, errors, time.monotonic() - wall,
             (time.process_time() - cpu) * 1e9 / count))
    sys.exit(errors > 0)


async def main_httpx():
    import httpx

    limits = httpx.Limits(max_connections=conns, max_keepalive_connections=conns)
    async with httpx.AsyncClient(limits=limits) as client:
        await run_httpx(client, warmup)
        cpu, wall = time.process_time(), time.monotonic()
        await run_httpx(client, count)
        tell(cpu, wall)


if kind == "httpx":
    asyncio.run(main_httpx())
else:
    run_requests(warmup)
    cpu, wall = time.process_time(), time.monotonic()
    run_requests(count)
    tell(cpu, wall)
