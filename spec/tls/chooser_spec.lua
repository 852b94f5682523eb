-- Functions that choose for a TLS server's client, and those who wait for that: readers with
-- little time, some that are killed, and connections that are closed or lost meanwhile.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local certs = require "spec.support.certs"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()
local fails, is_refused = kit.fails, kit.is_refused

--- A connection of a listener whose function waits for `gate`, the client that waits for it,
-- and what tells how the function got on.
local function begun(more, option)
  local told = { asked = green.Event(), gate = green.Event(), calls = 0, ends = 0 }
  local opts = { timeout = 20 }
  for name, value in pairs(more or {}) do
    opts[name] = value
  end
  opts[option or "choose"] = function()
    told.calls = told.calls + 1
    green.finally(function()
      told.asked:send(true)
      if told.gate:wait() == "raise" then
        error("this choice is bad", 0)
      end
    end, function()
      told.ends = told.ends + 1
    end)
  end
  local l = assert(green.listen("127.0.0.1:0", { tls = certs.server("a", opts) }))
  local client = green.spawn(green.connect, "127.0.0.1", select(2, l:sockname()),
    { timeout = 60, tls = certs.client("a.test", { alpn = option and "h2" or nil }) })
  local conn = assert(l:accept())
  l:close()
  return conn, client, told
end

--- The function has been asked: until then whoever reads does so again and again.
local function read_until_asked(conn, told)
  repeat
    fails("ETIMEDOUT", "", conn:read_some(1, { timeout = 0.001 }))
  until told.calls > 0
end

local function close(...)
  for i = 1, select("#", ...) do
    select(i, ...):close()
  end
end

describe("a function that chooses while others wait", function()
  for _, option in ipairs { "choose", "alpn" } do
    it("goes on when a reader's time is over: " .. option, function()
      local conn, client, told = begun(nil, option)
      read_until_asked(conn, told)
      fails("ETIMEDOUT", "", conn:read_some(1, { timeout = 0.001 }))
      fails("ETIMEDOUT", "", conn:handshake { timeout = 0.001 })
      fails("EAGAIN", "", conn:read_some(1, { timeout = 0 }))
      fails("EAGAIN", "", conn:write("x", { timeout = 0 }))
      assert.equal(0, told.ends)
      told.gate:send(true)
      local reader = green.spawn(conn.read, conn, 2)
      local peer = assert(client:wait())
      peer:write "hi"
      assert.equal("hi", reader:wait())
      assert.same({ 1, 1 }, { told.calls, told.ends })
      close(peer, conn)
    end)
  end

  it("goes on when who waits is killed, ended by a timeout of its own, or abandoned", function()
    local conn, client, told = begun()
    local driver = green.spawn(conn.read, conn, 1)
    told.asked:wait()
    driver:kill()
    local timed = green.spawn(green.timeout, 0.001, conn.read, conn, 1)
    assert.is_nil((timed:wait()))
    driver = green.spawn(conn.read, conn, 1)
    green.sleep(0)
    driver:kill { force_after = 0 }
    testing.settle_io(function() return driver:dead() end)
    local other = green.spawn(conn.handshake, conn)
    green.sleep(0)
    told.gate:send(true)
    assert.is_true(other:wait())
    assert.same({ 1, 1 }, { told.calls, told.ends })
    close(conn, (assert(client:wait())))
  end)

  it("is done, and the handshake goes on with whoever comes then", function()
    local conn, client, told = begun()
    read_until_asked(conn, told)
    told.gate:send(true)
    testing.settle_io(function() return told.ends == 1 end)
    assert(conn:handshake())
    close(conn, (assert(client:wait())))
  end)

  it("is ended with its connection", function()
    for _, how in ipairs { "waiting", "alone" } do
      local conn, client, told = begun()
      local driver = how == "waiting" and green.spawn(conn.handshake, conn)
      if driver then
        told.asked:wait()
      else
        read_until_asked(conn, told)
      end
      conn:close()
      if driver then
        fails("ECLOSED", "", driver:wait())
      end
      testing.settle_io(function() return told.ends == 1 end)
      assert.is_nil((client:wait()))
    end
  end)

  it("may close the connection itself", function()
    local l, conn
    l = assert(green.listen("127.0.0.1:0", { tls = certs.server("a", {
      choose = function() conn:close() end }) }))
    local client = green.spawn(green.connect, "127.0.0.1", select(2, l:sockname()),
      { timeout = 60, tls = certs.client "a.test" })
    conn = assert(l:accept())
    l:close()
    fails("ECLOSED", "", conn:handshake())
    assert.is_nil((client:wait()))
  end)

  it("is ended when nobody has the connection any more", function()
    local conn, client, told = begun()
    read_until_asked(conn, told)
    conn = nil -- luacheck: ignore
    testing.settle_io(function()
      collectgarbage()
      return told.ends == 1
    end)
    assert.is_nil((client:wait()))
  end)

  it("has the time of the handshake, though nobody waits any more", function()
    local conn, client, told = begun { timeout = 0.2 }
    read_until_asked(conn, told)
    testing.settle_io(function() return told.ends == 1 end)
    local none, err = client:wait()
    assert.is_nil(none)
    is_refused(err, "ETLSALERT", "unrecognized_name")
    fails("ETIMEDOUT", "the function 'choose' or 'alpn'", conn:handshake())
    fails("ETIMEDOUT", "the function 'choose' or 'alpn'", conn:read_some(1))
    conn:close()
  end)

  it("has no more time than that when somebody waits", function()
    local conn, client, told = begun { timeout = 0.2 }
    fails("ETIMEDOUT", "the function 'choose' or 'alpn'", conn:handshake())
    is_refused(select(2, client:wait()), "ETLSALERT", "unrecognized_name")
    testing.settle_io(function() return told.ends == 1 end)
    fails("ETIMEDOUT", "", conn:read_some(1))
    conn:close()
  end)

  it("raises in who waits for it", function()
    local conn, client, told = begun()
    read_until_asked(conn, told)
    local reader = green.spawn(pcall, conn.read, conn, 1)
    green.sleep(0)
    told.gate:send "raise"
    local ok, raised = reader:wait()
    assert.is_false(ok)
    assert.equal("this choice is bad", raised)
    is_refused(select(2, client:wait()), "ETLSALERT", "unrecognized_name")
    fails("ETLS", "", conn:read(1))
    conn:close()
  end)

  it("is reported where nobody waits when it raises", function()
    local reported
    local old = green.on_error(function(err) reported = err end)
    local conn, client, told = begun()
    read_until_asked(conn, told)
    told.gate:send "raise"
    testing.settle_io(function() return reported end)
    green.on_error(old)
    assert.equal("this choice is bad", reported)
    is_refused(select(2, client:wait()), "ETLSALERT", "unrecognized_name")
    fails("ETLS", "", conn:handshake())
    conn:close()
  end)

  virtual_it("ends with tls.server's thread, killed or abandoned", function()
    for _, how in ipairs { {}, { force_after = 0 } } do
      local asked, ended = green.Event(), green.Event()
      local a, b = testing.stream_pair()
      local server = kit.serving(b, certs.server("a", { choose = function()
        asked:send(true)
        green.finally(function() green.sleep(60) end, function() ended:send(true) end)
      end }))
      local client = green.spawn(tls.client, a, certs.client "a.test")
      asked:wait()
      local before = green.now()
      server:kill(how)
      ended:wait()
      assert.is_true(green.now() - before < 10) -- virtual seconds
      assert.is_nil((client:wait()))
      assert.is_nil((b:read(1))) -- it was closed
    end
  end)
end)

-- -- Acts at random -----------------------------------------------------------------

--- A function that does one of the things that functions do.
local function any_function(random, state, other)
  return function()
    local how = random(8)
    if how == 1 then
      return
    elseif how == 2 then
      error("this choice is bad", 0)
    elseif how == 3 and state.conn then
      return state.conn:close()
    elseif how == 4 then
      return false
    elseif how == 5 then -- it does not take an end for one
      pcall(green.sleep, 0.02)
      pcall(green.sleep, 0.02)
    end
    green.sleep(random() * 0.01)
    return how > 6 and other or nil, how == 7 and "h2" or nil
  end
end

local function read_often(random, conn)
  for _ = 1, 20 do
    local bytes, err = conn:read_some(1, { timeout = random() * 0.004 })
    if bytes or err and err.code ~= "ETIMEDOUT" and err.code ~= "EAGAIN" then
      return
    end
  end
end

--- A client that leaves early, or not.
local function any_client(random, port)
  local conn = green.connect("127.0.0.1", port, { timeout = random() * 0.05 + 0.001,
    tls = { verify = false, alpn = "h2" } })
  if conn then
    conn:write "x"
    conn:read_some(1, { timeout = random() * 0.01 })
    conn:close()
  end
end

local acts = {
  function(_, _, reader) reader:kill_soon() end,
  function(_, _, reader) reader:kill_soon { force_after = 0 } end,
  function(random) green.sleep(random() * 0.004) end,
  function(_, conn) conn:close() end,
  function() collectgarbage() end,
  function(_, _, _, client) client:kill_soon() end,
  function(random, conn) pcall(conn.handshake, conn, { timeout = random() * 0.003 }) end,
}

--- One connection of a server that chooses, and what befalls it.
local function live(random, other)
  local state = {}
  local l = assert(green.listen("127.0.0.1:0", { tls = certs.server("a", {
    timeout = random() * 0.03 + 0.001,
    choose = any_function(random, state, other),
    alpn = random(3) == 1 and function() green.sleep(random() * 0.005) return "h2" end or nil,
    handshakes_in_pool = random(4) == 1,
  }) }))
  local client = green.spawn(any_client, random, select(2, l:sockname()))
  local conn = assert(l:accept())
  l:close()
  state.conn = random(2) == 1 and conn or nil
  local readers = {}
  for i = 1, random(3) do
    readers[i] = green.spawn(read_often, random, conn)
  end
  for _ = 1, random(6) do
    acts[random(#acts)](random, conn, readers[random(#readers)], client)
  end
  if random(2) == 1 then
    conn:close() -- else nobody has it any more
  end
  state.conn = nil
  pcall(client.wait, client)
end

describe("acts at random on a connection whose context chooses", function()
  it("end nothing but it, and leave nothing", function()
    local seed = tonumber(os.getenv "SEED") or os.time() % 100000
    math.randomseed(seed)
    local other = assert(tls.context(certs.server("b", { server = true })))
    local old = green.on_error(function() end)
    for _ = 1, tonumber(os.getenv "ROUNDS") or 60 do
      local ok, err = pcall(live, math.random, other)
      assert(ok, "seed " .. seed .. ": " .. tostring(err))
    end
    testing.settle_io(function()
      collectgarbage()
      return tls.pool().running == 0
    end)
    green.sleep(0.1) -- the longest that a handshake and its function take
    collectgarbage()
    collectgarbage()
    green.on_error(old)
  end)
end)
