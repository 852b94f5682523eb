-- HTTPS servers whose handshakes wait: for a function's choice, and for a native thread.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local kit = dofile("spec/support/wsgi_kit.lua")

local _, it = testing.busted()

local function hello(env)
  return 200, nil, "hello " .. tostring(env.SSL_TLS_SNI)
end

local function context(name, more)
  local opts = certs.server(name, more)
  opts.server = true
  return assert(tls.context(opts))
end

--- body(connect, server, log): connect(host) gives a TLS client, or nil, err.
local function with(tls_opts, opts, body)
  opts.tls = certs.server("a", tls_opts)
  kit.with(hello, opts, function(client, server, log)
    client.target = "127.0.0.1:" .. server.port
    local function connect(host)
      local conn, err = tls.client(client:connect(), certs.client(host, { timeout = 20 }))
      if conn then
        conn:settimeout(20)
      end
      return conn, err
    end
    body(connect, server, log)
  end)
end

--- One request, and the certificate that was shown for it.
local function ask(connect, host)
  local conn = assert(connect(host))
  assert(conn:write("GET / HTTP/1.1\r\nHost: ", host, "\r\n\r\n"))
  local _, _, body = kit.read_answer(conn)
  local subject = conn:peer_certificate().subject
  conn:close()
  return body, subject
end

local function is_refused(conn, err)
  assert.is_nil(conn)
  assert.truthy(tostring(err):find("unrecognized_name", 1, true), tostring(err))
end

--- How many lines are about handshakes.
local function told(log)
  return select(2, table.concat(log, "\n"):gsub("TLS handshake", ""))
end

local function has(log, text)
  assert.truthy(table.concat(log, "\n"):find(text, 1, true), table.concat(log, "\n"))
end

describe("the function choose of an HTTPS server", function()
  it("says which context a client gets, and may wait", function()
    local b = context "b"
    local function choose(seen)
      green.sleep(0)
      return seen.server_name == "b.test" and b or nil
    end
    with({ choose = choose }, {}, function(connect, server)
      assert.same({ "hello b.test", "CN=b.test" }, { ask(connect, "b.test") })
      assert.same({ "hello a.test", "CN=a.test" }, { ask(connect, "a.test") })
      assert.equal(2, server:stats().handshakes)
      assert.equal(0, server:stats().handshakes_in_pool)
    end)
  end)

  it("keeps nobody else waiting, with one worker too", function()
    local gate, asked = green.Event(), green.Event()
    local function choose(seen)
      if seen.server_name == "x.w.test" then
        asked:send(true)
        gate:wait()
      end
    end
    with({ choose = choose }, { max_size = 1 }, function(connect)
      local slow = green.spawn(ask, connect, "x.w.test")
      asked:wait()
      assert.equal("hello a.test", (ask(connect, "a.test")))
      gate:send(true)
      assert.equal("hello x.w.test", slow:wait())
    end)
  end)

  it("refuses, and is told of by the log once when it fails", function()
    local answer
    local function choose()
      return answer()
    end
    with({ choose = choose }, {}, function(connect, server, log)
      answer = function() return false end
      is_refused(connect "a.test")
      assert.equal(0, told(log))
      answer = function() error("no such customer") end
      is_refused(connect "a.test")
      has(log, "no such customer")
      answer = function() return "b" end
      is_refused(connect "a.test")
      has(log, "'choose' must return a server's context, nil or false, not \"b\"")
      answer = function() return tls.context { cert = "/nowhere.pem" } end
      is_refused(connect "a.test")
      has(log, "/nowhere.pem")
      assert.equal(3, told(log))
      assert.equal(4, server:stats().handshakes_failed)
      answer = function() end
      assert.equal("hello a.test", (ask(connect, "a.test")))
    end)
  end)

  it("has header_timeout, and is ended then", function()
    local ended = green.Event()
    local function choose()
      green.finally(function() green.sleep(60) end, function() ended:send(true) end)
    end
    with({ choose = choose }, { header_timeout = 0.1 }, function(connect, server, log)
      is_refused(connect "a.test")
      ended:wait()
      has(log, "timed out")
      testing.settle_io(function() return server:stats().connections == 0 end)
    end)
  end)

  it("is killed by a stop whose grace is over", function()
    local asked = green.Event()
    local function choose()
      asked:send(true)
      green.sleep(60)
    end
    with({ choose = choose }, {}, function(connect, server, log)
      local client = green.spawn(connect, "a.test")
      asked:wait()
      server:stop { grace = 0 }
      assert.is_nil((client:wait()))
      assert.equal(0, server:stats().connections)
      assert.equal(0, told(log))
    end)
  end)

  it("may end its worker: the next request has another", function()
    local threads = {}
    local function choose()
      threads[#threads + 1] = green.getcurrent()
    end
    with({ choose = choose }, {}, function(connect)
      assert.equal("hello a.test", (ask(connect, "a.test")))
      assert.equal("hello a.test", (ask(connect, "a.test")))
      assert.are_not.equal(threads[1], threads[2])
    end)
  end)

  it("may say the protocol, as alpn may", function()
    with({ alpn = function(seen) return seen.alpn[1] end }, {}, function(_, server)
      local conn = assert(green.connect("127.0.0.1", server.port, { timeout = 20,
        tls = certs.client("a.test", { alpn = { "http/1.1" } }) }))
      assert.equal("http/1.1", conn:info().alpn)
      conn:close()
    end)
  end)
end)

describe("an HTTPS server whose handshakes sign in native threads", function()
  it("answers as any other", function()
    with({ handshakes_in_pool = true }, {}, function(connect, server)
      for _ = 1, 3 do
        assert.equal("hello a.test", (ask(connect, "a.test")))
      end
      assert.equal(3, server:stats().handshakes)
      assert.equal(3, server:stats().handshakes_in_pool)
    end)
  end)

  it("does so behind a choice, for the context that was chosen", function()
    local slow = context("b", { handshakes_in_pool = true })
    with({ handshakes_in_pool = false, choose = function() return slow end }, {},
      function(connect, server)
        assert.same({ "hello b.test", "CN=b.test" }, { ask(connect, "b.test") })
        assert.equal(1, server:stats().handshakes_in_pool)
      end)
  end)

  it("closes who finds no room there, and counts him", function()
    local old = tls.pool()
    tls.pool { at_once = 1, queue = 0 }
    with({ handshakes_in_pool = true }, {}, function(connect, server)
      local clients, done = {}, 0
      for i = 1, 5 do
        clients[i] = green.spawn(connect, "a.test")
      end
      for i = 1, 5 do
        local conn = clients[i]:wait()
        if conn then
          done = done + 1
          conn:close()
        end
      end
      assert.is_true(done >= 1)
      assert.equal(5 - done, tls.pool().refused - old.refused)
      assert.equal(5 - done, server:stats().handshakes_refused)
    end)
    tls.pool { at_once = old.at_once, queue = old.queue }
  end)
end)
