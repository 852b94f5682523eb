-- GREENLUA_LEAKS=1 in programs of the command's.

local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

local function run(code, env)
  local p = program.run_greenlua { "-", input = code, env = env or { GREENLUA_LEAKS = "1" } }
  return p.err, p.status, p.out
end

local NOTHING = "greenlua: nothing is left at the end of the program\n"

describe("GREENLUA_LEAKS=1", function()
  it("says that nothing is left, and leaves the status as it is", function()
    local err, status, out = run [[print "out"]]
    assert.equal(NOTHING, err)
    assert.equal("out\n", out)
    assert.equal(0, status)
    err, status = run [[os.exit(7)]]
    assert.equal(NOTHING, err)
    assert.equal(7, status)
    err, status = run [[error("x", 0)]]
    assert.matches("nothing is left", err)
    assert.equal(1, status)
  end)

  it("tells threads, sockets, timers and scopes with the places that made them", function()
    local err, status = run [[
      local green, socket = require "green", require "green.socket"
      a, b = socket.pair()
      listener = assert(green.listen("127.0.0.1:0"))
      green.spawn(function() green.sleep(50) end):name("sleeper")
      green.spawn_after(60, print)
      timeout = green.Timeout(10)
      handler = require("green.signal").handler("HUP", print)
      green.sleep(0)
      os.exit(3)
    ]]
    assert.equal(3, status)
    assert.matches("^greenlua: left at the end of the program:\n  2 green threads\n", err)
    assert.matches("\n    #%d+ sleeper %(parked, spawned at stdin:4 by #%d+, stack %d+ B%): "
      .. "sleep[^\n]* more at stdin:4\n", err)
    assert.matches("\n  1 thread to start\n    #%d+ 0x%x+ %(new, spawned at stdin:5 [^\n]*%): "
      .. "starts in [%d.]+ s\n", err)
    assert.matches("\n  4 objects\n    signal, made at stdin:7\n", err)
    assert.matches("\n    socket %(fd %d+, tcp listening on 127.0.0.1:%d+%), made at stdin:3\n",
      err)
    local _, pairs_made = err:gsub("\n    socket %(fd %d+, unix%), made at stdin:2", "")
    assert.equal(2, pairs_made)
    assert.matches("\n  1 scope\n    timeout %(pending%), opened at stdin:6\n", err)
    assert.matches("\n  3 descriptors more than at the start: 1 tcp, 2 unix\n$", err)
  end)

  it("counts in English", function()
    local err = run [[
      local green = require "green"
      green.spawn_after(60, print)
      green.spawn_after(70, print)
      os.exit(0)
    ]]
    assert.matches("\n  2 threads to start\n    #", err)
  end)

  it("does not tell what was closed, cancelled, awaited, or cleaned up at the end", function()
    assert.equal(NOTHING, (run [[
      local green, socket = require "green", require "green.socket"
      local a, b = socket.pair()
      a:close()
      b:close()
      local listener = assert(green.listen("127.0.0.1:0"))
      green.at_exit(function() listener:close() end)
      green.spawn(green.sleep, 0.001):wait()
      green.spawn_after(60, print):kill()
      green.Timeout(10):cancel()
      green.timeout(1, green.sleep, 0)
      require("green.signal").handler("HUP", print):cancel()
      local server = require("green.wsgi").new("127.0.0.1:0", print,
        { access_log = false, error_log = false }):start()
      server:stop()
      green.spawn(function()
        green.finally(function() green.sleep(100) end, function() end)
      end)
      green.sleep(0)
    ]]))
  end)

  it("shows a server that was not stopped by its threads and descriptors", function()
    local err = run [[
      local wsgi = require "green.wsgi"
      server = wsgi.new("127.0.0.1:0", print, { access_log = false, error_log = false }):start()
      require("green").sleep(0)
    ]]
    assert.matches("\n    #%d+ [^\n]* spawned at stdin:2 ", err)
    assert.matches("\n  [12] descriptors? more than at the start: [^\n]*1 tcp\n", err)
  end)

  it("counts descriptors of other libraries by their kinds", function()
    local err = run [[
      file = io.open("/proc/self/exe")
      pipe = io.popen("cat >/dev/null", "w")
    ]]
    assert.matches("\n  2 descriptors more than at the start: 1 file, 1 pipe\n", err)
  end)

  it("is off without it, with 0 and with -E", function()
    assert.equal("", (run([[f = io.open("/proc/self/exe")]], { GREENLUA_LEAKS = false })))
    assert.equal("", (run([[f = io.open("/proc/self/exe")]], { GREENLUA_LEAKS = "0" })))
    local p = program.run_greenlua { "-E", "-e", "f = io.open('/proc/self/exe')",
      env = { GREENLUA_LEAKS = "1" } }
    assert.equal("", p.err)
  end)
end)
