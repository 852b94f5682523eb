local errors = require "green.error"
local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local ffi = require "ffi"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local virtual_it, it = testing.busted()

ffi.cdef [[
int spec_stop_getpid(void) __asm__("getpid");
int spec_stop_kill(int pid, int signo) __asm__("kill");
]]

local with = kit.with
local GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

local function hello()
  return 200, nil, "hello"
end

describe("server:stop", function()
  it("closes idle connections at once and finishes requests in hand [b132]", function()
    local gate = green.Event()
    with(function(env)
      if env.PATH_INFO == "/wait" then gate:wait() end
      return 200, nil, env.input:read() or "hello"
    end, function(client, server)
      local idle, busy = client:connect(GET), client:connect()
      kit.read_answer(idle)
      local fresh = client:connect()
      busy:write("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
      testing.settle_io()
      local stopper = green.spawn(server.stop, server)
      assert.is_nil(idle:read_some())
      assert.is_nil(fresh:read_some())
      assert.is_nil((green.connect("127.0.0.1", server.port)))
      gate:send(true)
      busy:write("dy")
      local status, headers, body = kit.read_answer(busy)
      assert.same({ 200, "close", "body" }, { status, headers.connection, body })
      assert.is_nil(busy:read_some())
      assert.is_true(stopper:wait())
      assert.is_true(server:stop())
      for _, conn in ipairs { idle, fresh, busy } do conn:close() end
    end)
  end)

  it("serves what had connected and asked before it", function()
    with(hello, function(client, server)
      local conn = client:connect(GET)
      server:stop()
      local status, headers = kit.read_answer(conn)
      assert.same({ 200, "close" }, { status, headers.connection })
      conn:close()
    end)
  end)

  virtual_it("does not wait for clients that have their answer and stay", function()
    local gate = green.Event()
    local server = assert(wsgi.new("127.0.0.1:0", function()
      gate:wait()
      return hello()
    end, { log = {} })):start()
    local conn = assert(green.connect("127.0.0.1", server.port))
    conn:write(GET)
    testing.settle_io()
    local stopper = green.spawn(server.stop, server)
    testing.settle_io()
    gate:send(true)
    for _ = 1, 100 do -- one second of the two that others are given
      testing.settle_io() -- the system acknowledges in real time
      testing.advance(0.01)
    end
    assert.is_true(stopper:dead())
    assert.equal("hello", (select(3, kit.read_answer(conn))))
    assert.is_nil(conn:read_some())
    conn:close()
  end)

  it("serves more of those who wait to be accepted as idle connections make room", function()
    with(hello, { max_connections = 1 }, function(client, server)
      local idle = client:connect() -- has asked nothing, and makes no room before a stop
      testing.settle()
      local waiting = client:connect(GET)
      testing.settle_io()
      assert.equal(1, server:stats().accepted)
      local stopper = green.spawn(server.stop, server)
      local status, headers = kit.read_answer(waiting)
      assert.same({ 200, "close" }, { status, headers.connection })
      waiting:close()
      assert.is_nil(idle:read_some())
      assert.is_true(stopper:wait())
      idle:close()
    end)
  end)

  it("answers every request of many clients, or none: no answer is cut", function()
    with(function()
      green.sleep(0.001)
      return 200, nil, ("x"):rep(50000)
    end, function(client, server)
      local whole, none, threads = 0, 0, {}
      local function ask()
        local conn = green.connect(client.target)
        while conn and conn:write(GET) do
          local status, _, body = kit.read_answer(conn)
          if not status then
            none = none + 1
            break
          end
          assert.equal(50000, #body)
          whole = whole + 1
        end
        if conn then conn:close() end
      end
      for i = 1, 20 do threads[i] = green.spawn(ask) end
      testing.settle_io(function() return whole >= 50 end)
      assert.is_true(server:stop())
      for _, t in ipairs(threads) do t:wait() end
      assert.equal(server:stats().requests, whole)
    end)
  end)

  it("gives a pool's other threads the grace, and no more", function()
    local pool = green.GreenPool(3)
    local gate = green.Event()
    with(hello, { custom_pool = pool }, function(_, server)
      pool:spawn(gate.wait, gate)
      local stopper = green.spawn(server.stop, server, { grace = false })
      testing.settle_io()
      assert.is_false(stopper:dead())
      gate:send(true)
      assert.is_true(stopper:wait())
    end)
    gate = green.Event()
    with(hello, { custom_pool = pool }, function(_, server)
      pool:spawn(gate.wait, gate)
      assert.is_true(server:stop({ grace = 0.01 }))
    end)
    with(hello, { custom_pool = pool }, function(_, server)
      local stopper = green.spawn(server.stop, server, { grace = false })
      testing.settle_io()
      assert.is_true(server:stop()) -- the second one does not wait
      assert.is_true(stopper:wait())
    end)
    gate:send(true)
    pool:waitall()
  end)

  it("kills what is left after the grace, and abandons what survives that", function()
    local fate = {}
    local function app(env)
      local name = env.PATH_INFO
      repeat
        local ok, err = pcall(green.sleep, 60)
        fate[name] = not ok and errors.is_error(err, "ECANCELED") and "killed" or "?"
      until name ~= "/stubborn"
      return 200, nil, "too late"
    end
    with(app, function(client, server)
      local a = client:connect("GET /polite HTTP/1.1\r\nHost: x\r\n\r\n")
      local b = client:connect("GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n")
      testing.settle_io()
      assert.equal(2, server:stats().busy)
      local on_error = green.on_error(function() end) -- told of the stubborn one
      assert.is_true(server:stop({ grace = 0.01, force_after = 0.02 }))
      green.on_error(on_error)
      assert.same({ ["/polite"] = "killed", ["/stubborn"] = "killed" }, fate)
      assert.is_nil(b:read_some())
      assert.equal(0, server:stats().connections)
      a:close()
      b:close()
    end)
  end)

  it("waits no longer when it is called again", function()
    with(function() green.sleep(60) end, function(client, server)
      local conn = client:connect(GET)
      testing.settle_io()
      local first = green.spawn(server.stop, server, { grace = false, force_after = 60 })
      testing.settle_io()
      assert.is_false(first:dead())
      server:stop()
      assert.is_true(first:wait())
      conn:close()
    end)
  end)

  it("ends handlers that have taken their connection over, and who said they are idle",
    function()
      local ended = {}
      with(function(env)
        local name = env.PATH_INFO
        if name == "/take" then env.take_over() else env["eventlet.set_idle"]() end
        ended[name] = kit.is_killed_asleep()
      end, function(client, server)
        local a = client:connect("GET /take HTTP/1.1\r\nHost: x\r\n\r\n")
        local b = client:connect("GET /idle HTTP/1.1\r\nHost: x\r\n\r\n")
        testing.settle_io()
        server:stop({ grace = 30 })
        assert.same({ ["/take"] = true, ["/idle"] = true }, ended)
        a:close()
        b:close()
      end)
    end)

  it("ends those that take over, or say that they are idle, when it has begun", function()
    for name, unasked in pairs { take_over = false, ["green.set_idle"] = true } do
      local gate, ended = green.Event(), nil
      with(function(env)
        gate:wait()
        env[name]()
        ended = kit.is_killed_asleep()
      end, function(client, server)
        local conn = client:connect(GET)
        testing.settle_io()
        local stopper = green.spawn(server.stop, server, { grace = 60, force_after = 60 })
        testing.settle_io()
        gate:send(true)
        assert.is_true(stopper:wait(20), name)
        assert.is_true(ended)
        assert.equal(unasked, server:stats().failed == 1)
        conn:close()
      end)
    end
  end)

  it("looks at nothing while it waits: it is told", function()
    for what, path in pairs { ["a request"] = "/", ["one that survives its kill"] = "/deaf" } do
      local gate = green.Event()
      with(function(env)
        local left = env.PATH_INFO == "/deaf" and 1 or 0
        repeat
          left = left - 1
          pcall(gate.wait, gate)
        until left < 0
        return hello()
      end, function(client, server)
        local conn = client:connect(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"):format(path))
        testing.settle()
        local stopper = green.spawn(server.stop, server,
          { grace = path == "/" and 60 or 0, force_after = 60 })
        testing.settle()
        local before = green.stats().switches
        green.sleep(0.2)
        assert.is_true(green.stats().switches - before < 10, what)
        gate:send(true)
        assert.is_true(stopper:wait(5), what)
        conn:close()
      end)
    end
  end)

  it("is refused to a handler, which would wait for itself", function()
    with(function(env) env["green.server"]:stop() end, function(client, _, log)
      assert.equal(500, (client:get("/")))
      testing.settle_io()
      assert.truthy(table.concat(log, "\n"):find("cannot wait for its own end", 1, true))
    end)
  end)

  it("ends a server that has not started", function()
    local server = assert(wsgi.new("127.0.0.1:0", hello))
    assert.is_true(server:stop())
    assert.is_nil((green.connect("127.0.0.1", server.port)))
    assert.has_error(function() server:start() end)
  end)
end)

describe("a flood of connections", function()
  local MODULES = { "green.ffi.httpd", "green.wsgi.stop" }

  --- green.wsgi.stop, for which there is always one more to be accepted: until
  -- so many calls are made.
  local function flooded(calls)
    local real = {}
    for _, name in ipairs(MODULES) do
      real[name] = require(name)
    end
    local accepted = 0
    package.loaded["green.ffi.httpd"] = setmetatable({ accept = function()
      accepted = accepted + 1
      green.sleep(0)
      return accepted < calls and 64 or 0
    end }, { __index = function(_, key) return real["green.ffi.httpd"][key] end })
    local kept = package.preload["green.wsgi.stop"]
    package.loaded["green.wsgi.stop"], package.preload["green.wsgi.stop"] = nil, nil
    local stopping = require "green.wsgi.stop"
    package.preload["green.wsgi.stop"] = kept
    for _, name in ipairs(MODULES) do
      package.loaded[name] = real[name]
    end
    return stopping, function() return accepted end
  end

  it("holds up a stop for the grace, and none that is asked for twice", function()
    for _, grace in ipairs { 0, false } do
      local stopping, accepted = flooded(5000)
      with(hello, function(_, server)
        local stopper = green.spawn(stopping.stop, server, { grace = grace })
        if not grace then
          for _ = 1, 5 do green.sleep(0) end
          assert.is_false(stopper:dead())
          stopping.stop(server)
        end
        assert.is_true(stopper:wait(20))
        assert.is_true(accepted() > 0 and accepted() < 5000, tostring(accepted()))
      end)
    end
  end)
end)

describe("serve_forever", function()
  it("returns true when the server is stopped, or its listener closed", function()
    for _, how in ipairs { "stop", "close" } do
      local server = assert(wsgi.new("127.0.0.1:0", hello, { log = {} }))
      local serving = green.spawn(server.serve_forever, server)
      local conn = assert(green.connect("127.0.0.1", server.port))
      conn:write(GET)
      assert.equal("hello", (select(3, kit.read_answer(conn))))
      if how == "stop" then server:stop() else server.listener:close() end
      assert.is_true(serving:wait(5))
      assert.is_nil(conn:read_some())
      conn:close()
    end
  end)

  it("stops the server when its thread is killed; a dup of the listener lives on [b133]",
    function()
      local listener = assert(green.listen("127.0.0.1:0"))
      local copy = assert(listener:dup())
      local gate = green.Event()
      local serving = green.spawn(wsgi.server, listener, function()
        gate:wait()
        return hello()
      end, { log = {} })
      local _, port = copy:sockname()
      local busy = assert(green.connect("127.0.0.1", port))
      busy:write(GET)
      testing.settle_io()
      serving:kill_soon()
      testing.settle_io()
      gate:send(true)
      assert.equal("hello", (select(3, kit.read_answer(busy))))
      local ok, err = pcall(serving.wait, serving)
      assert.is_false(ok)
      assert.is_true(err:is("ECANCELED"))
      busy:close()
      with(hello, { at = copy }, function(client, server)
        assert.equal(port, server.port)
        assert.equal("hello", (select(3, client:get("/"))))
      end)
    end)

  it("says nil, err for an address that it cannot have", function()
    with(hello, function(_, server)
      local ok, err = wsgi.serve("127.0.0.1:" .. server.port, hello)
      assert.is_nil(ok)
      assert.is_true(err:is("EADDRINUSE"))
    end)
  end)

  -- One request in hand for ever; what comes of it.
  local stubborn = [[
    local green, wsgi = require "green", require "green.wsgi"
    local server = wsgi.new("127.0.0.1:0", function()
      print("in hand")
      green.sleep(SECONDS)
      return 200, nil, "whole"
    end, { signals = true, stop_grace = 60 })
    server:start()
    green.spawn(function()
      local conn = green.connect("127.0.0.1", server.port)
      conn:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      print((conn:read_all() or ""):match("%w*$") .. " answer")
    end)
    server:serve_forever()
    green.sleep(0)
    print("stopped well")
  ]]

  it("with signals: the first stops, a later one does not wait", function()
    local script = program.file((stubborn:gsub("SECONDS", "60")))
    local run = program.start_greenlua { script }
    run:expect("in hand")
    run:kill(15)
    run:listen(1500) -- the next is not taken for the same one
    assert.is_falsy(run:poll())
    run:kill(2)
    run:wait()
    assert.equal(0, run.status)
    assert.truthy(run.out:find("stopped well", 1, true))
    assert.is_nil(run.out:find("whole", 1, true))
    os.remove(script)
  end)

  it("with signals: two at once, as timeout(1) sends them, let requests finish", function()
    local script = program.file((stubborn:gsub("SECONDS", "0.5")))
    local run = program.start_greenlua { script }
    run:expect("in hand")
    run:kill(15):listen(5) -- so that it has seen the first
    run:kill(15)
    run:expect("whole answer")
    run:expect("stopped well")
    run:wait()
    assert.equal(0, run.status)
    os.remove(script)
  end)

  virtual_it("with signals: what comes within 0.3 seconds of the first is the same one", function()
    local killed
    local server = assert(wsgi.new("127.0.0.1:0", function()
      killed = kit.is_killed_asleep()
    end, { log = {}, signals = true, stop_grace = 600 }))
    local serving = green.spawn(server.serve_forever, server)
    local conn = assert(green.connect("127.0.0.1", server.port))
    conn:write(GET)
    testing.settle_io()
    local function signal()
      ffi.C.spec_stop_kill(ffi.C.spec_stop_getpid(), 15)
      testing.settle_io()
    end
    signal()
    assert.is_true(server.stopping)
    signal()
    testing.advance(0.25)
    signal()
    testing.advance(1)
    assert.is_nil(killed)
    signal()
    testing.advance(0.1)
    assert.is_true(killed)
    for _ = 1, 1000 do
      if serving:dead() then break end
      testing.advance(0.01)
    end
    assert.is_true(serving:wait())
    conn:close()
  end)
end)
