-- What a websocket's client leaves behind at each place where a handshake waits: nothing.

local client = require "green.websocket.client"
local dns = require "green.dns"
local green = require "green"
local http = require "green.http"
local socket = require "green.socket"
local testing = require "green.testing"
local web = require "spec.support.websocket"

local peers = dofile("spec/support/http_client.lua")
local _, it = testing.busted()

local function silent(conn)
  conn:read_all()
end

--- A server whose connections are what fn(conn) does with them; its options and URL.
local function serving(fn, scheme, opts)
  local server = peers.serve(fn)
  return { url = scheme .. "://127.0.0.1:" .. server.port .. "/", opts = opts, stop = server.close }
end

-- What -> what makes a place to connect to: `url`, `opts`, `stop()`.
local places = {}

places["the look-up of a name"] = function()
  local mute = assert(socket.udp())
  assert(mute:bind("127.0.0.1", 0))
  local resolver = dns.resolver { servers = { "127.0.0.1:" .. select(2, mute:sockname()) },
    hosts = false, timeout = 30, tries = 1 }
  return { url = "ws://a.test/", opts = { resolver = resolver }, stop = function()
    mute:close()
  end }
end

places["a connection"] = function()
  local listener = assert(green.listen("127.0.0.1:0", { backlog = 1 }))
  local _, port = listener:sockname()
  local full = {} -- nobody accepts these, and there is no room for more
  for i = 1, 4 do
    full[i] = green.connect("127.0.0.1", port, { timeout = 0.05 })
  end
  return { url = "ws://127.0.0.1:" .. port .. "/", stop = function()
    for _, conn in pairs(full) do conn:close() end
    listener:close()
  end }
end

places["the TLS handshake"] = function()
  return serving(silent, "wss", { tls = { verify = false } })
end

places["a proxy"] = function()
  local place = serving(silent, "http")
  return { url = "ws://a.test/", opts = { proxy = place.url }, stop = place.stop }
end

places["the answer"] = function()
  return serving(silent, "ws")
end

places["the rest of an answer"] = function()
  return serving(function(conn)
    conn:write((web.granting(peers.read_head(conn)):sub(1, -3)))
    silent(conn)
  end, "ws")
end

places["the rest of a refusal"] = function()
  return serving(function(conn)
    peers.read_head(conn)
    conn:write("HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\n12345")
    silent(conn)
  end, "ws")
end

places["the answer where a redirect leads"] = function()
  local place = serving(silent, "http")
  local first = serving(peers.answers("HTTP/1.1 302 Found\r\nLocation: " .. place.url
    .. "\r\nContent-Length: 0\r\n\r\n"), "ws", { redirects = 1 })
  local stop = first.stop
  function first.stop()
    stop()
    place.stop()
  end
  return first
end

--- Connect there, with a session of its own whose connections can be counted.
local function open(place, session, timeout)
  local opts = { session = session, timeout = timeout }
  for name, value in pairs(place.opts or {}) do
    opts[name] = value
  end
  return client.open(place.url, client.plan(opts, "connect"), "connect")
end

local function with(make, fn)
  return function()
    local place, session = make(), http.session()
    local ok, err = pcall(fn, place, session)
    session:close()
    place.stop()
    if not ok then
      error(err, 0)
    end
  end
end

describe("a websocket's client, where it waits for", function()
  for name, make in pairs(places) do
    it(name .. ", gives ETIMEDOUT", with(make, function(place, session)
      local stream, err = open(place, session, 0.05)
      if name == "the rest of a refusal" then -- its status is known
        assert.same({ "EHTTPSTATUS", 403, "12345" }, { err.code, err.status, err.body })
      else
        assert.equal("ETIMEDOUT", err.code, tostring(err))
      end
      assert.is_nil(stream)
      assert.equal(place.url, err.url)
      assert.equal(0, session:stats().open)
    end))

    it(name .. ", ends with a scope", with(make, function(place, session)
      local stream, err = green.timeout(0.05, open, place, session)
      assert.is_nil(stream)
      assert.is_true(green.is_timeout(err))
      assert.equal(0, session:stats().open)
    end))

    it(name .. ", is killed", with(make, function(place, session)
      local t = green.spawn(open, place, session)
      testing.settle_io()
      assert.is_false(t:dead())
      t:kill()
      local ok, err = pcall(t.wait, t)
      assert.is_false(ok)
      assert.equal("ECANCELED", err.code)
      assert.equal(0, session:stats().open)
    end))
  end

  it("nothing, is not begun by a thread that was killed before", function()
    local place = serving(silent, "ws")
    local t = green.spawn(function()
      pcall(green.sleep, 60)
      open(place)
    end)
    testing.settle()
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    place.stop()
  end)
end)
