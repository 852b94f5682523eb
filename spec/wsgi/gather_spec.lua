-- Long bodies of a known length, which become strings where they were put together; see
-- vm/core/gather.c. The whole of one is in no string before: clients send pieces.

local digest = require "green.digest"
local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

--- Pieces that come to n bytes, and are like no others.
local function pieces_of(n, seed)
  local pieces, left = {}, n
  while left > 0 do
    local size = math.min(left, 10007)
    pieces[#pieces + 1] = string.char(65 + (seed + #pieces) % 26):rep(size)
    left = left - size
  end
  return pieces
end

local function sum(text)
  return text and #text .. " " .. digest.hex(digest.sha1(text)) or "nil"
end

--- Run body(open) while a handler is served; open(n) is a connection that has sent the head of
-- a request with n bytes.
local function serve(handler, body)
  local server = assert(wsgi.new("127.0.0.1:0", handler, { access_log = false, error_log = false }))
  server:start()
  local ok, err = xpcall(body, debug.traceback, function(n)
    local s = assert(green.connect((server.url:match "//([^/]+)")))
    s:settimeout(20) -- only a failing spec waits so long
    assert(s:write(("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"):format(n)))
    return s
  end)
  server:stop { grace = 0.2, force_after = 0.1 }
  if not ok then error(err, 0) end
end

local function send(s, pieces)
  for _, piece in ipairs(pieces) do
    assert(s:write(piece))
  end
end

--- The body of an answer.
local function answer(s)
  local head = ""
  repeat
    local line = assert(s:read_line())
    head = head .. line
  until line == "\r\n" or line == ""
  return assert(s:read(tonumber(head:match "[Cc]ontent%-[Ll]ength: (%d+)")))
end

describe("a long body", function()
  it("is what was sent, whatever its length", function()
    serve(function(env)
      return 200, {}, sum(env.input:read())
    end, function(open)
      for i = 1, 8 do
        local n = 2 ^ 19 + i
        local s = open(n)
        send(s, pieces_of(n, i))
        local said = answer(s)
        assert.equal(sum(table.concat(pieces_of(n, i))), said)
        s:close()
      end
    end)
  end)

  it("may be read in parts, a short one first", function()
    serve(function(env)
      local short, long = env.input:read(1001), env.input:read(200001)
      local rest, none = env.input:read(), env.input:read()
      return 200, {}, table.concat({ sum(short), sum(long), sum(rest), sum(none) }, ",")
    end, function(open)
      local n = 700000
      local s = open(n)
      send(s, pieces_of(n, 3))
      local said, text = answer(s), table.concat(pieces_of(n, 3))
      assert.equal(table.concat({ sum(text:sub(1, 1001)), sum(text:sub(1002, 201002)),
        sum(text:sub(201003)), "nil" }, ","), said)
      s:close()
    end)
  end)

  it("is an error when the client stops in the middle, and the next one is read", function()
    local told
    serve(function(env)
      local text, err = env.input:read()
      told = err and err.code
      return 200, {}, sum(text)
    end, function(open)
      local s = open(500000)
      send(s, pieces_of(300000, 5))
      s:close()
      for _ = 1, 200 do
        if told then break end
        green.sleep(0.05) -- until the server has seen the end
      end
      assert.equal("EEOF", told)
      s = open(500000)
      send(s, pieces_of(500000, 6))
      local said = answer(s)
      assert.equal(sum(table.concat(pieces_of(500000, 6))), said)
      s:close()
    end)
  end)

  it("may be given up by a handler that is killed while it reads", function()
    local reader
    serve(function(env)
      reader = green.getcurrent()
      env.input:read()
      return 200, {}, "not reached"
    end, function(open)
      local s = open(500000)
      send(s, pieces_of(300000, 5))
      testing.settle_io()
      reader:kill()
      reader = nil
      collectgarbage()
      collectgarbage()
      s:close()
    end)
  end)

  it("that is promised by many takes no memory that others need", function()
    local texts = 0
    serve(function(env)
      if env.input:read() then texts = texts + 1 end
      return 200, {}, "read"
    end, function(open)
      local promised = {}
      for i = 1, 12 do
        promised[i] = open(7 * 2 ^ 20)
        send(promised[i], pieces_of(200000, i))
      end
      local s = open(500000)
      send(s, pieces_of(500000, 7))
      assert.equal("read", answer(s))
      for _, one in ipairs(promised) do one:close() end
      s:close()
    end)
    assert.equal(1, texts)
  end)
end)
