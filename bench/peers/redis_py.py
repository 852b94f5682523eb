# The client of bench/redis.lua by python3-redis: redis_py.py PORT COMMANDS DEPTH WARMUP
#
# One connection and no threads, which is the least that it costs.
import sys
import time

import redis

port, count, depth, warmup = [int(a) for a in sys.argv[1:5]]
db = redis.Redis(port=port)
value = b"%064d" % 7


def one_by_one(n):
    for _ in range(n // 2):
        assert db.set("key", value)
        assert db.get("key") == value


def piped(n):
    for _ in range(n // depth):
        p = db.pipeline(transaction=False)
        for _ in range(depth // 2):
            p.set("key", value)
            p.get("key")
        assert p.execute() == [True, value] * (depth // 2)


run = one_by_one if depth == 1 else piped
run(warmup)
wall, cpu = time.monotonic(), time.process_time()
run(count)
print("commands=%d errors=0 seconds=%.3f cpu_ns=%.0f" % (
    count, time.monotonic() - wall, (time.process_time() - cpu) * 1e9 / count))
