local green = require "green"
local parks = require "spec.support.parks"
local peers = require "spec.support.http_peers"
local socks = require "green.http.socks"
local talk_with = require "spec.support.http_talk"
local testing = require "green.testing"

local it, it_real = testing.busted()

local OK = "\5\0" .. "\5\0\0\1\1\2\3\4\0\80"
local WITH_PASSWORD = "\5\2" .. "\1\0" .. "\5\0\0\3\4name\0\80"
local OK6 = "\5\0" .. "\5\0\0\4" .. ("x"):rep(16) .. "\0\80"

--- As of the kit, for a host behind the proxy.
local function talk(chunks, host, opts)
  return talk_with(chunks, socks.open, host or "example.org", 443, opts)
end

local USER = { user = "joe", password = "secret" }

describe("green.http.socks", function()
  it("lets the proxy look up a name", function()
    local ok, _, told, rest = talk { OK .. "hello" }
    assert.is_true(ok)
    assert.equal("\5\1\0" .. "\5\1\0\3\11example.org\1\187", told)
    assert.equal("hello", rest)
  end)

  it("sends numeric addresses as such", function()
    local ok, _, told = talk({ OK6 }, "192.0.2.7")
    assert.is_true(ok)
    assert.equal("\5\1\0" .. "\5\1\0\1\192\0\2\7\1\187", told)
    ok, _, told = talk({ OK }, "2001:db8::1")
    assert.is_true(ok)
    assert.equal("\5\1\0" .. "\5\1\0\4\32\1\13\184" .. ("\0"):rep(11) .. "\1\1\187", told)
  end)

  it("says who asks if the proxy wants to know", function()
    local ok, _, told = talk({ WITH_PASSWORD }, nil, USER)
    assert.is_true(ok)
    assert.equal("\5\2\0\2" .. "\1\3joe\6secret" .. "\5\1\0\3\11example.org\1\187", told)
    ok, _, told = talk({ OK }, nil, USER)
    assert.is_true(ok)
    assert.is_nil(told:find("secret", 1, true))
  end)

  it("reads the answer however it is cut", function()
    for _, text in ipairs { OK, WITH_PASSWORD, OK6 } do
      for at = 0, #text do
        assert.is_true((talk({ text:sub(1, at), text:sub(at + 1) }, nil, USER)))
      end
    end
  end)

  it("says EEOF wherever the answer ends too early", function()
    for _, text in ipairs { OK, WITH_PASSWORD, OK6 } do
      for at = 0, #text - 1 do
        local ok, err = talk({ text:sub(1, at) }, nil, USER)
        assert.is_nil(ok)
        assert.equal("EEOF", err.code)
        assert.equal("proxy", err.phase)
      end
    end
  end)

  local FAULTS = {
    { "\4\0", "EPROTO", "does not speak SOCKS5" },
    { "HTTP/1.1 400 Bad Request\r\n\r\n", "EPROTO", "does not speak SOCKS5" },
    { "\5\255", "EACCES", "wants to know who asks" },
    { "\5\2", "EPROTO", "chose what was not offered" },
    { "\5\1", "EPROTO", "chose what was not offered" },
    { "\5\255", "EACCES", "takes no password", USER },
    { "\5\2\1\1", "EACCES", "does not know this user", USER },
    { "\5\2\5\0", "EPROTO", "RFC 1929", USER },
    { "\5\0\4\0\0\1", "EPROTO", "none of SOCKS5" },
    { "\5\0\5\0\1\1", "EPROTO", "none of SOCKS5" },
    { "\5\0\5\0\0\2", "EPROTO", "unknown kind of address" },
  }
  for _, fault in ipairs(FAULTS) do
    local said, code, words, opts = unpack(fault, 1, 4)
    it(("refuses %q%s"):format(said, opts and " after a password" or ""), function()
      local ok, err = talk({ said }, nil, opts)
      assert.is_nil(ok)
      assert.equal(code, err.code)
      assert.matches(words, err.message)
      assert.equal("proxy", err.phase)
      assert.is_nil(err.reply)
      assert.is_nil(tostring(err):find "secret")
    end)
  end

  it("tells what the proxy says of the host", function()
    local codes = { "EIO", "EACCES", "ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "ETIMEDOUT",
      "EOPNOTSUPP", "EAFNOSUPPORT", "EPROTO" }
    for reply, code in ipairs(codes) do
      local _, err = talk { "\5\0\5" .. string.char(reply) .. "\0\1" }
      assert.equal(code, err.code)
      assert.equal(reply, err.reply)
    end
    assert.equal(255, select(2, talk { "\5\0\5\255\0\1" }).reply)
  end)

  it("bears anything", function()
    math.randomseed(5)
    for _ = 1, 500 do
      local bytes = {}
      for i = 1, math.random(0, 24) do
        bytes[i] = string.char(math.random(3) == 1 and math.random(0, 255) or
          ({ 5, 0, 1, 2, 3, 4 })[math.random(6)])
      end
      local ok, err = talk({ "\5" .. table.concat(bytes) }, nil, USER)
      assert.is_true(ok or err.phase == "proxy")
    end
  end)

  it("takes one time for all of it", function()
    local here, there = testing.stream_pair()
    local slow = green.spawn(function()
      for byte in OK:gmatch "." do
        green.sleep(1)
        there:write(byte)
      end
    end)
    local t0 = green.now()
    local ok, err = socks.open(here, "example.org", 80, { timeout = 5 })
    assert.is_nil(ok)
    assert.equal("ETIMEDOUT", err.code)
    assert.equal("proxy", err.phase)
    assert.is_near(5, green.now() - t0, 1e-6)
    here:close()
    slow:wait()
    there:close()
  end)

  it("refuses a name that has no room in a request, and says nothing", function()
    for _, host in ipairs { "", ("x"):rep(256) } do
      local here = testing.stream_pair()
      local ok, err = socks.open(here, host, 80)
      assert.is_nil(ok)
      assert.equal("EINVAL", err.code)
      assert.equal("proxy", err.phase)
      here:close()
    end
    local ok, _, told = talk({ OK }, ("x"):rep(255))
    assert.is_true(ok)
    assert.truthy(told:find("\3\255" .. ("x"):rep(255) .. "\1\187", 1, true))
  end)

  it("raises for what is wrong, and shows no password", function()
    local here = testing.stream_pair()
    local function raises(text, ...)
      local given = { n = select("#", ...), ... }
      assert.error_matches(function()
        socks.open(here, unpack(given, 1, given.n))
      end, text)
    end
    raises("socks: host must be a string", nil, 80)
    raises("socks: port must be a whole number from 1 to 65535", "x", 0)
    raises("socks: unknown option 'pasword'; did you mean 'password'", "x", 80, { pasword = "" })
    raises("socks: password must be a string of at most 255 bytes$", "x", 80,
      { user = "joe", password = 12345 })
    raises("socks: user must have 1 to 255 bytes", "x", 80, { user = "", password = "" })
    here:close()
  end)

  --- A stream whose proxy has said nothing yet.
  parks.check(it, "open", {
    make = function()
      local here, there = testing.stream_pair()
      return { here = here, there = there }
    end,
    call = function(c, seconds)
      return socks.open(c.here, "example.org", 80, { timeout = seconds })
    end,
    ready = function(c) c.there:write(OK) end,
    good = function(ok) assert.is_true(ok) end,
    cleanup = function(c)
      c.here:close()
      c.there:close()
    end,
    -- It is made of many waits, and a stream whose talk was broken off is of no more use.
    without = { ["raises in a thread that is killed meanwhile, and leaves nothing"] = true,
      ["keeps what it was given when the kill comes later"] = true },
  })

  describe("with microsocks", function()
    local function microsocks(...)
      local more = { ... }
      peers.need("microsocks", "microsocks")
      return function(port)
        return { "microsocks", "-i", "127.0.0.1", "-p", tostring(port), unpack(more) }
      end
    end

    local function echoes(proxy, host, port, opts)
      peers.with_stream(proxy, function(stream)
        assert(socks.open(stream, host, port, opts))
        stream:write "hello"
        assert.equal("hello", stream:read(5))
      end)
    end

    it_real("talks through it, to a name and to an address", function()
      peers.with_echo(function(port)
        peers.beside(microsocks(), function(proxy)
          echoes(proxy, "localhost", port)
          echoes(proxy, "127.0.0.1", port)
        end)
      end)
    end)

    it_real("hears that nobody listens there", function()
      peers.beside(microsocks(), function(proxy)
        peers.with_stream(proxy, function(stream)
          local ok, err = socks.open(stream, "127.0.0.1", peers.free_port())
          assert.is_nil(ok)
          assert.equal("ECONNREFUSED", err.code)
          assert.equal(5, err.reply)
        end)
      end)
    end)

    it_real("proves who asks", function()
      peers.with_echo(function(port)
        peers.beside(microsocks("-u", "joe", "-P", "secret"), function(proxy)
          echoes(proxy, "127.0.0.1", port, USER)
          for _, opts in ipairs { { user = "joe", password = "wrong" }, {} } do
            peers.with_stream(proxy, function(stream)
              local ok, err = socks.open(stream, "127.0.0.1", port, opts)
              assert.is_nil(ok)
              assert.equal("EACCES", err.code)
            end)
          end
        end)
      end)
    end)
  end)
end)
