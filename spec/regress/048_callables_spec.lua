-- Only functions could be spawned, while a timeout took whatever can be called; and a
-- file given for a function was asked for its metatable, which compiled code of
-- LuaJIT's must not do: it could crash the process.

local ffi = require "ffi"
local green = require "green"
local signal = require "green.signal"
local testing = require "green.testing"

local it = testing.busted()

--- What can be called, beside functions: name -> maker(fn).
local makers = {
  ["a table"] = function(fn)
    return setmetatable({}, { __call = function(_, ...) return fn(...) end })
  end,
  ["a table that hides its metatable"] = function(fn)
    return setmetatable({}, { __metatable = false, __call = function(_, ...) return fn(...) end })
  end,
  ["a userdata"] = function(fn)
    local proxy = newproxy(true)
    getmetatable(proxy).__call = function(_, ...) return fn(...) end
    return proxy
  end,
}

--- Each calls what it is given with "x" (or gets it to be called) and waits for that.
local places = {
  spawn = function(fn) assert.equal("x", green.spawn(fn, "x"):wait()) end,
  spawn_n = function(fn) green.spawn_n(fn, "x") end,
  spawn_after = function(fn) assert.equal("x", green.spawn_after(1, fn, "x"):wait()) end,
  spawn_after_local = function(fn)
    assert.equal("x", green.spawn_after_local(1, fn, "x"):wait())
  end,
  link = function(fn) green.spawn(function() end):link(function(_, ...) fn(...) end, "x") end,
  ["link itself"] = function(fn)
    local t = green.spawn(function() end)
    t:link(fn)
    assert.is_true(t:unlink(fn))
    t:link(fn)
    t:wait()
  end,
  ["link of a dead one"] = function(fn)
    local t = green.spawn(function() end)
    t:wait()
    t:link(fn)
  end,
  ["GreenPool:spawn"] = function(fn)
    assert.equal("x", green.GreenPool(1):spawn(fn, "x"):wait())
  end,
  ["GreenPool:spawn_n"] = function(fn) green.GreenPool(1):spawn_n(fn, "x") end,
  ["GreenPool:spawn in a full one's member"] = function(fn)
    local pool = green.GreenPool(1)
    pool:spawn(function() assert.equal("x", pool:spawn(fn, "x"):wait()) end):wait()
  end,
  ["GreenPool:imap"] = function(fn)
    for _, value in green.GreenPool(2):imap(fn, { "x" }) do assert.equal("x", value) end
  end,
  ["GreenPool:starmap"] = function(fn)
    for _, value in green.GreenPool(2):starmap(fn, { { "x" } }) do assert.equal("x", value) end
  end,
  ["GreenPile:spawn"] = function(fn)
    local pile = green.GreenPile(1)
    pile:spawn(fn, "x")
    assert.equal("x", select(2, pile()))
  end,
  ["group:spawn"] = function(fn)
    green.group(function(group) group:spawn(fn, "x") end)
  end,
  group = function(fn) green.group(fn) end,
  ["DAGPool:spawn"] = function(fn) green.DAGPool():spawn("x", {}, fn) end,
  ["DAGPool:spawn_many"] = function(fn) green.DAGPool():spawn_many({ x = {} }, fn) end,
  timeout = function(fn) assert.equal("x", green.timeout(1, fn, "x")) end,
  with_timeout = function(fn) assert.equal("x", green.with_timeout(1, fn, "x")) end,
  shield = function(fn) assert.equal("x", green.shield(1, fn, "x")) end,
  finally = function(fn) green.finally(fn, function() end) end,
  ["finally's cleanup"] = function(fn) green.finally(function() end, fn) end,
  ["Semaphore:with"] = function(fn) assert.equal("x", green.Semaphore(1):with(fn, "x")) end,
  ["CappedSemaphore:with"] = function(fn)
    green.CappedSemaphore(1, 1):with(fn, "x")
  end,
  ["RLock:with"] = function(fn) assert.equal("x", green.RLock():with(fn, "x")) end,
  ["Pool's create"] = function(fn)
    green.Pool({ create = function() return fn("x") end }):get()
    green.Pool({ create = fn }):get()
  end,
  ["Pool:with"] = function(fn)
    green.Pool({ create = function() return "x" end }):with(fn)
  end,
  on_error = function(fn)
    local old = green.on_error(fn)
    green.spawn(error, "x")
    testing.settle()
    green.on_error(old)
  end,
  ["signal.handler"] = function(fn)
    ffi.cdef "int raise(int)"
    local handler = signal.handler("USR1", fn)
    ffi.C.raise(10)
    while not fn() do green.sleep(0) end
    handler:cancel()
  end,
}

for what, make in pairs(makers) do
  describe(what .. " that can be called", function()
    for name, place in pairs(places) do
      it("is called by " .. name, function()
        local called = 0
        local callable = make(function(...)
          if select("#", ...) > 0 or name:find("^group$") or name:find("^finally")
            or name == "Pool's create" then
            called = called + 1
          end
          if name == "signal.handler" then return called > 0 end
          if name == "Pool's create" then return "x" end
          return ...
        end)
        place(callable)
        testing.settle()
        assert.is_true(called > 0)
      end)
    end
  end)
end

describe("a file in place of a function", function()
  local closed = assert(io.open("/dev/null"))
  closed:close()
  local files = {
    ["an open file"] = io.stdout,
    ["a closed file"] = closed,
    ["a directory"] = assert(io.open("/tmp")),
  }

  for what, file in pairs(files) do
    for name, call in pairs {
      spawn = function() green.spawn(file) end,
      spawn_n = function() green.spawn_n(file) end,
      spawn_after = function() green.spawn_after(1, file) end,
      timeout = function() green.timeout(1, file) end,
      shield = function() green.shield(1, file) end,
      finally = function() green.finally(file, file) end,
      group = function() green.group(file) end,
      ["GreenPool:spawn"] = function() green.GreenPool(1):spawn(file) end,
      ["DAGPool:spawn"] = function() green.DAGPool():spawn(1, {}, file) end,
      ["signal.handler"] = function() signal.handler("USR1", file) end,
    } do
      it(("is refused by %s when it is %s, compiled too"):format(name, what), function()
        for _ = 1, 300 do
          local ok, err = pcall(call)
          assert.is_false(ok)
          assert.is_truthy(err:find("function", 1, true) or err:find("fn", 1, true), err)
        end
      end)
    end
  end

  it("is refused whatever else cannot be called", function()
    for _, value in ipairs { "x", 1, true, {}, setmetatable({}, { __call = 1 }), newproxy(true) } do
      for _, call in ipairs { green.spawn, green.spawn_n, green.group } do
        local ok, err = pcall(call, value)
        assert.is_false(ok)
        assert.matches("function", err)
      end
    end
  end)
end)
