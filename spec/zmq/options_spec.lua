-- The table of ZeroMQ's options: what it says, and that libzmq's header and our page say the same.

local contexts = require "green.zmq.context_options"
local options = require "green.zmq.options"
local value = require "green.zmq.option_value"
local testing = require "green.testing"

local _, it = testing.busted()

local OLDER = { identity = true, connect_rid = true, delay_attach_on_connect = true,
  fail_unroutable = true, router_behavior = true }

local function read(path)
  local file = io.open(path)
  if file then
    local text = file:read("*a")
    file:close()
    return text
  end
end

describe("the table of options", function()
  it("has libzmq's numbers", function()
    local header = read "/usr/include/zmq.h"
    if not header then
      return pending "no zmq.h here: Debian's package libzmq3-dev"
    end
    local numbers, seen = {}, 0
    for name, number in header:gmatch("#define ZMQ_([%u%d_]+) (%d+)\n") do
      numbers[name:lower()] = tonumber(number)
    end
    for _, list in ipairs { options, contexts } do
      for name, option in pairs(list) do
        if numbers[name] then
          assert.are.equal(numbers[name], option.number, name)
          seen = seen + 1
        end
      end
    end
    assert.is_true(seen > 110)
  end)

  it("has every option of the header", function()
    local header = read "/usr/include/zmq.h"
    if not header then
      return pending "no zmq.h here: Debian's package libzmq3-dev"
    end
    local n = 0
    for _, part in ipairs { "Socket options%..-\n\n", "DRAFT Socket options%..-\n\n" } do
      for name in header:match(part):gmatch("#define ZMQ_([%u%d_]+) %d+") do
        if name ~= "BLOCKY" then -- a context's
          assert.is_table(options[name:lower()], name)
        end
        n = n + 1
      end
    end
    assert.is_true(n > 70)
  end)

  it("has no number twice", function()
    local names = {}
    for name, option in pairs(options) do
      if not OLDER[name] then
        assert.is_nil(names[option.number], name)
        names[option.number] = name
      end
    end
  end)
end)

--- Rows of tables in the page: name -> cells.
local function rows_of(text)
  local rows = {}
  for line in text:gmatch("\n|( `[^\n]*)|") do
    local cells = {}
    for cell in (line .. "|"):gmatch("%s*(.-)%s*|") do
      cells[#cells + 1] = cell
    end
    local name = cells[1]:match("^`([%w_]+)`$")
    assert.is_nil(rows[name], name)
    rows[name] = cells
  end
  return rows
end

local function access_of(option)
  return (option.read and "r" or "") .. (option.write and "w" or "")
end

describe("docs/modules/zmq_options.md", function()
  local page = read "docs/modules/zmq_options.md"
  local sockets, context = page:match("^(.*)\n## Contexts(.*)$")

  it("has a row for each option, and says what the table says", function()
    local rows = rows_of(sockets)
    for name, option in pairs(options) do
      if not OLDER[name] then
        local row = rows[name]
        assert.is_table(row, name)
        assert.are.equal(value.words(option), row[2], name)
        assert.are.equal(access_of(option), row[3], name)
        local types = { option.types, option.build and "built with " .. option.build }
        local said = option.types and table.concat(types, ", ") or types[2] or ""
        assert.are.equal(said, row[4], name)
        rows[name] = nil
      end
    end
    assert.is_nil(next(rows))
  end)

  it("names the older names", function()
    for name in pairs(OLDER) do
      assert.is_truthy(sockets:find("`" .. name .. "`", 1, true), name)
    end
  end)

  it("has a row for each option of contexts", function()
    local rows = rows_of(context)
    for name, option in pairs(contexts) do
      local row = rows[name]
      assert.is_table(row, name)
      assert.are.equal(value.words(option), row[2], name)
      assert.are.equal(access_of(option), row[3], name)
      assert.are.equal(option.early and "early" or "", row[4], name)
      rows[name] = nil
    end
    assert.is_nil(next(rows))
  end)
end)

local function raw_of(name, given, known)
  return (select(2, value.encode(name, given, "set", known)))
end

local function refused(name, given, text)
  local ok, err = pcall(value.encode, name, given, "set")
  assert.is_false(ok, name .. " took " .. tostring(given))
  assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
end

describe("values of options", function()
  it("are numbers for libzmq: true 1, seconds milliseconds, for ever -1", function()
    assert.are.equal(1, raw_of("ipv6", true))
    assert.are.equal(0, raw_of("ipv6", false))
    assert.are.equal(1500, raw_of("linger", 1.5))
    assert.are.equal(1100, raw_of("linger", 1.1))
    assert.are.equal(1, raw_of("linger", 0.0004))
    assert.are.equal(0, raw_of("linger", 0))
    assert.are.equal(-1, raw_of("linger", math.huge))
    assert.are.equal(-1, raw_of("linger", -1))
    assert.are.equal(-1, raw_of("maxmsgsize", math.huge))
    assert.are.equal(-1, raw_of("maxmsgsize", -1))
    assert.are.equal(2 ^ 40, raw_of("maxmsgsize", 2 ^ 40))
    assert.are.equal(6553599, raw_of("heartbeat_ttl", 6553.599))
    assert.are.equal(4, raw_of("io_threads", 4, contexts))
  end)

  it("are what they were when they come back", function()
    local function back(name, given)
      local option, raw = value.encode(name, given, "set")
      return value.decode(option, raw)
    end
    for name, given in pairs { ipv6 = true, immediate = false, linger = math.huge, sndtimeo = 0.25,
      maxmsgsize = math.huge, sndhwm = 7, affinity = 2 ^ 40, routing_id = "a\0b",
      zap_domain = "global", curve_publickey = ("ab"):rep(20) } do
      assert.are.equal(given, back(name, given), name)
    end
  end)

  it("are named where they are names, and nil where nobody has said anything", function()
    assert.are.equal("CURVE", value.decode(options.mechanism, 2))
    assert.are.equal("ROUTER", value.decode(options.type, 6))
    assert.is_nil(value.decode(options.heartbeat_timeout, -1))
    assert.is_nil(value.decode(options.curve_publickey, ("0"):rep(40) .. "\0"))
    assert.are.equal("tcp://x", value.decode(options.last_endpoint, "tcp://x\0"))
  end)

  it("raise where they are wrong, and say what they must be", function()
    refused("ipv6", 1, "ipv6 must be true or false, not 1")
    refused("linger", -2,
      "linger must be a number of seconds, at least 0; math.huge: for ever, not -2")
    refused("handshake_ivl", -1, "handshake_ivl must be a number of seconds, at least 0, not -1")
    refused("linger", "1", "linger must be")
    refused("linger", 0 / 0, "linger must be")
    refused("linger", 1e300, "linger must be")
    refused("handshake_ivl", math.huge, "handshake_ivl must be a number of seconds")
    refused("heartbeat_ttl", 6554, "at most 6553.599")
    refused("sndhwm", 1.5, "sndhwm must be a whole number of at least 0, not 1.5")
    refused("sndhwm", 2 ^ 31, "sndhwm must be")
    refused("tos", 256, "from 0 to 255")
    refused("tcp_keepalive", -2, "from -1 to 1")
    refused("affinity", -1, "affinity must be")
    refused("affinity", 2 ^ 60, "affinity must be")
    refused("routing_id", "", "a string of 1 to 255 bytes")
    refused("routing_id", ("x"):rep(256), "a string of 1 to 255 bytes")
    refused("zap_domain", "a\0b", "zap_domain must be")
    refused("curve_serverkey", ("a"):rep(41), "a key: 40 letters of Z85, or 32 bytes")
    refused("curve_serverkey", ("~"):rep(40), "a key: 40 letters of Z85, or 32 bytes")
    refused("mechanism", "CURVE", "'mechanism' can be read only")
  end)

  it("are not shown where they are secret", function()
    refused("curve_secretkey", "hunter2", "not a string of 7 bytes")
    refused("plain_password", "hunter2\0", "not a string of 8 bytes")
    for _, name in ipairs { "curve_secretkey", "plain_password", "socks_password",
      "wss_key_pem" } do
      local ok, err = pcall(value.encode, name, "hunter2\0", "set")
      assert.is_false(ok, name)
      assert.is_nil(tostring(err):find("hunter2", 1, true), name)
    end
  end)

  it("of unknown names raise, and the nearest is named", function()
    refused("lingr", 1, "unknown ZeroMQ option 'lingr'; did you mean 'linger'?")
    refused("ZMQ_LINGER", 1, "unknown ZeroMQ option 'ZMQ_LINGER'")
    refused(17, 1, "unknown ZeroMQ option '17'")
    local ok, err = pcall(value.readable, "plain_pasword", "get")
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("did you mean 'plain_password'?", 1, true))
    ok, err = pcall(value.readable, "subscribe", "get")
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("'subscribe' cannot be read", 1, true))
  end)

  it("are set in an order in which each finds what it is read by", function()
    assert.are.same({ "ipv6", "zap_domain", "curve_server", "zap_enforce_domain" },
      value.ordered { zap_enforce_domain = false, zap_domain = "x", ipv6 = true,
        curve_server = true })
  end)
end)
