-- Waits that are refused: made inside table.sort, string.gsub or a coroutine that
-- greenlua did not resume. Each says so and has no effect.

local green = require "green"
local raw = require "spec.storm.raw"
local signal = require "green.signal"
local socket = require "green.socket"
local storm = require "spec.storm.storm"

local random = math.random

-- -- Places where nobody can wait ---------------------------------------------

local places = {
  function(fn)
    local done
    table.sort({ 2, 1 }, function(a, b)
      if not done then
        done = true
        fn()
      end
      return a < b
    end)
  end,
  function(fn)
    local done
    string.gsub("ab", ".", function()
      if not done then
        done = true
        fn()
      end
    end)
  end,
  function(fn)
    local co = raw.create(fn)
    local ok, err = raw.resume(co)
    storm.rule(ok and raw.status(co) == "dead", "a raw coroutine: %s", tostring(err))
  end,
  function(fn) -- a green coroutine inside does not help
    table.sort({ 2, 1 }, function(a, b)
      coroutine.wrap(fn)()
      return a < b
    end)
  end,
}

--- Call fn(...) where it cannot wait: it must say that.
local function refuse(name, fn, ...)
  local args = { n = select("#", ...), ... }
  storm.any(places)(function()
    local ok, err = pcall(fn, unpack(args, 1, args.n))
    storm.rule(not ok and tostring(err):find("cannot wait", 1, true),
      "%s where nobody can wait: %s %s", name, tostring(ok), tostring(err))
  end)
end

--- Signals that the process catches, as Linux shows them.
local function caught()
  for line in io.lines("/proc/self/status") do
    if line:find("^SigCgt") then
      return line
    end
  end
end

-- -- Acts ---------------------------------------------------------------------

--- Run fn(a, b) with two sockets, one for the other.
local function with_pair(fn)
  local a, b = assert(socket.pair())
  local ok, err = xpcall(fn, debug.traceback, a, b)
  a:close()
  b:close()
  storm.rule(ok, "%s", tostring(err))
end

local reads = {
  { "read", 1 }, { "read_some", 9 }, { "read_line" }, { "read_until", "z" }, { "read_all" },
  { "wait_readable" }, { "read_some", 0 },
}

--- Another thread must get through after a refused one, which lives on.
local function next_one(fn)
  local ok, a, b = pcall(function()
    local t = green.spawn(fn)
    return t:wait(5)
  end)
  return ok and a, tostring(b or a)
end

local function reader()
  with_pair(function(a, b)
    local call = storm.any(reads)
    refuse(call[1], a[call[1]], a, call[2])
    b:write("x")
    local got, err = next_one(function() return a:read(1, { timeout = 1 }) end)
    storm.rule(got == "x", "a read after a refused %s of another: %s %s", call[1],
      tostring(got), err)
  end)
end

local block = ("x"):rep(8 * 1024 * 1024)

local function writer()
  with_pair(function(a, b)
    local name = storm.any { "write", "writev" }
    refuse(name, a[name], a, name == "write" and block or { block })
    local drain = green.spawn(function()
      while b:read_some() do end -- luacheck: ignore 542
    end)
    local done, err = next_one(function() return a:write("y", { timeout = 5 }) end)
    storm.rule(done, "a write after a refused %s of another: %s", name, err)
    a:close()
    drain:wait()
  end)
end

local function accept()
  local listener = assert(green.listen("127.0.0.1:0"))
  refuse("accept", listener.accept, listener)
  local _, port = listener:sockname()
  local client = green.spawn(green.connect, "127.0.0.1", port)
  local conn, err = next_one(function() return listener:accept({ timeout = 5 }) end)
  storm.rule(conn, "accept after a refused one of another: %s", err)
  if conn then conn:close() end
  local ok, other = pcall(client.wait, client)
  if ok and other then other:close() end
  listener:close()
end

local function signals()
  local before = caught()
  refuse("signal.wait", signal.wait, storm.any { "USR1", "USR2", "HUP" })
  storm.rule(caught() == before, "a refused signal.wait caught a signal: %s, before %s",
    caught(), before)
end

local function lookup()
  refuse("getaddrinfo", socket.getaddrinfo, "localhost", 80, { resolver = "system" })
  local list, err = socket.getaddrinfo("localhost", 80, { timeout = 20, resolver = "system" })
  storm.rule(list, "a lookup after a refused one: %s", tostring(err))
end

--- A kill that raises "cannot wait" has killed nobody.
local function kill()
  local over = green.Event()
  local t = green.spawn(function()
    green.sleep(0.001)
    return over:wait(5)
  end)
  green.sleep(0)
  refuse("kill", t.kill, t, storm.chance(0.3) and { force_after = 0 } or nil)
  green.sleep(0.002)
  over:send("alive")
  local ok, what = pcall(t.wait, t)
  storm.rule(ok and what == "alive", "a refused kill killed: %s", tostring(what))
end

--- A wait that a cancel ended, then a refused one: no cancel may come later.
local function late_cancel()
  local s = green.Semaphore(1)
  green.spawn(function()
    s:with(green.sleep, 0.004)
  end)
  green.sleep(0)
  green.timeout(0.001, function()
    pcall(green.sleep, 1)
    table.sort({ 2, 1 }, function(a, b)
      pcall(coroutine.wrap(function() green.sleep(1) end))
      return a < b
    end)
  end)
  local ok, err = pcall(s.acquire, s)
  storm.rule(ok, "outside of all scopes: %s", tostring(err))
  if ok then s:release() end
  green.sleep(0.005)
  storm.rule(s:balance() == 1, "%d permits of 1", s:balance())
end

--- Calls on shared things, none of which can be done at once.
local function primitives()
  local q, full, s = green.Queue(), green.Queue(1), green.Semaphore(0)
  local e, lock, m, pool = green.Event(), green.RLock(), green.metaphore(), green.GreenPool(1)
  local capped, items = green.CappedSemaphore(0, 0), green.TokenPool { max_size = 0 }
  full:put(1)
  m:inc()
  local done = green.Event()
  local holder = green.spawn(lock.with, lock, done.wait, done)
  local other = pool:spawn(done.wait, done)
  green.sleep(0)
  local calls = {
    { "get", q.get, q }, { "put", full.put, full, 2 }, { "acquire", s.acquire, s },
    { "Event:wait", e.wait, e }, { "RLock", lock.acquire, lock }, { "join", full.join, full },
    { "metaphore", m.wait, m }, { "pool:spawn", pool.spawn, pool, print },
    { "waitall", pool.waitall, pool }, { "Thread:wait", holder.wait, holder },
    { "capped", capped.acquire, capped }, { "release", capped.release, capped },
    { "Pool:get", items.get, items }, { "green.wait", green.wait, { q, e } },
    { "green.wait()", green.wait }, { "joinall", green.joinall, { holder, other } },
    { "sleep", green.sleep, 1 }, { "sleep(0)", green.sleep, 0 },
    { "timeout", green.timeout, 1, green.sleep, 1 }, { "shield", green.shield, 1, e.wait, e },
    { "iwait", function() return green.iwait({ q, e })() end },
    { "with", lock.with, lock, print },
  }
  for _ = 1, 5 do
    local call = storm.any(calls)
    refuse(call[1], unpack(call, 2, table.maxn(call)))
  end
  done:send()
  pool:waitall()
  holder:wait()
  storm.rule(q:getting() == 0 and full:putting() == 0, "somebody stands in a queue")
  storm.rule(s:balance() == 0, "an acquire stands: %d", s:balance())
  storm.rule(not lock:locked(), "the lock is held")
  storm.rule(pool:free() == 1 and items:waiting() == 0, "a pool keeps a place")
end

--- A group that could not be joined does not begin.
local function group()
  local has_begun = false
  refuse("group", green.group, function(g)
    has_begun = true
    g:spawn(green.sleep, 1)
  end)
  storm.rule(not has_begun, "a group has begun that cannot be joined")
end

--- In any thread: one of its own, whose pending waits are its own.
local function own(fn)
  return function()
    for _ = 1, random(3) do fn() end
  end
end

return {
  { name = "refused_read", act = own(reader) },
  { name = "refused_write", act = writer },
  { name = "refused_accept", act = accept },
  { name = "refused_signal", act = signals },
  { name = "refused_lookup", act = lookup },
  { name = "refused_kill", act = own(kill) },
  { name = "late_cancel", act = late_cancel },
  { name = "refused_group", act = group },
  { name = "refused_others", act = own(primitives) },
}
