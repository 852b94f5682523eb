-- Messages in parts: whose an open writer is, and what a reader leaves.

local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"
local websocket = require "green.websocket"

local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"
local wsgi_kit = require "spec.support.wsgi_kit"

local _, it = testing.busted()

--- Two websockets at the ends of what that gives.
local function pair_over(ends)
  return function(options)
    local a, b = ends()
    return assert(websocket.attach(a, options)),
      assert(websocket.attach(b, { client = true, offer = options and options.offer }))
  end
end

local pairs_of = { ["a socket"] = pair_over(socket.pair),
  ["a stream"] = pair_over(testing.stream_pair) }

for name, pair in pairs(pairs_of) do
  describe("a writer over " .. name, function()
    --- What a sender behind it and the peer get when its thread ends so.
    local function after(fn, send)
      local ours, theirs = pair()
      local writing, result
      local owner = green.spawn(function()
        writing = assert(ours:writer())
        fn(writing)
      end)
      testing.settle()
      local sender = green.spawn(function() result = { send(ours) } end)
      testing.settle()
      assert.is_nil(result)
      owner:kill()
      sender:wait()
      local got = { theirs:recv() }
      ours:abort()
      theirs:abort()
      return result, got, theirs.close_code, writing
    end

    it("whose thread dies amidst its message ends the connection with 1011", function()
      local result, got, code, writing = after(function(w)
        assert(w:write "half")
        green.sleep(60)
      end, function(ws) return ws:send "behind" end)
      assert.is_nil(result[1])
      assert.equal("ECLOSED", result[2].code)
      assert.same({}, got)
      assert.equal(1011, code)
      assert.equal("ECLOSED", select(2, writing:write "more").code)
    end)

    it("whose thread dies before it has sent anything is in nobody's way", function()
      local result, got, _, writing = after(function() green.sleep(60) end, function(ws)
        local w = assert(ws:writer())
        assert(w:write "behind")
        return w:close()
      end)
      assert.same({ true }, result)
      assert.same({ "behind", false }, got)
      assert.equal("ECLOSED", select(2, writing:write "late").code)
    end)

    it("is that thread's which has used it last", function()
      local ours, theirs = pair()
      local writing = green.spawn(function()
        local w = assert(ours:writer())
        assert(w:write "a")
        return green.spawn(function()
          assert(w:write "b")
          green.sleep(1)
          assert(w:close())
        end), green.sleep(0)
      end):wait()
      assert.same({ "ab", false }, { theirs:recv() })
      writing:wait()
      ours:abort()
      theirs:abort()
    end)

    it("that is closed is nobody's concern", function()
      local ours, theirs = pair()
      green.spawn(function()
        local w = assert(ours:writer())
        assert(w:write "a")
        assert(w:close())
      end):wait()
      assert.same({ "a", false }, { theirs:recv() })
      assert.is_true(ours:send "b")
      assert.same({ "b", false }, { theirs:recv() })
      ours:abort()
      theirs:abort()
    end)
  end)
end

--- What cannot be made shorter.
local function noise(n)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(math.random(0, 255)) end
  return table.concat(bytes)
end

--- Send a message in parts, and another behind it.
local function send_two(ws, n)
  return green.spawn(function()
    local w = assert(ws:writer(true))
    for _ = 1, n do
      if not w:write(noise(1000)) then return end
    end
    w:close()
    ws:send "next"
  end)
end

for name, pair in pairs(pairs_of) do
  for _, offer in ipairs { false, {} } do
    local what = "a reader over " .. name .. (offer and ", compressed" or "")
    describe(what, function()
      --- body(ours, theirs): both ends, of which theirs sends two messages.
      local function with_two(options, n, body)
        options.offer = offer or nil
        local ours, theirs = pair(options)
        local sending = send_two(theirs, n)
        body(ours, theirs)
        ours:abort()
        theirs:abort()
        sending:wait()
      end

      it("whose message is left is no concern of the next", function()
        with_two({}, 40, function(ours)
          local reader = ours:reader()
          assert.equal(10, #reader:read(10))
          assert.same({ "next", false }, { ours:recv() })
          local text, err = reader:read()
          while text do text, err = reader:read() end -- what it has already
          assert.equal("EALREADY", err.code)
        end)
      end)

      it("may be left for another reader", function()
        with_two({}, 40, function(ours)
          local left = ours:reader()
          local reader = ours:reader()
          assert.equal("next", reader:read())
          assert.is_nil((reader:read()))
          local text, err = left:read()
          while text do text, err = left:read() end
          assert.equal("EALREADY", err.code)
        end)
      end)

      it("that is at its end reads no more", function()
        with_two({}, 3, function(ours)
          local reader = ours:reader()
          repeat local text, err = reader:read() until not text and assert(not err)
          assert.is_nil((reader:read()))
          assert.is_nil(select(2, reader:read()))
          assert.equal("next", (ours:recv()))
          assert.is_nil((reader:read()))
        end)
      end)

      it("gets no more of a message than max_message", function()
        with_two({ max_message = 10000 }, 40, function(ours)
          local reader, n = ours:reader(), 0
          for part in function() return reader and (reader:read()) end do n = n + #part end
          assert.is_true(n <= 10000)
          assert.equal(1009, ours.close_code)
        end)
      end)

      it("gets a message of max_message to its end", function()
        with_two({ max_message = 41000 }, 40, function(ours)
          local reader, n = ours:reader(), 0
          for part in reader:chunks() do n = n + #part end
          assert.equal(40000, n)
          assert.equal("next", (ours:recv()))
        end)
      end)
    end)
  end
end

describe("a reader in the light form", function()
  it("is left with the function that has it", function()
    local first = true
    local handler = websocket.handler { message = function(ws, text)
      if first then
        first = false
        return assert(ws:reader()):read(1)
      end
      ws:send("got " .. text)
    end }
    wsgi_kit.with(handler, { access_log = false, error_log = false }, function(server)
      local peer = shake.open(server.target)
      peer:send(kit.text "x", kit.text("half", { fin = false }))
      testing.settle_io()
      peer:send(kit.cont " and half", kit.text "y")
      assert.equal("got y", peer:read().payload)
      peer:goodbye()
    end)
  end)
end)

describe("a writer in the light form", function()
  it("that a function leaves open ends the connection with 1011", function()
    local handler = websocket.handler { message = function(ws)
      assert(ws:writer()):write "half"
    end }
    wsgi_kit.with(handler, { access_log = false, error_log = false }, function(server)
      local peer = shake.open(server.target)
      peer:send(kit.text "x")
      assert.equal(1011, kit.code_of(peer:read()))
      peer:send(kit.close(1011))
      peer:expect_end()
      peer.stream:close()
    end)
  end)
end)
