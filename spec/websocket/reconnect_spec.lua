-- A client that connects again: when, how often, and what it does not do. Connections here are
-- plain tables, on a virtual clock; client_peers_spec.lua has real ones.

local errors = require "green.error"
local green = require "green"
local reconnect = require "green.websocket.reconnect"
local testing = require "green.testing"

local it = testing.busted()

local Ws = {}
Ws.__index = Ws

--- A connection that gives these messages and then ends; with stays it goes on until it is
-- closed.
local function ws_of(messages, stays)
  local ws = setmetatable({ messages = messages, at = 0, sent = {}, closed = green.Event() }, Ws)
  ws.stays = stays
  return ws
end

function Ws:recv()
  self.at = self.at + 1
  if not self.messages[self.at] and self.stays then
    self.closed:wait()
  end
  if not self.messages[self.at] then
    self.close_code = self.close_code or 1006
  end
  return self.messages[self.at], self.messages[self.at] and false
end

function Ws:send(text)
  self.sent[#self.sent + 1] = text
  return true
end

Ws.send_binary = Ws.send

function Ws:close(code)
  self.close_code = code or 1000
  self:abort()
end

function Ws:abort()
  self.aborted = true
  if not self.closed:ready() then
    self.closed:send(true)
  end
end

local function failure(code, fields)
  return errors.new(code, "connect", nil, fields)
end

--- A client whose connections come from a list: connections, or errors; and when they were
-- asked for.
local function client_of(list, opts)
  local own = { random = function() return 1 end } -- the longest waits
  for name, value in pairs(opts or {}) do
    own[name] = value
  end
  local times = {}
  local client = reconnect.new(function()
    times[#times + 1] = green.now()
    local what = list[#times]
    if getmetatable(what) == Ws then
      return what
    end
    return nil, what or failure "EINVAL" -- which is for good
  end, own)
  return client, times
end

--- All messages of a client, and the error that ended it.
local function drain(client)
  local got = {}
  local ok, err = pcall(function()
    for text in client:messages() do
      got[#got + 1] = text
    end
  end)
  return table.concat(got, ","), not ok and err or nil
end

--- Seconds between the tries.
local function gaps(times)
  local out = {}
  for i = 2, #times do
    out[i - 1] = math.floor((times[i] - times[i - 1]) * 1000 + 0.5) / 1000
  end
  return out
end

describe("a websocket's client that connects again", function()
  it("gives the messages of one connection after the other", function()
    local client, times = client_of { ws_of { "a", "" }, ws_of { "b" }, ws_of {} , ws_of { "c" } }
    local got, err = drain(client)
    assert.equal("a,,b,c", got)
    assert.equal("EINVAL", err.code)
    assert.equal(err, client.last_error)
    assert.equal(5, #times)
    assert.same({ nil, err }, { client:recv() }) -- and so it stays
  end)

  it("waits longer after each failure, up to a cap, and short again when it has served", function()
    local down = failure "ECONNREFUSED"
    local client, times = client_of({ down, down, down, down, down, ws_of { "a" }, down, down },
      { delay = 1, max_delay = 6 })
    drain(client)
    assert.same({ 1, 2, 4, 6, 6, 1, 2, 4 }, gaps(times))
  end)

  it("takes a connection that ends at once for a failure, one that has lasted for none", function()
    local function lasting(seconds)
      local ws = ws_of {}
      function ws.recv()
        green.sleep(seconds)
        return nil
      end
      return ws
    end
    local client, times = client_of({ ws_of {}, ws_of {}, ws_of {}, lasting(10), lasting(1) },
      { delay = 1 })
    drain(client)
    assert.same({ 1, 2, 4, 11, 3 }, gaps(times))
  end)

  it("waits half of that at least, by chance", function()
    local client, times = client_of({ failure "EPIPE", failure "EPIPE" }, { delay = 1,
      random = function() return 0 end })
    drain(client)
    assert.same({ 0.5, 1 }, gaps(times))
    client, times = client_of({ failure "EPIPE" }, { delay = 1, random = math.random })
    drain(client)
    assert.is_true(gaps(times)[1] >= 0.5 and gaps(times)[1] <= 1)
  end)

  it("waits as long as the server asks for, within the cap", function()
    local function busy(text)
      return failure("EHTTPSTATUS", { status = 503, headers = { get = function(_, name)
        return name == "retry-after" and text or nil
      end } })
    end
    local client, times = client_of({ busy "5", busy "1000", busy "soon" }, { delay = 1,
      max_delay = 20 })
    drain(client)
    assert.same({ 5, 20, 4 }, gaps(times))
  end)

  it("gives up at once on what will be the same the next time", function()
    for _, err in ipairs { failure "EINVAL", failure "EACCES", failure "EPROTO",
      failure "ECERTEXPIRED", failure "ECERTUNKNOWN", failure("EHTTPSTATUS", { status = 403 }),
      failure("EHTTPSTATUS", { status = 404 }), failure("EHTTPSTATUS", { status = 501 }),
      failure("EHTTPSTATUS", { status = 302 }), failure("EHTTPSTATUS", { status = 200 }) } do
      local client, times = client_of { err }
      assert.equal(err, select(2, drain(client)))
      assert.equal(1, #times)
    end
  end)

  it("goes on after what may pass", function()
    local list = {}
    for i, code in ipairs { "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "EAI_NONAME", "EEOF" } do
      list[i] = failure(code)
    end
    for _, status in ipairs { 408, 425, 429, 500, 502, 503, 504 } do
      list[#list + 1] = failure("EHTTPSTATUS", { status = status })
    end
    list[#list + 1] = ws_of { "there" }
    assert.equal("there", (drain(client_of(list))))
  end)

  it("gives up after so many failures in a row", function()
    local down = failure "ECONNREFUSED"
    local client, times = client_of({ down, down, ws_of { "a" }, down, down, down, down },
      { tries = 2 })
    local got, err = drain(client)
    assert.equal("a", got)
    assert.equal(down, err)
    assert.equal(5, #times) -- the end of the one that served is the first failure in a row
    client = client_of({ ws_of {} }, { tries = 0 })
    assert.equal("EEOF", select(2, drain(client)).code)
  end)

  it("asks a function whether it is to go on", function()
    local seen = {}
    local client = client_of({ failure "EACCES", failure "EPIPE" }, { retry = function(err)
      seen[#seen + 1] = err.code
      return err.code == "EACCES"
    end })
    assert.equal("EPIPE", select(2, drain(client)).code)
    assert.same({ "EACCES", "EPIPE" }, seen)
  end)

  it("tells the server again what it must know, before anything else", function()
    local first, second = ws_of { "a" }, ws_of { "b" }
    local client
    client = client_of({ first, second }, { on_open = function(ws, own)
      assert.equal(client, own)
      assert.is_nil(own.ws)
      return ws:send "subscribe"
    end })
    assert.equal("a,b", (drain(client)))
    assert.same({ "subscribe" }, first.sent)
    assert.same({ "subscribe" }, second.sent)
  end)

  it("takes a connection for lost on which that fails", function()
    local bad, good = ws_of { "never" }, ws_of { "a" }
    local client, times = client_of({ bad, good }, { delay = 1, on_open = function(ws)
      if ws == bad then
        return nil, failure "EPIPE"
      end
    end })
    assert.equal("a", (drain(client)))
    assert.is_true(bad.aborted)
    assert.equal(1, gaps(times)[1])
  end)

  it("raises what on_open raises, and leaves no connection", function()
    local ws = ws_of { "never" }
    local client = client_of({ ws }, { on_open = function() error("of the user", 0) end })
    local got, err = drain(client)
    assert.same({ "", "of the user" }, { got, err })
    assert.is_true(ws.aborted)
  end)
end)

describe("sending over such a client", function()
  it("gives ENOTCONN while there is no connection", function()
    local client = client_of { ws_of({ "a" }, true) }
    local ok, err = client:send "x"
    assert.is_nil(ok)
    assert.equal("ENOTCONN", err.code)
    client:close()
    assert.equal("ECLOSED", select(2, client:send "x").code)
    assert.equal("ECLOSED", select(2, client:send_binary "x").code)
  end)

  it("waits for one as long as the option says", function()
    local ws = ws_of({}, true)
    local client = client_of({ failure "EPIPE", ws }, { delay = 2, send_wait = 3,
      on_open = function(own) return own:send "first" end })
    local reader = green.spawn(drain, client)
    assert.is_true(client:send "x")
    assert.is_true(client:send_binary "y")
    assert.same({ "first", "x", "y" }, ws.sent)
    client:close()
    reader:wait()
    client = client_of({}, { send_wait = 3 })
    local from = green.now()
    assert.equal("ENOTCONN", select(2, client:send "x").code)
    assert.equal(3, green.now() - from)
  end)

  it("ends with the client", function()
    local client = client_of({}, { send_wait = 60 })
    local sender = green.spawn(client.send, client, "x")
    testing.settle()
    client:close()
    assert.equal("ECLOSED", select(2, sender:wait()).code)
  end)

  it("may be killed while it waits", function()
    local client = client_of({}, { send_wait = 60 })
    local sender = green.spawn(client.send, client, "x")
    testing.settle()
    sender:kill()
    assert.is_false((pcall(sender.wait, sender)))
  end)
end)

describe("closing such a client", function()
  it("ends the loop, wherever it waits", function()
    local waits = {
      message = function() return client_of { ws_of({}, true) } end,
      ["the next try"] = function()
        return client_of({ failure "EPIPE", failure "EPIPE" }, { delay = 100 })
      end,
      on_open = function()
        return client_of({ ws_of {} }, { on_open = function(ws) ws.closed:wait() end })
      end,
      connection = function()
        local asked = green.Event()
        local ws = ws_of { "never" }
        local client
        client = reconnect.new(function()
          asked:wait(60)
          return ws
        end, {})
        green.spawn(function()
          green.sleep(1)
          client:close()
          asked:send(true)
        end)
        return client
      end,
    }
    for name, make in pairs(waits) do
      local client = make()
      local reader = green.spawn(drain, client)
      green.sleep(2)
      client:close()
      local got, err = reader:wait()
      assert.same({ "", nil }, { got, err }, name)
      client:close() -- once more does nothing
      assert.is_nil((client:recv()))
    end
  end)

  it("passes the code on", function()
    local ws = ws_of({}, true)
    local client = client_of { ws }
    local reader = green.spawn(drain, client)
    testing.settle()
    assert.equal(ws, client.ws)
    client:close(3000, "bye")
    reader:wait()
    assert.equal(3000, ws.close_code)
    assert.equal(3000, client.close_code)
  end)
end)

describe("reading such a client", function()
  it("is for one green thread at a time", function()
    local client = client_of { ws_of({}, true) }
    local reader = green.spawn(drain, client)
    testing.settle()
    assert.equal("EBUSY", select(2, client:recv()).code)
    client:close()
    reader:wait()
  end)

  it("may be killed, and gone on with", function()
    local ws = ws_of({ "a" }, false)
    local client = client_of({ failure "EPIPE", ws }, { delay = 100 })
    local reader = green.spawn(client.recv, client)
    green.sleep(1)
    reader:kill()
    assert.is_false((pcall(reader.wait, reader)))
    assert.equal("a", (client:recv()))
    client:close()
  end)

  it("shows what it is", function()
    local client = client_of { ws_of({ "a" }, true) }
    assert.matches("not connected", tostring(client))
    client:recv()
    assert.matches("connected", tostring(client))
    client:close()
    assert.matches("closed", tostring(client))
  end)

  it("has options that make sense", function()
    local function says(opts, pattern)
      local ok, err = pcall(reconnect.new, function() end, opts)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(pattern, 1, true), tostring(err))
    end
    says({ delay = -1 }, "reconnecting: delay must be a number of at least 0")
    says({ tries = "3" }, "reconnecting: tries must be")
    says({ on_open = 1 }, "reconnecting: on_open must be a function")
    says({ retry = 1 }, "reconnecting: retry must be a function")
  end)
end)
