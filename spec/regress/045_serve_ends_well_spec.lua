-- green.serve: a signal ends it as it ends an HTTP server, its clients finish; and what
-- keeps clients waiting is told, once.

local errors = require "green.error"
local green = require "green"
local process = require "green.process"
local testing = require "green.testing"

local program = require "spec.support.program"
local virtual_it, it = testing.busted()

--- A program that serves; its clients are told what they say, once they have said all.
local function serving(opts, more)
  local file = program.file(([[
    local green = require "green"
    local listener = assert(green.listen("127.0.0.1:0"))
    print("port " .. select(2, listener:sockname()) .. ".")
    local ok, err = green.serve(listener, function(conn)
      print("hello " .. (conn:read_line() or "nobody"))
      green.finally(function()
        for line in conn:lines() do conn:write("you said ", line, "\n") end
      end, function() print("cleaned up") end)
    end, { %s })
    print("served", ok, err)
    %s
  ]]):format(opts, more or ""))
  local run = program.start_greenlua { file }
  run:expect(".\n")
  os.remove(file)
  local port = tonumber(run.out:match("port (%d+)"))
  local function connect(name)
    local conn = assert(green.connect("127.0.0.1", port))
    conn:write(name .. "\n")
    run:expect("hello " .. name)
    return conn
  end
  return run, connect, port
end

--- Wait until a signal has come to it: it lets nobody in then.
local function expect_closed(port)
  repeat
    local conn, err = green.connect("127.0.0.1", port)
    if conn then
      conn:close()
      green.sleep(0.001)
    end
  until err
end

describe("green.serve with signals", function()
  for _, signal in ipairs { 2, 15 } do
    it("lets clients finish, and then main end: signal " .. signal, function()
      local run, connect, port = serving("signals = true")
      local conn = connect("joe")
      run:kill(signal)
      expect_closed(port)
      assert.is_falsy(run:poll())
      conn:write("good bye\n")
      conn:shutdown("write")
      assert.equal("you said good bye\n", conn:read_all())
      conn:close()
      run:wait()
      assert.same({ 0, "" }, { run.status, run.err })
      assert.truthy(run.out:find("cleaned up\nserved\ttrue\tnil\n", 1, true))
    end)
  end

  it("has no patience after a second one", function()
    local run, connect, port = serving("signals = true, grace = 60")
    local conn = connect("joe")
    run:kill(15)
    expect_closed(port)
    green.sleep(0.4) -- longer than two signals are one
    assert.is_falsy(run:poll())
    run:kill(15)
    assert.is_nil(conn:read_line())
    conn:close()
    run:wait()
    assert.equal(0, run.status)
    assert.truthy(run.out:find("cleaned up\nserved\ttrue", 1, true))
  end)

  it("kills who is left when the grace is over", function()
    local run, connect = serving("signals = true, grace = 0.1")
    local conn = connect("joe")
    run:kill(15)
    assert.is_nil(conn:read_line())
    conn:close()
    run:wait()
    assert.equal(0, run.status)
    assert.truthy(run.out:find("cleaned up\nserved\ttrue", 1, true))
  end)

  -- More than it accepts at a time: it hears of the signal before it has them all.
  it("serves all who have connected before the signal", function()
    local run, connect, port = serving("signals = true, concurrency = 200")
    local conn, late = connect("joe"), {}
    run:kill(19):listen(20) -- SIGSTOP
    for i = 1, 150 do
      late[i] = assert(green.connect("127.0.0.1", port))
      late[i]:write("late\nword\n")
    end
    run:kill(15)
    run:kill(18) -- SIGCONT
    for i = 1, 150 do
      late[i]:shutdown("write")
      assert.equal("you said word\n", late[i]:read_all())
      late[i]:close()
    end
    conn:close()
    run:wait()
    assert.equal(0, run.status)
  end)

  it("gives signals back, and may be called again", function()
    local run, connect = serving("signals = true", [[
      local listener = assert(green.listen("127.0.0.1:0"))
      green.spawn_after(0.01, function() listener:close() end)
      print("again", green.serve(listener, print, { signals = true }))
      green.sleep(60)
    ]])
    connect("joe"):close()
    run:kill(15)
    run:expect("again\ttrue")
    run:kill(15)
    run:wait()
    assert.equal(15, run.signal)
  end)
end)

--- serve in this process, with one client whose handler does that.
local function with_client(handler, opts)
  local listener = assert(green.listen("127.0.0.1:0"))
  local t = green.spawn(green.serve, listener, handler, opts)
  local conn = assert(green.connect("127.0.0.1", (select(2, listener:sockname()))))
  testing.settle_io()
  return listener, t, conn
end

describe("green.serve", function()
  virtual_it("takes signals within 0.3 seconds for one, as timeout(1) sends two", function()
    local listener, t, conn = with_client(function(c)
      for line in c:lines() do c:write(line, "\n") end
    end, { signals = true, grace = 60 })
    local function signal(seconds)
      process.kill(process.getpid(), "TERM")
      testing.settle_io()
      testing.advance(seconds)
    end
    local _, port = listener:sockname()
    signal(0)
    assert.is_nil((green.connect("127.0.0.1", port)))
    signal(0.25)
    signal(1)
    conn:write("still here\n")
    assert.equal("still here", conn:read_line())
    signal(1)
    assert.is_nil(conn:read_line())
    assert.is_true(t:wait(1))
    conn:close()
  end)

  virtual_it("abandons clients that do not end when they are killed", function()
    local listener, t, conn = with_client(function()
      while true do pcall(green.sleep, 3600) end
    end, { grace = 10 })
    local old = green.on_error(function() end) -- that it does not end
    listener:close()
    testing.advance(9)
    assert.is_false(t:dead())
    testing.advance(2)
    assert.is_false(t:dead())
    for _ = 1, 100 do
      testing.advance(1)
    end
    green.on_error(old)
    assert.is_true(t:dead())
    conn:close()
  end)

  virtual_it("waits as long as its grace says however it ends", function()
    local ends = {
      close = function(listener) listener:close() end,
      StopServe = function(listener)
        local other = green.connect("127.0.0.1", (select(2, listener:sockname())))
        other:write("stop\n")
        testing.settle()
        other:close()
      end,
    }
    for name, finish in pairs(ends) do
      for _, grace in ipairs { 5, false } do
        local done = false
        local listener, t, conn = with_client(function(c)
          if c:read_line() == "stop" then error(green.StopServe) end
          green.sleep(3)
          done = true
        end, { grace = grace })
        conn:write("x\n")
        testing.settle()
        finish(listener)
        testing.advance(1)
        assert.is_false(t:dead(), name)
        testing.advance(3)
        assert.is_true(t:wait(1), name)
        assert.is_true(done, name)
        conn:close()
        listener:close()
      end
    end
  end)

  it("refuses what it does not understand", function()
    local listener = assert(green.listen("127.0.0.1:0"))
    for opts, text in pairs {
      [{ signals = "yes" }] = "serve: signals must be true or false",
      [{ grace = -1 }] = "serve: grace must be a number of at least 0",
      [{ grace = "1" }] = "serve: grace must be a number",
      [{ graze = 1 }] = "did you mean 'grace'",
    } do
      local ok, err = pcall(function() green.serve(listener, print, opts) end)
      assert.is_false(ok)
      assert.truthy(err:find("045_serve_ends_well_spec.lua", 1, true), err)
      assert.truthy(err:find(text, 1, true), err)
    end
    listener:close()
  end)
end)

describe("what keeps clients waiting", function()
  it("is told once: the limit", function()
    local run, connect, port = serving("concurrency = 1, signals = true")
    local conns = { connect("joe") }
    for i = 2, 5 do
      conns[i] = assert(green.connect("127.0.0.1", port))
      conns[i]:write("client " .. i .. "\n")
    end
    for i = 1, 4 do
      conns[i]:close()
      run:expect("hello client " .. i + 1)
    end
    conns[5]:close()
    run:kill(15)
    run:wait()
    assert.equal(("greenlua: serve 127.0.0.1:%d: 1 clients at a time (concurrency): others wait\n")
      :format(port), run.err)
  end)

  virtual_it("is told once, and again when it lasts: descriptors", function()
    local said, calls = {}, 0
    local core = require "green.core"
    local complain = core.complain
    core.complain = function(text) said[#said + 1] = text end
    local fake = {}
    function fake.accept()
      calls = calls + 1
      return nil, errors.new(calls < 75 and "EMFILE" or "ECLOSED", "accept")
    end
    local ok, result = pcall(green.serve, fake, print)
    core.complain = complain
    assert.is_true(ok and result)
    local line = "greenlua: serve: accept: too many open files (EMFILE): others wait\n"
    assert.same({ line, line }, said)
  end)
end)
