-- TLS as a stream: all that holds for streams, whatever is below; and what is TLS's own.
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local program = require "spec.support.program"
local kit = require "spec.support.tls_kit"
local busted_it = it
local virtual_it, it = testing.busted()
local tcp_pair = kit.tcp_pair

--- Both ends of a TLS connection over a pair of streams: the client, the server.
local function over(a, b, version)
  local there = green.spawn(tls.server, b, certs.server("a", { tickets = 0 }))
  local client = assert(tls.client(a, certs.client("a.test", { max_version = version })))
  return client, assert(there:wait())
end

local function unix_pair()
  local path = os.tmpname()
  os.remove(path)
  local l = assert(green.listen("unix:" .. path))
  local a = assert(green.connect("unix:" .. path))
  local b = assert(l:accept())
  l:close()
  os.remove(path)
  return a, b
end

local function tls_pair()
  return over(testing.stream_pair())
end

local below = {
  { "in memory", testing.stream_pair, "virtual" },
  { "over TCP", tcp_pair, "real" },
  { "over a UNIX socket", unix_pair, "real" },
  { "in TLS", tls_pair, "virtual" },
}

for _, kind in ipairs(below) do
  for _, version in ipairs { "1.2", "1.3" } do
    describe(("TLS %s %s, a client's stream"):format(version, kind[1]), function()
      testing.check_stream(function()
        local a, b = kind[2]()
        return over(a, b, version)
      end, { it = busted_it, clock = kind[3] })
    end)

    describe(("TLS %s %s, a server's stream"):format(version, kind[1]), function()
      testing.check_stream(function()
        local a, b = kind[2]()
        local client, server = over(a, b, version)
        return server, client
      end, { it = busted_it, clock = kind[3] })
    end)
  end
end

--- Turns of the loop, and how often a green thread was switched to, while fn runs.
local function cost_of(fn, ...)
  local before = core.stats()
  fn(...)
  local after = core.stats()
  return after.turns - before.turns, after.switches - before.switches
end

local function pattern(n)
  local unit = {}
  for i = 1, 251 do
    unit[i] = string.char((i * i * 31 + i) % 256)
  end
  unit = table.concat(unit)
  return (unit:rep(math.ceil(n / #unit)):sub(1, n))
end

describe("reading TLS", function()
  it("gives what was decrypted already without waiting for the socket [b92]", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local a, b = tcp_pair()
      local client, server = over(a, b, version)
      local text = pattern(40000) -- three records
      assert(server:write(text))
      assert.equal(text:sub(1, 1), client:read(1)) -- one receive brings all of them
      local turns, switches = cost_of(function()
        assert.equal(text:sub(2, 20000), client:read(19999))
        assert.equal(text:sub(20001), client:read(20000))
      end)
      assert.equal(0, turns)
      assert.equal(0, switches)
      client:close()
      server:close()
    end
  end)

  it("tells who asks whether there is something to read of it, too [b92]", function()
    local a, b = tcp_pair()
    local client, server = over(a, b)
    assert(server:write(pattern(40000)))
    client:read(1)
    client:read(16383) -- the stream's own buffer is empty, TLS's is not
    assert.equal(0, client._in.tail - client._in.head)
    assert.equal(client, green.wait({ client })[1])
    assert.equal("", client:read_some(0, { timeout = 0 }))
    client:close()
    server:close()
  end)
end)

describe("writing TLS", function()
  it("waits for a slow reader, and does not spin [b93]", function()
    local a, b = tcp_pair()
    local client, server = over(a, b)
    local text = pattern(8 * 1024 * 1024)
    local writer = green.spawn(client.write, client, text)
    testing.settle_io()
    assert.is_false(writer:dead())
    local turns, switches = cost_of(green.sleep, 0.05)
    assert.is_true(turns <= 4, turns .. " turns of the loop")
    assert.is_true(switches <= 4, switches .. " switches")
    assert.truthy(server:read(#text) == text)
    assert.is_true(writer:wait())
    client:close()
    server:close()
  end)

  virtual_it("repeats with the same bytes what has to be repeated [b94]", function()
    for _, capacity in ipairs { 64, 1000, 16384 } do
      local client, server = over(testing.stream_pair { capacity = capacity })
      local text = pattern(300000)
      local writer = green.spawn(function()
        for at = 1, #text, 50000 do
          assert(client:write(text:sub(at, at + 49999)))
          collectgarbage()
        end
      end)
      assert.truthy(server:read(#text) == text)
      writer:wait()
      client:close()
      server:close()
    end
  end)

  virtual_it("goes on with other bytes where a write was given up [b94]", function()
    local client, server = over(testing.stream_pair { capacity = 1000 })
    local text = pattern(600000)
    local _, err = client:write(text, { timeout = 1 })
    assert.is_true(err:is "ETIMEDOUT")
    local writer = green.spawn(client.write, client, "something else")
    assert.truthy(server:read(err.written) == text:sub(1, err.written))
    assert.equal("something else", server:read(14))
    writer:wait()
    client:close()
    server:close()
  end)
end)

-- -- Each needs the other ---------------------------------------------------------

local ECHO = [[
  local green = require "green"
  local l = assert(green.listen("127.0.0.1:0", { tls = { cert = arg[1], key = arg[2] } }))
  print(select(2, l:sockname()))
  io.flush()
  green.serve(l, function(conn)
    for line in function() return conn:read_line() end do conn:write("you said ", line, "\n") end
  end)
]]

--- Run body(client) with openssl's, interactive, beside our server in another process.
local function with_s_client(version, body)
  local script = program.file(ECHO)
  local server = program.start_greenlua { script, certs.path "a.pem", certs.path "a.key" }
  local port = server:expect "\n"
  for _ = 1, 2 do -- the server serves another one as well after the first
    local client = program.start { "openssl", "s_client", "-connect", "127.0.0.1:" .. port,
      "-CAfile", certs.path "ca.pem", version }
    client:write "one\n"
    client:expect "you said one\n"
    local ok, err = pcall(body, client)
    client:kill(15)
    client:wait()
    if not ok then
      server:kill(15)
      error(err, 0)
    end
  end
  server:kill(15)
  server:wait()
  os.remove(script)
  assert.equal("", server.err)
end

describe("reading and writing TLS", function()
  virtual_it("need each other in the handshake: it waits for the right one [b95]", function()
    for _, version in ipairs { "1.2", "1.3" } do
      -- No message of it fits: who reads has to wait until he can write, and back.
      local a, b = testing.stream_pair { capacity = 7 }
      local client, server = over(a, b, version)
      client:close()
      server:close()
    end
  end)

  it("need each other when the peer wants new keys [b95]", function()
    with_s_client("-tls1_3", function(client)
      for _ = 1, 3 do
        client:write "K\n"
        client:expect("KEYUPDATE", "err")
        client:write "two\n"
        client:expect "you said two\n"
      end
    end)
  end)

  it("do not renegotiate, which is said and ends that connection alone [b95]", function()
    with_s_client("-tls1_2", function(client)
      client:write "R\n"
      client:expect("RENEGOTIATING", "err")
      client:expect("no renegotiation", "err")
    end)
  end)
end)
