-- The profiler. How much CPU time is used decides what is seen, not how fast the machine is.

local core = require "green.core"
local debugging = require "green.debug"
local green = require "green"
local process = require "green.process"
local profile = require "green.profile"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

-- -- Work -----------------------------------------------------------------------

--- Use so much CPU time.
local function spin(seconds)
  local t = os.clock() + seconds
  local x = 0
  repeat
    for i = 1, 1e4 do
      x = x + i % 7
    end
  until os.clock() >= t
  return x
end

local function spin_interpreted(seconds)
  local t = os.clock() + seconds
  local x = 0
  repeat
    for i = 1, 1e3 do
      x = x + i % 7
    end
  until os.clock() >= t
  return x
end
jit.off(spin_interpreted)

local function spin_in_c(seconds)
  local t = os.clock() + seconds
  local s = ("a"):rep(1e5)
  repeat
    s:find("b%d*$")
  until os.clock() >= t
end

local function spin_in_coroutine(seconds)
  coroutine.wrap(function()
    coroutine.wrap(spin)(seconds)
    return nil
  end)()
end

local function garbage(seconds)
  local t = os.clock() + seconds
  local keep = {}
  repeat
    for i = 1, 1000 do
      keep[i] = { i }
    end
  until os.clock() >= t
  return keep
end

--- Call fn while six processes want all processors.
local function beside_others(fn)
  local busy = {}
  for i = 1, 6 do
    busy[i] = assert(process.spawn { "sh", "-c", "while :; do :; done", kill_group = true })
  end
  green.finally(fn, function()
    for _, p in ipairs(busy) do
      p:kill { group = true }
      p:wait()
    end
  end)
end

--- The folded text of fn in a thread, and the result.
local function profiled(opts, fn, ...)
  assert.is_true(profile.start(opts))
  local t = green.spawn(fn, ...)
  t:name("the worker")
  local ok, err = pcall(t.wait, t)
  local seen = assert(profile.stop())
  assert(ok, err)
  return seen:folded(), seen
end

local function has(text, what)
  assert(text:find(what, 1, true), "no '" .. what .. "' in\n" .. text)
end

-- -- CPU ------------------------------------------------------------------------

describe("green.profile", function()
  it("says which function and line of which thread uses the CPU", function()
    local from = debug.getinfo(spin, "S").linedefined
    local text, seen = profiled(nil, spin, 0.2)
    has(text, "thread the worker (spawned at spec/profile/profile_spec.lua:")
    local lines = 0
    for line in text:gmatch("profile_spec%.lua:(%d+) %d+\n") do
      assert(tonumber(line) >= from and tonumber(line) <= from + 10, text)
      lines = lines + 1
    end
    assert(lines > 0, text)
    assert.equal("cpu", seen.kind)
    assert(seen.samples >= 10, tostring(seen))
    assert(seen.total >= 0.05e9 and seen.total < 1e9, tostring(seen.total))
    assert(seen.states.compiled.value > seen.total / 2)
  end)

  it("counts all CPU time of its thread, however seldom it looks", function()
    local clock = os.clock()
    local _, seen = profiled({ period = 0.05 }, spin, 0.4)
    local used = (os.clock() - clock) * 1e9
    assert(seen.total > used / 2 and seen.total <= used * 1.1, seen.total .. " of " .. used)
  end)

  it("says so, too, where others want all processors", function()
    beside_others(function()
      for _, period in ipairs { 0.005, 0.001 } do
        local text, seen = profiled({ period = period }, spin, 0.2)
        has(text, "thread the worker (spawned at spec/profile/profile_spec.lua:")
        assert(seen.samples >= 15, tostring(seen))
        assert(seen.samples <= 0.4 / period, tostring(seen)) -- what others use is none of it
        assert(seen.total > 0.12e9 and seen.total < 0.4e9, tostring(seen.total))
        assert(seen.states.compiled.value > seen.total / 2, seen:text())
      end
    end)
  end)

  it("sees interpreted code, C, and the collector", function()
    local text, seen = profiled(nil, function()
      spin_interpreted(0.1)
      spin_in_c(0.1)
      garbage(0.3)
    end)
    assert(seen.states.interpreted.count > 0)
    has(text, "spin_interpreted spec/profile/profile_spec.lua:")
    has(text, "spin_in_c spec/profile/profile_spec.lua:")
    has(text, "(GC) ")
    assert(seen.states.collector.count > 0)
  end)

  it("goes down through coroutines and functions of C that call back", function()
    local text = profiled(nil, function()
      spin_in_coroutine(0.1)
      local t = os.clock() + 0.1
      repeat
        local list = {}
        for i = 1, 1000 do
          list[i] = -i
        end
        table.sort(list, function(a, b)
          local less = a < b
          return less
        end)
      until os.clock() > t
      return nil
    end)
    assert(text:find("thread the worker[^\n]+;spin_in_coroutine [^\n]+;[^\n]+profile_spec"), text)
    assert(text:find("%[C%] sort;%(anonymous%) spec/profile/profile_spec%.lua:%d+"), text)
  end)

  it("blames a thread that ends with a function of C, and not the next one", function()
    local text = ("a"):rep(1e5)
    assert.is_true(profile.start { period = 0.001 })
    local t = os.clock() + 0.2
    repeat
      green.spawn(text.find, text, "b%d*$"):name("in C")
      green.spawn(function()
        local x = 0
        for i = 1, 10 do
          x = x + i
        end
        return x
      end):name("the innocent")
      green.sleep(0)
    until os.clock() > t
    local used = {}
    for _, row in ipairs(assert(profile.stop()):flat()) do
      used[row.name:match("^thread ([%a ]+) %(") or row.name] = row.total
    end
    assert(used["in C"] > 10 * (used["the innocent"] or 0), tostring(used["the innocent"]))
  end)

  it("looks each millisecond where it is told to, and at the loop's own work", function()
    local _, seen = profiled({ period = 0.001 }, function()
      local t = os.clock() + 0.1
      repeat
        green.sleep(0)
        local x = 0
        for i = 1, 1000 do
          x = x + i
        end
      until os.clock() > t
    end)
    assert(seen.samples > 25, tostring(seen))
  end)

  it("wakes nobody who sleeps", function()
    local before = green.stats().turns
    local _, seen = profiled({ period = 0.005 }, function()
      green.sleep(0.3)
    end)
    assert(green.stats().turns - before < 20)
    assert(seen.samples <= 5, tostring(seen))
  end)

  it("is one of a kind at a time, and says so", function()
    assert.is_nil(profile.is_on())
    assert.is_true(profile.start())
    assert.equal("number", type(profile.is_on "cpu"))
    local ok, err = profile.start()
    assert.is_nil(ok)
    assert.is_true(err:is "EALREADY")
    has(err.message, "a profile of kind 'cpu' has been on for 0.")
    assert.is_true(profile.start { kind = "wait" })
    ok, err = profile.stop()
    assert.is_nil(ok)
    assert.is_true(err:is "EINVAL")
    assert(profile.stop("cpu"))
    assert(profile.stop())
    ok, err = profile.stop()
    assert.is_nil(ok)
    assert.is_true(err:is "ENOENT")
    ok, err = profile.stop("alloc")
    assert.is_nil(ok)
    assert.is_true(err:is "ENOENT")
  end)

  it("refuses what makes no sense", function()
    for _, wrong in ipairs {
      { { kind = "gpu" }, "kind must be 'cpu', 'wait' or 'alloc'" },
      { { period = 0 }, "period" },
      { { period = 1e9 }, "period" },
      { { bytes = 4096 }, "are of kind 'alloc'" },
      { { kind = "alloc", period = 1 }, "memory has no period (1)" },
      { { kind = "alloc", bytes = 1 }, "bytes" },
      { { peroid = 1 }, "did you mean 'period'" },
    } do
      local ok, err = pcall(profile.start, wrong[1])
      assert.is_false(ok)
      has(tostring(err), wrong[2])
      has(tostring(err), "profile_spec.lua")
    end
    assert.is_false(pcall(profile.stop, "gpu"))
  end)

  it("lives beside the blocking detector, in any order", function()
    local seen = {}
    local function detect(state)
      assert.is_true(debugging.hub_blocking_detection(state, 0.02, { report = function(stall)
        seen[#seen + 1] = stall
      end }))
    end
    local function block()
      repeat
        spin(0.01)
      until core.watchdog_state().told
    end
    detect(true)
    has(profiled(nil, function() block() spin(0.1) end), "spin")
    testing.settle()
    assert(seen[1] and seen[1].traceback)
    green.spawn(block):wait()
    testing.settle()
    detect(false)
    assert(seen[2] and seen[2].traceback)
    assert.is_true(profile.start())
    detect(true)
    green.spawn(block):wait()
    testing.settle()
    detect(false)
    spin(0.1)
    has(profile.stop():folded(), "spin")
    assert(seen[3] and seen[3].traceback)
    assert.equal(0, core.profile_owner())
  end)

  it("ends with a thread that is killed, and goes on with the others", function()
    local text = profiled(nil, function()
      local t = green.spawn(function()
        while true do
          spin(0.01)
          green.sleep(0)
        end
      end)
      green.sleep(0.05)
      t:kill()
      spin(0.1)
      return nil
    end)
    has(text, "thread the worker")
  end)

  it("is the parent's in a child of a fork, which may begin one of its own", function()
    assert.is_true(profile.start())
    assert.is_true(profile.start { kind = "alloc" })
    local pid = assert(process.fork(function()
      local ok = not profile.is_on() and not profile.is_on "alloc" and profile.start()
      spin(0.1)
      os.exit(ok and profile.stop().samples > 4 and 7 or 1)
    end))
    assert.same({ "exit", 7 }, { process.wait(pid) })
    spin(0.1)
    has(assert(profile.stop "cpu"):folded(), "spin")
    assert(profile.stop "alloc")
  end)
end)

-- -- Memory, waits ----------------------------------------------------------------

describe("green.profile of memory", function()
  local function make(n)
    local list = {}
    for i = 1, n do
      list[i] = ("%06d"):format(i) .. ("x"):rep(1000)
    end
    return list
  end

  it("says where it is made, and all of it", function()
    local text, seen = profiled({ kind = "alloc", bytes = 65536 }, make, 10000)
    has(text, "(anonymous) spec/profile/profile_spec.lua:")
    assert(seen.total > 9e6 and seen.total < 40e6, tostring(seen.total))
    assert(seen.samples > 50, tostring(seen))
    has(seen:flat()[1].name, "spec/profile/profile_spec.lua:")
  end)

  it("sees one large string in a function of C", function()
    local text = profiled({ kind = "alloc" }, function()
      local text = ("x"):rep(8e6)
      return #text
    end)
    assert(tonumber(text:match("(%d+)\n")) >= 8e6, text)
  end)

  it("gives the allocator back", function()
    for _ = 1, 20 do
      assert.is_true(profile.start { kind = "alloc" })
      make(100)
      assert(profile.stop())
    end
    collectgarbage()
  end)
end)

describe("green.profile of waits", function()
  it("says who waits where, for what", function()
    assert.is_true(profile.start { kind = "wait", period = 0.005 })
    local queue = require("green.queue").Queue()
    local sleeper = green.spawn(function() green.sleep(1000) end)
    sleeper:name("the sleeper")
    local getter = green.spawn(function() queue:get() end)
    getter:name("the getter")
    local seen
    for _ = 1, 1000 do
      green.sleep(0.02)
      if profile.is_on "wait" > 0.2 then
        break
      end
    end
    seen = assert(profile.stop())
    local text = seen:folded()
    assert(text:find("thread the sleeper [^\n]+profile_spec[^\n]+;%(sleep%) %d+\n"), text)
    assert(text:find("thread the getter [^\n]+profile_spec[^\n]+;%(queue%) %d+\n"), text)
    assert.equal("wait", seen.kind)
    sleeper:kill()
    getter:kill()
  end)

  it("weighs the threads by how long they wait", function()
    assert.is_true(profile.start { kind = "wait", period = 0.002 })
    local t = green.spawn(function() green.sleep(0.4) end)
    t:name("long")
    t:wait()
    local long = tonumber(profile.stop():folded():match("thread long [^\n]+ (%d+)\n"))
    assert(long > 0.2e6 and long < 4e6, tostring(long))
  end)

  it("is no future: a deadlock is one still", function()
    local r = program.run_greenlua { "-e", [[
      local green, profile = require "green", require "green.profile"
      profile.start { kind = "wait" }
      green.spawn(function() require("green.queue").Queue():get() end):wait()]] }
    assert.equal(1, r.status)
    has(r.err, "EDEADLOCK")
  end)

  it("looks at many in steps", function()
    local queue = require("green.queue").Queue()
    local all = {}
    for i = 1, 3000 do
      all[i] = green.spawn(function() queue:get() end)
    end
    green.sleep(0)
    assert.is_true(profile.start { kind = "wait", period = 0.001 })
    for _ = 1, 300 do
      green.sleep(0.001)
    end
    local passed, n = profile.is_on "wait", nil
    local seen = profile.stop()
    for _, t in ipairs(all) do t:kill() end
    for _, row in ipairs(seen:flat()) do
      if row.name == "(queue)" then n = row.self end
    end
    assert(n and n > 1000 * passed and n < 3300 * passed, tostring(n)) -- seconds, of all threads
  end)
end)

-- -- Others who want LuaJIT's profiler ---------------------------------------------

describe("green.profile and the rest of the process", function()
  it("says which thread has the profiler, in a second runtime", function()
    local path = program.file [[
      local profile = require "green.profile"
      return function()
        local ok, err = profile.start()
        print(ok, err.code, err.message)
        print(profile.start { kind = "wait" })
        profile.stop()
      end]]
    local folder, name = path:match("^(.*/)([^/]*)$")
    local r = program.run_greenlua { "-e", ("package.path = '%s?;' .. package.path\n")
      :format(folder) .. ([[
      local green, profile = require "green", require "green.profile"
      assert(profile.start())
      assert(green.workers(1, %q)):wait()
      assert(profile.stop())]]):format(name) }
    os.remove(path)
    assert.equal("", r.err)
    assert(r.out:find("^nil\tEBUSY\tLuaJIT's profiler is one a process, and another has it: the "
      .. "runtime of the thread %d+"), r.out)
    has(r.out, "\ntrue\n")
  end)

  it("lives beside jit.p, whose samples are its own", function()
    local r = program.run_greenlua { "-e", [[
      local profile, jp = require "green.profile", require "jit.profile"
      local function spin(s)
        local t = os.clock() + s
        repeat for i = 1, 1e4 do end until os.clock() > t
      end
      assert(profile.start { period = 0.004 })
      local n, calls = 0, 0
      jp.start("li50", function(thread, samples)
        n, calls = n + samples, calls + 1
      end)
      spin(0.5)
      jp.stop()
      print(n >= 2 and n <= 40, calls >= 2)
      spin(0.1)
      local seen = profile.stop()
      print(seen.samples > 20, seen:folded():find("spin") ~= nil)
      local m = 0
      jp.start("li10", function(thread, samples) m = m + samples end)
      spin(0.2)
      jp.stop()
      print(m > 2)]] }
    assert.equal("", r.err)
    assert.equal("true\ttrue\ntrue\ttrue\ntrue\n", r.out)
  end)
end)
