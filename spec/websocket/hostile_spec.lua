-- Peers that mean harm, or break off: each bad frame has its close code, nobody may make a server
-- keep more than its limits say, and nothing is left behind.

local green = require "green"
local testing = require "green.testing"

local cases = require "spec.support.websocket_cases"
local deflate = require "spec.support.websocket_deflate"
local forms = require "spec.support.websocket_forms"
local kit = require "spec.support.websocket_kit"
local program = require "spec.support.program"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

local KIB, MIB = 2 ^ 10, 2 ^ 20
local SERVERS = { forms.those("a threaded server")[1], forms.those("a light server")[1] }
local PACKED = { lines = { "Sec-WebSocket-Extensions: permessage-deflate" } }

local function expect_close(peer, code)
  local f = cases.expect(peer, kit.CLOSE, "a close frame")
  cases.same("the code", code, kit.code_of(f))
  peer:expect_end()
  peer.stream:close()
end

--- The test for both forms of the server.
local function its(title, opts, body)
  for _, form in ipairs(SERVERS) do
    it(form.name .. " " .. title, function()
      form.with(opts, body)
    end)
  end
end

describe("green.websocket among the hostile:", function()
  -- -- Masks --------------------------------------------------------------------

  its("fails a frame that is not masked [b138]", {}, function(server)
    for _, f in ipairs { kit.text("hello", { mask = false }), kit.text("", { mask = false }),
      kit.ping("x", { mask = false }), kit.close(1000, "", { mask = false }) } do
      local peer = server.open()
      peer:send(f)
      expect_close(peer, 1002)
      server.ended()
    end
  end)

  its("fails an unmasked frame behind masked ones", {}, function(server)
    local peer = server.open()
    peer:send(kit.text "masked", kit.text("not masked", { mask = false }))
    assert.equal("masked", cases.expect(peer, kit.TEXT, "the echo").payload)
    expect_close(peer, 1002)
    server.ended()
  end)

  it("our client fails a frame that is masked", function()
    forms.those("a client over a stream")[1].with({}, function(form)
      form.one(function(peer)
        peer:send(kit.text("hello", { mask = "\1\2\3\4" }))
        local f = cases.expect(peer, kit.CLOSE, "a close frame")
        cases.same("the code", 1002, kit.code_of(f))
      end)
    end)
  end)

  -- -- Limits -------------------------------------------------------------------

  local small = { max_message = 1000, max_frame = 600, max_fragments = 10, compression = false }

  its("takes a message of exactly its limits, twice", small, function(server)
    local peer = server.open()
    for _ = 1, 2 do
      peer:send(unpack(kit.fragments(kit.TEXT, ("x"):rep(1000), 500)))
      assert.equal(1000, #cases.expect(peer, kit.TEXT, "the echo").payload)
      peer:send(unpack(kit.fragments(kit.TEXT, ("x"):rep(10), 1)))
      assert.equal(10, #cases.expect(peer, kit.TEXT, "the echo").payload)
      peer:send(kit.text(("x"):rep(600)))
      assert.equal(600, #cases.expect(peer, kit.TEXT, "the echo").payload)
    end
    peer:goodbye()
    server.ended()
  end)

  its("says 1009 to what is beyond them", small, function(server)
    for _, frames in ipairs {
      { kit.text(("x"):rep(601)) },
      kit.fragments(kit.TEXT, ("x"):rep(1001), 500),
      kit.fragments(kit.TEXT, ("x"):rep(11), 1),
      { kit.text("", { fin = false }), kit.cont(("x"):rep(601)) },
    } do
      local peer = server.open()
      peer:send(unpack(frames))
      expect_close(peer, 1009)
      server.ended()
    end
  end)

  --- n empty fragments of a message that does not end.
  local function empties(n)
    return kit.text("", { fin = false }), n
  end

  its("ends a flood of empty fragments at the limit of fragments", { max_fragments = 4096 },
    function(server)
      local peer = server.open()
      local first, n = empties(5000)
      local list = { first }
      for i = 2, n do list[i] = kit.cont("", { fin = false }) end
      peer:send(unpack(list))
      expect_close(peer, 1009)
      server.ended()
    end)

  its("stays below its limit with a bomb", { max_message = 64 * KIB, max_frame = 64 * KIB,
    compression = { threshold = 0 } }, function(server)
      local z = deflate.new { level = 9 }
      local bomb = z:pack(("\0"):rep(16 * MIB))
      for _, frames in ipairs { { kit.binary(bomb, { rsv = 4 }) },
        kit.fragments(kit.BINARY, bomb, 1000, { rsv = 4 }) } do
        local peer = server.open(PACKED)
        collectgarbage()
        local before = collectgarbage "count"
        peer:send(unpack(frames))
        expect_close(peer, 1009)
        assert.is_true(collectgarbage "count" - before < 1024)
        server.ended()
      end
      z:close()
    end)

  -- -- Floods -------------------------------------------------------------------

  its("answers a flood of pings", {}, function(server)
    local peer = server.open()
    local list = {}
    for i = 1, 5000 do list[i] = kit.bytes(kit.ping("n" .. i), true) end
    local writer = green.spawn(peer.send, peer, table.concat(list))
    for i = 1, 5000 do
      assert.equal("n" .. i, cases.expect(peer, kit.PONG, "a pong").payload)
    end
    writer:wait()
    peer:goodbye()
    server.ended()
  end)

  its("answers a flood of tiny messages in their order", {}, function(server)
    local peer = server.open()
    local list = {}
    for i = 1, 5000 do list[i] = kit.bytes(kit.text("m" .. i), true) end
    local writer = green.spawn(peer.send, peer, table.concat(list))
    for i = 1, 5000 do
      assert.equal("m" .. i, cases.expect(peer, kit.TEXT, "an echo").payload)
    end
    writer:wait()
    peer:goodbye()
    server.ended()
  end)

  --- Resident megabytes of this process.
  local function resident()
    local f = assert(io.open "/proc/self/statm")
    local _, pages = f:read("*n", "*n")
    f:close()
    return pages * 4096 / MIB
  end

  --- Write the same again and again, until the other side takes no more or that much; by how
  -- many megabytes the process has grown.
  local function fill(peer, piece, most)
    collectgarbage()
    local before, sent = resident(), 0
    while sent < most and peer.stream:write(piece, { timeout = 0.3 }) do -- nobody reads: it ends so
      sent = sent + #piece
    end
    return resident() - before
  end

  -- A sanitizer's allocator keeps what was freed: nothing can be told of it.
  local its_of_memory = program.is_sanitized and function(title)
    pending(title .. " (not with a sanitizer's allocator)")
  end or its

  its_of_memory("keeps only so much for a peer that never reads", { max_buffered = 64 * KIB },
    function(server)
      local peer = server.open()
      local grown = fill(peer, kit.bytes(kit.text(("x"):rep(32 * KIB)), true), 64 * MIB)
      assert.is_true(grown < 24, "by " .. grown .. " MB")
      peer.stream:close()
      server.ended()
    end)

  its_of_memory("keeps only so many pongs for a peer that never reads",
    { max_buffered = 64 * KIB }, function(server)
      local peer = server.open()
      local grown = fill(peer, kit.bytes(kit.ping(("x"):rep(125)), true):rep(500), 64 * MIB)
      assert.is_true(grown < 24, "by " .. grown .. " MB")
      peer.stream:close()
      server.ended()
    end)

  -- -- Ends ---------------------------------------------------------------------

  local whole = kit.bytes(kit.text "A message, or a part of it.", true)

  local function broken_off(how)
    return function(server)
      for n = 0, #whole - 1 do
        local peer = server.open()
        peer:send(whole:sub(1, n))
        if how == "reset" then peer.stream:setoption("so_linger", 0) end
        peer.stream:close()
        assert.equal(1006, server.ended().code)
      end
    end
  end

  its("knows 1006 of one that closes at any byte of a frame", {}, broken_off "close")
  its("knows 1006 of one that is reset at any byte of a frame", {}, broken_off "reset")

  its("survives peers that go with messages unread", {}, function(server)
    for i = 1, 20 do
      local peer = server.open()
      for _ = 1, i do peer:send(kit.text(("x"):rep(1000))) end
      peer.stream:setoption("so_linger", 0)
      peer.stream:close()
      server.ended()
    end
  end)

  its("ends with one that says goodbye and never closes", { close_timeout = 0.2 },
    function(server)
      local peer = server.open()
      peer:send(kit.close(1000))
      cases.expect(peer, kit.CLOSE, "a close frame")
      peer:expect_end()
      server.ended()
      peer.stream:close()
    end)

  its("takes slow bytes", { compression = false }, function(server)
    local peer = server.open()
    peer:chop(whole, 1, testing.settle_io)
    assert.equal("A message, or a part of it.", cases.expect(peer, kit.TEXT, "the echo").payload)
    peer:goodbye()
    server.ended()
  end)

  -- -- Handshakes that break off ------------------------------------------------

  local request = shake.request()

  its("survives handshakes that end at any byte", {}, function(server)
    for n = 0, #request - 1, 3 do
      local stream = assert(green.connect(server.target))
      if n > 0 then assert(stream:write(request:sub(1, n))) end
      stream:close()
    end
    testing.settle_io()
    local peer = server.open()
    peer:goodbye()
    server.ended()
  end)

  its("reads frames that come with the handshake", { compression = false }, function(server)
    for n = 0, #whole do
      local stream = assert(green.connect(server.target))
      stream:settimeout(kit.PATIENCE)
      stream:write(request .. whole:sub(1, n))
      assert.equal(101, (shake.read_answer(stream)))
      stream:write(whole:sub(n + 1))
      local peer = kit.peer(stream, "client")
      assert.equal("A message, or a part of it.",
        cases.expect(peer, kit.TEXT, "the echo").payload)
      peer:goodbye()
      server.ended()
    end
  end)

  local function field(name, value)
    return shake.request { fields = { [name] = value } }
  end

  local refusals = {
    { "no Upgrade", field("Upgrade", false), 400 },
    { "another Upgrade", field("Upgrade", "h2c"), 400 },
    { "no Connection", field("Connection", false), 400 },
    { "another Connection", field("Connection", "keep-alive"), 400 },
    { "no key", field("Sec-WebSocket-Key", false), 400 },
    { "an empty key", field("Sec-WebSocket-Key", ""), 400 },
    { "a short key", field("Sec-WebSocket-Key", "c2hvcnQ="), 400 },
    { "a long key", field("Sec-WebSocket-Key", ("A"):rep(30) .. "=="), 400 },
    { "a key that is no base64", field("Sec-WebSocket-Key", ("!"):rep(22) .. "=="), 400 },
    { "two keys", shake.request { lines = { "Sec-WebSocket-Key: " .. shake.KEY } }, 400 },
    { "no version", field("Sec-WebSocket-Version", false), 400 },
    { "version 12", field("Sec-WebSocket-Version", "12"), 426 },
    { "version 14", field("Sec-WebSocket-Version", "14"), 426 },
    { "a version that is none", field("Sec-WebSocket-Version", "x"), { 400, 426 } },
    { "POST", shake.request { method = "POST", lines = { "Content-Length: 0" } }, 405 },
    { "HTTP/1.0", shake.request { version = "HTTP/1.0" }, 400 },
    { "another origin", shake.request { lines = { "Origin: http://evil.test" } }, 403 },
    { "extensions that are none",
      shake.request { lines = { "Sec-WebSocket-Extensions: ;;;" } }, 400 },
    { "a parameter with an empty value", shake.request { lines = {
      "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=" } }, 400 },
    { "protocols that are none",
      shake.request { lines = { "Sec-WebSocket-Protocol: a b c" } }, 400 },
  }

  local function is_one_of(wanted, status)
    for _, w in ipairs(type(wanted) == "table" and wanted or { wanted }) do
      if w == status then return true end
    end
  end

  its("refuses what is no handshake, and closes", {}, function(server)
    for _, r in ipairs(refusals) do
      local stream = assert(green.connect(server.target))
      stream:settimeout(kit.PATIENCE)
      stream:write(r[2])
      local status, headers = shake.read_answer(stream)
      assert(is_one_of(r[3], status), r[1] .. ": " .. tostring(status))
      assert.matches("close", (headers.connection or ""):lower(), r[1])
      if status == 426 then assert.matches("13", headers["sec-websocket-version"]) end
      stream:read_all()
      stream:close()
    end
  end)
end)
