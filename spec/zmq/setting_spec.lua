-- Options of real ZeroMQ sockets, of each type: set, asked for, refused.

local options = require "green.zmq.options"
local kit = require "spec.support.zmq_kit"
local testing = require "green.testing"
local zmq = require "green.zmq"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

local TYPES = { "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB",
  "XSUB", "STREAM" }
local KEY = ("ab"):rep(20)

--- What can be set of options for which not every value of the kind will do.
local OWN = {
  metadata = { "X-a:b" },
  tcp_accept_filter = { "127.0.0.1", "10.0.0.0/8", "" },
  use_fd = { -1 }, -- libzmq would take the descriptor
  bindtodevice = { "lo", "" },
  connect_routing_id = { "a" },
  heartbeat_ttl = { 0, 0.5, 6553.5 },
}

--- libzmq refuses these unless something else was done first.
local NEEDS = { zap_enforce_domain = true, subscribe = "XPUB", unsubscribe = "XPUB" }

local by_kind = {
  bool = function()
    return { true, false }
  end,
  int = function(option)
    return { option.min or 0, option.max or 7, (option.min or 0) + 1 }
  end,
  uint64 = function()
    return { 1, 0 }
  end,
  int64 = function()
    return { 0, 2 ^ 40, math.huge }
  end,
  seconds_ms = function(option)
    return { 0, 0.25, option.huge and math.huge or 3 }
  end,
  text = function()
    return { "a", "ab" }
  end,
  bytes = function()
    return { "a", "a\0b" }
  end,
  key = function()
    return { KEY }
  end,
}

local function raises(text, fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
end

local function has(option, type)
  return (not option.types or (" " .. option.types .. " "):find(" " .. type .. " ", 1, true))
    and (not option.build or zmq.has(option.build))
end

local function try(s, name, option)
  for _, value in ipairs(OWN[name] or by_kind[option.kind](option)) do
    local what = ("%s %s = %s"):format(s.type, name, tostring(value))
    local ok, err = s:set(name, value)
    if not has(option, s.type) then
      assert.is_nil(ok, what)
      assert.is_true(err:is "EINVAL", what)
    else
      assert.is_true(ok, what .. ": " .. tostring(err))
      if option.read then
        assert.are.equal(value, s:get(name), what)
      end
    end
  end
end

local function is_needy(name, type)
  return NEEDS[name] == true or NEEDS[name] == type
end

describe("options of ZeroMQ sockets", function()
  for _, type in ipairs(TYPES) do
    it("are set and read back, or refused, as the table says: " .. type, with(function(ctx)
      for name, option in pairs(options) do
        local s = assert(ctx:socket(type))
        if option.write and not is_needy(name, type) then
          try(s, name, option)
        elseif option.read then
          local value, err = s:get(name)
          assert.is_true(value ~= nil or err == nil or not has(option, type), name)
        end
        s:close(0)
      end
    end))
  end

  it("are what protects, where a script says nothing", with(function(ctx)
    local s = ctx:socket("DEALER")
    assert.are.equal(64 * 1024 * 1024, s:get "maxmsgsize")
    assert.are.equal(10, s:get "handshake_ivl")
    assert.are.equal(10, s:get "heartbeat_ivl")
    assert.are.equal(30, s:get "heartbeat_timeout")
    assert.are.equal(30, s:get "heartbeat_ttl")
    assert.are.equal("DEALER", s:get "type")
    assert.are.equal("NULL", s:get "mechanism")
    assert.are.equal(1000, s:get "sndhwm")
    assert.are.equal("", s:get "routing_id")
    assert.is_nil((s:get "curve_publickey"))
    s:close()
    s = ctx:socket("DEALER", { maxmsgsize = math.huge, heartbeat_ivl = 0 })
    assert.are.equal(math.huge, s:get "maxmsgsize")
    assert.are.equal(0, s:get "heartbeat_ivl")
    s:close()
  end))

  it("are wrong before there is a socket", with(function(ctx)
    raises("socket: unknown ZeroMQ option 'lingr'; did you mean 'linger'?", function()
      ctx:socket("REQ", { lingr = 0 })
    end)
    raises('socket: linger must be a number of seconds, at least 0; math.huge: for ever, not "0"',
      function()
      ctx:socket("REQ", { linger = "0" })
    end)
  end))

  it("that are texts come back whole, however long", with(function(ctx)
    local s = ctx:socket("DEALER")
    local long = ("x"):rep(255)
    assert(s:set("plain_username", long))
    assert.are.equal(long, s:get "plain_username")
    assert.are.equal("PLAIN", s:get "mechanism")
    assert(s:set("plain_username", ""))
    assert.are.equal("NULL", s:get "mechanism")
    assert(s:set("routing_id", "\1\0\2" .. long:sub(1, 252)))
    assert.are.equal("\1\0\2" .. long:sub(1, 252), s:get "routing_id")
    s:close()
  end))

  it("that are keys are taken as bytes and as letters, and read as letters", with(function(ctx)
    local s = ctx:socket("DEALER")
    assert(s:set("curve_publickey", KEY))
    assert.are.equal(KEY, s:get "curve_publickey")
    assert(s:set("curve_secretkey", ("\0"):rep(31) .. "\1"))
    assert.are.equal(("0"):rep(39) .. "1", s:get "curve_secretkey")
    assert.are.equal("CURVE", s:get "mechanism")
    s:close()
  end))

  it("of a closed socket are ECLOSED", with(function(ctx)
    local s = ctx:socket("DEALER")
    s:close()
    local ok, err = s:set("linger", 0)
    assert.is_nil(ok)
    assert.is_true(err:is "ECLOSED")
    ok, err = s:get("linger")
    assert.is_nil(ok)
    assert.is_true(err:is "ECLOSED")
  end))
end)

describe("a ZAP domain", function()
  it("is enforced: libzmq would let all in where no authenticator is", with(function(ctx)
    local s = ctx:socket("REP", { zap_domain = "global" })
    assert.is_true(s:get "zap_enforce_domain")
    local _, err = s:set("zap_domain", "") -- libzmq cannot
    assert.is_true(err:is "EINVAL")
    assert.are.equal("global", s:get "zap_domain")
    assert.is_true(s:get "zap_enforce_domain")
    s:close()
    s = ctx:socket("REP", { zap_domain = "" })
    assert.is_false(s:get "zap_enforce_domain")
    s:close()
    s = ctx:socket("REP", { zap_domain = "global", zap_enforce_domain = false })
    assert.is_false(s:get "zap_enforce_domain")
    s:close()
  end))

  it("must be there where it is enforced: libzmq would end the program", with(function(ctx)
    local s = ctx:socket("REP", { plain_server = true })
    raises("set: zap_enforce_domain needs a zap_domain, which sets it", function()
      s:set("zap_enforce_domain", true)
    end)
    assert.is_false(s:get "zap_enforce_domain")
    s:close()
  end))

  it("has an endpoint that only a REP or a ROUTER may have: libzmq would end the program",
    with(function(ctx)
    local s = ctx:socket("PULL")
    fails("EINVAL", s:bind "inproc://zeromq.zap.01")
    s:close()
    s = ctx:socket("ROUTER")
    assert(s:bind "inproc://zeromq.zap.01")
    s:close()
  end))
end)

describe("options of ZeroMQ contexts", function()
  it("are set when it is made, and can be asked for", function()
    local ctx = assert(zmq.Context { io_threads = 2, max_sockets = 50, max_msgsz = 1000,
      ipv6 = true })
    assert.are.equal(2, ctx:get "io_threads")
    assert.are.equal(50, ctx:get "max_sockets")
    assert.are.equal(1000, ctx:get "max_msgsz")
    assert.is_true(ctx:get "ipv6")
    assert.are.equal(64, ctx:get "msg_t_size")
    local s = ctx:socket("REQ")
    assert.is_true(s:get "ipv6")
    s:close()
    ctx:term()
    local _, err = ctx:get "io_threads"
    assert.is_true(err:is "ECLOSED")
  end)

  it("are wrong before there is a context", function()
    for text, opts in pairs {
      ["unknown ZeroMQ option 'io_thread'; did you mean 'io_threads'?"] = { io_thread = 1 },
      ["Context: io_threads must be a whole number from 0 to 1024, not -1"] = { io_threads = -1 },
      ["Context: max_sockets must be a whole number from 1 to 65535, not 65536"]
        = { max_sockets = 65536 },
      ["Context: ZeroMQ's option 'socket_limit' can be read only"] = { socket_limit = 1 },
    } do
      raises(text, function()
        zmq.Context(opts)
      end)
    end
  end)
end)
