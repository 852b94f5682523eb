-- Messages of which LuaJIT gets the memory that they were received into; see vm/bytes.h. What
-- comes in is in no Lua string before: peers send what is masked already, and strings that are
-- equal to another are never made anew.

local ffi = require "ffi"

local digest = require "green.digest"
local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

local MB = 2 ^ 20
local KEY = "\1\2\3\4"

--- Run body(target) while a handler is served.
local function serve(handler, body)
  local options = { close_timeout = 1, compression = false }
  local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(handler, options),
    { access_log = false, error_log = false }))
  server:start()
  local ok, err = xpcall(body, debug.traceback, (server.url:gsub("^http://", "")))
  server:stop { grace = 0.2, force_after = 0.1 }
  if not ok then error(err, 0) end
end

--- The handlers of both forms that give each message, and is it binary?, to answer(ws, ...).
local function forms(answer)
  return {
    ["with a thread"] = function(ws)
      for text, is_binary in ws:messages() do
        answer(ws, text, is_binary)
      end
    end,
    ["light"] = { message = answer },
  }
end

--- What stands on the wire for a payload of n bytes that nothing else is equal to: ASCII.
local function masked(n, number)
  local bytes = ffi.new("char[?]", n)
  for i = 0, n - 1 do
    bytes[i] = 65 + (i * number) % 25
  end
  return ffi.string(bytes, n)
end

local function frame(payload, op)
  local n, length = #payload, {}
  for i = 8, 1, -1 do
    length[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return string.char(128 + (op or kit.TEXT), 255) .. table.concat(length) .. KEY .. payload
end

--- What a message comes to.
local function sum(text)
  return ("%d %s"):format(#text, digest.sha1_hex and digest.sha1_hex(text)
    or digest.hex(digest.sha1(text)))
end

describe("a long message", function()
  for name, handler in pairs(forms(function(ws, text, is_binary)
    ws:send(sum(text) .. (is_binary and " binary" or ""))
  end)) do
    it("is what was sent, one after the other: " .. name, function()
      serve(handler, function(target)
        local peer = shake.open(target)
        for i = 1, 12 do
          local wire = masked(MB + i - 6, i)
          local binary = i % 3 == 0
          assert(peer:send(frame(wire, binary and kit.BINARY)))
          local answer = peer:read().payload
          assert.equal(sum(kit.xor(wire, KEY)) .. (binary and " binary" or ""), answer)
        end
        peer:goodbye()
      end)
    end)

    it("is what another string is equal to already: " .. name, function()
      serve(handler, function(target)
        local peer = shake.open(target)
        local text = ("equal"):rep(60000)
        for _ = 1, 3 do
          assert(peer:send(kit.text(text), kit.text("short")))
          assert.equal(sum(text), peer:read().payload)
          assert.equal(sum("short"), peer:read().payload)
        end
        peer:goodbye()
      end)
    end)
  end

  it("is equal to what it would be made of otherwise, as a key of a table too", function()
    local seen = {}
    serve(function(ws)
      for text in ws:messages() do
        seen[text] = true
        ws:send "seen"
      end
    end, function(target)
      local peer = shake.open(target)
      for i = 1, 3 do
        assert(peer:send(frame(masked(200000, i))))
        assert.equal("seen", peer:read().payload)
      end
      peer:goodbye()
    end)
    for i = 1, 3 do
      assert.is_true(seen[kit.xor(masked(200000, i), KEY)])
    end
  end)

  it("goes on living when its connection has gone, and others have come", function()
    local kept = {}
    serve(function(ws)
      for text in ws:messages() do
        kept[#kept + 1] = text
      end
    end, function(target)
      for i = 1, 6 do
        local peer = shake.open(target)
        assert(peer:send(frame(masked(300000 + i, i))))
        peer:goodbye()
        collectgarbage()
      end
    end)
    for i = 1, 6 do
      assert.equal(sum(kit.xor(masked(300000 + i, i), KEY)), sum(kept[i]))
    end
  end)

  it("is whole while finalizers run that have long strings of their own", function()
    local n, is_over = 0, false
    local function litter()
      getmetatable(newproxy(true)).__gc = function()
        if not is_over then
          n = n + 1
          masked(MB, n)
          litter()
        end
      end
    end
    for _ = 1, 20 do litter() end
    serve(function(ws)
      for text in ws:messages() do
        ws:send(sum(text))
      end
    end, function(target)
      local peer = shake.open(target)
      for i = 1, 20 do
        local wire = masked(MB, i + 30)
        assert(peer:send(frame(wire)))
        local answer = peer:read().payload
        assert.equal(sum(kit.xor(wire, KEY)), answer)
      end
      peer:goodbye()
    end)
    is_over = true
    assert.is_true(n > 0)
  end)

  it("is no UTF-8 only because one was that stood at its place", function()
    local refused = 0
    serve(function(ws)
      for text in ws:messages() do
        assert(ws:send(text))
        local wrong = text:sub(1, -2) .. "\255"
        text = nil
        collectgarbage() -- the next long string stands where text stood
        for i = 1, 4 do
          local again = wrong:sub(1, -9) .. ("%07d"):format(i) .. "\255"
          local ok, err = ws:send(again)
          refused = refused + (not ok and err.code == "EILSEQ" and 1 or 0)
        end
        ws:send(tostring(text))
      end
    end, function(target)
      local peer = shake.open(target)
      for i = 1, 4 do
        local wire = masked(MB, i)
        assert(peer:send(frame(wire)))
        local answer = peer:read().payload
        assert.equal(kit.xor(wire, KEY), answer)
        assert.equal("nil", peer:read().payload)
      end
      peer:goodbye()
    end)
    assert.equal(16, refused)
  end)

  it("may be cut off anywhere", function()
    local ends = 0
    serve(function(ws)
      for _ in ws:messages() do error "nothing was whole" end
      ends = ends + 1
    end, function(target)
      local wire = frame(masked(MB, 3))
      for _, at in ipairs { 14, 15, 16384, 16385, 300000, #wire - 1 } do
        local peer = shake.open(target)
        assert(peer:send(wire:sub(1, at)))
        peer.stream:close()
      end
      for _ = 1, 200 do
        if ends == 6 then break end
        green.sleep(0.05) -- until the last of them has heard of its end
      end
    end)
    assert.equal(6, ends)
  end)
end)
