local errors = require "green.error"
local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = dofile("spec/support/program.lua")
local _, it = testing.busted()

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
      testing.settle()
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
      testing.settle()
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
      testing.settle()
      local first = green.spawn(server.stop, server, { grace = false, force_after = 0.1 })
      green.sleep(0.02)
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
        local ok = pcall(green.sleep, 60)
        ended[name] = not ok
      end, function(client, server)
        local a = client:connect("GET /take HTTP/1.1\r\nHost: x\r\n\r\n")
        local b = client:connect("GET /idle HTTP/1.1\r\nHost: x\r\n\r\n")
        testing.settle()
        server:stop({ grace = 30 })
        assert.same({ ["/take"] = true, ["/idle"] = true }, ended)
        a:close()
        b:close()
      end)
    end)

  it("is refused to a handler, which would wait for itself", function()
    with(function(env) env["green.server"]:stop() end, function(client, _, log)
      assert.equal(500, (client:get("/")))
      testing.settle()
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
      testing.settle()
      serving:kill_soon()
      testing.settle()
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

  it("with signals: the first stops, the next does not wait", function()
    local script = program.file([[
      local green, wsgi = require "green", require "green.wsgi"
      local server = wsgi.new("127.0.0.1:0", function()
        print("in hand")
        green.sleep(60)
      end, { signals = true, stop_grace = 60 })
      server:start()
      green.spawn(function()
        local conn = green.connect("127.0.0.1", server.port)
        conn:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        conn:read_all()
      end)
      print("ready")
      server:serve_forever()
      print("stopped well")
    ]])
    local run = program.start_greenlua { script }
    run:expect("in hand")
    run:kill(15)
    run:listen(50)
    assert.is_falsy(run:poll())
    run:kill(2)
    run:expect("stopped well")
    run:wait()
    assert.equal(0, run.status)
    os.remove(script)
  end)
end)

describe("options", function()
  it("have Eventlet's names", function()
    local opts = {
      environ = {}, max_size = 10, max_http_version = "HTTP/1.1", minimum_chunk_size = 1,
      log_x_forwarded_for = true, keepalive = 5, log_output = true,
      log_format = "%(client_ip)s", url_length_limit = 100, debug = true, socket_timeout = 1,
      capitalize_response_headers = true, custom_pool = green.GreenPool(5),
    }
    with(hello, opts, function(client)
      assert.equal("hello", (select(3, client:get("/"))))
      assert.equal(414, (client:get("/" .. ("x"):rep(200))))
    end)
  end)

  it("are checked, by name and value", function()
    local bad = {
      { { max_siez = 1 }, "did you mean 'max_size'" },
      { { keepalive = "yes" }, "option 'keepalive' must be true, false or seconds" },
      { { custom_pool = {} }, "an object with spawn and waitall" },
      { { max_http_version = "HTTP/2" }, '"HTTP/1.0" or "HTTP/1.1"' },
      { { protocol = {} }, "does not exist here" },
      { { body_timeout = -1 }, "seconds, or false" },
      { "fast", "options must be a table" },
    }
    for _, case in ipairs(bad) do
      local ok, err = pcall(wsgi.new, "127.0.0.1:0", hello, case[1])
      assert.is_false(ok)
      assert.truthy(err:find(case[2], 1, true), err)
    end
  end)

  it("keepalive decides whether there is a second request", function()
    local two = GET .. "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    local function answers(opts)
      local n
      with(hello, opts, function(client)
        n = select(2, client:raw(two):gsub("HTTP/1%.%d 200", ""))
      end)
      return n
    end
    assert.same({ 2, 2, 1, 1, 1 }, { answers {}, answers { keepalive = 5 },
      answers { keepalive = false }, answers { keepalive = 0 }, answers { max_requests = 1 } })
  end)

  it("max_http_version pretends to be old", function()
    with(function() return 200, nil, coroutine.wrap(function() coroutine.yield("x") end) end,
      { max_http_version = "HTTP/1.0" }, function(client)
        local text = client:raw(GET)
        assert.truthy(text:find("^HTTP/1%.0 200 OK"))
        assert.is_nil(text:find("chunked", 1, true))
        assert.truthy(text:find("\r\n\r\nx$"))
      end)
  end)

  it("max_size and a custom pool bound how many requests are in hand", function()
    for _, opts in ipairs { { max_size = 2 }, { custom_pool = green.GreenPool(2) } } do
      local now, most = 0, 0
      with(function()
        now = now + 1
        most = math.max(most, now)
        green.sleep(0.002)
        now = now - 1
        return hello()
      end, opts, function(client, server)
        local threads = {}
        for i = 1, 8 do
          threads[i] = green.spawn(client.get, client, "/")
        end
        for _, t in ipairs(threads) do assert.equal(200, (t:wait())) end
        assert.equal(2, most)
        assert.equal(8, server:stats().requests)
      end)
    end
  end)
end)
