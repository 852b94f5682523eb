-- Connections that are kept, and what servers do to them.

local green = require "green"
local http = require "green.http"
local process = require "green.process"
local program = require "spec.support.program"
local testing = require "green.testing"

local kit = dofile("spec/support/http_client.lua")
local _, it_real = testing.busted()
local it = kit.its(it_real)

local HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

--- Serve so many requests on each connection, and close.
local function limited(n, what)
  return function(conn)
    for _ = 1, n do
      if not kit.read_head(conn) then
        return
      end
      conn:write(HELLO)
    end
    if what then
      what(conn)
    end
  end
end

describe("green.http, over connections that are kept,", function()
  it("notices that the server has closed one", function(serve, session)
    local server = serve(limited(1))
    for i = 1, 3 do
      assert.equal("hello", assert(session:get(server.url)):text())
      testing.settle_io()
      assert.equal(i, server.connections)
    end
  end)

  it("brings no body that is longer than max_body", function(serve)
    local server = serve(function(conn)
      local text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
      while kit.read_head(conn) do
        conn:write(text)
        text = HELLO
      end
    end)
    local session = http.session { max_body = 4 }
    assert.equal("x", assert(session:get(server.url)):text())
    local resp, err = session:get(server.url)
    assert.is_nil(resp)
    assert.equal("ETOOBIG", err.code)
    assert.equal(1, server.connections)
    session:close()
  end)

  it("closes one that the server has closed, though nobody asks for anything", function(serve)
    local server = serve(limited(1))
    local session = http.session { pool = { idle_timeout = 0.2 } }
    assert.equal("hello", assert(session:get(server.url)):text())
    assert.equal(1, session:stats().open)
    testing.settle_io(function() return session:stats().open == 0 end)
    session:close()
  end)

  it("sends a GET again whose connection ends before anything of its answer came",
    function(serve, session)
      local server = serve(limited(1, kit.read_head))
      for i = 1, 3 do
        assert.equal("hello", assert(session:get(server.url)):text())
        assert.equal(i, server.connections)
      end
    end)

  it("sends no POST again that may have been seen", function(serve, session)
    local server = serve(limited(1, kit.read_head))
    assert.equal("hello", assert(session:get(server.url)):text())
    local resp, err = session:post(server.url, { body = "x" })
    assert.is_nil(resp)
    assert.is_true(err.code == "EEOF" or err.code == "ECONNRESET", tostring(err))
    assert.equal("head", err.phase)
    assert.equal(1, server.connections)
    assert.equal("hello", assert(session:get(server.url)):text())
  end)

  it("sends nothing again when a part of the answer came", function(serve, session)
    local server = serve(limited(1, function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 2")
    end))
    assert.equal("hello", assert(session:get(server.url)):text())
    local resp, err = session:get(server.url)
    assert.is_nil(resp)
    assert.equal("EEOF", err.code)
    assert.equal(1, server.connections)
  end)

  it("sends again only once", function(serve, session)
    local server = serve(function(conn, number)
      kit.read_head(conn)
      if number == 1 then
        conn:write(HELLO)
        kit.read_head(conn)
      end
    end)
    assert.equal("hello", assert(session:get(server.url)):text())
    local resp, err = session:get(server.url)
    assert.is_nil(resp)
    assert.is_true(err.code == "EEOF" or err.code == "ECONNRESET", tostring(err))
    assert.equal(2, server.connections)
  end)

  it("drops one on which bytes come behind an answer", function(serve, session)
    local server = serve(limited(1, function(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
      kit.read_head(conn)
    end))
    for i = 1, 3 do
      assert.equal("hello", assert(session:get(server.url)):text())
      testing.settle_io()
      assert.equal(i, server.connections)
    end
  end)

  for name, head in pairs {
    ["Connection: close"] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
    ["HTTP/1.0"] = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    ["no length"] = "HTTP/1.1 200 OK\r\n\r\n",
  } do
    it("keeps none that ends: " .. name, function(serve, session)
      local server = serve(function(conn)
        kit.read_head(conn)
        conn:write(head .. "hello")
      end)
      for i = 1, 2 do
        assert.equal("hello", assert(session:get(server.url)):text())
        assert.equal(i, server.connections)
        assert.equal(0, session:stats().open)
      end
    end)
  end

  it("believes a server that says how long it keeps one, and for how many", function(serve, session)
    local patience
    local server = serve(function(conn)
      while kit.read_head(conn) do
        conn:write("HTTP/1.1 200 OK\r\nKeep-Alive: ", patience, "\r\nContent-Length: 2\r\n\r\nok")
      end
    end)
    for i, text in ipairs { "timeout=60, max=5", "timeout=0", "max=0", "timeout=60" } do
      patience = text
      assert.equal("ok", assert(session:get(server.url)):text())
      assert.equal(({ 1, 1, 2, 3 })[i], server.connections)
    end
  end)

  it("lets one green thread read a body at a time", function(serve, session)
    local more = green.Semaphore(0)
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12")
      more:acquire()
      conn:write("34")
      kit.read_head(conn)
    end)
    local resp = assert(session:get(server.url, { stream = true }))
    local first = green.spawn(resp.text, resp)
    testing.settle_io()
    local text, err = resp:read_some()
    assert.is_nil(text)
    assert.equal("EBUSY", err.code)
    more:release()
    assert.equal("1234", first:wait())
  end)

  it("keeps one that was asked by HTTP/1.0 with keep-alive", function(serve, session)
    local server = serve(function(conn)
      while kit.read_head(conn) do
        conn:write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
      end
    end)
    for _ = 1, 3 do
      assert.equal("ok", assert(session:get(server.url)):text())
    end
    assert.equal(1, server.connections)
  end)

  it("uses none of its parent's after a fork", function(serve, session)
    local server = serve(function(conn)
      while kit.read_head(conn) do
        conn:write(HELLO)
      end
    end)
    assert.equal("hello", assert(session:get(server.url)):text())
    local pid = assert(green.fork(function()
      local resp = session:get(server.url)
      os.exit(resp and resp:text() == "hello" and session:stats().open == 1 and 7 or 1)
    end))
    assert.same({ "exit", 7 }, { process.wait(pid) })
    assert.equal(2, server.connections)
    assert.equal("hello", assert(session:get(server.url)):text())
    assert.equal(2, server.connections)
  end)
end)

describe("green.http", function()
  it("reads a body that is long only as it is asked for", function(serve, session)
    local sent = 0
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n")
      for _ = 1, 200 do
        if not conn:write(("x"):rep(100000)) then
          return
        end
        sent = sent + 1
      end
    end)
    local resp = assert(session:get(server.url))
    testing.settle_io()
    assert.is_true(sent < 200)
    assert.equal(1, session:stats().open)
    local total = 0
    for chunk in resp:chunks() do
      total = total + #chunk
    end
    assert.equal(20000000, total)
    assert.equal(1, session:stats().idle)
  end)

  it("closes the connection of a response that is closed half read", function(serve, session)
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12345")
      conn:read_all()
    end)
    local resp = assert(session:get(server.url, { stream = true }))
    assert.equal("123", resp:read(3))
    resp:close()
    resp:close()
    assert.equal(0, session:stats().open)
    assert.equal("ECLOSED", select(2, resp:text()).code)
    assert.equal("ECLOSED", select(2, resp:read(1)).code)
  end)

  it("reads lines, numbers of bytes and the rest", function(serve, session)
    local server = serve(kit.answers("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n"
      .. "one\r\ntwo\n\nfour\r\n12345"))
    local lines = {}
    for line in assert(session:get(server.url)):lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "one", "two", "", "four", "12345" }, lines)
    local resp = assert(session:get(server.url, { stream = true }))
    assert.equal("one\r\n", resp:read(5))
    assert.equal("two\n\nfour\r\n12345", resp:text())
    assert.is_nil(resp:read(1))
    assert.is_nil((resp:read()))
  end)

  it("passes over heads of 1xx, and gives up when they have no end", function(serve, session)
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
      conn:write(HELLO)
      kit.read_head(conn)
      while conn:write("HTTP/1.1 102 Processing\r\n\r\n") do
        green.sleep()
      end
    end)
    assert.equal("hello", assert(session:get(server.url)):text())
    local _, err = session:get(server.url)
    assert.equal("ETOOBIG", err.code)
    assert.equal(0, session:stats().open)
  end)

  it("hands the connection over after 101", function(serve, session)
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n",
        "Connection: upgrade\r\n\r\nmore")
      conn:write(conn:read_line())
    end)
    local resp = assert(session:get(server.url, {
      headers = { Upgrade = "x", Connection = "upgrade" } }))
    assert.equal(101, resp.status)
    local stream = assert(resp:stream())
    assert.equal("more", stream:read(4))
    stream:write("line\n")
    assert.equal("line", stream:read_all())
    stream:close()
    assert.equal(0, session:stats().open)
    assert.equal("ECLOSED", select(2, resp:stream()).code)
  end)

  it("asks for an upgrade, and is not given the connection unless that is granted",
    function(serve, session)
      local heads = {}
      local server = serve(function(conn)
        heads[#heads + 1] = kit.read_head(conn)
        conn:write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n",
          "Connection: upgrade\r\n\r\n")
      end)
      local resp = assert(session:get(server.url, { upgrade = "x", trailers = true }))
      assert.matches("\r\nConnection: Upgrade\r\nUpgrade: x\r\n", heads[1], 1, true)
      assert.is_nil(heads[1]:find("TE", 1, true))
      resp:stream():close()
      local plain = serve(kit.answers(HELLO))
      resp = assert(session:get(plain.url, { upgrade = "x" }))
      assert.equal("hello", resp:text())
      assert.equal("EOPNOTSUPP", select(2, resp:stream()).code)
      assert.equal(0, session:stats().open)
      assert.has_error(function() session:get(plain.url, { upgrade = "a b" }) end)
      assert.has_error(function() session:get(plain.url, { upgrade = true }) end)
    end)

  it("asks a proxy for a tunnel when it wants an upgrade", function(serve, session)
    local heads = {}
    local proxy = serve(function(conn)
      heads[1] = kit.read_head(conn)
      conn:write("HTTP/1.1 200 Connected\r\n\r\n")
      heads[2] = kit.read_head(conn)
      conn:write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n",
        "Connection: upgrade\r\n\r\n")
    end)
    local resp = assert(session:get("http://elsewhere.test/a", {
      upgrade = "x", proxy = proxy.url }))
    resp:stream():close()
    assert.matches("^CONNECT elsewhere%.test:80 ", heads[1])
    assert.matches("^GET /a ", heads[2])
  end)

  it("hands the connection over after CONNECT", function(serve, session)
    local seen
    local server = serve(function(conn)
      seen = kit.read_head(conn)
      conn:write("HTTP/1.1 200 Connected\r\n\r\nhello")
      conn:write(conn:read_line())
    end)
    local resp = assert(session:request("CONNECT", server.url))
    assert.equal(("CONNECT 127.0.0.1:%d HTTP/1.1"):format(server.port), seen:match("^[^\r]*"))
    local stream = assert(resp:stream())
    assert.equal("hello", stream:read(5))
    stream:write("line\n")
    assert.equal("line", stream:read_all())
    stream:close()
  end)

  it("waits for 100 before it sends a body, and not for ever", function(serve, session)
    local seen
    local server = serve(function(conn)
      seen = kit.read_head(conn)
      conn:write("HTTP/1.1 100 Continue\r\n\r\n")
      assert.equal("body", conn:read(4))
      conn:write(HELLO)
      kit.read_head(conn)
      conn:write("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
    end)
    local function post()
      return assert(session:post(server.url, { body = "body", expect_continue = true }))
    end
    assert.equal("hello", post():text())
    assert.matches("Expect: 100%-continue\r\n", seen)
    assert.equal(417, post().status)
    assert.equal(0, session:stats().open)
  end)

  it("takes an answer that comes before the body was sent", function(serve, session)
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
      conn:read_all()
    end)
    local n = 0
    local resp = assert(session:post(server.url, { body = function()
      n = n + 1
      testing.settle_io()
      return n < 1000 and "piece" or nil
    end }))
    assert.equal(413, resp.status)
    assert.equal("big", resp:text())
    assert.is_true(n < 1000)
    assert.equal(0, session:stats().open)
  end)

  local HUGE = ("x"):rep(32 * 1024 * 1024)
  local huge_bodies = {
    ["a text"] = function() return HUGE end,
    ["a function"] = function()
      local n = 0
      return function()
        n = n + 1
        return n <= 32 and HUGE:sub(1, 1024 * 1024) or nil
      end
    end,
  }

  for name, body in pairs(huge_bodies) do
    it("takes an answer that comes while " .. name .. " finds no room", function(serve, session)
      local more = green.Semaphore(0)
      local server = serve(function(conn)
        kit.read_head(conn)
        testing.settle_io() -- until the client can send no more
        conn:write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Who\r\nContent-")
        testing.settle_io()
        conn:write("Length: 3\r\n\r\nwho")
        more:acquire()
      end)
      local resp = assert(session:post(server.url, { body = body(), timeout = { between = 60 } }))
      assert.equal(401, resp.status)
      assert.equal("who", resp:text())
      assert.same({ open = 0, idle = 0, waiting = 0 }, session:stats())
      more:release()
    end)

    it("takes an answer, sent before the server closes, of " .. name, function(serve, session)
      local server = serve(function(conn)
        kit.read_head(conn)
        testing.settle_io()
        conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
      end)
      local resp = assert(session:post(server.url, { body = body() }))
      assert.equal(413, resp.status)
      assert.equal(0, session:stats().open)
    end)

    it("sends on " .. name .. " behind the head of an answer that refuses nothing",
      function(serve, session)
        local server = serve(function(conn)
          local head = kit.read_head(conn)
          testing.settle_io()
          conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
          testing.settle_io()
          local total = tonumber(head:match("Content%-Length: (%d+)")) or #HUGE + 32 * 10 + 5
          local got = 0
          while got < total do
            got = got + #conn:read_some()
          end
          conn:write(("5\r\n%05d\r\n0\r\n\r\n"):format(got % 65536))
          conn:read_all()
        end)
        local resp = assert(session:post(server.url, { body = body() }))
        assert.equal(200, resp.status)
        assert.equal(5, #resp:text())
        assert.equal(1, session:stats().idle)
      end)
  end

  it("delays no report of a deadlock", function(serve)
    local server = serve(limited(2, function(conn) conn:read_some() end))
    local child = program.start_greenlua { "-e", ([[
      local green = require "green"
      local http = require "green.http"
      local session = http.session { pool = { idle_timeout = 1e6, max_age = 1e6 } }
      assert(session:get "%s")
      print(pcall(green.sleep, math.huge))
      assert(session:get "%s")
      print "the keeper goes on"
    ]]):format(server.url, server.url) }
    for _ = 1, 3000 do -- half a minute: only a failing spec waits so long
      if child:poll() ~= nil then break end
      green.sleep(0.01)
    end
    child:kill(program.KILL)
    child:wait()
    assert.equal("", child.err)
    assert.matches("^false\t.*deadlock: every green thread is parked for ever", child.out)
    assert.matches("\n  keeper of a session's connections %(parked", child.out)
    assert.matches("the keeper goes on\n$", child.out)
  end)
end)
