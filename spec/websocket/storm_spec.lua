-- A thousand clients at once, each with faults by chance: every message that comes back must be its
-- own connection's, the server goes on, and nothing is left.
--
-- WEBSOCKET_STORM=10000 makes it longer; SEED chooses another order.

local green = require "green"
local testing = require "green.testing"

local deflate = require "spec.support.websocket_deflate"
local forms = require "spec.support.websocket_forms"
local kit = require "spec.support.websocket_kit"
local program = require "spec.support.program"
local shake = require "spec.support.websocket_shake"
local websocket = require "green.websocket"
local wsgi_kit = require "spec.support.wsgi_kit"

local _, it = testing.busted()

local COUNT = tonumber(os.getenv "WEBSOCKET_STORM") or program.is_sanitized and 200 or 1000
local TOGETHER = 250 -- each holds two descriptors of this process

local random = math.random

--- Messages there and back, each with the client's name.
local function talk(peer, name, counts)
  for i = 1, random(0, 5) do
    local text = ("%s message %d %s"):format(name, i, ("x"):rep(random(0, 300)))
    local list = { kit.text(text) }
    if random(1, 2) == 1 then
      list = kit.fragments(kit.TEXT, text, random(1, 100))
    end
    if peer.deflate and random(1, 2) == 1 then
      list = kit.fragments(kit.TEXT, peer.deflate:pack(text), random(1, 100), { rsv = 4 })
    end
    if not peer:send(unpack(list)) then return end
    local f = peer:read()
    if not f then return end
    assert(f.payload == text, ("%s got %q"):format(name, f.payload))
    counts.echoed = counts.echoed + 1
  end
end

--- How a connection ends, by chance.
local ends = {
  function(peer) peer:goodbye() end,
  function(peer) peer.stream:close() end,
  function(peer)
    peer.stream:setoption("so_linger", 0)
  end,
  function(peer) -- amidst a frame
    local bytes = kit.bytes(kit.text(("y"):rep(500)), true)
    peer:send(bytes:sub(1, random(1, #bytes - 1)))
  end,
  function(peer) -- amidst a message
    peer:send(kit.text("y", { fin = false }), kit.ping "z")
  end,
  function(peer) -- a frame that is wrong
    local bad = { kit.frame(random(3, 7), "x"), kit.text("x", { rsv = 1 }), kit.cont "x",
      kit.text "\255", kit.text("x", { mask = false }), kit.close(1005), kit.close(1000, "\255") }
    peer:send(bad[random(1, #bad)])
    peer:read()
  end,
  function(peer) -- many messages, and nobody reads what comes back
    for _ = 1, 20 do
      if not peer.stream:write(kit.bytes(kit.text(("z"):rep(2000)), true), { timeout = 1 }) then
        break
      end
    end
  end,
  function(peer) -- garbage
    local bytes = {}
    for i = 1, random(1, 200) do bytes[i] = string.char(random(0, 255)) end
    peer:send(table.concat(bytes))
  end,
}

--- Some do not get as far as a websocket.
local function break_off(target)
  local stream = green.connect(target)
  if not stream then return end
  local text = shake.request()
  stream:write(text:sub(1, random(0, #text - 1)))
  if random(1, 2) == 1 then stream:setoption("so_linger", 0) end
  stream:close()
end

local function client(target, name, counts)
  if random(1, 10) == 1 then
    return break_off(target)
  end
  local packed = random(1, 3) == 1
  local peer = shake.open(target, packed and { lines = { "Sec-WebSocket-Extensions: "
    .. "permessage-deflate; client_no_context_takeover; server_no_context_takeover" } })
  if packed then
    peer.deflate = deflate.new { out_fresh = true, in_fresh = true, level = 1 }
  end
  talk(peer, name, counts)
  ends[random(1, #ends)](peer)
  peer.stream:close()
  if packed then peer.deflate:close() end
  counts.ended = counts.ended + 1
end

local handlers = {
  ["a threaded server"] = forms.echo,
  ["a light server"] = { message = forms.send_back },
}

describe("green.websocket", function()
  for name, handler in pairs(handlers) do
    it("gives each its own messages: " .. name .. " among " .. COUNT .. " clients", function()
      local counts = { echoed = 0, ended = 0, killed = 0 }
      local app = websocket.handler(handler, { close_timeout = 0.5, max_buffered = 16384,
        send_timeout = 0.5, compression = { threshold = 0 } })
      wsgi_kit.with(app, { access_log = false }, function(server)
        local pool = green.GreenPool(TOGETHER)
        for i = 1, COUNT do
          pool:spawn(function()
            local t = green.spawn(client, server.target, ("client %d"):format(i), counts)
            if random(1, 10) == 1 then
              for _ = 1, random(0, 6) do green.sleep(0) end
              t:kill()
              counts.killed = counts.killed + 1
            end
            local ok, err = pcall(t.wait, t)
            assert(ok or green.is_error(err, "ECANCELED"), err)
          end)
        end
        pool:waitall()
        collectgarbage() -- streams of clients that were killed
        collectgarbage()
        local peer = shake.open(server.target)
        peer:send(kit.text "still there?")
        assert.equal("still there?", peer:read().payload)
        peer:goodbye()
      end)
      assert.is_true(counts.echoed > COUNT / 2 and counts.ended > COUNT / 2)
    end)
  end
end)
