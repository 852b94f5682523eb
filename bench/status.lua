-- What looking at 100,000 green threads costs: how long each way takes, and the longest step in
-- which the others have no turn.
--
--   greenlua bench/status.lua [THREADS [WAY...]]
--
-- A thread that wants nothing but its turn measures how long it was away: in CPU time, so
-- that being preempted is no step. What LuaJIT does by itself is kept out of the steps: the
-- collector runs between them (with so many coroutines its longest step is the row gcpause), and
-- its table of all strings is large enough from the start. Prints for each way NAME_ms and
-- NAME_step_ms, and for the page's formats NAME_all_ms: the same with the collector at work.
local debugging = require "green.debug"
local event = require "green.event"
local green = require "green"
local metrics = require "green.metrics"
local queue = require "green.queue"
local screen = require "green.backdoor.screen"
local status = require "green.status"

local THREADS = tonumber(arg[1]) or 100000
local TEXTS = 300000 -- for the table of strings
local GARBAGE_KB = 12 * 1024 -- then it is collected, between two steps

local clock, collect = os.clock, collectgarbage

-- -- Threads --------------------------------------------------------------------

local function deep(levels, fn, ...)
  if levels > 0 then
    return (deep(levels - 1, fn, ...))
  end
  fn(...)
end

local never, empty = event.Event(), queue.Queue()

local kinds = {
  function() green.sleep(3600) end,
  function() never:wait() end,
  function() empty:get() end,
  function() deep(20, green.sleep, 3600) end,
  function() green.timeout(3600, never.wait, never) end,
}

local function park()
  for i = 1, THREADS do
    local thread = green.spawn(kinds[i % #kinds + 1])
    if i % 10 == 0 then
      thread:name("worker " .. i)
    end
    if i % 1000 == 0 then
      green.sleep(0)
    end
  end
  green.sleep(0)
end

-- -- Ways to look at them -------------------------------------------------------

local registry = metrics.registry { runtime = true, process = true }

--- Series of the program's own.
local function add_series()
  local many = registry:gauge("many", "Many.", { labels = { "n" }, max_series = 20000 })
  local sizes = registry:histogram("sizes", "Many.", { labels = { "n" }, max_series = 1000 })
  for i = 1, 20000 do
    many:labels(i):set(i)
  end
  for i = 1, 1000 do
    sizes:labels(i):observe(i)
  end
end

local function size_of(body)
  local bytes = type(body) == "string" and #body or 0
  if type(body) == "function" then
    for piece in body do
      bytes = bytes + #piece
    end
  end
  return bytes
end

--- A request for the page, without a server.
local function ask(query, opts)
  local handler = status.handler(opts)
  return function()
    local code, _, body = handler { REQUEST_METHOD = "GET", PATH_INFO = "/",
      QUERY_STRING = query, REMOTE_ADDR = "127.0.0.1" }
    assert(code == 200)
    return size_of(body)
  end
end

local function count(iterator)
  local n = 0
  for _ in iterator do
    n = n + 1
  end
  return n
end

local short = { traceback = false }

local ways = {
  { "html", ask("", {}), is_page = true },
  { "json", ask("format=json", { threads = 1000 }), is_page = true },
  { "traces", ask("format=json", { threads = 1000, tracebacks = true, peers = true }),
    is_page = true },
  { "prometheus", ask("format=prometheus", { registry = registry }), is_page = true },
  { "threads", function() return #debugging.threads(short) end },
  { "threads_traces", function() return #debugging.threads() end },
  { "texts", function() return count(debugging.each_text()) end },
  { "format", function() return #debugging.format_threads(short) end },
  { "timers", function() return #debugging.format_hub_timers() end },
  { "top", function() return #screen.text({}, 120, 50, "waited") end },
  { "id", function() return debugging.thread(THREADS) and 1 end },
}

-- -- Measuring ------------------------------------------------------------------

local stopped_at -- KB in use when the collector was stopped; nil: it runs

local function stop_collector()
  collect()
  collect()
  collect "stop"
  stopped_at = collect "count"
end

local function go_on_collecting()
  collect "restart"
  stopped_at = nil
end

--- The longest time that this thread has no turn, and all that is collected apart. Parks.
local function watch(m)
  local last = clock()
  while not m.is_done do
    green.sleep(0)
    local now = clock()
    m.longest = math.max(m.longest, now - last)
    last = now
    if stopped_at and collect "count" > stopped_at + GARBAGE_KB then
      stop_collector()
      last = clock()
      m.apart = m.apart + last - now
    end
  end
end

--- CPU time and longest step of fn(), in milliseconds.
local function measure(fn)
  local m = { longest = 0, apart = 0, is_done = false }
  local watcher = green.spawn(watch, m)
  green.sleep(0)
  local began = clock()
  assert(fn() > 0)
  local took = clock() - began - m.apart
  green.sleep(0)
  m.is_done = true
  watcher:wait()
  return took * 1e3, m.longest * 1e3
end

local function figures_of(way)
  local name, fn = way[1], way[2]
  fn() -- what is loaded and compiled the first time
  stop_collector()
  local took, longest = measure(fn)
  go_on_collecting()
  local text = ("%s_ms=%.2f %s_step_ms=%.2f"):format(name, took, name, longest)
  return way.is_page and ("%s %s_all_ms=%.2f"):format(text, name, (measure(fn))) or text
end

local function is_wanted(name)
  for i = 2, #arg do
    if arg[i] == name then
      return true
    end
  end
  return #arg < 2
end

local texts, figures = {}, {}
for i = 1, TEXTS do
  texts[i] = "text " .. i
end
add_series()
park()
for _, way in ipairs(ways) do
  figures[#figures + 1] = is_wanted(way[1]) and figures_of(way) or nil
end
print(table.concat(figures, " "))
assert(#texts == TEXTS) -- which have lived until here
os.exit(0) -- the threads are abandoned
