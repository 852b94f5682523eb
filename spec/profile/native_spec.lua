-- CPU time of native threads in a profile. What is used decides what is seen: the sums are those
-- of the system's clocks, whoever wants the processor, too.

local green = require "green"
local profile = require "green.profile"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, real = testing.busted()

local it = require("spec.support.pool_kit").with_pool(real, function()
  if profile.is_on() then
    profile.stop()
  end
end)

-- -- Jobs ---------------------------------------------------------------------

--- Seconds of CPU time that this thread has used.
local function used()
  local ffi = require "ffi"
  pcall(ffi.cdef, [[
    typedef struct { long sec, nsec; } native_spec_time;
    int native_spec_clock(int clock, native_spec_time *t) __asm__("clock_gettime");
  ]])
  local t = ffi.new "native_spec_time"
  ffi.C.native_spec_clock(3, t)
  return tonumber(t.sec) + tonumber(t.nsec) * 1e-9
end

--- Use so much.
local function spin_here(seconds)
  local over, x = used() + seconds, 0
  repeat
    for i = 1, 1000 do
      x = x + i % 7
    end
  until used() >= over
  return x
end

local function spin(seconds)
  local x = spin_here(seconds)
  return x
end

local function nothing() end

--- The stacks of native threads, and the ns of those in which each text stands.
local function natives(seen, ...)
  local ns = 0
  for _, stack in ipairs(seen.stacks) do
    local text = table.concat(stack, ";")
    local has = text:find("(native thread)", 1, true) ~= nil
    for i = 1, select("#", ...) do
      has = has and text:find((select(i, ...)), 1, true) ~= nil
    end
    ns = ns + (has and stack.value or 0)
  end
  return ns
end

describe("green.profile of native threads", function()
  it("counts all that a job uses, under the green thread that wants it", function(pool)
    assert.is_true(profile.start())
    green.spawn(function() local x = pool:execute(spin, 0.1) return x end):name("caller"):wait()
    local seen = profile.stop()
    local ns = natives(seen, "thread caller (spawned at spec/profile/native_spec.lua:")
    assert.is_true(ns >= 0.1e9, seen:folded())
    assert.equal(ns, natives(seen))
    assert.equal(ns, seen.states.native.value)
    assert.is_true(seen.states.native.count > 0)
    assert.is_true(seen.total >= ns)
  end)

  it("has the lines of its Lua, interpreted and compiled", function(pool)
    for _, mode in ipairs { "off", "on" } do
      pool:execute(function(what) require("jit")[what]() end, mode)
      pool:execute(function(what) require("jit")[what]() end, mode) -- both threads, mostly
      assert.is_true(profile.start())
      pool:execute(spin, 0.2)
      local seen = profile.stop()
      assert.is_true(natives(seen, "spin_here spec/profile/native_spec.lua:") > 0, seen:folded())
      assert.is_true(natives(seen, "(anonymous) spec/profile/native_spec.lua:") > 0, seen:folded())
    end
  end)

  it("has one that began before, or goes on after it, as a whole", function(pool)
    local path = os.tmpname()
    os.remove(path)
    local t = green.spawn(function()
      pool:execute(function(name)
        local file
        repeat
          file = io.open(name)
        until file
        file:close()
      end, path)
    end)
    local debugging = require "green.debug"
    local function at_work()
      for _, n in ipairs(debugging.native_threads()) do
        if n.state == "at work" and n.seconds > 0.05 then
          return true
        end
      end
    end
    repeat green.sleep(0.002) until at_work()
    assert.is_true(profile.start())
    local ns
    repeat
      green.sleep(0.05)
      local seen = profile.stop()
      ns = natives(seen, "function <spec/profile/native_spec.lua:")
      assert.equal(ns, natives(seen))
      assert.is_true(profile.start())
    until ns > 0
    profile.stop()
    assert(io.open(path, "w")):close()
    t:wait()
    os.remove(path)
  end)

  it("has many short ones by their function", function(pool)
    assert.is_true(profile.start())
    for _ = 1, 200 do
      pool:execute(nothing)
    end
    local seen = profile.stop()
    assert.is_true(natives(seen, "function <spec/profile/native_spec.lua:") > 0)
  end)

  it("is nothing where no native thread is at work", function()
    assert.is_true(profile.start())
    spin(0.02)
    local seen = profile.stop()
    assert.equal(0, natives(seen))
    assert.equal(0, seen.states.native.value)
  end)

  it("leaves the job's own hook, and its end by a kill, as they are", function(pool)
    assert.is_true(profile.start { period = 0.001 })
    local is_same = pool:execute(function()
      local function hook() end
      debug.sethook(hook, "", 1e6)
      local over, n = os.clock() + 0.3, 0
      while os.clock() < over do n = n + 1 end
      local now = debug.gethook()
      debug.sethook()
      return now == hook
    end)
    assert.is_true(is_same)
    local _, err = green.timeout(0.05, function()
      pool:with({ killable = true, grace = 20 }):execute(function() while true do end end)
    end)
    assert.equal("ETIMEDOUT", err.code)
    while pool:stats().pending > 0 do green.sleep(0.002) end
    profile.stop()
  end)

  real("begins anew in a child of a fork, and ends with the program", function()
    local p = program.run_greenlua { "-e", [[
      local green, tpool = require "green", require "green.tpool"
      local profile = require "green.profile"
      local function work() local t = os.clock() + 0.05 while os.clock() < t do end end
      assert(profile.start())
      tpool.execute(work)
      local child = green.fork(function()
        assert(not profile.is_on())
        assert(profile.start())
        tpool.execute(work)
        print(profile.stop().states.native.value > 0)
      end)
      print((require("green.process").wait(child)))
      green.spawn(tpool.execute, function() while true do end end)
      green.sleep(0.05)
      os.exit(3)
    ]] }
    assert.matches("^true\n", p.out)
    assert.equal(3, p.status, p.err)
  end)
end)
