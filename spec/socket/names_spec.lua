local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local _, it = testing.busted()

describe("green.socket names", function()
  it("are host and port, or a path", function()
    local l, port = sockets.listener("inet", "127.0.0.1")
    assert.same({ "127.0.0.1", port }, { l:sockname() })
    fails("ENOTCONN", l:peername())
    assert.matches("^green.socket{%d+, 127.0.0.1:%d+ %-> %-}$", tostring(l))
    l:close()
    fails("ECLOSED", l:sockname())
    assert.equal("green.socket{closed}", tostring(l))
    local path = sockets.path()
    local u = socket.unix()
    u:bind("unix:" .. path)
    assert.equal(path, u:sockname())
    u:close()
    os.remove(path)
  end)

  it("may be abstract", function()
    local name = "unix:@greenlua-spec-" .. tostring(green.now())
    local l = socket.unix()
    assert(l:bind(name))
    assert(l:listen())
    assert.equal("\0" .. name:sub(7), l:sockname())
    local c = socket.unix()
    assert.is_true(c:connect(name))
    local s, peer = l:accept()
    assert.equal("unix:", tostring(peer))
    assert.equal(0, s:peercred().uid - c:peercred().uid)
    s:close()
    c:close()
    l:close()
  end)

  it("of IPv6 may carry a scope [b90]", function()
    for _, text in ipairs({ "::1%1", "fe80::1%2" }) do
      local address = socket.address(text, 80)
      if address then
        assert.equal("inet6", address.family)
        assert.equal(80, address.port)
      end
    end
    assert.equal("inet6", assert(socket.address("[::1%lo]:80")).family)
  end)

  it("read and print alike", function()
    for _, text in ipairs({ "127.0.0.1:80", "[::1]:0", "unix:/a/b", "unix:@name" }) do
      assert.equal(text, tostring(socket.address(text)))
    end
    assert.is_true(socket.address("127.0.0.1:80") == socket.address("127.0.0.1", 80))
    assert.is_true(socket.address("[::1]:80") == socket.address("::1", 80))
    fails("EAI_NONAME", socket.address("localhost:80"))
    fails("EINVAL", socket.address("127.0.0.1"))
    fails("EINVAL", socket.address("1.2.3.4:99999"))
    assert.has_error(function() socket.address(true) end,
      "address: target must be an address, a string or a port number, not true")
  end)
end)
