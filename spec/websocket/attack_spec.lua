-- Peers that flood, writers that are never closed, streams that two read, finalizers that end
-- what is being read: one peer holds nobody else up, and nothing is told wrongly.

local green = require "green"
local pubsub = require "green.pubsub"
local socket = require "green.socket"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local finalizers = require "spec.support.finalizers"
local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

local PATIENCE = 20 -- only a failing spec waits so long

--- Run body(target, server) while a handler is served.
local function serve(handler, opts, body)
  local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(handler, opts),
    { access_log = false, error_log = false }))
  server:start()
  local ok, err = xpcall(body, debug.traceback, (server.url:gsub("^http://", "")), server)
  server:stop { grace = 0.2, force_after = 0.1 }
  if not ok then error(err, 0) end
end

--- A connection over a stream in memory, and a raw peer at its other end.
local function over_stream(opts)
  local a, b = testing.stream_pair()
  local ws = assert(websocket.attach(a, opts))
  return ws, kit.peer(b, opts and opts.client and "server" or "client"), b
end

describe("green.websocket under attack:", function()
  it("many light ones that ping in one turn are all answered", function()
    serve({ message = function() end }, nil, function(target)
      local peers = {}
      for i = 1, 100 do
        peers[i] = shake.open(target)
      end
      for _, peer in ipairs(peers) do
        peer:send(kit.ping "?")
      end
      for _, peer in ipairs(peers) do
        assert.equal(kit.PONG, peer:read().op)
        peer.stream:close()
      end
    end)
  end)

  it("a peer that floods a handler leaves others their turns", function()
    local n, most, last = 0, 0, 0
    serve(function(ws)
      for _ in ws:messages() do n = n + 1 end
    end, nil, function(target)
      local peer = shake.open(target)
      local one = kit.bytes(kit.text "", true)
      local writer = green.spawn(function() peer.stream:write(one:rep(200000)) end)
      local tries = 0
      while n < 200000 and tries < 1000000 do
        green.sleep(0)
        most, last, tries = math.max(most, n - last), n, tries + 1
      end
      writer:wait()
      peer.stream:close()
    end)
    assert.equal(200000, n)
    assert.is_true(most <= 1000, most .. " messages in one turn")
  end)

  -- -- Streams ------------------------------------------------------------------

  it("a second reader of a stream gets EBUSY, and breaks nothing", function()
    local ws, peer = over_stream()
    local first = green.spawn(function() return ws:recv() end)
    green.sleep(0)
    local text, err = ws:recv()
    assert.is_nil(text)
    assert.equal("EBUSY", err.code)
    peer:send(kit.text "one")
    assert.equal("one", (first:wait()))
    ws:abort()
  end)

  it("a stream may be asked for what is there already", function()
    local ws, peer = over_stream()
    local text, err = ws:recv(0)
    assert.is_nil(text)
    assert.equal("ETIMEDOUT", err.code)
    peer:send(kit.text "one")
    assert.equal("one", (ws:recv(0)))
    ws:abort()
  end)

  it("a close beside a reader of a stream is a close", function()
    local ws, peer = over_stream()
    local first = green.spawn(function() return ws:recv() end)
    green.sleep(0)
    assert.is_true(ws:close(1000, "bye"))
    assert.equal(1000, kit.code_of(peer:read()))
    peer:send(kit.close(1000))
    assert.is_nil((first:wait()))
    assert.equal(1000, ws.close_code)
  end)

  it("a close beside a reader of a stream waits for its time only", function()
    local ws = over_stream { close_timeout = 0.1 }
    local first = green.spawn(function() return ws:recv() end)
    green.sleep(0)
    ws:close()
    assert.is_nil((first:wait()))
    assert.equal(1006, ws.close_code)
  end)

  it("a silent peer of a stream is pinged, and given up", function()
    local ws, peer = over_stream { ping_interval = 0.1, ping_timeout = 0.1 }
    local text, err = ws:recv(PATIENCE)
    assert.is_nil(text)
    assert.equal("ETIMEDOUT", err.code)
    assert.is_true(ws.closed)
    assert.equal(kit.PING, peer:read().op)
  end)

  it("what a stream has not taken in time leaves later, whole", function()
    local ws, peer = over_stream()
    local big = ("x"):rep(2 ^ 18)
    local ok, err = ws:send(big, 0.01)
    assert.is_nil(ok)
    assert.equal("ETIMEDOUT", err.code)
    local reader = green.spawn(function() return peer:read() end)
    assert.is_true(ws:send "next")
    assert.equal(big, reader:wait().payload)
    assert.equal("next", peer:read().payload)
    ws:abort()
  end)

  it("a sender over a stream that is killed amidst a frame ends the connection", function()
    local ws = over_stream()
    local sender = green.spawn(function() ws:send(("x"):rep(2 ^ 18)) end)
    green.sleep(0)
    sender:kill()
    pcall(sender.wait, sender)
    local ok, err = ws:send "next"
    assert.is_nil(ok)
    assert.equal("ECLOSED", err.code)
    ws:abort()
  end)

  -- -- Writers ------------------------------------------------------------------

  it("who waits behind a writer that is never closed is told of the end", function()
    local result
    serve(function(ws)
      assert(ws:writer()):write "half"
      local sender = green.spawn(function() result = { ws:send "waits" } end)
      ws:recv()
      sender:wait()
    end, nil, function(target)
      local peer = shake.open(target)
      testing.settle_io()
      peer.stream:close()
      testing.settle_io(function() return result end)
    end)
    assert.is_nil(result[1])
    assert.equal("ECLOSED", result[2].code)
  end)

  -- -- Hubs -----------------------------------------------------------------------

  it("a receiver that takes nothing does not hold up a publisher", function()
    local hub = pubsub.new()
    local subscribed = green.Event()
    serve(function(ws)
      local sub = hub:subscribe("t", ws)
      subscribed:send(true)
      ws:recv()
      sub:close()
    end, { compression = false }, function(target)
      local peer = shake.open(target)
      subscribed:wait(PATIENCE)
      local done = false
      local publisher = green.spawn(function()
        hub:publish("t", ("x"):rep(2 ^ 23))
        done = true
      end)
      testing.settle_io()
      assert.is_true(done)
      publisher:kill()
      peer.stream:close()
    end)
    hub:close()
  end)

  it("a receiver that is sent a message in parts gets what is published behind it", function()
    local hub = pubsub.new()
    serve(function(ws)
      local sub = hub:subscribe("t", ws)
      local writer = ws:writer()
      writer:write "a"
      hub:publish("t", "news")
      assert(not sub.closed)
      writer:close()
      ws:recv()
      sub:close()
    end, nil, function(target)
      local peer = shake.open(target)
      assert.equal("a", peer:read().payload)
      assert.equal("news", peer:read().payload)
      peer.stream:close()
    end)
    hub:close()
  end)

  -- -- Stops ----------------------------------------------------------------------

  it("a stop kills what a light handler still does", function()
    local result
    serve({ message = function()
      result = { pcall(green.sleep, 60) }
      error(result[2], 0)
    end }, nil, function(target, server)
      local peer = shake.open(target)
      peer:send(kit.text "x")
      testing.settle_io()
      server:stop { grace = 0.05, force_after = 1 }
      peer.stream:close()
    end)
    assert.is_true(green.is_error(result[2], "ECANCELED"))
  end)

  it("a light handler cannot wait for its own server's end", function()
    local message
    local server
    serve({ message = function() message = select(2, pcall(server.stop, server)) end }, nil,
      function(target, its_server)
        server = its_server
        local peer = shake.open(target)
        peer:send(kit.text "x")
        testing.settle_io(function() return message end)
        peer.stream:close()
      end)
    assert.matches("a handler cannot wait for its own end", tostring(message), 1, true)
  end)

  it("a server that stops leaves the connections of another alone", function()
    local handler = { message = function(ws, text) ws:send(text) end }
    local app = websocket.handler(handler)
    local servers, peers = {}, {}
    for i = 1, 2 do
      servers[i] = assert(wsgi.new("127.0.0.1:0", app, { access_log = false, error_log = false }))
      servers[i]:start()
      peers[i] = shake.open((servers[i].url:gsub("^http://", "")))
    end
    local stopping = green.spawn(servers[1].stop, servers[1], { grace = PATIENCE })
    assert.equal(1001, kit.code_of(peers[1]:read()))
    peers[1]:send(kit.close(1001))
    stopping:wait()
    peers[2]:send(kit.text "still")
    assert.equal("still", peers[2]:read().payload)
    peers[1].stream:close()
    peers[2].stream:close()
    servers[2]:stop { grace = 0.2 }
  end)

  -- -- Finalizers -----------------------------------------------------------------

  it("a finalizer may end a connection whose message is being told", function()
    local hits, bad = 0, 0
    local current -- what is being read
    local function finalize(where)
      if current and where:find "ws_re[ac]" then
        hits = hits + 1
        current:abort()
        current = nil
      end
    end
    local one = kit.bytes(kit.text(("m"):rep(30001)), true)
    for _ = 1, 20 do
      local ours, theirs = socket.pair()
      local ws = assert(websocket.attach(ours))
      theirs:write(one)
      local text = finalizers.amidst(500, finalize, function()
        current = ws
        return (ws:recv())
      end)
      current = nil
      bad = bad + (text and text:find "[^m]" and 1 or 0)
      ws:abort()
      theirs:close()
    end
    assert.equal(0, bad)
    assert.is_true(hits > 10, hits .. " finalizers ended what was read")
  end)

  --- A message that says which it is, all over.
  local function told(i, size)
    return ("%04d"):format(i):rep(size / 4)
  end

  --- Read n messages while finalizers read, too: inside of what makes strings of them. Gives how
  -- many of these there were, and all that was read.
  local function read_amidst(size, n)
    local ours, theirs = socket.pair()
    local ws, sender = websocket.attach(ours), websocket.attach(theirs, { client = true })
    local hits, texts = 0, {}
    local function finalize(where)
      if hits < n / 4 and where:find "ws_re[ac]" then
        local ok, text = pcall(ws.recv, ws)
        hits = hits + (ok and text and 1 or 0)
        texts[#texts + 1] = ok and text or nil
      end
    end
    local sending = green.spawn(function()
      for i = 1, n do assert(sender:send(told(i, size))) end
    end)
    finalizers.amidst(8000, finalize, function()
      while #texts < n do
        local text = ws:recv(0.1) -- meanwhile others may come, and the last one may be theirs
        texts[#texts + 1] = text
      end
    end)
    sending:wait()
    ws:abort()
    sender:abort()
    return hits, texts
  end

  for _, size in ipairs { 100, 2000, 30000 } do
    it("a finalizer may read on while a message is told: of " .. size .. " bytes", function()
      local hits, texts = read_amidst(size, 200)
      for _, text in ipairs(texts) do
        assert.is_true(text == told(tonumber(text:sub(1, 4)), size))
      end
      assert.is_true(hits > 10, hits .. " finalizers read")
    end)
  end
end)
