-- What bench/run measures, and what each figure must reach.
--
--   row, key   the samples' file and the field in it
--   title      the line in the table
--   unit, per  printed unit; fields are divided by per (1)
--   floor      the subject that ratios are taken against ("floor")
--   ratio      greenlua's median ratio to the floor, at most
--   limit      greenlua's median, in the unit, at most
--   beside     { subject = greenlua's median ratio to it, at most }
--   growth     a line of the other table: the exponent of the time that n
--              operations take, below which it must be
local BELOW = { nginx = 1, ["nginx+lua"] = 1 }
local BELOW_LUA = { ["nginx+lua"] = 1 }

local function growth(key, title)
  return { row = "growth", key = key, title = title, growth = 1.2 }
end

return {
  { row = "switch", key = "switch", unit = "ns", ratio = 2.5,
    title = "switch through the hub: `sleep(0)`, 1,000 threads" },
  { row = "switch", key = "switch_interpreted", unit = "ns",
    title = "the floor with the JIT off" },
  { row = "spawn", key = "spawn", unit = "ns", limit = 600,
    title = "spawn + run + end of a thread, spawn site kept" },
  { row = "parked", key = "parked_bytes", unit = "B", limit = 1000,
    title = "a parked thread, of 1,000,000" },
  { row = "parked", key = "wake_s", unit = "s", limit = 0.5,
    title = "waking 1,000,000 threads" },
  { row = "gcpause", key = "pause_0", unit = "ms",
    title = "longest pause while allocating, none parked" },
  { row = "gcpause", key = "pause_10000", unit = "ms", title = "the same, 10,000 parked" },
  { row = "gcpause", key = "pause_100000", unit = "ms", title = "the same, 100,000 parked" },
  { row = "timeout", key = "call", unit = "ns", limit = 250,
    title = "`green.timeout(s, fn)`, 100,000 others pending" },
  { row = "timeout", key = "object", unit = "ns", limit = 250,
    title = "`green.Timeout(s)` and `cancel()`, 100,000 others pending" },
  { row = "timeout", key = "call_first", unit = "ns",
    title = "`green.timeout(s, fn)`, due before them all" },
  { row = "timeout", key = "object_first", unit = "ns",
    title = "`green.Timeout(s)` and `cancel()`, due before them all" },
  { row = "echo", key = "cpu_ns", unit = "µs", per = 1000, ratio = 1.15,
    title = "TCP echo 64 B, 64 connections: CPU a message" },
  { row = "http", key = "cpu_ns", unit = "µs", per = 1000, ratio = 1.12, beside = BELOW,
    title = "HTTP hello, 64 keep-alive connections: CPU a request" },
  { row = "http10k", key = "cpu_ns", unit = "µs", per = 1000, ratio = 1.4,
    beside = { ["nginx+lua"] = 1 },
    title = "the same, 10,000 active connections" },
  { row = "pipeline", key = "cpu_ns", unit = "µs", per = 1000, beside = { nginx = 1 / 3 },
    title = "16 pipelined requests, 64 connections: CPU a request" },
  { row = "log", key = "cpu_ns", unit = "µs", per = 1000, ratio = 1.2, beside = BELOW_LUA,
    title = "HTTP hello with an access log in a file: CPU a request" },
  { row = "body1k", key = "cpu_ns", unit = "µs", per = 1000, beside = BELOW_LUA,
    title = "HTTP answers of 1 KB: CPU a request" },
  { row = "body100k", key = "cpu_ns", unit = "µs", per = 1000, beside = BELOW_LUA,
    title = "HTTP answers of 100 KB: CPU a request" },
  { row = "post1k", key = "cpu_ns", unit = "µs", per = 1000, beside = BELOW_LUA,
    title = "POST of 1 KB, echoed: CPU a request" },
  { row = "headers", key = "cpu_ns", unit = "µs", per = 1000, beside = BELOW_LUA,
    title = "HTTP hello, 20 more request headers: CPU a request" },
  { row = "latency", key = "p99_us", unit = "µs", beside = BELOW_LUA,
    title = "HTTP hello at half load: 99 of 100 are answered within" },
  { row = "latency", key = "p50_us", unit = "µs", title = "the same, the median" },
  { row = "idle", key = "growth", unit = "B", limit = 1536,
    title = "an idle keep-alive connection, of 10,000: memory" },
  { row = "startup", key = "wall_us", unit = "ms", per = 1000, floor = "luajit", ratio = 1.5,
    title = "start-up: `-e ''`" },
  growth("capped0_acquire", "`CappedSemaphore` of limit 0: n wait to acquire"),
  growth("capped0_release", "the same, n wait to release"),
  growth("capped1_acquire", "`CappedSemaphore` of limit 1: n wait to acquire"),
  growth("capped1_release", "the same, n wait to release"),
  growth("semaphore", "`Semaphore`: n wait to acquire"),
  growth("rlock", "`RLock`: n wait to acquire"),
  growth("getters", "`Queue`: n wait to get"),
  growth("event", "`Event`: n wait, one send"),
  growth("wait_event_fifo", "n in `wait({event, queue})`, woken by their queues, the first first"),
  growth("wait_event_lifo", "the same, the last first"),
  growth("wait_thread_fifo",
    "n in `wait({thread, queue})`, woken by their queues, the first first"),
  growth("wait_thread_lifo", "the same, the last first"),
  growth("iwait", "`iwait` over n events"),
  growth("links_fifo", "n links of a thread, taken back the first first"),
  growth("links_lifo", "the same, the last first"),
  growth("group", "`group` of n, which end one a turn"),
  growth("waitall", "`wait()` for n threads, which end one a turn"),
  growth("joinall", "`joinall` of n threads, which end one a turn"),
  growth("pool", "`GreenPool` of n, spawn and waitall"),
  growth("pool_full", "the same, n more wait to spawn"),
  growth("killall", "`killall` of n threads"),
  growth("timers", "`spawn_after` and cancel, n pending"),
  growth("deadlines", "n deadlines expire in one queue"),
  growth("getting", "`queue:getting()`, n wait to get"),
  growth("balance", "`semaphore:balance()`, n wait to acquire"),
  growth("capped_balance", "the same of a `CappedSemaphore`, n wait to release"),
  growth("capped_locked", "its `locked()`, n wait to release"),
  growth("pool_waiting", "`pool:waiting()`, n wait to spawn"),
  growth("idle_add", "an idle connection comes and goes, n have expired and nobody took them"),
  growth("poll_1000", "a turn of the poll backend, n descriptors: each"),
  growth("poll_2000", "the same, from 2,000"),
}
