-- Objects print as what they are: class and state.

local class = require "green.args.class"
local green = require "green"
local signal = require "green.signal"
local socket = require "green.socket"
local stream = require "green.stream"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local it = testing.busted()

local function nothing() end

--- Of a request in hand, by what its handler does with env; and of its server.
local function in_handler(fn)
  local listener = assert(green.listen("127.0.0.1", 0))
  local _, port = listener:sockname()
  local seen
  local t = green.spawn(wsgi.server, listener, function(env)
    seen = { fn(env) }
    return 200, {}, ""
  end, { log_output = false })
  local client = assert(green.connect("127.0.0.1", port))
  client:write("POST /path?q HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
  client:read_all()
  client:close()
  t:kill()
  pcall(t.wait, t)
  listener:close()
  return unpack(seen)
end

--- Class -> a function that makes one, and gives what its text says of it.
local kinds = {
  ["green.thread"] = function()
    local t = green.spawn(nothing):name("worker")
    return t, "worker (new, spawned at "
  end,
  ["green.LightQueue"] = function() return green.LightQueue(2), "0 of 2, 0 putting, 0 getting" end,
  ["green.Queue"] = function()
    local q = green.Queue()
    q:put(1)
    return q, "1 of any"
  end,
  ["green.PriorityQueue"] = function() return green.PriorityQueue(), "0 of any" end,
  ["green.LifoQueue"] = function() return green.LifoQueue(), "0 of any" end,
  ["green.Event"] = function() return green.Event(), "not sent, 0 waiting" end,
  ["green.Semaphore"] = function() return green.Semaphore(3), "3 free, 0 waiting" end,
  ["green.BoundedSemaphore"] = function()
    local s = green.BoundedSemaphore(2)
    s:acquire()
    return s, "1 free of 2, 0 waiting"
  end,
  ["green.CappedSemaphore"] = function()
    return green.CappedSemaphore(1, 2), "1 free of 2, 0 waiting, 0 releasing"
  end,
  ["green.RLock"] = function()
    local lock = green.RLock()
    assert.equal("green.RLock{free, 0 waiting}", tostring(lock))
    lock:acquire()
    local text = tostring(lock)
    lock:release()
    return text, "of green.thread{"
  end,
  ["green.metaphore"] = function() return green.metaphore(), "0 under way, 0 waiting" end,
  ["green.GreenPool"] = function() return green.GreenPool(4), "0 of 4 running, 0 waiting" end,
  ["green.GreenPile"] = function()
    return green.GreenPile(4), "0 results to take, 0 of 4 running"
  end,
  ["green.DAGPool"] = function() return green.DAGPool { a = 1 }, "1 results, 0 running" end,
  ["green.Pool"] = function()
    return green.Pool { create = function() return 1 end }, "0 of 4 taken, 0 waiting"
  end,
  ["green.TokenPool"] = function() return green.TokenPool(), "0 of 4 taken, 0 waiting" end,
  ["green.Token"] = function() return green.TokenPool():get(), "0x" end,
  ["green.local"] = function()
    local values = green.thread_local { a = 1 }
    assert.equal("green.local{0 fields in this green thread}", tostring(values))
    return values.a and values, "1 fields in this green thread"
  end,
  ["green.group"] = function()
    return green.group(function(g)
      g:spawn(nothing)
      return tostring(g)
    end), "1 running"
  end,
  ["green.signal.handler"] = function()
    local handler = signal.handler("USR1", nothing)
    local text = tostring(handler)
    handler:cancel()
    assert.equal("green.signal.handler{SIGUSR1, cancelled}", tostring(handler))
    return text, "SIGUSR1"
  end,
  ["green.socket"] = function()
    local a, b = socket.pair()
    a:close()
    b:close()
    return a, "closed"
  end,
  ["green.socket.datagram"] = function()
    local s = socket.udp()
    local text = tostring(s)
    s:close()
    return text, ", "
  end,
  ["green.testing.stream"] = function()
    local a, b = testing.stream_pair()
    a:close()
    b:close()
    return a, "closed"
  end,
  ["spec.show"] = function() return setmetatable({}, stream.class("spec.show", {})), "0x" end,
  ["green.wsgi.gone"] = function()
    return in_handler(function(env) return tostring(env["green.gone"]) end), "not gone"
  end,
  ["green.wsgi.errors"] = function()
    return in_handler(function(env) return tostring(env.error) end), "0x"
  end,
  ["green.at_exit"] = function()
    local handle = green.at_exit(print)
    handle:cancel()
    return handle, "show_spec.lua:"
  end,
  ["green.env"] = function() return in_handler(tostring), "POST /path" end,
  ["green.input"] = function()
    return in_handler(function(env) return tostring(env.input) end), "2 bytes"
  end,
  ["green.wsgi.server"] = function()
    return in_handler(function(env) return tostring(env["green.server"]) end), "http://127.0.0.1:"
  end,
  ["green.wsgi.log"] = function()
    return in_handler(function(env) return tostring(env["green.server"].log) end), "0 lines, 0 lost"
  end,
}

describe("an object", function()
  for name, make in pairs(kinds) do
    it("prints as " .. name, function()
      local object, state = make()
      local text = tostring(object)
      assert.equal(name .. "{", text:sub(1, #name + 1))
      assert.equal("}", text:sub(-1))
      assert.is_truthy(text:find(state, 1, true), text)
      testing.settle()
    end)
  end

  it("of every kind is in this list, unless it is an error", function()
    for name in pairs(class.all) do
      local is_error = name == "green.error" or name == "green.Timeout"
      assert.is_truthy(kinds[name] or is_error or name:find("^spec%."), name)
    end
  end)

  it("that is an error prints its message", function()
    local timeout = green.Timeout(1)
    assert.equal("timed out after 1 second (ETIMEDOUT)", tostring(timeout))
    timeout:cancel()
    assert.equal("green.StopServe", tostring(green.StopServe))
  end)
end)
