-- Handshakes of servers that wait: for a function's choice, and for a native thread.
local errors = require "green.error"
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()
local serving, both, is_refused = kit.serving, kit.both, kit.is_refused

local function context(name, more)
  local opts = certs.server(name, more)
  opts.server = true
  return assert(tls.context(opts))
end

local function close(...)
  for i = 1, select("#", ...) do
    select(i, ...):close()
  end
end

describe("the function choose of a TLS server", function()
  virtual_it("is told what the client asks for, and says which context it gets", function()
    local seen
    local b = context "b"
    local client, err, server = both(certs.client("b.test", { alpn = { "h2", "http/1.1" } }),
      certs.server("a", { choose = function(hello)
        seen = hello
        return b
      end }))
    assert(client, tostring(err))
    assert.same({ server_name = "b.test", alpn = { "h2", "http/1.1" } }, seen)
    assert.equal("CN=b.test", client:peer_certificate().subject)
    close(client, server)
  end)

  virtual_it("is told of clients that ask for nothing", function()
    local seen
    local client, _, server = both({ verify = false }, certs.server("a", {
      choose = function(hello) seen = hello end }))
    assert.same({ alpn = {} }, seen)
    assert.equal("CN=a.test", client:peer_certificate().subject)
    close(client, server)
  end)

  virtual_it("may say the protocol, too", function()
    local client, _, server = both(certs.client("a.test", { alpn = { "h2", "http/1.1" } }),
      certs.server("a", { alpn = "h2", choose = function() return nil, "http/1.1" end }))
    assert.equal("http/1.1", server:info().alpn)
    close(client, server)
    local none, err, _, there = both(certs.client("a.test", { alpn = "h2" }),
      certs.server("a", { choose = function() return nil, "other" end }))
    assert.is_nil(none)
    is_refused(err, "ETLSALERT", "application protocol")
    is_refused(there, "ETLS", "ALPN")
  end)

  virtual_it("leaves it as it was by returning nothing", function()
    local opts = certs.server("a", { names = { ["b.test"] = context "b" },
      choose = function() end })
    for name, subject in pairs { ["a.test"] = "CN=a.test", ["b.test"] = "CN=b.test" } do
      local client, err, server = both(certs.client(name), opts)
      assert(client, tostring(err))
      assert.equal(subject, client:peer_certificate().subject)
      close(client, server)
    end
  end)

  virtual_it("refuses a client by false, with an alert", function()
    local none, err, server, there = both(certs.client "a.test",
      certs.server("a", { choose = function() return false end }))
    assert.is_nil(none)
    assert.is_nil(server)
    is_refused(err, "ETLSALERT", "unrecognized_name")
    is_refused(there, "ETLS", "a.test")
  end)

  virtual_it("refuses a client by nil and an error, which is the server's", function()
    local wrong
    local none, err, server, there = both(certs.client "a.test",
      certs.server("a", { choose = function()
        wrong = select(2, tls.context { cert = "/nowhere.pem" })
        return nil, wrong
      end }))
    assert.is_nil(none)
    assert.is_nil(server)
    is_refused(err, "ETLSALERT", "unrecognized_name")
    assert.equal(wrong, there)
  end)

  virtual_it("may refuse by any error, which is not taken for one of the handshake's", function()
    for _, code in ipairs { "ECANCELED", "EDEADLOCK", "EAGAIN", "ETIMEDOUT", "ECLOSED" } do
      local wrong = errors.new(code, "connect")
      local _, _, server, there = both(certs.client "a.test",
        certs.server("a", { choose = function() return nil, wrong end }))
      assert.is_nil(server)
      assert.equal(wrong, there)
    end
  end)

  --- The server's function raises that; the client is refused.
  local function raises(choose, text)
    local a, b = testing.stream_pair()
    local server = green.spawn(function()
      return pcall(tls.server, b, certs.server("a", { choose = choose }))
    end)
    local none, err = tls.client(a, certs.client "a.test")
    assert.is_nil(none)
    is_refused(err, "ETLSALERT", "unrecognized_name")
    local ok, raised = server:wait()
    assert.is_false(ok)
    assert.truthy(tostring(raised):find(text, 1, true), tostring(raised))
    return raised
  end

  virtual_it("raises in who wants the connection, and the client is refused", function()
    local object = {}
    assert.equal(object, raises(function() error(object) end, "table"))
  end)

  virtual_it("may not return anything else", function()
    raises(function() return 5 end, "'choose' must return a server's context, nil or false, not 5")
    local client = assert(tls.context {})
    raises(function() return client end, "'choose' must return a server's context")
    raises(function() return nil, 7 end, "'choose' must return the name of a protocol, not 7")
  end)

  virtual_it("may wait, and nobody else waits for it", function()
    local gate, asked = green.Event(), green.Event()
    local opts = certs.server("a", { choose = function(hello)
      if hello.server_name == "x.w.test" then
        asked:send(true)
        gate:wait()
      end
    end })
    local slow = green.spawn(both, certs.client "x.w.test", opts)
    asked:wait()
    local client, err, server = both(certs.client "a.test", opts)
    assert(client, tostring(err))
    close(client, server)
    gate:send(true)
    client, err, server = slow:wait()
    assert(client, tostring(err))
    close(client, server)
  end)

  virtual_it("has the time of the handshake", function()
    local none, err, server, there = both(certs.client "a.test",
      certs.server("a", { timeout = 3, choose = function() green.sleep(60) end }))
    assert.is_nil(none)
    assert.is_nil(server)
    is_refused(err, "ETLSALERT", "unrecognized_name")
    is_refused(there, "ETIMEDOUT", "timed out")
  end)

  virtual_it("leaves nothing behind when its thread is killed there, or abandoned", function()
    for _, how in ipairs { {}, { force_after = 0 } } do
      local asked = green.Event()
      local a, b = testing.stream_pair()
      local server = serving(b, certs.server("a", { choose = function()
        asked:send(true)
        green.sleep(60)
      end }))
      local client = green.spawn(tls.client, a, certs.client "a.test")
      asked:wait()
      server:kill(how)
      server = nil -- luacheck: ignore
      b:close()
      local none, err = client:wait()
      assert.is_nil(none)
      assert.is_true(green.is_error(err), tostring(err))
    end
    collectgarbage()
    collectgarbage()
  end)

  virtual_it("hears nothing of a stream that is closed meanwhile", function()
    local a, b = testing.stream_pair()
    local server = serving(b, certs.server("a", { choose = function() b:close() end }))
    local none = tls.client(a, certs.client "a.test")
    assert.is_nil(none)
    local conn, err = server:wait()
    assert.is_nil(conn)
    assert.is_true(green.is_error(err), tostring(err))
  end)

  virtual_it("serves tls.handler and wrap_ssl, and no client", function()
    local function choose() return nil, "h2" end
    local a, b = testing.stream_pair()
    local handler = assert(tls.handler(certs.server("a", { choose = choose }), function(conn)
      conn:write(conn:info().alpn, "\n")
    end))
    local there = green.spawn(handler, b)
    local client = assert(tls.client(a, certs.client("a.test", { alpn = "h2" })))
    assert.equal("h2", client:read_line())
    client:close()
    there:wait()
    for _, wrong in ipairs {
      { { choose = choose }, "choose must be left out where server is not true" },
      { { alpn = choose }, "alpn must be a list" },
      { { handshakes_in_pool = true }, "handshakes_in_pool must be left out" },
      { certs.server("a", { server = true, choose = 7 }), "choose must be a function, not 7" },
    } do
      local ok, err = pcall(tls.context, wrong[1])
      assert.is_false(ok)
      assert.truthy(tostring(err):find(wrong[2], 1, true), tostring(err))
      assert.truthy(tostring(err):find("choice_spec.lua:", 1, true), tostring(err))
    end
    assert.error_matches(function() tls.client(a, { host = "a", choose = choose }) end, "choose")
  end)
end)

describe("a function as alpn of a TLS server", function()
  virtual_it("gives the protocol, or none", function()
    local answer
    local opts = certs.server("a", { alpn = function(hello)
      assert.same({ "h2", "x" }, hello.alpn)
      green.sleep(1)
      return answer
    end })
    for _, name in ipairs { "x", "h2", false } do
      answer = name or nil
      local client, err, server = both(certs.client("a.test", { alpn = { "h2", "x" } }), opts)
      assert(client, tostring(err))
      assert.equal(answer, client:info().alpn)
      close(client, server)
    end
  end)

  virtual_it("refuses by false, or a name that the client has not", function()
    for _, answer in ipairs { false, "other" } do
      local none, err = both(certs.client("a.test", { alpn = "h2" }),
        certs.server("a", { alpn = function() return answer end }))
      assert.is_nil(none)
      is_refused(err, "ETLSALERT", "application protocol")
    end
  end)

  virtual_it("comes after choose, which may have said it", function()
    local opts = certs.server("a", {
      choose = function(hello) return nil, hello.server_name == "a.test" and "x" or nil end,
      alpn = function() return "h2" end,
    })
    for name, protocol in pairs { ["a.test"] = "x", ["127.0.0.1"] = "h2" } do
      local client, err, server = both(certs.client(name, { alpn = { "h2", "x" } }), opts)
      assert(client, tostring(err))
      assert.equal(protocol, server:info().alpn)
      close(client, server)
    end
  end)
end)

describe("a TLS server whose handshakes sign in native threads", function()
  local function pooled(more)
    more = more or {}
    more.handshakes_in_pool = true
    return certs.server("a", more)
  end

  it("shakes hands like any other", function()
    local begun = tls.pool().begun
    for _, version in ipairs { "1.2", "1.3" } do
      local client, err, server = both(certs.client("a.test", { max_version = version }), pooled())
      assert(client, tostring(err))
      assert.equal("TLSv" .. version, server:info().version)
      client:write "question\n"
      assert.equal("question", server:read_line())
      server:write "answer\n"
      assert.equal("answer", client:read_line())
      close(client, server)
    end
    assert.equal(3, tls.pool().begun - begun) -- 1.2 has a step more
  end)

  it("uses none where it is told so", function()
    local begun = tls.pool().begun
    local client, err, server = both(certs.client "a.test",
      certs.server("a", { handshakes_in_pool = false }))
    assert(client, tostring(err))
    close(client, server)
    assert.equal(begun, tls.pool().begun)
  end)

  it("goes there behind the function's choice", function()
    local begun, slow = tls.pool().begun, context("a", { handshakes_in_pool = true })
    local client, err, server = both(certs.client "a.test", certs.server("b", {
      handshakes_in_pool = false,
      choose = function()
        green.sleep(0)
        return slow
      end,
    }))
    assert(client, tostring(err))
    close(client, server)
    assert.equal(1, tls.pool().begun - begun)
  end)

  it("refuses who finds no room", function()
    local old = tls.pool()
    tls.pool { at_once = 1, queue = 0 }
    local all = {}
    for i = 1, 3 do
      local a, b = testing.stream_pair()
      all[i] = { green.spawn(tls.client, a, certs.client "a.test"), serving(b, pooled()) }
    end
    local done, refused = 0, 0
    for i = 1, 3 do
      local client = all[i][1]:wait()
      local server, err = all[i][2]:wait()
      if server then
        done = done + 1
        close(client, server)
      else
        is_refused(err, "EBUSY", "too many handshakes")
        refused = refused + 1
      end
    end
    assert.same({ 1, 2 }, { done, refused })
    assert.equal(2, tls.pool().refused - old.refused)
    tls.pool { at_once = old.at_once, queue = old.queue }
  end)

  it("leaves nothing there when it is killed, or its time is up", function()
    for _, timeout in ipairs { 60, 0 } do
      local begun = tls.pool().begun
      local a, b = testing.stream_pair()
      local client = green.spawn(tls.client, a, certs.client "a.test")
      local server = serving(b, pooled { timeout = timeout })
      while timeout > 0 and tls.pool().begun == begun do
        green.sleep(0)
      end
      server:kill() -- its thread may be done already
      b:close()
      local conn = client:wait()
      if conn then
        conn:close()
      end
      testing.settle_io(function() return tls.pool().running == 0 end)
    end
  end)

  --- A connection whose handshake is there (with choose: not yet), the client that waits for
  -- it, and who does it.
  local function there(more)
    local l = assert(green.listen("127.0.0.1:0", { tls = pooled(more) }))
    local client = green.spawn(green.connect, "127.0.0.1", select(2, l:sockname()),
      { tls = certs.client "a.test" })
    local conn = assert(l:accept())
    l:close()
    local begun = tls.pool().begun
    local driver = green.spawn(conn.handshake, conn)
    while not more and tls.pool().begun == begun do
      green.sleep(0)
    end
    return conn, client, driver
  end

  it("goes on there when the one who waited for it stops, and another waits", function()
    for _, comes in ipairs { "before", "behind" } do
      local conn, client, driver = there()
      local other = comes == "before" and green.spawn(conn.handshake, conn)
      driver:kill() -- the thread may be done already
      assert(other and other:wait() or conn:handshake())
      close(conn, (assert(client:wait())))
    end
  end)

  it("is over when the connection is closed meanwhile, there and in a function", function()
    local conn, client, driver = there()
    conn:close()
    local ok, err = driver:wait()
    assert.is_nil(ok)
    assert.is_true(green.is_error(err, "ECLOSED"), tostring(err))
    assert.is_nil((client:wait()))
    local asked, gate = green.Event(), green.Event()
    conn, client, driver = there { choose = function()
      asked:send(true)
      gate:wait()
    end }
    asked:wait()
    conn:close()
    gate:send(true)
    ok, err = driver:wait()
    assert.is_nil(ok)
    assert.is_true(green.is_error(err, "ECLOSED"), tostring(err))
    assert.is_nil((client:wait()))
    testing.settle_io(function() return tls.pool().running == 0 end)
  end)

  it("may be looked for again and again, and is over at last", function()
    local conn, client, driver = there()
    driver:kill()
    local ok, err
    repeat
      green.sleep(0)
      ok, err = conn:handshake { timeout = 0 }
      assert.is_true(ok or green.is_error(err, "EAGAIN"), tostring(err))
    until ok
    local peer = assert(client:wait())
    peer:close()
    assert.is_nil(conn:read(1))
    conn:close()
  end)

  --- Connections whose handshake waits for a native thread, at the server's end of a
  -- listener, with at most one thread for them; and a function that ends all.
  local function waiting(n)
    local old = tls.pool()
    tls.pool { at_once = 1 }
    local l = assert(green.listen("127.0.0.1:0",
      { tls = certs.server("rsa", { handshakes_in_pool = true }) }))
    local port = select(2, l:sockname())
    local conns, clients = {}, {}
    for i = 1, n do
      clients[i] = green.spawn(green.connect, "127.0.0.1", port,
        { timeout = 20, tls = certs.client "a.test" })
      conns[i] = assert(l:accept())
    end
    return conns, function()
      for i = 1, n do
        close(conns[i], (assert(clients[i]:wait())))
      end
      l:close()
      tls.pool { at_once = old.at_once }
    end
  end

  it("does as much of a handshake as can be done at once, as often as it is asked", function()
    local conns, finish = waiting(8)
    local left, seen = #conns, {}
    while left > 0 do
      left = 0
      for _, conn in ipairs(conns) do
        local ok, err = conn:handshake { timeout = 0 }
        if not ok then
          left = left + 1
          seen[err.code] = err
          assert.equal("EAGAIN", err.code, tostring(err))
        end
      end
      green.sleep(0)
    end
    assert.is_table(seen.EAGAIN)
    finish()
  end)

  it("goes on with one whose time was up, or whose thread was killed", function()
    local conns, finish = waiting(8)
    local begun = tls.pool().begun
    local drivers = {}
    for i, conn in ipairs(conns) do
      drivers[i] = green.spawn(conn.handshake, conn)
    end
    while tls.pool().begun == begun do
      green.sleep(0)
    end
    for i = 1, #conns do
      drivers[i]:kill()
    end
    for _, conn in ipairs(conns) do
      assert(conn:handshake { timeout = 20 })
      assert.equal("TLSv1.3", conn:info().version)
    end
    finish()
  end)

  it("tells mistakes with the caller's line", function()
    for _, wrong in ipairs {
      { { at_once = 0 }, "at_once must be a whole number from 1" },
      { { queue = -1 }, "queue must be a whole number from 0" },
      { { threads = 1 }, "threads" },
      { 5, "must be a table" },
    } do
      local ok, err = pcall(tls.pool, wrong[1])
      assert.is_false(ok)
      assert.truthy(tostring(err):find(wrong[2], 1, true), tostring(err))
      assert.truthy(tostring(err):find("choice_spec.lua:", 1, true), tostring(err))
    end
  end)
end)
