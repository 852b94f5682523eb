-- green.wait and iwait over a socket had a helper thread read in one's stead. It was
-- still the socket's reader when the wait was over: the next read got EBUSY, and with
-- a loop that was left early for as long as its iterator was not collected.

local core = require "green.core"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")

local _, it = testing.busted()

local function close_both(c)
  c.a:close()
  c.b:close()
end

local function stream(make)
  return {
    open = function()
      local c = {}
      c.a, c.b = make()
      return c
    end,
    make_ready = function(c)
      assert(c.b:write("x"))
    end,
    read = function(c)
      return c.a:read_some(1, { timeout = 8 })
    end,
    shut_peer = function(c)
      c.b:close()
    end,
    close = close_both,
  }
end

local kinds = {
  ["a socket pair"] = stream(socket.pair),
  ["a TCP socket"] = stream(sockets.tcp),
  ["an in-memory stream"] = stream(testing.stream_pair),
  ["a datagram socket"] = {
    open = function()
      local c = {}
      c.a, c.b = socket.pair("dgram")
      return c
    end,
    make_ready = function(c)
      assert(c.b:send("x"))
    end,
    read = function(c)
      return c.a:recv(10, { timeout = 8 })
    end,
    close = close_both,
  },
  ["a listener"] = {
    open = function()
      local c = {}
      c.a, c.port = sockets.listener("inet", "127.0.0.1")
      c.b = assert(socket.tcp())
      return c
    end,
    make_ready = function(c)
      c.b:close()
      c.b = assert(socket.tcp())
      assert(c.b:connect("127.0.0.1", c.port))
    end,
    read = function(c)
      local conn, err = c.a:accept { timeout = 8 }
      if not conn then
        return nil, err
      end
      conn:close()
      return "x"
    end,
    close = close_both,
  },
}

local function collect()
  collectgarbage()
  collectgarbage()
end

--- An event that somebody sends soon.
local function soon(seconds)
  local event = green.Event()
  green.spawn_after(seconds or 0.002, event.send, event, true)
  return event
end

local function x(value, err)
  assert.equal("x", value, tostring(err))
end

for name, kind in pairs(kinds) do
  describe("a wait over " .. name, function()
    --- An `it` that has one, and can read it in the end.
    local function with(title, fn)
      it(title, function()
        local c = kind.open()
        fn(c)
        kind.make_ready(c)
        x(kind.read(c))
        kind.close(c)
      end)
    end

    with("that something else has won leaves it free to be read", function(c)
      local event = soon()
      assert.same({ event }, green.wait({ c.a, event }, 1, 1))
    end)

    with("that something else has won leaves no green thread and no wait", function(c)
      local waits, threads = core.stats().waits, #core.threads()
      local event = green.Event()
      local sender = green.spawn_after(0.002, event.send, event, true)
      green.wait({ c.a, event }, 1, 1)
      assert.is_true(sender:dead())
      assert.equal(threads, #core.threads())
      assert.equal(waits, core.stats().waits)
    end)

    with("that it has won leaves it free to be read", function(c)
      green.spawn_after(0.002, kind.make_ready, c)
      assert.same({ c.a }, green.wait({ c.a, green.Event() }, 1, 1))
      x(kind.read(c))
    end)

    with("that both have won, too", function(c)
      local event = green.Event()
      green.spawn_after(0.002, function()
        kind.make_ready(c)
        event:send(true)
      end)
      local ready = green.wait({ c.a, event }, 1)
      assert.equal(2, #ready)
      x(kind.read(c))
    end)

    with("that sees it ready at once, too", function(c)
      kind.make_ready(c)
      assert.same({ c.a }, green.wait({ c.a, green.Event() }, 1, 1))
      x(kind.read(c))
    end)

    with("whose time is up leaves it free to be read", function(c)
      local ready, err = green.wait({ c.a, green.Event() }, 0.002)
      assert.same({}, ready)
      assert.is_true(err:is("ETIMEDOUT"))
    end)

    with("that an outer timeout ends leaves it free to be read", function(c)
      local value, err = green.timeout(0.002, green.wait, { c.a, green.Event() })
      assert.is_nil(value)
      assert.is_true(err:is("ETIMEDOUT"))
    end)

    with("whose thread is killed leaves it free to be read", function(c)
      local t = green.spawn(green.wait, { c.a, green.Event() })
      testing.settle()
      t:kill()
      assert.is_true(t:dead())
    end)

    with("whose thread is dropped leaves it free to be read", function(c)
      local t = green.spawn(green.wait, { c.a, green.Event() })
      testing.settle()
      core.drop(t)
      kind.make_ready(c)
      x(kind.read(c))
      collect()
    end)

    with("in a loop that is left leaves it free to be read", function(c)
      local event = soon()
      for o in green.iwait({ c.a, event }, 1) do -- luacheck: ignore 512
        assert.equal(event, o)
        break
      end
      kind.make_ready(c)
      x(kind.read(c)) -- before any collection
      collect()
      green.sleep(0)
    end)

    with("in a loop that is left and collected, too", function(c)
      for _ in green.iwait({ c.a, soon() }, 1) do -- luacheck: ignore 512
        break
      end
      collect()
      kind.make_ready(c)
      x(kind.read(c))
    end)

    with("in a loop lets its body read, again and again", function(c)
      local event, seen = green.Event(), {}
      green.spawn_after(0.002, kind.make_ready, c)
      for o in green.iwait({ c.a, event }, 1) do
        seen[#seen + 1] = o
        if o == c.a then
          x(kind.read(c))
          kind.make_ready(c)
          x(kind.read(c))
          event:send(true)
        end
      end
      assert.same({ c.a, event }, seen)
    end)

    with("in a loop whose body reads what is not reported yet", function(c)
      local first = soon()
      for o in green.iwait({ first, c.a, green.Event() }, 1, 1) do
        assert.equal(first, o)
        kind.make_ready(c)
        x(kind.read(c))
      end
    end)

    with("wakes all who wait over it", function(c)
      local list = {}
      for i = 1, 3 do
        list[i] = green.spawn(green.wait, { c.a, green.Event() }, 1, 1)
      end
      testing.settle()
      kind.make_ready(c)
      for i = 1, 3 do
        assert.same({ c.a }, list[i]:wait(8))
      end
      x(kind.read(c))
    end)

    with("goes on when another one over it ends", function(c)
      local first = green.spawn(green.wait, { c.a, soon() }, 1, 1)
      local second = green.spawn(green.wait, { c.a, green.Event() }, 1, 1)
      first:wait()
      kind.make_ready(c)
      assert.same({ c.a }, second:wait(1))
      x(kind.read(c))
    end)

    with("and a reader of it work at once", function(c)
      for _, order in ipairs { "reader first", "wait first" } do
        local function read()
          return kind.read(c)
        end
        local reader = order == "reader first" and green.spawn(read)
        testing.settle()
        local waiter = green.spawn(green.wait, { c.a, green.Event() }, 0.5, 1)
        testing.settle()
        reader = reader or green.spawn(read)
        testing.settle()
        assert.equal("parked", reader:status())
        assert.equal("parked", waiter:status())
        kind.make_ready(c)
        x(reader:wait(1))
        assert.same({ c.a }, waiter:wait(1))
      end
    end)

    with("lets wait_readable and read_some(0) work", function(c)
      local event = soon()
      green.wait({ c.a, event }, 1, 1)
      local waiter = green.spawn(green.wait, { c.a, green.Event() }, 1, 1)
      testing.settle()
      green.spawn_after(0.002, kind.make_ready, c)
      if c.a.wait_readable then
        assert.is_true(c.a:wait_readable { timeout = 8 })
      else
        assert.equal("", c.a:read_some(0, { timeout = 8 }))
      end
      assert.same({ c.a }, waiter:wait(1))
      x(kind.read(c))
    end)

    it("is woken when it is closed", function()
      local c = kind.open()
      local list = { green.spawn(green.wait, { c.a, green.Event() }, 1, 1),
        green.spawn(green.wait, { c.a }, 1) }
      testing.settle()
      c.a:close()
      for _, t in ipairs(list) do
        assert.same({ c.a }, t:wait(1))
      end
      assert.same({ c.a }, green.wait({ c.a, green.Event() }, 1, 1)) -- closed already
      kind.close(c)
    end)

    it("does not keep a thread or a watch when it and all else is dropped", function()
      local function left()
        local c = kind.open()
        for _ in green.iwait({ c.a, soon() }, 1) do -- luacheck: ignore 512
          break
        end
        kind.close(c)
      end
      left()
      testing.settle()
      local threads = #core.threads()
      for _ = 1, 20 do
        left()
      end
      collect()
      testing.settle()
      assert.equal(threads, #core.threads())
      assert.equal(0, core.stats().waits)
    end)

    if kind.shut_peer then
      it("is woken when the other end is closed", function()
        local c = kind.open()
        local t = green.spawn(green.wait, { c.a, green.Event() }, 1, 1)
        testing.settle()
        kind.shut_peer(c)
        assert.same({ c.a }, t:wait(1))
        assert.is_nil((c.a:read_some(1, { timeout = 8 })))
        kind.close(c)
      end)

      it("sees what is in its buffer", function()
        local c = kind.open()
        c.b:write("xx")
        x(c.a:read(1, { timeout = 8 }))
        assert.same({ c.a }, green.wait({ c.a, green.Event() }, 1, 1))
        x(kind.read(c))
        kind.close(c)
      end)
    end
  end)
end

describe("a wait over several sockets", function()
  it("names those that have something, and leaves all free", function()
    local pairs_of, all = {}, {}
    for i = 1, 10 do
      local a, b = socket.pair()
      pairs_of[i], all[i] = { a, b }, a
    end
    local listener, port = sockets.listener("inet", "127.0.0.1")
    all[11] = listener
    green.spawn_after(0.002, function()
      pairs_of[3][2]:write("x")
      pairs_of[7][2]:write("x")
    end)
    local ready = green.wait(all, 1, 2)
    table.sort(ready, function(a, b) return a:fileno() < b:fileno() end)
    assert.same({ all[3], all[7] }, ready)
    for i = 1, 10 do
      if i ~= 3 and i ~= 7 then pairs_of[i][2]:write("x") end
      x(all[i]:read(1, { timeout = 8 }))
    end
    local client = assert(green.connect("127.0.0.1", port))
    local conn = assert(listener:accept { timeout = 8 })
    for _, s in ipairs { client, conn, listener } do
      s:close()
    end
    for _, pair in ipairs(pairs_of) do
      pair[1]:close()
      pair[2]:close()
    end
  end)

  it("may name the same one twice", function()
    local a, b = socket.pair()
    green.spawn_after(0.002, b.write, b, "x")
    assert.same({ a, a }, green.wait({ a, a }, 1))
    x(a:read(1, { timeout = 8 }))
    a:close()
    b:close()
  end)
end)
