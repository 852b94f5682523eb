-- What a request leaves behind at each place where it waits: nothing.

local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local _, it = testing.busted()

--- A server that does with each connection what the function says; its address.
local function raw_server(fn)
  local listener = assert(green.listen("127.0.0.1:0"))
  local stopped = green.Semaphore(0)
  local server = green.spawn(green.serve, listener, function(conn)
    fn(conn, stopped)
  end)
  return "http://127.0.0.1:" .. select(2, listener:sockname()), function()
    listener:close()
    stopped:release()
    server:kill()
    testing.settle_io()
  end
end

--- The request's head, which has no body.
local function read_head(conn)
  return conn:read_until("\r\n\r\n")
end

local function silent(conn)
  conn:read_all()
end

local waits = {
  head = silent,
  ["the rest of a head"] = function(conn)
    read_head(conn)
    conn:write("HTTP/1.1 200 OK\r\nContent-Le")
    conn:read_all()
  end,
  body = function(conn)
    read_head(conn)
    conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    conn:read_all()
  end,
  ["a chunk"] = function(conn)
    read_head(conn)
    conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123")
    conn:read_all()
  end,
}

--- A body that no socket's buffers take as a whole.
local huge = ("x"):rep(32 * 1024 * 1024)

local function check(name, serve, opts)
  local function with(fn)
    return function()
      local url, stop = raw_server(serve)
      local session = http.session()
      local ok, err = pcall(fn, session, url)
      session:close()
      stop()
      if not ok then
        error(err, 0)
      end
    end
  end

  local function ask(session, url, timeout)
    local own = { timeout = timeout }
    for key, value in pairs(opts or {}) do
      own[key] = value
    end
    return session:request(opts and opts.body and "POST" or "GET", url, own)
  end

  it("gives ETIMEDOUT while it waits for " .. name, with(function(session, url)
    local resp, err = ask(session, url, 0.01)
    assert.is_nil(resp)
    assert.equal("ETIMEDOUT", err.code, tostring(err))
    assert.equal(0, session:stats().open)
  end))

  it("lets a scope end it while it waits for " .. name, with(function(session, url)
    local resp, err = green.timeout(0.01, ask, session, url)
    assert.is_nil(resp)
    assert.is_true(green.is_timeout(err))
    assert.equal(0, session:stats().open)
  end))

  it("is killed while it waits for " .. name, with(function(session, url)
    local t = green.spawn(ask, session, url)
    testing.settle_io()
    assert.is_false(t:dead())
    t:kill()
    local ok, err = pcall(t.wait, t)
    assert.is_false(ok)
    assert.equal("ECANCELED", err.code)
    assert.equal(0, session:stats().open)
  end))

  it("is abandoned while it waits for " .. name, with(function(session, url)
    local t = green.spawn(function()
      while true do
        pcall(ask, session, url)
      end
    end)
    testing.settle_io()
    t:kill { force_after = 0 }
    testing.settle_io()
    t = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(0, session:stats().open)
  end))
end

describe("green.http, where it waits,", function()
  for name, serve in pairs(waits) do
    check(name, serve)
  end

  check("room to send a body", function(_, stopped)
    stopped:acquire()
  end, { body = huge })

  it("is killed before it begins, and does nothing", function()
    local asked = 0
    local url, stop = raw_server(function()
      asked = asked + 1
    end)
    local session = http.session()
    local t = green.spawn(function()
      green.getcurrent():kill_soon()
      session:get(url)
    end)
    assert.is_false((pcall(t.wait, t)))
    assert.same({ open = 0, idle = 0, waiting = 0 }, session:stats())
    assert.equal(0, asked)
    session:close()
    stop()
  end)

  it("refuses to wait where nobody can, and has done nothing", function()
    local session = http.session()
    local ok, err = pcall(string.gsub, "x", "x", function()
      session:get("http://127.0.0.1:1/")
    end)
    assert.is_false(ok)
    assert.matches("cannot wait inside", tostring(err))
    assert.equal(0, session:stats().open)
    session:close()
  end)

  it("closes the connection of a response that is half read and killed", function()
    local url, stop = raw_server(function(conn)
      read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
      conn:read_all()
    end)
    local session = http.session()
    local resp = assert(session:get(url, { stream = true }))
    assert.equal("12345", resp:read_some())
    local t = green.spawn(resp.read_some, resp)
    testing.settle_io()
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    assert.equal(0, session:stats().open)
    session:close()
    stop()
  end)

  it("closes the connection of a response that is collected", function()
    local closed = false
    local url, stop = raw_server(function(conn)
      read_head(conn)
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
      conn:read_all()
      closed = true
    end)
    local session = http.session()
    local function ask()
      assert.equal(200, session:get(url, { stream = true }).status)
    end
    ask()
    assert.equal(1, session:stats().open)
    collectgarbage()
    collectgarbage()
    testing.settle_io()
    assert.equal(0, session:stats().open)
    assert.is_true(closed)
    session:close()
    stop()
  end)
end)
