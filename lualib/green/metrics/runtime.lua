--- What this runtime has and does: green threads, the loop, native pools, Lua's memory, servers.
-- What has to be measured for that is measured from the first time that somebody looks.
-- @module green.metrics.runtime

local core = require "green.core"
local natives = require "green.tpool.natives"
local register = require "green.wsgi.register"

-- Scripts may put their own in their places.
local collectgarbage, format, ipairs, jit = collectgarbage, string.format, ipairs, jit

local M = {}

-- Of C's histogram: every second power of two, from 2 microseconds to 68 seconds.
local FIRST, LAST = 2, 27

--- Measure what is not counted anyway. Does not park.
function M.start()
  core.measure(true)
  register.measure()
end

--- What core.measured gave, for emit.
local function buckets(h)
  local bounds, counts, before = {}, {}, 0
  for i = FIRST, LAST, 2 do
    bounds[#bounds + 1] = 2 ^ (9 + i) * 1e-9
    counts[#counts + 1] = h.below[i] - before
    before = h.below[i]
  end
  counts[#counts + 1] = h.count - before
  return { bounds = bounds, counts = counts, sum = h.sum }
end

local function collect_threads(emit, stats)
  emit("gauge", "greenlua_threads", "Green threads that live.", stats.threads)
  emit("counter", "greenlua_threads_spawned_total", "Green threads that were made.", stats.made)
  emit("counter", "greenlua_threads_ended_total", "Green threads that have ended.",
    stats.made - stats.threads)
  emit("gauge", "greenlua_threads_ready", "Green threads that wait for their turn.", stats.ready)
  emit("gauge", "greenlua_threads_io", "Green threads that wait for a descriptor.",
    stats.waits - stats.idle)
  emit("counter", "greenlua_switches_total", "Green threads resumed.", stats.switches)
end

local function collect_loop(emit, stats, turns)
  emit("counter", "greenlua_turns_total", "Turns of the loop.", stats.turns)
  emit("histogram", "greenlua_turn_seconds",
    "How long turns of the loop took, from one poll to the next.", buckets(turns))
  emit("gauge", "greenlua_timers", "Deadlines pending.", stats.timers)
  emit("gauge", "greenlua_sockets", "Descriptors that the loop knows.", stats.fds)
  emit("gauge", "greenlua_sockets_idle",
    "Descriptors that wait without a green thread: connections between requests.", stats.idle)
end

local function collect_memory(emit, steps, cycles)
  emit("gauge", "greenlua_lua_memory_bytes", "Memory of Lua's objects.",
    collectgarbage "count" * 1024)
  emit("counter", "greenlua_gc_cycles_total", "Cycles of Lua's garbage collector.", cycles)
  emit("histogram", "greenlua_gc_step_seconds",
    "Steps of Lua's garbage collector that the loop asked for; what it does between is a part of "
    .. "turns.", buckets(steps))
end

local job_states = { "queued", "at_work", "pending", "lost" }

local function collect_jobs(emit)
  for _, pool in ipairs(natives.stats()) do
    emit("counter", "greenlua_jobs_done_total", "Jobs of native threads that were done.",
      pool.done, { pool = pool.name })
    emit("gauge", "greenlua_native_threads", "Native threads that a pool has in use.",
      pool.threads, { pool = pool.name })
    for _, state in ipairs(job_states) do
      emit("gauge", "greenlua_jobs", "Jobs of native threads.", pool[state],
        { pool = pool.name, state = state })
    end
  end
end

-- field of a server's stats, kind, name, help
local of_servers = {
  { "connections", "gauge", "greenlua_http_connections", "Open connections." },
  { "idle", "gauge", "greenlua_http_connections_idle", "Connections between requests." },
  { "busy", "gauge", "greenlua_http_requests_in_hand", "Requests that handlers are at." },
  { "websockets", "gauge", "greenlua_http_websockets", "Websockets open." },
  { "accepted", "counter", "greenlua_http_accepted_total", "Connections accepted." },
  { "requests", "counter", "greenlua_http_requests_total", "Requests that have come." },
  { "refused", "counter", "greenlua_http_refused_total", "Bad requests." },
  { "timeouts", "counter", "greenlua_http_timeouts_total", "Clients that were too slow." },
  { "failed", "counter", "greenlua_http_failed_total", "Handlers that raised." },
}

local function collect_server(emit, server, url)
  local stats, labels = server:stats(), { server = url }
  for _, one in ipairs(of_servers) do
    emit(one[2], one[3], one[4], stats[one[1]], labels)
  end
  local times, answers = core.httpd_measured(server.httpd_pointer)
  if not times then
    return
  end
  emit("histogram", "greenlua_http_request_seconds",
    "From the poll that brought a request until its answer was made.", buckets(times), labels)
  for hundred = 1, 5 do
    emit("counter", "greenlua_http_answers_total", "Answers, by the first digit of their status.",
      answers[hundred], { server = url, status = format("%dxx", hundred) })
  end
end

--- For a registry.
function M.collect(emit)
  M.start()
  local stats = core.stats()
  local _, turns, steps, cycles = core.measured()
  emit("gauge", "greenlua_info", "What runs.", 1,
    { version = core.version, luajit = jit.version, backend = core.backend() })
  collect_threads(emit, stats)
  collect_loop(emit, stats, turns)
  collect_memory(emit, steps, cycles)
  collect_jobs(emit)
  local seen = {}
  for _, server in ipairs(register.list()) do
    local url = server.url
    seen[url] = (seen[url] or 0) + 1 -- of some on one port, with reuse_port
    collect_server(emit, server, seen[url] == 1 and url or format("%s (%d)", url, seen[url]))
  end
end

return M
