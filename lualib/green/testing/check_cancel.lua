--- Checks of timeouts and kills. Private to green.testing.check_stream.
-- @module green.testing.check_cancel

local check = require "green.testing.check"
local core = require "green.core"
local thread = require "green.thread"
local timeout = require "green.timeout"

local is, fails = check.is, check.fails

local BIG = 8 * 1024 * 1024
local SOON = 0.005

local function add_timeouts(add)
  add("a read that times out takes nothing", function(a, b)
    fails("ETIMEDOUT", b:read(1, { timeout = SOON }))
    a:write("ab")
    fails("ETIMEDOUT", b:read(3, { timeout = SOON }))
    a:write("c")
    is(b:read(3), "abc")
  end)

  add("every kind of reading has a timeout", function(_, b)
    fails("ETIMEDOUT", b:read_some(10, { timeout = SOON }))
    fails("ETIMEDOUT", b:read_until(";", { timeout = SOON }))
    fails("ETIMEDOUT", b:read_line({ timeout = SOON }))
    fails("ETIMEDOUT", b:read_all(10, { timeout = SOON }))
  end)

  add("a timeout of 0 never waits", function(a, b)
    fails("EAGAIN", b:read(1, { timeout = 0 }))
    a:write("x")
    check.pause()
    is(b:read(1, { timeout = 0 }), "x")
  end)
end

local function add_limits(add)
  add("a timeout is for the whole call, not for each wait in it", function(a, b)
    local t0 = core.now()
    local drip = thread.spawn(function()
      while a:write("x") do
        thread.sleep(0.004)
      end
    end)
    fails("ETIMEDOUT", b:read(1000, { timeout = 0.02 }))
    check.ok(core.now() - t0 < 0.5, "each byte prolonged the timeout")
    drip:kill()
  end)

  add("settimeout holds for all calls; a call's own timeout goes before it", function(a, b)
    b:settimeout(SOON)
    is(b:gettimeout(), SOON)
    fails("ETIMEDOUT", b:read(1))
    b:settimeout(0)
    fails("EAGAIN", b:read(1))
    fails("ETIMEDOUT", b:read(1, { timeout = SOON }))
    b:settimeout(nil)
    a:write("x")
    is(b:read(1), "x")
  end)

  add("a write that times out tells how much is gone", function(a)
    local err = fails("ETIMEDOUT", a:write(check.pattern(BIG), { timeout = SOON }))
    check.ok(err.written > 0 and err.written < BIG, "written is " .. tostring(err.written))
  end)

  add("a scope around a read raises in it; the stream goes on", function(a, b)
    local value, err = timeout.timeout(SOON, b.read, b, 1)
    fails("ETIMEDOUT", value, err)
    a:write("x")
    is(b:read(1), "x")
  end)
end

--- Start fn(...) in a thread that is killed before its first step's next wait.
local function killed_before(fn, ...)
  local args, seen = { ... }, {}
  local t = thread.spawn(function()
    thread.current():kill_soon()
    seen.ok, seen.err = pcall(fn, unpack(args))
  end)
  t:wait()
  is(seen.ok, false, "the call of a killed thread went well")
  check.ok(type(seen.err) == "table" and seen.err:is("ECANCELED"), "no kill: "
    .. tostring(seen.err))
end

local function is_killed(t)
  local ok, err = pcall(t.wait, t)
  is(ok, false, "the killed thread returned")
  check.ok(type(err) == "table" and err:is("ECANCELED"), "no kill: " .. tostring(err))
end

local function add_kills(add)
  add("a read in a killed thread raises and takes nothing", function(a, b)
    a:write("x")
    check.pause()
    killed_before(b.read, b, 1)
    killed_before(b.read_some, b)
    killed_before(b.read_until, b, ";")
    killed_before(b.read_line, b)
    killed_before(b.read_all, b)
    is(b:read(1), "x")
  end)

  add("a write in a killed thread raises and sends nothing", function(a, b)
    killed_before(a.write, a, "no")
    killed_before(a.writev, a, { "no" })
    a:write("yes")
    is(b:read_some(), "yes")
  end)
end

local function add_kills_of_waiting(add)
  add("killing a reader leaves the bytes to the next one", function(a, b)
    local t = check.start(b.read, b, 3)
    a:write("ab")
    check.pause()
    t:kill()
    is_killed(t)
    a:write("c")
    is(b:read(3), "abc")
  end)

  add("killing a writer lets the stream go on", function(a, b)
    local t = check.start(a.write, a, check.pattern(BIG))
    t:kill()
    is_killed(t)
    local rest = thread.spawn(a.write, a, "tail")
    local seen = ""
    for chunk in b:chunks() do
      seen = (seen .. chunk):sub(-4)
      if seen == "tail" then
        break
      end
    end
    is(rest:wait(), true)
  end)

  add("the kill of one end's thread does not disturb the other end", function(a, b)
    local reader = check.start(b.read, b, 1)
    local other = check.start(a.read, a, 1)
    other:kill()
    a:write("x")
    is(reader:wait(), "x")
  end)
end

return function(add)
  add_timeouts(add)
  add_limits(add)
  add_kills(add)
  add_kills_of_waiting(add)
end
