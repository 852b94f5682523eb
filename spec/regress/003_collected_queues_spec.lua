-- A finalizer that asked an object which was collected with it (who waits? put,
-- release, send) walked into the list of a queue whose own finalizer had run: a
-- segmentation fault in an ordinary collection.

local chunk = require "spec.support.chunk"

--- name -> { how it is made, what is asked: expressions about `o` }
local kinds = {
  Queue = { "green.Queue()", [[
    o:getting() o:putting() o:qsize() o:empty() o:full() o:put_nowait(1) o:get_nowait()
    o:resize(3) o:_ready()
  ]] },
  ["Queue of size 0"] = { "green.Queue(0)", "o:put_nowait(1) o:get_nowait() o:resize(1)" },
  LightQueue = { "green.LightQueue(1)", "o:put_nowait(1) o:put_nowait(2) o:get_nowait()" },
  LifoQueue = { "green.LifoQueue(1)", "o:put_nowait(1) o:getting() o:putting()" },
  PriorityQueue = { "green.PriorityQueue(1)", "o:put_nowait(1) o:getting() o:putting()" },
  ["Queue that is shut down"] = { "green.Queue()", "o:shutdown()" },
  ["Queue with tasks"] = { "green.Queue()", "o:put_nowait(1) o:get_nowait() o:task_done()" },
  Event = { "green.Event()", "o:ready() o:send(1) o:ready()" },
  ["Event that fails"] = { "green.Event()", "o:send_exception('x')" },
  Semaphore = { "green.Semaphore(0)", "o:release() o:balance() o:locked() o:try_acquire()" },
  BoundedSemaphore = { "green.BoundedSemaphore(1)", "o:try_acquire() o:release() o:balance()" },
  CappedSemaphore = { "green.CappedSemaphore(0, 1)",
    "o:release() o:try_acquire() o:try_acquire() o:balance() o:locked() o:bounded()" },
  RLock = { "green.RLock()", "o:try_acquire() o:release() o:locked() o:owner()" },
  metaphore = { "green.metaphore()", "o:inc() o:dec() o:count()" },
  Pool = { "green.Pool { create = function() return {} end, max_size = 1 }",
    "local x = o:get() o:waiting() o:put(x) o:free() o:size() o:resize(3)" },
  TokenPool = { "green.TokenPool { max_size = 1 }", "o:waiting() o:free() o:resize(0)" },
  GreenPool = { "green.GreenPool(1)",
    "o:running() o:free() o:waiting() o:resize(2) o:size() o:waitall()" },
  GreenPile = { "green.GreenPile(1)", "o.pool:waiting() o.pool:running()" },
  DAGPool = { "green.DAGPool()", "o:waiting() o:running()" },
  ["wait queue"] = { "core.waitq()", [[
    core.waiting(o) core.wake(o, 1) core.wake_all(o, 1) core.waiting(o)
  ]] },
}

-- `ask` in pcall: an error is no matter here, a crash is. One that may wait must
-- say so and do no harm.
local CODE = [[
  local green, core = require "green", require "green.core"
  local function ask(o)
    %s
    return o
  end
  local problems = {}
  local function finalizer(o, in_coroutine)
    return function()
      local ok, err
      if in_coroutine then
        ok, err = pcall(coroutine.wrap(function() ask(o) end))
      else
        ok, err = pcall(ask, o)
      end
      tostring(o)
      if not ok and not tostring(err):find("cannot wait", 1, true) then
        problems[#problems + 1] = tostring(err)
      end
    end
  end
  for round = 1, 60 do
    local before, after = newproxy(true), nil
    local o = %s
    after = newproxy(true)
    getmetatable(round %% 2 == 0 and before or after).__gc = finalizer(o, round %% 3 == 0)
    %s
    if round %% 7 == 0 then collectgarbage() end
  end
  collectgarbage() collectgarbage()
  green.sleep(0)
  print(#problems == 0 and "ok" or table.concat(problems, "\n"))
]]

local function code(kind, extra)
  local ask = kinds[kind][2]:gsub("%s+([%a_%.]+[:%.][%a_]+%()", "\n%1")
  return CODE:format(ask, kinds[kind][1], extra or "")
end

describe("a finalizer may ask what is collected with it:", function()
  for kind in pairs(kinds) do
    it("a " .. kind, function()
      chunk.prints("ok\n", code(kind))
    end)
  end

  -- Waiters go with the queue they stand in when nobody can wake them: dropped
  -- threads, whose coroutines keep the object until now.
  for kind, wait in pairs {
    Queue = "o.get, o",
    ["Queue of size 0"] = "o.put, o, 1",
    Event = "o.wait, o",
    Semaphore = "o.acquire, o",
    CappedSemaphore = "o.acquire, o",
    metaphore = "function() o:inc() o:wait() end",
    ["wait queue"] = "core.park, o",
  } do
    it(("a %s in which dropped threads stood"):format(kind), function()
      chunk.prints("ok\n", code(kind, ([[
        local t = green.spawn(%s)
        local other = green.spawn(%s)
        green.sleep(0)
        core.drop(t)
        core.drop(other)
      ]]):format(wait, wait)))
    end)

    it(("a %s that a coroutine keeps, which is dropped amidst a wait"):format(kind), function()
      chunk.prints("ok\n", code(kind, ([[
        local t = green.spawn(function() coroutine.wrap(function() pcall(%s) end)() end)
        green.sleep(0)
        core.drop(t)
      ]]):format(wait)))
    end)
  end
end)

describe("an object that its finalizer's neighbour has saved", function()
  local SAVED = [[
    local green, core = require "green", require "green.core"
    local saved = {}
    for i = 1, 20 do
      local guard, o = newproxy(true), %s
      getmetatable(guard).__gc = function() saved[#saved + 1] = o end
    end
    collectgarbage() collectgarbage()
    assert(#saved == 20, #saved)
    for _, o in ipairs(saved) do
      %s
    end
    saved = nil
    collectgarbage() collectgarbage()
    print "ok"
  ]]

  -- Usable as before, or refused by an error: never a crash, never a lost waiter.
  local USES = {
    Queue = { "green.Queue()", [[
      local t = green.spawn(o.get, o)
      green.sleep(0)
      assert(o:getting() == 1)
      o:put("x")
      assert(t:wait(1) == "x")
    ]] },
    Event = { "green.Event()", [[
      local t = green.spawn(o.wait, o)
      green.sleep(0)
      o:send("x")
      assert(t:wait(1) == "x")
    ]] },
    Semaphore = { "green.Semaphore(0)", [[
      local t = green.spawn(o.acquire, o)
      green.sleep(0)
      assert(o:balance() == -1)
      o:release()
      assert(t:wait(1) == true)
    ]] },
    GreenPool = { "green.GreenPool(1)", [[
      o:spawn(green.sleep, 0)
      o:spawn(green.sleep, 0)
      assert(o:waitall(1) == true)
    ]] },
    Pool = { "green.Pool { create = function() return 1 end, max_size = 1 }", [[
      local item = o:get()
      local t = green.spawn(o.get, o)
      green.sleep(0)
      assert(o:waiting() == 1)
      o:put(item)
      assert(t:wait(1) == 1)
    ]] },
    ["wait queue"] = { "core.waitq()", [[
      local t = green.spawn(core.park, o)
      green.sleep(0)
      assert(core.waiting(o) == 1)
      assert(core.wake(o))
      assert(t:wait(1) == 0)
    ]] },
  }

  for kind, use in pairs(USES) do
    it("works on: a " .. kind, function()
      chunk.prints("ok\n", SAVED:format(use[1], use[2]))
    end)
  end

  it("works on: a socket", function()
    chunk.prints("ok\n", [[
      local green, socket = require "green", require "green.socket"
      local saved = {}
      for i = 1, 20 do
        local guard = newproxy(true)
        local a, b = socket.pair()
        getmetatable(guard).__gc = function() saved[#saved + 1] = { a, b } end
      end
      collectgarbage() collectgarbage()
      for _, pair in ipairs(saved) do
        local a, b = pair[1], pair[2]
        local ok, err = b:write("x\n") -- closed by then, or as before
        assert(ok or err:is("ECLOSED"), tostring(err))
        assert(not ok or a:read_line { timeout = 8 } == "x")
        tostring(a)
        a:close() b:close()
      end
      print "ok"
    ]])
  end)
end)
