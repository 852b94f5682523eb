local green = require "green"
local parks = require "spec.support.parks"
local peers = require "spec.support.http_peers"
local program = require "spec.support.program"
local talk_with = require "spec.support.http_talk"
local testing = require "green.testing"
local tunnel = require "green.http.tunnel"

local it, it_real = testing.busted()

local OK = "HTTP/1.1 200 Connection established\r\n\r\n"

--- As of the kit, for a host behind the proxy.
local function talk(chunks, opts, host, port)
  return talk_with(chunks, tunnel.open, host or "example.org", port or 443, opts)
end

describe("green.http.tunnel", function()
  it("asks for the host, and gives what comes behind the answer", function()
    local head, _, told, rest = talk { OK .. "hello" }
    assert.same({ status = 200, reason = "Connection established", headers = {} }, head)
    assert.equal("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", told)
    assert.equal("hello", rest)
  end)

  it("puts an address of IPv6 in brackets", function()
    local _, _, told = talk({ OK }, nil, "2001:db8::1", 80)
    assert.equal("CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", told)
  end)

  it("sends the headers that are for the proxy", function()
    local _, _, told = talk({ OK }, { headers = { { "Proxy-Authorization", "Basic eDp5" },
      { "User-Agent", "x" } } })
    assert.truthy(told:find("\r\nProxy-Authorization: Basic eDp5\r\nUser-Agent: x\r\n\r\n", 1,
      true))
  end)

  local LONG = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\nVia: a\r\nvia:  b \r\nX:\r\n\r\n"

  it("reads an answer with all that may stand in it, however it is cut", function()
    for at = 0, #LONG do
      local head, _, _, rest = talk { LONG:sub(1, at), LONG:sub(at + 1) .. "x" }
      assert.same({ status = 200, reason = "", headers = { via = { "a", "b" }, x = { "" } } }, head)
      assert.equal("x", rest)
    end
  end)

  it("says EEOF wherever the answer ends too early", function()
    for at = 0, #LONG - 1 do
      local head, err = talk { LONG:sub(1, at) }
      assert.is_nil(head)
      assert.is_true(err.code == "EEOF", at)
      assert.equal("proxy", err.phase)
    end
  end)

  for status, code in pairs { [301] = "ECONNREFUSED", [400] = "ECONNREFUSED", [403] = "EACCES",
    [407] = "EACCES", [502] = "ECONNREFUSED", [504] = "ETIMEDOUT" } do
    it(("tells that the proxy answered %d"):format(status), function()
      local head, err = talk { ("HTTP/1.1 %d Why\r\nProxy-Authenticate: Basic\r\n\r\nbody")
        :format(status) }
      assert.is_nil(head)
      assert.equal(code, err.code)
      assert.equal(status, err.status)
      assert.equal("Why", err.reason)
      assert.equal("proxy", err.phase)
      assert.same({ ["proxy-authenticate"] = { "Basic" } }, err.headers)
      assert.truthy(err.message:find(tostring(status), 1, true))
    end)
  end

  for _, said in ipairs { "\5\0\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 O\0K\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno header\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA : x\r\n\r\n", "HTTP/1.1 200 OK\r\nA: x\r\n y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n", "HTTP/1.1 200 OK\r\nA: x\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: \1\r\n\r\n", "HTTP/1.1 101 Switch\r\n\r\n",
    ("HTTP/1.1 100 Continue\r\n\r\n"):rep(11) .. OK } do
    it(("refuses %q"):format(said:sub(1, 60)), function()
      local head, err = talk { said }
      assert.is_nil(head)
      assert.equal("EPROTO", err.code)
      assert.equal("proxy", err.phase)
    end)
  end

  it("refuses an answer that does not end", function()
    for _, said in ipairs { ("x"):rep(20000), "HTTP/1.1 200 " .. ("x"):rep(20000) .. "\r\n\r\n",
      "HTTP/1.1 200 OK\r\n" .. ("A: b\r\n"):rep(4000) .. "\r\n" } do
      local head, err = talk { said }
      assert.is_nil(head)
      assert.equal("ETOOBIG", err.code)
      assert.equal("proxy", err.phase)
    end
  end)

  it("bears anything", function()
    math.randomseed(9)
    local parts = { "HTTP/1.1 200", " OK", "\r\n", "\n", "\r", "A:", " b", "\0", "\255",
      "HTTP/1.1 100",
      "\r\n\r\n" }
    for _ = 1, 500 do
      local out = {}
      for i = 1, math.random(0, 12) do
        out[i] = parts[math.random(#parts)]
      end
      local head, err = talk { table.concat(out) }
      assert.is_true(head and head.status == 200 or err.phase == "proxy")
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
    local head, err = tunnel.open(here, "example.org", 80, { timeout = 5 })
    assert.is_nil(head)
    assert.equal("ETIMEDOUT", err.code)
    assert.is_near(5, green.now() - t0, 1e-6)
    here:close()
    slow:wait()
    there:close()
  end)

  it("raises for what is wrong, and shows no header's value", function()
    local here = testing.stream_pair()
    local function raises(text, host, port, opts)
      assert.error_matches(function() tunnel.open(here, host, port, opts) end, text)
    end
    for _, host in ipairs { "", "a b", "a\r\nb", "a\0", "a/b", "u@h", "[::1]" } do
      raises("tunnel: host must be a name, or a numeric address without brackets", host, 80)
    end
    raises("tunnel: port must be", "x", 65536)
    raises("tunnel: unknown option 'header'; did you mean 'headers'", "x", 80, { header = {} })
    raises("tunnel: headers must be a list of", "x", 80, { headers = 5 })
    raises("tunnel: the name of headers%[1%] must be", "x", 80, { headers = { { "a b", "c" } } })
    raises("tunnel: the value of header A must be a string without CR, LF and NUL$", "x", 80,
      { headers = { { "A", "secret\r\n" } } })
    here:close()
  end)

  parks.check(it, "open", {
    make = function()
      local here, there = testing.stream_pair()
      return { here = here, there = there }
    end,
    call = function(c, seconds)
      return tunnel.open(c.here, "example.org", 80, { timeout = seconds })
    end,
    ready = function(c) c.there:write(OK) end,
    good = function(head) assert.equal(200, head.status) end,
    cleanup = function(c)
      c.here:close()
      c.there:close()
    end,
    -- It is made of many waits, and a stream whose talk was broken off is of no more use.
    without = { ["raises in a thread that is killed meanwhile, and leaves nothing"] = true,
      ["keeps what it was given when the kill comes later"] = true },
  })

  describe("with tinyproxy", function()
    local CONF = "Port %d\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\n%s"

    local function with_tinyproxy(more, body)
      peers.need("tinyproxy", "tinyproxy-bin")
      local conf
      peers.beside(function(port)
        conf = program.file(CONF:format(port, more))
        return { "tinyproxy", "-d", "-c", conf }
      end, body)
      os.remove(conf)
    end

    it_real("talks through it", function()
      peers.with_echo(function(port)
        with_tinyproxy("", function(proxy)
          for _, host in ipairs { "127.0.0.1", "localhost" } do
            peers.with_stream(proxy, function(stream)
              assert(tunnel.open(stream, host, port))
              stream:write "hello"
              assert.equal("hello", stream:read(5))
            end)
          end
        end)
      end)
    end)

    it_real("hears what it does not do", function()
      with_tinyproxy("ConnectPort 443\n", function(proxy)
        peers.with_stream(proxy, function(stream)
          local head, err = tunnel.open(stream, "127.0.0.1", 22)
          assert.is_nil(head)
          assert.equal("EACCES", err.code)
          assert.equal(403, err.status)
        end)
      end)
    end)

    it_real("proves who asks", function()
      peers.with_echo(function(port)
        with_tinyproxy("BasicAuth joe secret\n", function(proxy)
          peers.with_stream(proxy, function(stream)
            local _, err = tunnel.open(stream, "127.0.0.1", port)
            assert.equal(407, err.status)
            assert.matches("^Basic ", err.headers["proxy-authenticate"][1])
          end)
          peers.with_stream(proxy, function(stream)
            assert(tunnel.open(stream, "127.0.0.1", port, {
              headers = { { "Proxy-Authorization", "Basic am9lOnNlY3JldA==" } },
            }))
          end)
        end)
      end)
    end)
  end)
end)
