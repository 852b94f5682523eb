-- A wait where none can be (inside table.sort, string.gsub, a coroutine that others
-- resumed, ...) raised when half of it had been done: the stream stayed held, a killed
-- thread died all the same, a signal stayed caught, a lookup ran on, and the status of
-- the refused wait was given to the thread's next one.
--
-- Calls every parking function in such places, and compares everything before and after.

local core = require "green.core"
local patch_coroutine = require "green.patch.coroutine"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local program = require "spec.support.program"
local sockets = dofile("spec/support/sockets.lua")

local virtual_it, it = testing.busted()

-- -- Places that cannot wait --------------------------------------------------

--- Each calls fn and returns what pcall gave there. Below C frames:
local places = {}

places["table.sort"] = function(fn)
  local outcome
  table.sort({ 1, 2 }, function()
    outcome = outcome or { pcall(fn) }
    return false
  end)
  return unpack(outcome, 1, 2)
end

places["string.gsub"] = function(fn)
  local outcome
  string.gsub("x", "x", function()
    outcome = { pcall(fn) }
  end)
  return unpack(outcome, 1, 2)
end

places["a chunk's reader"] = function(fn)
  local outcome
  load(function()
    outcome = outcome or { pcall(fn) }
  end)
  return unpack(outcome, 1, 2)
end

places["a coroutine inside table.sort"] = function(fn)
  return places["table.sort"](coroutine.wrap(fn))
end

places["table.sort inside a coroutine"] = function(fn)
  return coroutine.wrap(function()
    return places["table.sort"](fn)
  end)()
end

places["table.sort inside a coroutine inside table.sort"] = function(fn)
  local outcome
  places["table.sort"](coroutine.wrap(function()
    outcome = { places["table.sort"](fn) }
  end))
  return unpack(outcome, 1, 2)
end

-- In coroutines that others resume:
local foreign = {}

foreign["a coroutine that was resumed raw"] = function(fn)
  return patch_coroutine.raw.resume(patch_coroutine.raw.create(fn))
end

foreign["a coroutine in one that was resumed raw"] = function(fn)
  return patch_coroutine.raw.resume(patch_coroutine.raw.create(function()
    return coroutine.wrap(fn)()
  end))
end

foreign["a raw coroutine inside a coroutine"] = function(fn)
  return coroutine.wrap(function()
    return patch_coroutine.raw.resume(patch_coroutine.raw.create(fn))
  end)()
end

places["a finalizer"] = function(fn)
  local outcome
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    outcome = { pcall(fn) }
  end
  guard = nil -- luacheck: ignore 311
  collectgarbage()
  collectgarbage()
  return unpack(outcome, 1, 2)
end
jit.off(places["a finalizer"])

-- -- What there is ------------------------------------------------------------

local function caught_signals()
  local file = io.open("/proc/self/status")
  local mask = file:read("*a"):match("\nSigCgt:%s*(%x+)")
  file:close()
  return mask:sub(-8) -- without those that native threads use
end

local counters = {}
for name in ([[
  getting putting qsize balance waiting running free locked bounded count size pending
  unfinished ready owner running_keys waiting_for status dead qsize
]]):gmatch("%S+") do
  counters[#counters + 1] = name
end

--- What an object says of itself. Nothing here parks.
local function look(lines, name, obj)
  local kind = type(obj)
  if kind ~= "table" and kind ~= "userdata" then
    lines[#lines + 1] = ("%s: %s"):format(name, tostring(obj))
    return
  elseif kind == "table" and not getmetatable(obj) then
    return
  end
  lines[#lines + 1] = ("%s: %s"):format(name, tostring(obj))
  for _, method in ipairs(counters) do
    local there, fn = pcall(function()
      return obj[method]
    end)
    if there and type(fn) == "function" then
      local ok, value = pcall(fn, obj)
      value = type(value) == "table" and table.concat(value, " ") or tostring(value)
      lines[#lines + 1] = ("%s:%s() %s %s"):format(name, method, tostring(ok), value)
    end
  end
end

--- Everything that can be seen from outside, as a list of lines.
local function everything(what, c)
  local lines, now = {}, core.stats()
  for _, name in ipairs { "waits", "timers", "fds", "threads" } do
    lines[#lines + 1] = ("%s: %d"):format(name, now[name])
  end
  for _, t in ipairs(core.threads()) do
    if t ~= core.current() then
      lines[#lines + 1] = ("%s %s"):format(tostring(t), t:status())
    end
  end
  lines[#lines + 1] = "caught: " .. caught_signals()
  for name, obj in pairs(c or {}) do
    look(lines, name, obj)
  end
  if what.shows then
    lines[#lines + 1] = what.shows(c)
  end
  table.sort(lines)
  return lines
end

local function collected()
  collectgarbage()
  collectgarbage()
  return testing.open_fds()
end

-- -- The specs ----------------------------------------------------------------

local function is_refusal(place, ok, err)
  assert.is_false(ok, place .. ": it was not refused")
  assert.is_truthy(tostring(err):find("cannot wait", 1, true), place .. ": " .. tostring(err))
end

--- In the thread whose waits are refused; it goes on living meanwhile.
local function refused_in(place, call_there, what, c)
  collected()
  testing.settle() -- loops left early before stop watching
  local fds, before = collected(), everything(what, c)
  local ok, err = call_there(function()
    return what.call(c)
  end)
  local after = everything(what, c)
  is_refusal(place, ok, err)
  assert.same(before, after, place)
  assert.equal(fds, collected(), place .. ": open descriptors")
  testing.settle()
  collected()
  assert.same(before, everything(what, c), place .. ", a little later")
end

--- Another thread can use the object at once, and then the refused one.
local function is_usable(place, what, c)
  local other = green.spawn(function()
    local results = { what.call(c) }
    if what.ok then what.ok(unpack(results)) end
  end)
  testing.settle()
  what.ready(c)
  local ok, err = pcall(other.wait, other, 1)
  assert.is_true(ok, ("%s: another thread: %s"):format(place, tostring(err)))
  assert.is_true(other:dead(), place .. ": another thread still waits")
end

local function waits_are_well(place)
  local lock = green.Semaphore(0)
  green.spawn(lock.release, lock)
  assert.same({ true, true }, { pcall(lock.acquire, lock) }, place .. ": the next wait")
  assert.same({ true }, { pcall(green.sleep, 0.001) }, place .. ": the wait after it")
end

local hangs = { -- at times, when the fault is there: these are asked in children
  group = true,
}

local function check(what, where)
  for place, call_there in pairs(where) do
    local c = what.open()
    refused_in(place, call_there, what, c)
    waits_are_well(place)
    is_usable(place, what, c)
    if what.done then what.done(c) end
    testing.settle()
  end
end

local function describe_calls(list)
  for _, what in ipairs(list) do
    if not hangs[what.name] then
      it(what.name .. " below a C function has no effect", function()
        check(what, places)
      end)

      it(what.name .. " in a coroutine that others resume has no effect", function()
        check(what, foreign)
      end)
    end
  end
end

describe("a refused wait:", function()
  describe_calls(sockets.parking)
  describe_calls(dofile("spec/support/primitives.lua"))
  describe_calls(dofile("spec/support/more_parking.lua"))
end)

describe("after refused waits", function()
  --- fn() is called in each of the places, whatever comes of it.
  local function everywhere(fn)
    for _, list in ipairs { places, foreign } do
      for _, place in pairs(list) do
        place(fn)
      end
    end
  end

  virtual_it("a scope that expired before them is raised no more once it has ended", function()
    local lock = green.Semaphore(0)
    for _, wait in ipairs {
      function() green.sleep(1) end,
      function() lock:acquire() end,
      function() green.Queue():get() end,
      function() green.Event():wait() end,
      function() green.sleep(0) end,
    } do
      green.timeout(1, function()
        pcall(green.sleep, 2)
        everywhere(wait)
      end)
      for _ = 1, 2 do
        lock:release()
        assert.same({ true, true }, { pcall(lock.acquire, lock) })
      end
      assert.same({ true }, { pcall(green.sleep, 1) })
    end
  end)

  virtual_it("a cancelled Timeout is raised no more", function()
    local timeout = green.Timeout(1)
    pcall(green.sleep, 2)
    everywhere(function() green.sleep(1) end)
    timeout:cancel()
    assert.same({ true }, { pcall(green.sleep, 1) })
    assert.is_true(green.Semaphore(1):acquire())
  end)

  virtual_it("an error that was thrown is raised once, not again", function()
    local errs = {}
    local t = green.spawn(function()
      for i = 1, 4 do
        if i == 2 then
          everywhere(function() green.sleep(1) end)
        end
        errs[i] = select(2, pcall(green.sleep, 10)) or "none"
      end
    end)
    testing.settle()
    t:throw("thrown")
    t:wait()
    assert.same({ "thrown", "none", "none", "none" }, errs)
  end)

  virtual_it("a kill that comes later is raised once it can be", function()
    local t = green.spawn(function()
      everywhere(function() green.sleep(1) end)
      green.sleep(10)
    end)
    testing.settle()
    t:kill()
    assert.equal("killed", t:status())
  end)

  virtual_it("a pending kill is raised by the next wait, the same object", function()
    local errs = {}
    local t = green.spawn(function()
      pcall(green.sleep, 10)
      everywhere(function() green.sleep(1) end)
      for i = 1, 2 do
        errs[i] = select(2, pcall(green.sleep, 10))
      end
    end)
    testing.settle()
    t:kill_soon()
    t:wait()
    assert.is_true(green.is_error(errs[1], "ECANCELED"))
    assert.equal(errs[1], errs[2])
  end)

  it("a half read line is still there for others", function()
    local a, b = socket.pair()
    b:write("half")
    everywhere(function() a:read_line() end)
    b:write(" and half\n")
    assert.equal("half and half", green.spawn(a.read_line, a, { timeout = 8 }):wait())
    a:close()
    b:close()
  end)

  it("what was written before the refusal is not written twice", function()
    local a, b = socket.pair()
    local text = ("0123456789"):rep(200000)
    local err
    everywhere(function()
      local _
      _, err = pcall(a.write, a, text)
    end)
    assert.is_truthy(tostring(err):find("cannot wait", 1, true))
    a:shutdown("write")
    local got = b:read_all(nil, { timeout = 5 })
    for at = 1, #got, 10 do -- whole or cut pieces, one behind the other
      if got:sub(at, at + 9) ~= text:sub(1, #got - at + 1):sub(1, 10) then
        break
      end
    end
    assert.is_true(#got < #text * 2)
    a:close()
    b:close()
  end)

  it("several readers, in line, are served in their order", function()
    local old = require("green.stream").allow_multiple_readers(true)
    local a, b = socket.pair()
    local got = {}
    local list = {}
    for i = 1, 3 do
      list[i] = green.spawn(function()
        everywhere(function() a:read(1) end)
        got[i] = a:read(1, { timeout = 8 })
      end)
      testing.settle()
    end
    everywhere(function() a:read(1) end)
    b:write("abc")
    green.joinall(list, 5)
    assert.same({ "a", "b", "c" }, got)
    require("green.stream").allow_multiple_readers(old)
    a:close()
    b:close()
  end)
end)

-- -- In children --------------------------------------------------------------

local CHILD = [[
  local green, core = require "green", require "green.core"
  local function threads()
    local n = 0
    for _, t in ipairs(core.threads()) do if not t:dead() then n = n + 1 end end
    return n
  end
  local function turns() for _ = 1, 50 do green.sleep(0) end end
  local function refused(fn)
    local outcome
    table.sort({ 1, 2 }, function() outcome = outcome or { pcall(fn) } return false end)
    local text = tostring(outcome[2])
    print(outcome[1], text:find("cannot wait", 1, true) and "cannot wait" or text)
  end
]]

local function prints(expected, code, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3], opts[4], opts[5] = "timeout", "25", program.greenlua, "-e",
    CHILD .. code
  local r = program.run(opts)
  assert.equal(expected, r.out, ("status %s, signal %s: %s"):format(
    tostring(r.status), tostring(r.signal), r.err))
  assert.equal(0, r.status, r.err)
end

describe("in a program of its own,", function()
  it("green.group inside table.sort raises, and its children are gone", function()
    prints("false\tcannot wait\n1\t1\tdone\n", [[
      local ran = 0
      refused(function()
        green.group(function(group)
          for _ = 1, 3 do group:spawn(function() ran = ran + 1 green.sleep(100) ran = 100 end) end
        end)
      end)
      turns()
      print(threads(), ran == 0 and 1 or ran <= 3 and 1 or ran, "done")
    ]])
  end)

  it("green.group inside table.sort whose function fails raises that or the refusal", function()
    prints("false\n1\n", [[
      local outcome
      table.sort({ 1, 2 }, function()
        outcome = { pcall(green.group, function(group)
          group:spawn(green.sleep, 100)
          error("mine", 0)
        end) }
        return false
      end)
      print(outcome[1])
      turns()
      print(threads())
    ]])
  end)

  it("green.group inside other groups and scopes inside table.sort ends", function()
    prints("false\tcannot wait\n1\n", [[
      refused(function()
        green.group(function(outer)
          outer:spawn(green.sleep, 100)
          green.timeout(1, green.shield, 1, green.group, function(inner)
            inner:spawn(green.sleep, 100)
          end)
        end)
      end)
      turns()
      print(threads())
    ]])
  end)

  it("a read of stdin inside table.sort takes nothing, and the next one works", function()
    for _, read in ipairs { "io.read()", "io.stdin:read('*l')", "io.lines()()" } do
      local p = program.start { "timeout", "25", program.greenlua, "-e", CHILD .. ([[
        refused(function() return %s end)
        green.spawn(function() print("other", io.read()) end):wait()
        print("main", io.read())
      ]]):format(read) }
      p:expect("cannot wait\n")
      p:write("one\ntwo\n"):wait()
      assert.equal(0, p.status, p.err)
      assert.equal("false\tcannot wait\nother\tone\nmain\ttwo\n", p.out)
    end
  end)

  it("a print into a full pipe inside table.sort works or is refused, and ends", function()
    local p = program.start { "timeout", "20", program.greenlua, "-e", CHILD .. [[
      local line = ("x"):rep(99)
      table.sort({ 1, 2 }, function()
        for _ = 1, 2000 do pcall(print, line) end
        return false
      end)
      print("end")
    ]] }
    p:wait()
    assert.equal(0, p.status, p.err)
    assert.is_truthy(p.out:find("end\n$"))
  end)

  it("a TERM that was waited for inside table.sort still ends the program", function()
    local p = program.start { "timeout", "25", program.greenlua, "-e", CHILD .. [[
      local signal = require "green.signal"
      refused(function() signal.wait "TERM" end)
      refused(function() signal.wait("TERM", 1) end)
      print "ready"
      green.sleep(0.01)
      os.execute("kill -TERM " .. io.open("/proc/self/stat"):read("*n"))
      green.sleep(2)
      print "not reached"
    ]] }
    p:wait()
    assert.equal("false\tcannot wait\nfalse\tcannot wait\nready\n", p.out)
  end)

  it("a program whose last waits were refused ends", function()
    prints("false\tcannot wait\nfalse\tcannot wait\nfalse\tcannot wait\n", [[
      local socket = require "green.socket"
      refused(function() socket.getaddrinfo("localhost", 80, { resolver = "system" }) end)
      refused(function() require("green.signal").wait("USR1") end)
      green.spawn(green.sleep, 100)
      green.sleep(0)
      refused(function() green.wait() end)
    ]])
  end)
end)
