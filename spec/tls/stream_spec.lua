local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local it = it

--- Both ends of a TLS connection over a pair of streams.
local function over(a, b)
  local there = green.spawn(tls.server, b, certs.server "a")
  local client = assert(tls.client(a, certs.client "a.test"))
  return client, assert(there:wait())
end

local function tcp_pair()
  local l = assert(green.listen "127.0.0.1:0")
  local _, port = l:sockname()
  local a = assert(green.connect("127.0.0.1", port))
  local b = assert(l:accept())
  l:close()
  return a, b
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

describe("TLS in memory", function()
  testing.check_stream(function() return over(testing.stream_pair()) end,
    { it = it, clock = "virtual" })
end)

describe("TLS over TCP", function()
  testing.check_stream(function() return over(tcp_pair()) end, { it = it, clock = "real" })
end)

describe("TLS over a UNIX socket", function()
  testing.check_stream(function() return over(unix_pair()) end, { it = it, clock = "real" })
end)

describe("TLS in TLS", function()
  testing.check_stream(function() return over(over(testing.stream_pair())) end,
    { it = it, clock = "virtual" })
end)
