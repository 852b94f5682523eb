-- Ctrl-C under plain luajit. Its handler sets a hook, which raises in whoever runs Lua
-- next: main waited on in its poll, and when another thread ran it was that one which was
-- interrupted.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function started(code)
  local p = program.start { LUAJIT, "-e", "local green = require 'green' " .. code }
  p:expect "ready"
  return p
end

local READY = "io.write('ready\\n') io.flush() "

describe("Ctrl-C under plain luajit", function()
  for name, code in pairs {
    ["sleeps"] = READY .. "green.sleep(60)",
    ["waits for a socket"] = READY .. "local a, b = require('green.socket').pair() a:read(1)",
    ["waits in a coroutine"] = READY .. "coroutine.wrap(function() green.sleep(60) end)()",
    ["sleeps while others run"] = [[
      for _ = 1, 3 do green.spawn(function() while true do green.sleep(0) end end) end
      green.sleep(0)
    ]] .. READY .. "green.sleep(60)",
    ["sleeps again and again"] = READY .. "while true do green.sleep(0) end",
    ["serves"] = [[
      local wsgi, listener = require "green.wsgi", assert(green.listen "127.0.0.1:0")
      green.spawn(function() -- then a worker waits for requests in place
        local c = green.connect(listener:sockname())
        c:write "GET / HTTP/1.0\r\n\r\n"
        c:read_all()
    ]] .. READY .. [[
      end)
      wsgi.server(listener, function() return 200 end, { error_log = false })
    ]],
    ["computes"] = "jit.off() " .. READY .. "while true do end",
  } do
    it("ends a main chunk that " .. name, function()
      local p = started(code)
      p:kill(program.INT):wait()
      assert.is_nil(p.signal, chunk.describe(p))
      assert.equal(1, p.status, chunk.describe(p))
      assert.is_truthy(p.err:find("interrupted!", 1, true), p.err)
      assert.is_nil(p.err:find("green thread", 1, true), p.err)
    end)
  end

  -- It hit the moment in which the library asks whether main may wait there: one of
  -- ten got lost.
  it("ends a main chunk whenever it comes", function()
    for _ = 1, 40 do
      local p = started(READY .. "while true do coroutine.wrap(green.sleep)(0) end")
      p.patience = 5
      p:kill(program.INT):wait()
      assert.equal(1, p.status, chunk.describe(p))
    end
  end)

  it("ends a main chunk that is about to wait", function()
    local shim = os.tmpname()
    local cc = ("%s -shared -fPIC -o %s spec/rock/early.c -ldl"):format(os.getenv("CC") or "cc",
      shim)
    assert.equal(0, os.execute(cc))
    for _, code in ipairs { "green.sleep(20)", "coroutine.wrap(green.sleep)(20)",
      "print(pcall(green.sleep, 20))" } do
      local p = program.run { LUAJIT, "-e", "local green = require 'green' " .. code,
        env = { LD_PRELOAD = shim }, patience = 10 }
      assert.is_truthy((p.out .. p.err):find("interrupted!", 1, true), chunk.describe(p))
    end
    os.remove(shim)
  end)

  -- Where a hook is set the wait begins with a step of Lua: it may be their handler's.
  it("does not let a hook of the script's spoil main's waits", function()
    local p = program.run { LUAJIT, "-e", [[
      local green = require "green"
      local event, calls, waited = green.Event(), 0, 0
      green.spawn_after(0.1, event.send, event, "sent")
      debug.sethook(function()
        calls = calls + 1
        waited = waited + (pcall(green.sleep, 0.001) and 1 or 0)
      end, "", 1)
      local ok, result = pcall(event.wait, event)
      debug.sethook()
      print(ok, result, calls > 0, waited)
    ]] }
    assert.equal("true\tsent\ttrue\t0\n", p.out, chunk.describe(p))
    assert.equal("", p.err)
  end)

  it("is main's to catch, and leaves the other threads alone", function()
    local p = started([[
      local n = 0
      green.spawn(function()
    ]] .. READY .. [[
        while true do green.sleep(0) n = n + 1 end
      end)
      local ok, err = pcall(green.sleep, 60)
      local before = n
      green.sleep(0.01)
      print(ok, err:match("[^ ]+$"), n > before)
    ]])
    p:kill(program.INT):wait()
    assert.equal("ready\nfalse\tinterrupted!\ttrue\n", p.out, chunk.describe(p))
    assert.equal("", p.err)
  end)

  it("runs main's cleanups and functions of at_exit", function()
    local p = started([[
      green.at_exit(print, "at exit")
      green.finally(function()
    ]] .. READY .. [[
        green.sleep(60)
      end, function() green.sleep(0.001) print "cleaned" end)
    ]])
    p:kill(program.INT):wait()
    assert.equal("ready\ncleaned\nat exit\n", p.out, chunk.describe(p))
    assert.equal(1, p.status)
  end)

  it("breaks a thread that never waits while main does", function()
    local p = started([[
      jit.off()
      green.spawn(function()
    ]] .. READY .. [[
        while true do end
      end)
      print(pcall(green.sleep, 0.01))
    ]])
    p:kill(program.INT):wait()
    assert.is_truthy(p.err:find("interrupted!", 1, true), p.err)
    assert.equal(0, p.status, chunk.describe(p))
  end)

  it("is green.signal's where that handles it", function()
    local p = started([[
      local signal = require "green.signal"
      local got = green.Event()
      local handler = signal.handler("INT", function(name) got:send(name) end)
    ]] .. READY .. [[
      print(got:wait())
      handler:cancel()
      print "ready" io.flush()
      green.sleep(60)
    ]])
    p:kill(program.INT):expect "SIGINT"
    p:expect "ready"
    p:kill(program.INT):wait()
    assert.equal(1, p.status, chunk.describe(p))
    assert.is_truthy(p.err:find("interrupted!", 1, true), p.err)
  end)

  it("is the system's the second time", function()
    local p = started([[
      green.spawn(function() -- while main waits, and not before
    ]] .. READY .. [[
      end)
      while true do pcall(green.sleep, 60) end
    ]])
    p:insist(function()
      p:kill(program.INT)
    end)
    assert.equal(program.INT, p.signal, chunk.describe(p))
  end)

  it("stays ignored where it was", function()
    local p = program.run { "sh", "-c", [[trap "" INT; exec "$@"]], "sh", LUAJIT, "-e", [[
      local green = require "green"
      require("ffi").cdef "int getpid(void);"
      os.execute("kill -INT " .. require("ffi").C.getpid())
      green.sleep(0.01)
      print "on"
    ]] }
    -- luajit itself catches it where it was ignored
    assert.is_truthy(p.out == "on\n" or p.err:find("interrupted!", 1, true), chunk.describe(p))
  end)

  it("reaches a wait in luajit's own line reader", function()
    local p = program.start { LUAJIT, "-i", "-e", "green = require 'green'", tty = true }
    p:expect ">"
    for _ = 1, 2 do
      p:write "print('rea' .. 'dy') green.sleep(60)\n"
      p:expect "ready"
      p:listen(20):write "\3"
      p:expect "interrupted!"
    end
    p:write "\4"
    p:wait()
    assert.equal(0, p.status, chunk.describe(p))
  end)
end)
