local socket = require "green.socket"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local _, it = testing.busted()

describe("green.socket options", function()
  --- Raises, or the system's refusal of an option for this kind of socket.
  local refusals = { ENOPROTOOPT = true, EOPNOTSUPP = true, EINVAL = true, EPERM = true,
    ENOTCONN = true }

  local function check_get(s, name, kind)
    local value, err = s:getoption(name)
    if value == nil then
      assert.is_true(refusals[err.code] or err.code:find("^E%d+$") ~= nil, tostring(err))
      return
    end
    local types = { number = "number", boolean = "boolean", seconds = "number", string = "string",
      interface = "string" }
    assert.is_true(type(value) == types[kind] or kind == "linger", name)
  end

  for name, kind in pairs(socket.options()) do
    it("knows " .. name .. ", a " .. kind .. " [S35]", function()
      local tcp, tcp6, udp = socket.tcp(), socket.tcp("inet6"), socket.udp()
      for _, s in pairs({ tcp, tcp6, udp }) do
        if kind ~= "membership" then
          check_get(s, name:lower(), kind)
        end
        s:close()
      end
    end)
  end

  -- One for each kind: what is set, and what comes back.
  local settings = {
    { "SO_KEEPALIVE", true, true }, { "so_keepalive", 1, true }, { "SO_KEEPALIVE", false, false },
    { "TCP_KEEPIDLE", 77, 77 }, { "tcp_nodelay", false, false }, { "SO_LINGER", 3, 3 },
    { "SO_LINGER", false, false }, { "SO_LINGER", 0, 0 }, { "SO_RCVTIMEO", 1.5, 1.5 },
    { "IP_TTL", 33, 33 }, { "IP_MULTICAST_IF", "127.0.0.1", "127.0.0.1" },
    { "SO_BINDTODEVICE", "", "" }, { "TCP_USER_TIMEOUT", 1234, 1234 },
  }
  for _, setting in ipairs(settings) do
    local name, value, back = unpack(setting)
    it(("sets %s to %s [S35]"):format(name, tostring(value)), function()
      local s = name:find("MULTICAST") and socket.udp() or socket.tcp()
      local ok, err = s:setoption(name, value)
      assert.is_true(ok, tostring(err))
      assert.equal(back, s:getoption(name))
      s:close()
    end)
  end

  it("join groups", function()
    local s = socket.udp()
    local ok, err = s:setoption("ip_add_membership", "239.1.2.3%lo")
    assert.is_true(ok or err:is("ENODEV"), tostring(err))
    s:close()
  end)

  it("refuse what they do not know, naming the nearest", function()
    local s = socket.tcp()
    assert.error_matches(function() s:setoption("so_keepaliv", true) end,
      "setoption: unknown socket option 'SO_KEEPALIV'; did you mean 'SO_KEEPALIVE'")
    assert.error_matches(function() s:getoption("nodelay") end,
      "getoption: unknown socket option 'NODELAY'; did you mean 'TCP_NODELAY'")
    assert.error_matches(function() s:getoption("linger") end, "did you mean 'SO_LINGER'")
    assert.error_matches(function() s:getoption("nothing_like_it") end,
      "unknown socket option 'NOTHING_LIKE_IT'$")
    assert.error_matches(function() s:setoption("SO_KEEPALIVE", "yes") end,
      "SO_KEEPALIVE takes a boolean, not \"yes\"")
    assert.error_matches(function() s:setoption("TCP_CONGESTION", 1) end, "takes a string")
    local value, err = socket.udp():getoption("TCP_NODELAY")
    assert.is_nil(value)
    assert.is_true(err:is("ENOPROTOOPT") or err:is("EOPNOTSUPP"))
    fails("EINVAL", s:setoption("SO_KEEPALIVE", 2))
    s:close()
    fails("ECLOSED", s:setoption("SO_KEEPALIVE", true))
    fails("ECLOSED", s:getoption("SO_KEEPALIVE"))
  end)
end)

describe("docs/modules/socket.md", function()
  local file = assert(io.open("docs/modules/socket.md"))
  local text = file:read("*a")
  file:close()

  it("names nothing that is not there [S35]", function()
    local n = 0
    for name in text:gmatch("`socket%.([%w_]+)%(") do
      assert.is_function(socket[name], name)
      n = n + 1
    end
    assert.is_true(n >= 10)
    local made = { socket.tcp(), socket.udp() }
    for name in text:gmatch("[`%s]s:([%w_]+)%(") do
      assert.is_true(made[1][name] ~= nil or made[2][name] ~= nil, name)
    end
    made[1]:close()
    made[2]:close()
  end)

  it("names everything that is there [S35]", function()
    for name in pairs(socket) do
      assert.is_truthy(text:find("`socket." .. name .. "(", 1, true), name)
    end
    local streams = assert(io.open("docs/modules/stream.md"))
    local all = text .. streams:read("*a")
    streams:close()
    for _, s in ipairs({ socket.tcp(), socket.udp() }) do
      for name in pairs(getmetatable(s).__index) do
        assert.is_truthy(name:find("^_") or all:find("s:" .. name .. "(", 1, true), name)
      end
      s:close()
    end
  end)
end)
