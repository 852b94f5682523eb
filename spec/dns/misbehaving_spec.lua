-- The name server of the specs, which misbehaves as it is told.

local green = require "green"
local dns_server = dofile "spec/support/dns_server.lua"
local socket = require "green.socket"
local testing = require "green.testing"

local ffi = require "ffi"
local message = require "green.ffi.dns_message"
local name = require "green.ffi.dns_name"
local answers = require "green.ffi.dns_answer"

local _, it = testing.busted()

describe("spec/support/dns_server.lua", function()
  local server, udp

  --- A body with a server and a socket, neither of which it leaves behind.
  local function with_server(body)
    return function()
      server = dns_server.start()
      udp = assert(socket.udp())
      assert(udp:bind("127.0.0.1", 0))
      udp:settimeout(5)
      local ok, err = pcall(body)
      udp:close()
      server:stop()
      testing.settle()
      if not ok then error(err, 0) end
    end
  end

  local function query(text, kind, edns)
    local q = ffi.new("green_dns_query", { id = 4711, flags = 0x0100, type = kind or 1,
      udp_size = edns or 1232 })
    local out = ffi.new("char[512]")
    return ffi.string(out, message.query(q, text, #text, out, 512))
  end

  --- Has it the id and the question of the query, letter for letter?
  local function fits(m, bytes, asked)
    local from = 13 -- behind a head
    local to = (asked:find("\0", from, true)) + 4 -- behind the name: type and class
    local is_same = bytes:sub(from, to) == asked:sub(from, to)
    return m.id == asked:byte(1) * 256 + asked:byte(2) and is_same
  end

  --- Parse: the message, what answers say, whether it fits the query.
  local function parsed(bytes, asked)
    local m, a = ffi.new("green_dns_message"), ffi.new("green_dns_answer")
    local status = message.parse(m, bytes, #bytes)
    if status < 0 then return nil, ffi.string(m.reason) end
    return m, answers.read(a, m, bytes), fits(m, bytes, asked), a
  end

  local function ask(text, kind, edns)
    local asked = query(text, kind, edns)
    assert(udp:sendto(asked, "127.0.0.1", server.port))
    local bytes, from = assert(udp:recvfrom())
    return bytes, asked, from
  end

  local function ask_tcp(text, kind)
    local asked = query(text, kind)
    local conn = assert(green.connect("127.0.0.1", server.port, { timeout = 5 }))
    conn:settimeout(5)
    assert(conn:write(string.char(0, #asked), asked))
    local length = conn:read(2)
    local bytes = length and #length == 2 and conn:read(length:byte(1) * 256 + length:byte(2))
    conn:close()
    return bytes, asked
  end

  local function text_at(m, bytes, off)
    local text = ffi.new("char[1024]")
    return ffi.string(text, name.text(bytes, m.len, off, text, 1024))
  end

  it("behaves until told otherwise, and counts", with_server(function()
    local _, count, fit, a = parsed(ask "aLias.example")
    assert.equal(1, count)
    assert.is_true(fit)
    assert.equal(30, a.ttl)
    assert.equal(1, a.hops)
    local bytes = ask "alias.example"
    local m
    m, count, fit, a = parsed(bytes, query "alias.example")
    assert.equal(1, count)
    assert.is_true(fit)
    assert.equal("www.example", text_at(m, bytes, a.name_off))
    m, count = parsed(ask_tcp("www.example", 28))
    assert.equal(0, m.rcode)
    assert.equal(1, count)
    assert.equal(3, server:count())
    assert.equal(2, server:count("ALIAS.example", "A"))
    assert.equal(1, server:count(nil, "AAAA", "tcp"))
    assert.equal("aLias.example", server.queries[1].asked)
  end))

  it("lies", with_server(function()
    server:misbehave("*", "wrong_id")
    assert.is_false((select(3, parsed(ask "www.example"))))
    server:misbehave("*", "wrong_question")
    assert.is_false((select(3, parsed(ask "www.example"))))
    server:misbehave("*", "lower_case")
    assert.is_false((select(3, parsed(ask "wWw.example"))))
    server:misbehave("*", "others")
    assert.equal(0, (select(2, parsed(ask "www.example"))))
    server:misbehave("*", "more")
    local _, count, fit, a = parsed(ask "alias.example")
    assert.equal(1, count)
    assert.is_true(fit)
    assert.equal(1, a.hops)
    server:misbehave("*", "wrong_port")
    local _, _, from = ask "www.example"
    assert.not_equal(server.port, from.port)
    server:behave "*"
    assert.equal(1, (select(2, parsed(ask "www.example"))))
  end))

  it("is silent, late, or fails", with_server(function()
    server:misbehave("www.example", "silent")
    assert(udp:sendto(query "www.example", "127.0.0.1", server.port))
    local _, err = udp:recvfrom(nil, { timeout = 0.05 })
    assert.equal("ETIMEDOUT", err.code)
    server:misbehave("www.example", "slow", 0.05)
    local t0 = green.now()
    assert.equal(1, (select(2, parsed(ask "www.example"))))
    assert.is_true(green.now() - t0 >= 0.05)
    for way, rcode in pairs { servfail = 2, refused = 5, notimp = 4 } do
      server:misbehave("www.example", way)
      assert.equal(rcode, (parsed(ask "www.example")).rcode)
    end
    server:misbehave("www.example", "no_edns")
    assert.equal(1, (parsed(ask "www.example")).rcode)
    assert.equal(1, (select(2, parsed(ask("www.example", 1, 0)))))
  end))

  it("truncates", with_server(function()
    server:misbehave("*", "truncated")
    local m, count = parsed(ask "www.example")
    assert.equal(0x0200, bit.band(m.flags, 0x0200))
    assert.equal(0, count)
    assert.equal(1, (select(2, parsed(ask_tcp "www.example"))))
    server:misbehave("*", "truncated_always")
    assert.equal(0x0200, bit.band((parsed(ask_tcp "www.example")).flags, 0x0200))
    server:misbehave("*", "long")
    assert.equal(0, (select(2, parsed(ask "www.example"))))
    assert.equal(256, (select(2, parsed(ask_tcp "www.example"))))
  end))

  it("knows chains without end", with_server(function()
    server:misbehave("www.example", "chain", 16)
    assert.equal(1, (select(2, parsed(ask_tcp "www.example"))))
    server:misbehave("www.example", "chain", 17)
    assert.is_true(select(2, parsed(ask_tcp "www.example")) < 0)
    server:misbehave("www.example", "chain")
    assert.is_true(select(2, parsed(ask "www.example")) < 0)
  end))

  it("dies in the middle", with_server(function()
    server:misbehave("*", "die")
    local m, why = parsed(ask "www.example")
    assert.is_nil(m)
    assert.equal("string", type(why))
    local bytes = ask_tcp "www.example"
    assert.is_nil((parsed(bytes or "", query "www.example")))
    server:misbehave("*", "bytes")
    assert.equal(1, (select(2, parsed(ask_tcp "www.example"))))
    server:misbehave("*", "garbage")
    assert.is_nil((parsed(ask "www.example")))
    server:stop()
    assert.is_nil((green.connect("127.0.0.1", server.port)))
    server:behave "*"
    server:start()
    assert.equal(1, (select(2, parsed(ask_tcp "www.example"))))
  end))
end)
