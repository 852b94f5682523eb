local green = require "green"
local signal = require "green.signal"
local testing = require "green.testing"

local ffi = require "ffi"

local fails = dofile("spec/support/sockets.lua").fails
local _, it = testing.busted()

ffi.cdef [[
int spec_signal_getpid(void) __asm__("getpid");
int spec_signal_kill(int pid, int signo) __asm__("kill");
]]
local HUP, USR1, USR2 = 1, 10, 12

local function send(signo)
  ffi.C.spec_signal_kill(ffi.C.spec_signal_getpid(), signo)
end

--- Does the process catch it just now?
local function is_caught(signo)
  local file = io.open("/proc/self/status")
  local mask = file:read("*a"):match("\nSigCgt:%s*(%x+)")
  file:close()
  return bit.band(tonumber(mask:sub(-8), 16), bit.lshift(1, signo - 1)) ~= 0
end

--- Start signal.wait and let it come to where it waits.
local function waiting(...)
  local t = green.spawn(signal.wait, ...)
  testing.settle()
  assert.equal("parked", t:status())
  return t
end

describe("green.signal wait", function()
  it("waits for a signal by name or number", function()
    for _, name in ipairs({ "USR1", "sigusr1", "SIGUSR1", USR1 }) do
      local t = waiting(name)
      send(USR1)
      assert.equal(1, t:wait(1))
    end
    assert.is_false(is_caught(USR1))
  end)

  it("gives it to all who wait", function()
    local a, b, other = waiting("USR1"), waiting("USR1"), waiting("HUP")
    send(USR1)
    assert.equal(1, a:wait(1))
    assert.equal(1, b:wait(1))
    assert.equal("parked", other:status())
    assert.is_false(is_caught(USR1))
    assert.is_true(is_caught(HUP))
    other:kill()
    assert.is_false(is_caught(HUP))
  end)

  it("gives ETIMEDOUT", function()
    local err = fails("ETIMEDOUT", signal.wait("USR1", 0.003))
    assert.equal("wait for SIGUSR1: timed out (ETIMEDOUT)", tostring(err))
    assert.is_false(is_caught(USR1))
  end)

  it("raises when killed, before and during", function()
    local t = waiting("USR1")
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    assert.is_false(is_caught(USR1))
    t = green.spawn(function()
      green.getcurrent():kill_soon()
      signal.wait("USR1")
    end)
    assert.is_false((pcall(t.wait, t)))
    assert.is_false(is_caught(USR1))
  end)

  it("refuses what cannot be caught or is none", function()
    fails("EINVAL", signal.wait("KILL"))
    fails("EINVAL", signal.wait(999))
    assert.error_matches(function() signal.wait("FOO") end, "wait: unknown signal 'FOO'")
    assert.error_matches(function() signal.wait({}) end, "a name or a whole number, not a table")
    assert.error_matches(function() signal.wait("USR1", -1) end, "timeout must be a number")
  end)

  it("knows names", function()
    assert.equal("SIGTERM", signal.name(15))
    assert.equal("SIGTERM", signal.name("term"))
  end)
end)

describe("green.signal handler", function()
  it("runs in a green thread of its own, which may wait", function()
    local seen = {}
    local h = assert(signal.handler("HUP", function(name, count)
      green.sleep(0)
      seen[#seen + 1] = { name, count, green.getcurrent() }
    end))
    for i = 1, 3 do
      send(HUP)
      testing.settle_io(function() return #seen == i end)
    end
    assert.same({ "SIGHUP", 1 }, { seen[1][1], seen[1][2] })
    assert.is_true(seen[1][3] ~= green.getcurrent())
    h:cancel()
    h:cancel()
    assert.is_false(is_caught(HUP))
  end)

  it("stays when a call fails", function()
    local reports, runs = 0, 0
    local old = green.on_error(function()
      reports = reports + 1
    end)
    local h = signal.handler("USR2", function()
      runs = runs + 1
      error("in a handler")
    end)
    for i = 1, 2 do
      send(USR2)
      testing.settle_io(function() return reports == i end)
    end
    green.on_error(old)
    assert.equal(2, runs)
    h:cancel()
  end)

  it("can be cancelled between a signal and its delivery", function()
    local runs = 0
    local h = signal.handler("USR1", function()
      runs = runs + 1
    end)
    green.sleep(0)
    send(USR1)
    h:cancel()
    testing.settle_io()
    assert.equal(0, runs)
  end)

  it("can be cancelled before it began to wait", function()
    local h = signal.handler("USR1", function() end)
    h:cancel()
    green.sleep(0)
    assert.is_false(is_caught(USR1))
  end)

  it("checks its arguments", function()
    assert.error_matches(function() signal.handler("USR1", "x") end, "fn must be a function")
    fails("EINVAL", signal.handler("STOP", function() end))
  end)
end)
