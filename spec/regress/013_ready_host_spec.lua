-- A host that called greenlua_dostring(g, "return 1") in a loop (or turned the loop by
-- hand with something always ready) began one batch after the other without a poll
-- between: timers, I/O and posts of the other threads stood still.
-- spec/rock/ready_main_spec.lua has the same for the main chunk of a plain luajit.

local ffi = require "ffi"
local program = require "spec.support.program"

ffi.cdef [[
  typedef struct ready_host ready_host;
  ready_host *ready_host_new(const void *options) __asm__("greenlua_new");
  void ready_host_free(ready_host *g) __asm__("greenlua_free");
  int ready_host_dostring(ready_host *g, const char *code, const char *name)
    __asm__("greenlua_dostring");
  int ready_host_start(ready_host *g, const char *code, const char *name)
    __asm__("greenlua_start");
  const char *ready_host_error(const ready_host *g) __asm__("greenlua_error");
  int ready_host_turn(ready_host *g, int block) __asm__("greenlua_turn");
]]

local TICKER = [[
  local green = require "green"
  ticks = 0
  while true do green.sleep(0.001) ticks = ticks + 1 end
]]

local ECHO = [[
  local green, socket = require "green", require "green.socket"
  local a, b = socket.pair()
  ticks = 0
  green.spawn(function() while true do b:write("x") b:read(1) ticks = ticks + 1 end end)
  while a:read(1) do green.sleep(0.001) a:write("y") end
]]

local LOOKUP = [[
  local green, socket = require "green", require "green.socket"
  ticks = 0
  local system = { resolver = "system" }
  for _ = 1, 20 do socket.getaddrinfo("localhost", 80, system) ticks = ticks + 1 end
]]

--- What runs, while a host drives it, until 20 ticks have been seen; only a failing
-- spec waits for 20 seconds.
local function ticks_while(script, drive)
  local ok, lib = pcall(ffi.load, program.build .. "/libgreenlua.so")
  if not ok then
    pending("libgreenlua.so cannot be loaded here")
    return nil
  end
  local g = lib.ready_host_new(nil)
  assert(g ~= nil)
  local function run(code)
    local r = lib.ready_host_dostring(g, code, "=host")
    return r == 0, ffi.string(lib.ready_host_error(g))
  end
  assert.equal(0, lib.ready_host_start(g, script, "=script"))
  local due = program.now() + 20
  local enough
  repeat
    for _ = 1, 20 do
      drive(lib, g)
    end
    enough = run("assert((ticks or 0) >= 20)")
  until enough or program.now() > due
  lib.ready_host_free(g)
  return enough
end

local drivers = {
  ["runs chunks that end at once"] = function(lib, g)
    assert(lib.ready_host_dostring(g, "return 1", "=host") == 0)
  end,
  ["runs chunks that take a turn"] = function(lib, g)
    assert(lib.ready_host_dostring(g, "require('green').sleep(0)", "=host") == 0)
  end,
  ["runs chunks that raise"] = function(lib, g)
    assert(lib.ready_host_dostring(g, "error('x')", "=host") == 1)
  end,
  ["runs chunks that spawn"] = function(lib, g)
    assert(lib.ready_host_dostring(g, "require('green').spawn(function() end)", "=host") == 0)
  end,
  ["turns the loop, with a thread that is always ready,"] = function(lib, g)
    lib.ready_host_dostring(g, [[
      local green = require "green"
      busy = busy or green.spawn(function() while true do green.sleep(0) end end)
    ]], "=host")
    assert(lib.ready_host_turn(g, 0) == 1)
  end,
}

describe("while a host", function()
  for driver, drive in pairs(drivers) do
    for what, script in pairs { timers = TICKER, ["I/O"] = ECHO, lookups = LOOKUP } do
      it(("%s %s go on"):format(driver, what), function()
        assert.is_true(ticks_while(script, drive) ~= false)
      end)
    end
  end
end)
