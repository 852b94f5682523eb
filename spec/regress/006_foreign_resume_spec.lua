-- Inside a coroutine that the patched resume runs, a coroutine resumed by the raw
-- function (kept from before `require "green"`) could begin a wait: its want stayed
-- behind, and the next raw yield armed it for the wrong thread: a wait nobody asked
-- for, and use after free when its queue was gone.

local chunk = require "spec.support.chunk"

local PRELUDE = [[
local raw = {}
for name, fn in pairs(coroutine) do raw[name] = fn end
local green, socket = require "green", require "green.socket"
local core, signal = require "green.core", require "green.signal"
local REFUSAL = "cannot wait in a coroutine that greenlua did not resume"

local function collect() collectgarbage() collectgarbage() end

local function same(a, b, what)
  if a ~= b then error(("%s: %s, not %s"):format(what, tostring(a), tostring(b)), 2) end
end

--- fn in a coroutine that is resumed raw. Its results.
local function raw_call(fn, ...)
  return raw.resume(raw.create(fn), ...)
end

local function refused(fn, ...)
  local ok, err = raw_call(fn, ...)
  if ok or not tostring(err):find(REFUSAL, 1, true) then
    error(("not refused: %s, %s"):format(tostring(ok), tostring(err)), 2)
  end
end

--- fn n patched coroutines deep.
local function nested(n, fn)
  if n == 0 then return fn() end
  return coroutine.wrap(function() return nested(n - 1, fn) end)()
end

local function stats()
  collect()
  local s = core.stats()
  return ("%d waits, %d timers, %d fds"):format(s.waits, s.timers, s.fds)
end
]]

--- Calls that wait, and how to see whether somebody stands there.
local WAITS = {
  ["Queue:get"] = { "local o = green.Queue()", "o:get()", "same(o:getting(), 0, 'getting')" },
  ["Queue:put"] = { "local o = green.Queue(0)", "o:put(1)", "same(o:putting(), 0, 'putting')" },
  ["Semaphore:acquire"] = { "local o = green.Semaphore(0)", "o:acquire()",
    "same(o:balance(), 0, 'balance')" },
  ["Event:wait"] = { "local o = green.Event()", "o:wait()", "o:send(1)" },
  sleep = { "", "green.sleep(0.01)", "" },
  ["sleep(0)"] = { "", "green.sleep(0)", "" },
  ["Thread:wait"] = { "local o = green.spawn(green.sleep, 60) green.sleep(0)", "o:wait()",
    "o:kill()" },
  ["Thread:kill"] = { "local o = green.spawn(green.sleep, 60) green.sleep(0)", "o:kill()",
    "same(o:status(), 'parked', 'status') o:kill()" },
  read = { "local a, b = socket.pair()", "a:read(1)",
    "b:write('x') same(a:read(1, { timeout = 8 }), 'x', 'read') a:close() b:close()" },
  wait = { "local o = green.Queue()", "green.wait({ o })", "o:put(1) same(o:qsize(), 1, 'size')" },
  ["signal.wait"] = { "", "signal.wait('USR1')", "" },
  timeout = { "", "green.timeout(0.01, green.sleep, 1)", "" },
  ["core.park"] = { "local o = core.waitq()", "core.park(o)",
    "same(core.waiting(o), 0, 'waiting')" },
}

local BODY = [[
local t = green.spawn(function()
  for depth = 0, 3 do
    %s
    local before = stats()
    nested(depth, function() refused(function() %s end) end)
    collect()
    same(stats(), before, "left behind")
    local went_on = false
    raw.yield() -- a turn for the others, no more
    went_on = true
    same(went_on, true, "after the yield")
    same(stats(), before, "left behind after the yield")
    green.sleep(0)
    %s
  end
  return "fine"
end)
print(t:wait(5))
]]

describe("a wait in a coroutine that was resumed raw", function()
  for name, wait in pairs(WAITS) do
    it(("is refused and leaves nothing for a raw yield to arm: %s"):format(name), function()
      chunk.prints("fine\n", PRELUDE .. BODY:format(wait[1], wait[2], wait[3]))
    end)
  end

  it("is refused when the raw coroutine runs patched ones", function()
    chunk.prints("fine\n", PRELUDE .. [[
      local q = green.Queue()
      local t = green.spawn(function()
        for depth = 0, 2 do
          nested(depth, function()
            refused(function() return nested(1, function() return q:get() end) end)
            refused(function() return nested(2, function() return q:get() end) end)
            refused(function()
              local ok, err = raw.resume(raw.create(function() return q:get() end))
              same(ok, false, "inner")
              error(err, 0)
            end)
          end)
          raw.yield()
          same(q:getting(), 0, "getting")
        end
        return "fine"
      end)
      print(t:wait(5))
    ]])
  end)

  it("is refused in the main chunk too", function()
    chunk.prints("fine\n", PRELUDE .. [[
      for depth = 0, 3 do
        nested(depth, function() refused(green.sleep, 0.001) end)
        nested(depth, function() refused(function() green.Queue():get() end) end)
        collect()
        green.sleep(0.001)
      end
      print "fine"
    ]])
  end)

  it("is refused in a raw wrap, and by the same text again and again", function()
    chunk.prints("fine\n", PRELUDE .. [[
      local q = green.Queue()
      local t = green.spawn(function()
        for _ = 1, 100 do
          nested(1, function()
            local ok, err = pcall(raw.wrap(function() q:get() end))
            same(ok, false, "raw wrap")
            same(tostring(err):find(REFUSAL, 1, true) ~= nil, true, tostring(err))
          end)
        end
        return "fine"
      end)
      print(t:wait(5))
    ]])
  end)

  it("is refused in a coroutine that its own pcall goes on in", function()
    chunk.prints("1\t2\t3\nfine\n", PRELUDE .. [[
      local q = green.Queue()
      local t = green.spawn(function()
        nested(1, function()
          local co = raw.create(function()
            for i = 1, 3 do
              local ok, err = pcall(q.get, q)
              same(ok, false, "get")
              same(tostring(err):find(REFUSAL, 1, true) ~= nil, true, tostring(err))
              raw.yield(i)
            end
          end)
          print(select(2, raw.resume(co)), select(2, raw.resume(co)), select(2, raw.resume(co)))
        end)
        green.sleep(0)
        q:put("fine")
        return q:get()
      end)
      print(t:wait(5))
    ]])
  end)

  it("leaves the waits of the patched coroutines around it well", function()
    chunk.prints("x\nfine\n", PRELUDE .. [[
      local q = green.Queue()
      local t = green.spawn(function()
        return nested(2, function()
          refused(function() q:get() end)
          print((q:get())) -- waits, in patched coroutines
          refused(function() q:get() end)
          green.sleep(0.001)
          return "fine"
        end)
      end)
      green.sleep(0)
      same(q:getting(), 1, "getting")
      q:put("x")
      print(t:wait(5))
    ]])
  end)
end)

describe("a raw yield", function()
  it("at the top of a green thread is a turn, whatever was refused before", function()
    chunk.prints("1 a\n1 b\n2 a\n2 b\n3 a\n3 b\n", PRELUDE .. [[
      local list = {}
      for _, name in ipairs { "a", "b" } do
        list[#list + 1] = green.spawn(function()
          for i = 1, 3 do
            print(i .. " " .. name)
            nested(1, function() raw_call(green.sleep, 100) end)
            raw.yield(i, nil, name)
          end
        end)
      end
      same(#green.joinall(list, 5), 2, "ended")
    ]])
  end)

  it("of values does not reach the thread's waiters, and gives nothing back", function()
    chunk.prints("0\nfine\n", PRELUDE .. [[
      local t = green.spawn(function()
        print(select("#", raw.yield(1, 2, 3)))
        return "fine"
      end)
      print(t:wait(5))
    ]])
  end)

  it("in a killed thread is a checkpoint or nothing, and the thread ends", function()
    chunk.prints("killed\n", PRELUDE .. [[
      local q = green.Queue()
      local t = green.spawn(function()
        nested(1, function() raw_call(q.get, q) end)
        raw.yield()
        green.sleep(10)
      end)
      green.sleep(0)
      t:kill()
      print(t:status())
      same(q:getting(), 0, "getting")
    ]])
  end)

  it("of the sentinel, kept from a former yield, harms nobody", function()
    chunk.prints("fine\n", PRELUDE .. [[
      local sentinel
      local t = green.spawn(function()
        nested(1, function()
          local ok, value = raw_call(green.sleep, 0.01)
          sentinel = value
        end)
        local co = raw.create(function() raw.yield(core.sentinel) return 1 end)
        pcall(nested, 1, function() raw.resume(co) end)
        pcall(raw.yield, core.sentinel)
        green.sleep(0.001)
        return "fine"
      end)
      print(t:wait(5))
    ]])
  end)

  it("does not take along what is freed (queues of collected objects)", function()
    chunk.prints("back\nreturned\n", PRELUDE .. [[
      local function go()
        local q = green.Queue()
        raw.resume(coroutine.create(function() return q:get() end))
      end
      local t = green.spawn(function()
        local f = coroutine.wrap(function() go() return 1 end)
        f()
        f = nil
        for _ = 1, 4 do collectgarbage() end
        raw.yield()
        print "back"
      end)
      green.timeout(0.1, t.wait, t)
      print(t:status())
    ]])
  end)
end)
