-- Kills, timeouts and stops at each point of a connection's life: while it opens, between messages
-- and between fragments, while it sends, while it closes. What was to be raised is raised, the
-- other side is told what it can be told, and nothing is left.

local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local cases = require "spec.support.websocket_cases"
local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

local BIG = ("x"):rep(2 ^ 23) -- more than sockets take while nobody reads

--- Run body(target, server) while a handler is served.
local function serve(handler, opts, body)
  local options = { close_timeout = 1 }
  for name, value in pairs(opts or {}) do options[name] = value end
  local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(handler, options),
    { access_log = false, error_log = false }))
  server:start()
  local ok, err = xpcall(body, debug.traceback, (server.url:gsub("^http://", "")), server)
  server:stop { grace = 0.2, force_after = 0.1 }
  if not ok then error(err, 0) end
end

-- -- Where a handler can be -----------------------------------------------------

--- Each: what a handler does, and what its peer sends before; then it is parked there.
local points = {
  ["before the first message"] = { function(ws) ws:recv() end },
  ["between two messages"] = { function(ws) ws:recv() ws:recv() end, kit.text "one" },
  ["between two fragments"] = { function(ws) ws:recv() end, kit.text("half", { fin = false }) },
  ["amidst a frame"] = { function(ws) ws:recv() end,
    kit.bytes(kit.text "a frame that is cut", true):sub(1, -5) },
  ["between the parts of a reader"] = { function(ws)
    local reader = ws:reader()
    repeat until not reader:read()
  end, kit.text("half", { fin = false }) },
  ["while it sends"] = { function(ws) ws:send(BIG) ws:send(BIG) end, reads = true },
  ["while it sends in parts"] = { function(ws)
    local writer = ws:writer(true)
    for _ = 1, 64 do writer:write(BIG:sub(1, 2 ^ 18)) end
  end, reads = true },
  ["while it closes"] = { function(ws) ws:close(1000) end, closes = true },
  ["while it sleeps"] = { function() green.sleep(60) end },
}

--- Serve a handler that goes to a point; body(peer, thread) once it is parked there.
local function at(point, body)
  local thread, result
  serve(function(ws)
    thread = green.getcurrent()
    result = { pcall(point[1], ws) }
    if not result[1] then error(result[2], 0) end
  end, {}, function(target, server)
    local peer = shake.open(target)
    if point[2] then peer:send(point[2]) end
    testing.settle_io()
    body(peer, thread, server)
    peer.stream:close()
    testing.settle_io(function() return result end)
  end)
  return result
end

describe("green.websocket's threaded form", function()
  for name, point in pairs(points) do
    it("ends when its thread is killed " .. name, function()
      local result = at(point, function(_, thread)
        thread:kill()
      end)
      assert.is_false(result[1])
      assert.is_true(green.is_error(result[2], "ECANCELED"))
    end)

    it("ends when its peer goes " .. name, function()
      if name == "while it sleeps" then return end -- nothing tells a sleeper
      at(point, function(peer)
        peer.stream:setoption("so_linger", 0)
      end)
    end)

    it("ends when the server stops " .. name, function()
      at(point, function(_, _, server)
        server:stop { grace = 0.2, force_after = 0.1 }
      end)
    end)
  end

  it("tells its peer 1011 of a handler that raises, and 1000 of one that returns [b140]", function()
    for code, handler in pairs { [1011] = function() error "on purpose" end,
      [1000] = function() end } do
      serve(handler, {}, function(target)
        local peer = shake.open(target)
        local f = cases.expect(peer, kit.CLOSE, "a close frame")
        cases.same("the code", code, kit.code_of(f))
        peer:send(kit.close(code))
        peer:expect_end()
        peer.stream:close()
      end)
    end
  end)

  it("tells its peer 1001 when the server stops", function()
    serve(function(ws) ws:recv() end, {}, function(target, server)
      local peer = shake.open(target)
      testing.settle_io()
      local stopper = green.spawn(server.stop, server, { grace = 5 })
      local f = cases.expect(peer, kit.CLOSE, "a close frame")
      cases.same("the code", 1001, kit.code_of(f))
      peer:send(kit.close(1001))
      peer:expect_end()
      peer.stream:close()
      stopper:wait()
    end)
  end)

  it("lets a timeout end a recv, and receives what comes later", function()
    local told
    serve(function(ws)
      local text, err = ws:recv(0.05)
      assert(text == nil and err:is "ETIMEDOUT")
      local value, why = green.timeout(0.05, ws.recv, ws)
      assert(value == nil and why:is "ETIMEDOUT")
      ws:send "now"
      told = ws:recv()
    end, {}, function(target)
      local peer = shake.open(target)
      peer:send(kit.text("in ", { fin = false }))
      assert.equal("now", cases.expect(peer, kit.TEXT, "the word").payload)
      peer:send(kit.cont "pieces")
      testing.settle_io(function() return told end)
      peer.stream:close()
    end)
    assert.equal("in pieces", told)
  end)

  it("gives up on a peer that takes nothing", function()
    local err
    serve(function(ws)
      repeat
        local ok
        ok, err = ws:send(BIG)
      until not ok
    end, { send_timeout = 0.2 }, function(target)
      local peer = shake.open(target)
      testing.settle_io(function() return err end)
      peer.stream:close()
    end)
    assert.is_true(err:is "ETIMEDOUT" or err:is "ECLOSED")
  end)
end)

describe("green.websocket's light form", function()
  it("ends when the server stops while a message is worked on", function()
    local raised
    serve({ message = function()
      raised = select(2, pcall(green.sleep, 60))
    end }, {}, function(target, server)
      local peer = shake.open(target)
      peer:send(kit.text "work")
      testing.settle_io()
      server:stop { grace = 0.1, force_after = 0.1 }
      peer.stream:close()
      testing.settle_io(function() return raised end)
    end)
    assert.is_true(green.is_error(raised, "ECANCELED"))
  end)

  it("tells its peers 1001 when the server stops, idle and busy ones", function()
    serve({ message = function(ws) ws:send "done" end }, {}, function(target, server)
      local list = {}
      for i = 1, 20 do
        list[i] = shake.open(target)
        if i % 2 == 0 then
          list[i]:send(kit.text "work")
          cases.expect(list[i], kit.TEXT, "the answer")
        end
      end
      local stopper = green.spawn(server.stop, server, { grace = 5 })
      for _, peer in ipairs(list) do
        local f = cases.expect(peer, kit.CLOSE, "a close frame")
        cases.same("the code", 1001, kit.code_of(f))
        peer:send(kit.close(1001))
        peer:expect_end()
        peer.stream:close()
      end
      stopper:wait()
    end)
  end)

  it("tells 1011 of a handler that raises, and serves the others", function()
    serve({ message = function(ws, text)
      if text == "raise" then error "on purpose" end
      ws:send(text)
    end }, {}, function(target)
      local reports = {}
      local on_error = green.on_error(function(_, err) reports[#reports + 1] = tostring(err) end)
      local bad, good = shake.open(target), shake.open(target)
      bad:send(kit.text "raise")
      good:send(kit.text "hello")
      assert.equal("hello", cases.expect(good, kit.TEXT, "the echo").payload)
      local f = cases.expect(bad, kit.CLOSE, "a close frame")
      cases.same("the code", 1011, kit.code_of(f))
      bad.stream:close()
      good:goodbye()
      green.on_error(on_error)
      assert.equal(1, #reports)
    end)
  end)

  --- A light handler one of whose functions is killed, or abandoned, where it waits. Gives
  -- what close was called with, each time.
  local function closes_after(name, how)
    local calls, victim = {}, nil
    local handler = { message = function() end, close = function(_, ...)
      calls[#calls + 1] = { ... }
    end }
    local before = handler[name]
    handler[name] = function(...)
      if before then before(...) end
      victim = green.getcurrent()
      repeat pcall(green.sleep, 60) until how == "killed"
      green.sleep(0)
    end
    local on_error = green.on_error(function() end) -- that one goes on for long is told
    serve(handler, {}, function(target)
      local peer = shake.open(target)
      peer:send(kit.text "x", kit.text "y")
      if name == "close" then peer:send(kit.close(1000)) end
      testing.settle_io(function() return victim end)
      victim:kill_soon { force_after = how == "abandoned" and 0.01 or nil }
      testing.settle_io(function() return #calls > 0 and victim.dead end)
      peer.stream:close()
    end)
    green.on_error(on_error)
    return calls
  end

  for _, how in ipairs { "killed", "abandoned" } do
    for _, name in ipairs { "open", "message" } do
      it("calls close of a connection whose " .. name .. " was " .. how, function()
        assert.same({ { 1006, "" } }, closes_after(name, how))
      end)
    end

    it("calls close once, whatever becomes of that: " .. how, function()
      assert.same({ { 1000, "" } }, closes_after("close", how))
    end)
  end

  it("keeps the order of one connection's messages, whatever waits", function()
    serve({ message = function(ws, text)
      green.sleep(text == "1" and 0.02 or 0) -- the first takes longest
      ws:send(text)
    end }, {}, function(target)
      local peer = shake.open(target)
      for i = 1, 10 do peer:send(kit.text(tostring(i))) end
      for i = 1, 10 do
        assert.equal(tostring(i), cases.expect(peer, kit.TEXT, "an echo").payload)
      end
      peer:goodbye()
    end)
  end)
end)

describe("green.websocket's client", function()
  --- A raw server's side of it, and the client's thread in fn(ws).
  local function with_client(fn, body)
    local listener = assert(green.listen "127.0.0.1:0")
    local _, port = listener:sockname()
    local thread = green.spawn(function()
      local ws, err = websocket.connect(("ws://127.0.0.1:%d/"):format(port),
        { close_timeout = 0.2 })
      if not ws then return nil, err end
      return fn(ws)
    end)
    local stream = assert(listener:accept())
    local ok, err = pcall(body, stream, thread)
    stream:close()
    listener:close()
    pcall(thread.wait, thread)
    if not ok then error(err, 0) end
  end

  for _, name in ipairs { "before the first message", "between two fragments", "while it sends",
    "while it closes" } do
    it("ends when its thread is killed " .. name, function()
      with_client(points[name][1], function(stream, thread)
        local peer = shake.accept(stream)
        local first = points[name][2]
        if first then peer:send(first) end
        testing.settle_io()
        thread:kill()
        local ok, err = pcall(thread.wait, thread)
        assert.is_false(ok)
        assert.is_true(green.is_error(err, "ECANCELED"))
      end)
    end)
  end

  it("ends when it is killed while it opens", function()
    with_client(function() end, function(stream, thread)
      stream:read_until "\r\n\r\n"
      stream:write "HTTP/1.1 101 Switching"
      testing.settle_io()
      thread:kill()
      assert.is_false((pcall(thread.wait, thread)))
    end)
  end)

  it("does not wait for ever for a server that does not close", function()
    with_client(function(ws) ws:close(1000) end, function(stream, thread)
      local peer = shake.accept(stream)
      cases.expect(peer, kit.CLOSE, "a close frame")
      thread:wait()
    end)
  end)
end)
