--- What the status page tells, as data.
--
-- Counts are C's, and cost the same whatever there is; what is a list is bounded.
-- @module green.status.look

local core = require "green.core"
local debugging = require "green.debug"
local json = require "green.args.json"
local natives = require "green.tpool.natives"
local pacer = require "green.thread.pace"
local process = require "green.metrics.process"
local register = require "green.wsgi.register"
local requests = require "green.status.requests"
local threads = require "green.status.threads"

-- Scripts may put their own in their places.
local collectgarbage, ipairs, jit, max, time = collectgarbage, ipairs, jit, math.max, os.time

local MOST_SERVERS = 64

local M = {}

--- What core.measured and core.httpd_measured give: the counts of each bin, not the sums.
local function histogram(h)
  local counts, before = json.list {}, 0
  for i, below in ipairs(h.below) do
    counts[i] = below - before
    before = below
  end
  return { count = h.count, sum = h.sum, most = h.most, p50 = h.p50, p90 = h.p90, p99 = h.p99,
    p999 = h.p999, counts = counts }
end

local function known(n)
  return n >= 0 and n or nil
end

local function of_process()
  local u, now = process.usage(), time()
  return {
    pid = core.getpid(),
    thread = core.thread_id(),
    version = core.version,
    luajit = jit.version,
    backend = core.backend(),
    uptime = u.started >= 0 and now - u.started or nil,
    cpu = u.cpu_user + u.cpu_system,
    resident = known(u.resident),
    fds = known(u.fds),
    max_fds = known(u.max_fds),
    native_threads = known(u.threads),
  }
end

local function of_loop(stats, turns)
  return {
    turns = stats.turns,
    switches = stats.switches,
    timers = stats.timers,
    latency = histogram(turns),
  }
end

--- Threads that wait for no descriptor sleep, or wait for others; those that are to begin
-- later are among them.
local function of_threads(stats, opts)
  local io = stats.waits - stats.idle
  local list, is_more = threads.list(opts)
  return {
    alive = stats.threads,
    spawned = stats.made,
    ended = stats.made - stats.threads,
    running = 1, -- whoever asks
    ready = stats.ready,
    io = io,
    waiting = max(0, stats.threads - 1 - stats.ready - io),
    list = list,
    more = is_more,
  }
end

local function of_memory(steps, cycles)
  return { lua = collectgarbage "count" * 1024, cycles = cycles, steps = histogram(steps) }
end

local function of_jobs()
  return json.list(natives.stats())
end

local function of_server(server)
  local one = server:stats()
  one.url = server.url
  local times, answers, rate = core.httpd_measured(server.httpd_pointer)
  if times then
    one.latency, one.rate, one.answers = histogram(times), rate, json.list(answers)
  end
  return one
end

local function of_servers(opts)
  local list, all, pace = json.list {}, register.list(), pacer()
  for i, server in ipairs(all) do
    if i > MOST_SERVERS then
      break
    end
    list[i] = of_server(server)
    list[i].list, list[i].more = requests.list(server, opts, pace)
    pace()
  end
  return list, #all > MOST_SERVERS
end

--- What the blocking detector has seen; false where it is off.
local function of_stalls()
  local stats = debugging.blocking_stats()
  if not stats.is_on then
    return false
  end
  return { resolution = stats.resolution, count = stats.count, total = stats.total,
    longest = stats.longest }
end

--- All of it. Parks, in steps.
-- @tparam table opts of green.status.handler, checked
function M.look(opts)
  local stats = core.stats()
  local _, turns, steps, cycles = core.measured()
  local servers, is_more = of_servers(opts)
  return {
    title = opts.title,
    now = core.now(),
    process = of_process(),
    loop = of_loop(stats, turns),
    threads = of_threads(stats, opts),
    sockets = { known = stats.fds, idle = stats.idle, waiting = stats.waits - stats.idle },
    jobs = of_jobs(),
    memory = of_memory(steps, cycles),
    servers = servers,
    more_servers = is_more,
    stalls = of_stalls(),
  }
end

return M
