-- The frames of MDP: what is written is read again, and nothing else is.

local envelope = require "green.zmq.rpc.envelope"
local mdp = require "green.zmq.rpc.mdp"

-- The bytes are those of the RFCs, written here once more by hand.
local wire = {
  { "MDP 0.1, a client's request", "broker", { "", "MDPC01", "echo", "a", "b" },
    { role = "client", version = 1, kind = "request", service = "echo", at = 4, n = 5 } },
  { "MDP 0.1, a client's answer", "client", { "", "MDPC01", "echo", "a" },
    { role = "client", version = 1, kind = "final", service = "echo", at = 4, n = 4 } },
  { "MDP 0.1, READY", "broker", { "", "MDPW01", "\1", "echo" },
    { role = "worker", version = 1, kind = "ready", service = "echo", at = 5, n = 4 } },
  { "MDP 0.1, REQUEST", "worker", { "", "MDPW01", "\2", "addr", "", "a" },
    { role = "worker", version = 1, kind = "request", address = "addr", at = 6, n = 6 } },
  { "MDP 0.1, REPLY", "broker", { "", "MDPW01", "\3", "addr", "", "a" },
    { role = "worker", version = 1, kind = "final", address = "addr", at = 6, n = 6 } },
  { "MDP 0.1, HEARTBEAT", "broker", { "", "MDPW01", "\4" },
    { role = "worker", version = 1, kind = "heartbeat", at = 4, n = 3 } },
  { "MDP 0.1, DISCONNECT", "worker", { "", "MDPW01", "\5" },
    { role = "worker", version = 1, kind = "disconnect", at = 4, n = 3 } },
  { "MDP 0.2, a client's request", "broker", { "MDPC02", "\1", "echo", "a" },
    { role = "client", version = 2, kind = "request", service = "echo", at = 4, n = 4 } },
  { "MDP 0.2, PARTIAL to a client", "client", { "MDPC02", "\2", "echo", "" },
    { role = "client", version = 2, kind = "partial", service = "echo", at = 4, n = 4 } },
  { "MDP 0.2, FINAL to a client", "client", { "MDPC02", "\3", "echo", "a", "b", "c" },
    { role = "client", version = 2, kind = "final", service = "echo", at = 4, n = 6 } },
  { "MDP 0.2, READY", "broker", { "MDPW02", "\1", "echo", "concurrency=2" },
    { role = "worker", version = 2, kind = "ready", service = "echo", at = 4, n = 4 } },
  { "MDP 0.2, REQUEST", "worker", { "MDPW02", "\2", "addr", "", "a" },
    { role = "worker", version = 2, kind = "request", address = "addr", at = 5, n = 5 } },
  { "MDP 0.2, PARTIAL", "broker", { "MDPW02", "\3", "addr", "", "a" },
    { role = "worker", version = 2, kind = "partial", address = "addr", at = 5, n = 5 } },
  { "MDP 0.2, FINAL", "broker", { "MDPW02", "\4", "addr", "", "a" },
    { role = "worker", version = 2, kind = "final", address = "addr", at = 5, n = 5 } },
  { "MDP 0.2, HEARTBEAT", "worker", { "MDPW02", "\5" },
    { role = "worker", version = 2, kind = "heartbeat", at = 3, n = 2 } },
  { "MDP 0.2, DISCONNECT", "broker", { "MDPW02", "\6" },
    { role = "worker", version = 2, kind = "disconnect", at = 3, n = 2 } },
}

local garbage = {
  { "nothing at all", {} },
  { "an empty frame", { "" } },
  { "another protocol", { "", "HTTP", "echo", "a" } },
  { "0.1 without its empty frame", { "MDPC01", "echo", "a" } },
  { "0.2 with an empty frame", { "", "MDPC02", "\1", "echo", "a" } },
  { "a request without a body", { "", "MDPC01", "echo" } },
  { "a request without a service", { "MDPC02", "\1", "", "a" } },
  { "a service with a control character", { "MDPC02", "\1", "ec\0ho", "a" } },
  { "a service of 256 bytes", { "MDPC02", "\1", ("x"):rep(256), "a" } },
  { "a command of two bytes", { "MDPC02", "\1\1", "echo", "a" } },
  { "an unknown command", { "MDPW02", "\7", "echo" } },
  { "no command", { "MDPW02" } },
  { "what only a broker says", { "MDPW02", "\2", "addr", "", "a" } },
  { "READY with two frames too many", { "MDPW02", "\1", "echo", "a", "b" } },
  { "HEARTBEAT with more", { "MDPW02", "\5", "a" } },
  { "an answer without an address", { "MDPW02", "\4", "", "", "a" } },
  { "an answer without a delimiter", { "MDPW02", "\4", "addr", "a", "b" } },
  { "an answer without a body", { "MDPW02", "\4", "addr", "" } },
  { "an address of 256 bytes", { "MDPW02", "\4", ("x"):rep(256), "", "a" } },
}

local builders = {
  client = function(m, body)
    return mdp.client("peer", m.version, m.kind, m.service, body)
  end,
  worker = function(m, body, more)
    if m.address then
      return mdp.worker("peer", m.version, m.kind, m.address, body)
    end
    return mdp.signal("peer", m.version, m.kind, m.service, more)
  end,
}

describe("green.zmq.rpc.mdp", function()
  for _, case in ipairs(wire) do
    local title, side, frames, says = unpack(case)
    it("reads and writes " .. title, function()
      assert.are.same(says, mdp.read(frames, 1, side))
      local body = { unpack(frames, says.at, says.n) }
      local made = builders[says.role](says, body, frames[says.at])
      assert.are.same({ "peer", unpack(frames) }, made)
      assert.are.same(says.kind, mdp.read(made, 2, side).kind)
    end)
  end

  for _, case in ipairs(garbage) do
    it("refuses " .. case[1], function()
      local message, why = mdp.read(case[2], 1, "broker")
      assert.is_nil(message)
      assert.is_string(why)
    end)
  end

  it("finds something to refuse in every message that is cut", function()
    for _, case in ipairs(wire) do
      local _, side, frames = unpack(case)
      for n = 0, math.min(#frames, case[4].at) - (case[4].kind == "ready" and 2 or 1) do
        assert.is_nil(mdp.read({ unpack(frames, 1, n) }, 1, side), case[1] .. ", cut to " .. n)
      end
    end
  end)

  it("takes random frames for what they are, whatever they are", function()
    local pieces = { "", "MDPC01", "MDPC02", "MDPW01", "MDPW02", "\1", "\2", "\3", "\4", "\5", "\6",
      "\7", "echo", "addr", ("x"):rep(300), "\0\0", envelope.write(1, "12345678", true, 1) }
    local read = 0
    for _ = 1, 50000 do
      local frames = {}
      for i = 1, math.random(0, 8) do
        frames[i] = pieces[math.random(#pieces)]
      end
      for _, side in ipairs { "broker", "worker", "client" } do
        local m, why = mdp.read(frames, 1, side)
        assert(m and m.at <= m.n + 1 or type(why) == "string")
        read = read + (m and 1 or 0)
      end
    end
    assert.is_true(read > 100)
  end)
end)

describe("green.zmq.rpc.envelope", function()
  it("gives back what it was given", function()
    for kind = 1, 4 do
      local head = envelope.read(envelope.write(kind, "ab\0\255efgh", true, 1.5))
      assert.are.same({ kind = kind, id = "ab\0\255efgh", flag = true, seconds = 1.501 },
        head)
    end
    assert.are.same({ kind = 1, id = "12345678", flag = false },
      envelope.read(envelope.write(1, "12345678")))
    assert.are.equal(2 ^ 32 - 1, 1000 * envelope.read(envelope.write(1, "12345678", false,
      math.huge)).seconds)
  end)

  it("counts in 4 bytes, round and round", function()
    assert.are.equal("abcd\0\0\1\2", envelope.id("abcd", 258))
    assert.are.equal("abcd\0\0\0\1", envelope.id("abcd", 2 ^ 32 + 1))
  end)

  it("refuses what is changed in any byte of its head, and what is cut or longer", function()
    local frame = envelope.write(4, "12345678", true, 1)
    for n = 0, #frame - 1 do
      assert.is_nil(envelope.read(frame:sub(1, n)))
    end
    assert.is_nil(envelope.read(frame .. "\0"))
    assert.is_nil(envelope.read(nil))
    for at = 1, 8 do
      assert.is_nil(envelope.read(frame:sub(1, at - 1) .. "\200" .. frame:sub(at + 1)))
    end
  end)
end)
