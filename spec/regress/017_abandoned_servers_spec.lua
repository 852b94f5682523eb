-- Threads that force_after abandoned (core.drop) took along what the world outside was to
-- get back: the places and connections of servers, a stream's turn, a signal. What
-- stays inside of the program is in 011_abandoned_threads_spec.lua.

local abandoned = require "spec.support.abandoned"
local core = require "green.core"
local green = require "green"
local signal = require "green.signal"
local socket = require "green.socket"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local _, real_it = testing.busted()

local quietly, stubborn, ways = abandoned.quietly, abandoned.stubborn, abandoned.ways

--- The server has closed it.
local function has_ended(conn)
  local _, err = conn:read_all(nil, { timeout = 5 })
  assert.is_true(not err or err:is("ECONNRESET"), tostring(err))
  conn:close()
end

for way, abandon in pairs(ways) do
  describe("a thread abandoned by " .. way, function()
    real_it("restores the signal it waited for", function()
      local function caught()
        local file = io.open("/proc/self/status")
        local mask = file:read("*a"):match("\nSigCgt:%s*(%x+)")
        file:close()
        return mask:sub(-8)
      end
      local before = caught()
      local t = green.spawn(function()
        while true do
          pcall(signal.wait, "USR1")
        end
      end)
      testing.settle()
      assert.are_not.equal(before, caught())
      quietly(function() abandon(t) end)
      collectgarbage()
      collectgarbage()
      assert.equal(before, caught())
    end)

    real_it("leaves its stream closed or free to others", function()
      local a, b = socket.pair()
      local holder = green.spawn(function()
        while true do
          pcall(a.read, a, 1)
        end
      end)
      testing.settle()
      quietly(function() abandon(holder) end)
      b:write("x")
      local got, err = a:read(1, { timeout = 8 })
      assert.is_true(got == "x" or err ~= nil and err:is("ECLOSED"), tostring(err))
      a:close()
      b:close()
    end)

    real_it("lets those in line behind it read, or tells them that it is closed", function()
      local stream = require "green.stream"
      local old = stream.allow_multiple_readers(true)
      local a, b = socket.pair()
      local holder = green.spawn(function()
        pcall(a.read, a, 1)
        stubborn()
      end)
      testing.settle()
      local list = { green.spawn(a.read, a, 1), green.spawn(a.read, a, 1) }
      testing.settle()
      quietly(function() abandon(holder) end)
      b:write("xy")
      green.joinall(list, 1)
      stream.allow_multiple_readers(old)
      for i, t in ipairs(list) do
        assert.is_true(t:dead(), i)
        local got, err = t:wait()
        assert.is_true(got ~= nil or err ~= nil and err:is("ECLOSED"), tostring(err))
      end
      a:close()
      b:close()
    end)

    real_it("gives back its place of green.serve, and its connection is closed", function()
      local listener = green.listen("127.0.0.1:0")
      local handlers, port = {}, select(2, listener:sockname())
      local server = green.spawn(green.serve, listener, function(conn)
        handlers[#handlers + 1] = green.getcurrent()
        if #handlers == 1 then
          stubborn()
        end
        conn:write("served")
      end, { concurrency = 1 })
      local first = green.connect("127.0.0.1", port)
      testing.settle_io()
      local second = green.connect("127.0.0.1", port)
      testing.settle_io()
      assert.equal(1, #handlers)
      quietly(function() abandon(handlers[1]) end)
      assert.equal("served", second:read_all(nil, { timeout = 5 }))
      assert.is_nil((first:read(1, { timeout = 5 })))
      local _, err = first:read(1, { timeout = 0 })
      assert.is_nil(err)
      first:close()
      second:close()
      listener:close()
      server:wait(1)
    end)

    -- -- wsgi -----------------------------------------------------------------

    local pools = {
      ["its own workers"] = function() return nil end,
      ["a custom_pool"] = function() return green.GreenPool(2) end,
    }

    for title, make_pool in pairs(pools) do
      real_it("is a worker less of a server with " .. title, function()
        local held = {}
        local pool = make_pool()
        local server = assert(wsgi.new("127.0.0.1:0", function(env)
          if env.PATH_INFO == "/hold" then
            held[#held + 1] = green.getcurrent()
            stubborn()
          end
          return 200, {}, "fine"
        end, { log_output = false, custom_pool = pool, max_size = not pool and 2 or nil })):start()
        local function request(path)
          local conn = assert(green.connect("127.0.0.1", server.port))
          conn:write("GET ", path, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
          return conn
        end
        for round = 1, 4 do -- more often than there are workers
          local conn = request("/hold")
          testing.settle_io(function() return #held == round end)
          quietly(function() abandon(held[round]) end)
          has_ended(conn)
        end
        testing.settle_io()
        assert.equal(0, server:stats().busy)
        assert.equal(0, server:stats().connections)
        local conn = request("/")
        assert.is_truthy(conn:read_all(nil, { timeout = 5 }):find("fine", 1, true))
        conn:close()
        assert.is_true(server:stats().workers <= 2, server:stats().workers)
        assert.is_true(green.timeout(3, server.stop, server))
        assert.equal(0, server:stats().workers)
        if pool then
          assert.equal(0, pool:running())
        end
      end)

      real_it("does not keep a server with " .. title .. " from stopping", function()
        local held
        local pool = make_pool()
        local server = assert(wsgi.new("127.0.0.1:0", function()
          held = green.getcurrent()
          stubborn()
        end, { log_output = false, custom_pool = pool })):start()
        local conn = assert(green.connect("127.0.0.1", server.port))
        conn:write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        testing.settle_io(function() return held end)
        local stopper = green.spawn(server.stop, server, { grace = 2, force_after = 0.01 })
        testing.settle_io()
        quietly(function() abandon(held) end)
        assert.is_true(stopper:wait(5))
        has_ended(conn)
      end)

      real_it("by the force_after of a stop is gone when it returns: " .. title, function()
        local started = 0
        local pool = make_pool()
        local server = assert(wsgi.new("127.0.0.1:0", function()
          started = started + 1
          stubborn()
        end, { log_output = false, custom_pool = pool })):start()
        local conns = {}
        for i = 1, 2 do
          conns[i] = assert(green.connect("127.0.0.1", server.port))
          conns[i]:write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        end
        testing.settle_io(function() return started == 2 end)
        quietly(function()
          assert.is_true(green.timeout(3, server.stop, server, { grace = 0, force_after = 0.01 }))
        end)
        assert.equal(0, server:stats().workers)
        assert.equal(0, server:stats().connections)
        if pool then
          assert.equal(0, pool:running())
          assert.is_true(pool:waitall(1))
        end
        for i = 1, 2 do
          has_ended(conns[i])
        end
      end)
    end
  end)
end

describe("what is handed over to a thread that is dropped before it runs:", function()
  real_it("a reader's turn goes to the next one in line", function()
    local stream = require "green.stream"
    local old = stream.allow_multiple_readers(true)
    local a, b = socket.pair()
    local first = green.spawn(a.read, a, 1)
    local second = green.spawn(a.read, a, 1)
    local third = green.spawn(a.read, a, 1)
    testing.settle()
    b:write("x")
    assert.equal("x", first:wait(1))
    core.drop(second) -- ready, or about to read
    b:write("y")
    local ok, got = pcall(third.wait, third, 1)
    stream.allow_multiple_readers(old)
    assert.is_true(ok, tostring(got))
    assert.is_true(third:dead())
    a:close()
    b:close()
  end)

  real_it("a connection that accept would have returned is closed, or goes on", function()
    local listener = green.listen("127.0.0.1:0")
    local port = select(2, listener:sockname())
    local t = green.spawn(listener.accept, listener)
    testing.settle()
    local client = green.connect("127.0.0.1", port)
    core.drop(t)
    local conn, err = listener:accept { timeout = 0.2 }
    assert.is_true(conn ~= nil or err:is("ETIMEDOUT") or err:is("ECLOSED"), tostring(err))
    if conn then conn:close() end
    client:close()
    listener:close()
  end)
end)
