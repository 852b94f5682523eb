-- Telling the watchers of an object walked a list that changed under it: a collection
-- amidst a put, release or send ended an abandoned iwait, whose finalizer took its
-- watcher out. The innocent put raised ("attempt to call a nil value"), or somebody
-- was not told.

local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

local function nothing() end

--- name -> { make() makes an object that is not ready, tell(obj) makes it ready }
local kinds = {
  Queue = { green.Queue, function(o)
    return o:put(1)
  end },
  ["Queue, put_nowait"] = { green.Queue, function(o)
    return o:put_nowait(1)
  end },
  LifoQueue = { green.LifoQueue, function(o)
    return o:put(1)
  end },
  PriorityQueue = { green.PriorityQueue, function(o)
    return o:put(1)
  end },
  ["Queue of size 0"] = { function()
    return green.Queue(0)
  end, function(o)
    green.spawn(o.put, o, 1)
    green.sleep(0)
    return true
  end, function(o)
    o:get()
  end },
  ["Queue that is shut down"] = { green.Queue, function(o)
    o:shutdown()
    return true
  end },
  Event = { green.Event, function(o)
    o:send(1)
    return true
  end },
  ["Event that fails"] = { green.Event, function(o)
    o:send_exception("x")
    return true
  end },
  Semaphore = { function()
    return green.Semaphore(0)
  end, function(o)
    return o:release()
  end },
  BoundedSemaphore = { function()
    local o = green.BoundedSemaphore(1)
    o:acquire()
    return o
  end, function(o)
    return o:release()
  end },
  CappedSemaphore = { function()
    return green.CappedSemaphore(0, 1)
  end, function(o)
    return o:release()
  end },
  ["CappedSemaphore without room"] = { function()
    return green.CappedSemaphore(0, 0)
  end, function(o)
    green.spawn(o.release, o)
    green.sleep(0)
    return true
  end, function(o)
    o:acquire()
  end },
  RLock = { function()
    local o = green.RLock()
    local holder = green.spawn(function()
      o:acquire()
      green.sleep(1)
      o:release()
    end)
    green.sleep(0)
    return o, holder
  end, function()
    green.sleep(1)
    return true
  end },
  metaphore = { function()
    local o = green.metaphore()
    o:inc()
    return o
  end, function(o)
    o:dec()
    return true
  end },
  Pool = { function()
    local o = green.Pool { create = function() return {} end, max_size = 1 }
    o:get()
    return o
  end, function(o)
    o:put({})
    return true
  end },
  ["Pool that gets nil"] = { function()
    local o = green.Pool { create = function() return {} end, max_size = 1 }
    o:get()
    return o
  end, function(o)
    o:put(nil)
    return true
  end },
}

local function collect()
  collectgarbage()
  collectgarbage()
end

--- Begin an iwait over it and leave the loop at once, so that its iterator is
-- garbage that still watches.
local function leave_early(obj)
  local event = green.Event()
  green.spawn_n(function()
    event:send(1)
  end)
  for _ in green.iwait({ obj, event }) do -- luacheck: ignore 512
    break
  end
end

local function watcher(told, name, also)
  return function()
    told[name] = (told[name] or 0) + 1
    if also then
      also()
    end
  end
end

for name, kind in pairs(kinds) do
  local make, tell, done = kind[1], kind[2], kind[3] or nothing

  describe("telling the watchers of a " .. name, function()
    it("survives a collection that ends abandoned loops, and misses nobody", function()
      for lost = 1, 5 do
        local obj, told = make(), {}
        for _ = 1, lost do
          leave_early(obj)
        end
        obj:_watch(watcher(told, "first", collect))
        for _ = 1, lost do
          leave_early(obj)
        end
        obj:_watch(watcher(told, "middle", collect))
        for _ = 1, lost do
          leave_early(obj)
        end
        obj:_watch(watcher(told, "last"))
        assert.is_true(tell(obj) or true)
        assert.same({ first = 1, middle = 1, last = 1 }, told)
        done(obj)
      end
    end)

    it("survives a collection that ends all but the one told", function()
      local obj, told = make(), {}
      for _ = 1, 3 do
        leave_early(obj)
      end
      obj:_watch(watcher(told, "only", collect))
      for _ = 1, 3 do
        leave_early(obj)
      end
      tell(obj)
      assert.same({ only = 1 }, told)
      done(obj)
    end)

    it("skips nobody when watchers take themselves away", function()
      local obj, told, fns = make(), {}, {}
      for i = 1, 6 do
        fns[i] = watcher(told, i, function()
          obj:_unwatch(fns[i])
        end)
        obj:_watch(fns[i])
      end
      tell(obj)
      assert.same({ 1, 1, 1, 1, 1, 1 }, told)
      done(obj)
    end)

    it("does not tell who was taken away meanwhile, and tells the others once", function()
      for who = 1, 5 do -- takes away the neighbours
        local obj, told, fns = make(), {}, {}
        for i = 1, 5 do
          fns[i] = watcher(told, i, i == who and function()
            for gone = 1, 5 do
              if gone ~= who and gone % 2 ~= who % 2 then
                obj:_unwatch(fns[gone])
              end
            end
          end)
          obj:_watch(fns[i])
        end
        tell(obj)
        for i = 1, 5 do
          local wanted = (i < who or i % 2 == who % 2) and 1 or nil
          assert.equal(wanted, told[i], ("watcher %d, taken away by %d"):format(i, who))
        end
        done(obj)
      end
    end)

    it("ends when watchers watch anew", function()
      local obj, told, again = make(), {}, nil
      local n = 0
      again = watcher(told, "again", function()
        n = n + 1
        obj:_unwatch(again)
        if n < 1000 then
          obj:_watch(again)
        end
      end)
      obj:_watch(again)
      obj:_watch(watcher(told, "other"))
      tell(obj)
      assert.equal(1, told.other)
      assert.is_true(n < 1000, n .. " times")
      obj:_unwatch(again)
      done(obj)
    end)

    it("tells who stands in green.wait and in loops, while others leave theirs", function()
      local obj = make()
      local got = {}
      for i = 1, 3 do
        leave_early(obj)
        green.spawn(function()
          got[i] = green.wait({ obj, green.Event() }, 5, 1)[1]
        end)
        green.spawn(function()
          for o in green.iwait({ obj, green.Event() }, 5) do -- luacheck: ignore 512
            got[i + 3] = o
            break
          end
        end)
        green.sleep(0)
      end
      obj:_watch(collect)
      tell(obj)
      testing.settle()
      for i = 1, 6 do
        assert.equal(obj, got[i], i)
      end
      collect()
      done(obj)
    end)
  end)
end

describe("_unwatch", function()
  it("of what was never watched, or is not any more, is nothing", function()
    local q = green.Queue()
    q:_unwatch(nothing)
    q:_watch(nothing)
    q:_unwatch(print)
    q:_unwatch(nothing)
    q:_unwatch(nothing)
    assert.is_true(q:put(1))
  end)

  it("ends the telling for good", function()
    local q, told = green.Queue(), {}
    local a, b = watcher(told, "a"), watcher(told, "b")
    q:_watch(a)
    q:_watch(b)
    q:put(1)
    q:_unwatch(a)
    q:put(1)
    assert.same({ a = 1, b = 2 }, told)
  end)
end)

describe("a thread that ends tells its links", function()
  it("while they unlink themselves and each other, and loops are collected", function()
    local told, fns = {}, {}
    local t = green.spawn(green.sleep, 1)
    for i = 1, 4 do
      leave_early(t)
      fns[i] = function()
        told[i] = (told[i] or 0) + 1
        t:unlink(fns[i])
        t:unlink(fns[5 - i])
        collect()
      end
      t:link(fns[i])
      leave_early(t)
    end
    t:wait()
    testing.settle()
    assert.same({ 1, 1, 1, 1 }, told)
  end)

  it("when the collection comes between its end and the telling", function()
    local t = green.spawn(nothing)
    local got
    for _ = 1, 3 do
      leave_early(t)
    end
    local waiter = green.spawn(function()
      got = green.wait({ t, green.Event() }, 5, 1)[1]
    end)
    collect()
    waiter:wait()
    assert.equal(t, got)
  end)
end)
