-- A thread that force_after abandoned (core.drop) took along what it held, and what had
-- just been handed over to it: pool slots, permits, locks, items, places in a line,
-- workers and connections of servers. What counts these runs at the end of a thread,
-- not inside it; what was handed over to one that never ran is handed on.

local abandoned = require "spec.support.abandoned"
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

local nothing, quietly = abandoned.nothing, abandoned.quietly
local stubborn, ways = abandoned.stubborn, abandoned.ways

for way, abandon in pairs(ways) do
  describe("a thread abandoned by " .. way, function()
    local function spec(title, fn)
      it(title, function()
        quietly(fn)
      end)
    end

    --- For what tells others its kill error, which core.drop alone does not make.
    local function told(title, fn)
      if way == "force_after" then
        spec(title, fn)
      end
    end

    -- -- Pools ----------------------------------------------------------------

    spec("gives back its slot of a GreenPool", function()
      local pool = green.GreenPool(2)
      local t = pool:spawn(stubborn)
      testing.settle()
      abandon(t)
      assert.equal("killed", t:status())
      assert.equal(0, pool:running())
      assert.equal(2, pool:free())
      assert.is_true(pool:waitall(1))
    end)

    spec("lets who waits for its slot go on", function()
      local pool, order = green.GreenPool(1), {}
      local t = pool:spawn(stubborn)
      testing.settle()
      local waiter = green.spawn(pool.waitall, pool)
      local spawner = green.spawn(function()
        pool:spawn(function()
          order[#order + 1] = "member"
        end):wait()
      end)
      testing.settle()
      assert.equal(1, pool:waiting())
      abandon(t)
      spawner:wait(1)
      assert.same({ "member" }, order)
      waiter:wait(1)
      assert.is_true(waiter:dead())
      assert.equal(0, pool:running())
    end)

    spec("gives back the slot of spawn_n", function()
      local pool, t = green.GreenPool(1), nil
      pool:spawn_n(function()
        t = green.getcurrent()
        stubborn()
      end)
      testing.settle()
      abandon(t)
      assert.is_true(pool:waitall(1))
      assert.equal(1, pool:free())
    end)

    spec("that waited for a slot leaves the line, and one that got it passes it on", function()
      local pool, event = green.GreenPool(1), green.Event()
      pool:spawn(event.wait, event)
      local waiting = green.spawn(pool.spawn, pool, nothing)
      local got_it = green.spawn(pool.spawn, pool, nothing)
      local last = green.spawn(pool.spawn, pool, nothing)
      testing.settle()
      core.drop(waiting)
      assert.equal(2, pool:waiting())
      event:send(true)
      green.sleep(0) -- the member has ended; the slot was handed to got_it
      core.drop(got_it)
      last:wait(1)
      assert.is_true(last:dead())
      assert.is_true(pool:waitall(1))
      assert.equal(1, pool:free())
    end)

    told("is an error of its GreenPile, in its place", function()
      local pile = green.GreenPile(3)
      local t
      pile:spawn(function() return "first" end)
      pile:spawn(function()
        t = green.getcurrent()
        stubborn()
      end)
      pile:spawn(function() return "last" end)
      testing.settle()
      abandon(t)
      assert.same({ 1, "first" }, { pile:next() })
      local ok, err = pcall(pile.next, pile)
      assert.is_false(ok)
      assert.is_true(green.is_error(err, "ECANCELED"))
      assert.same({ 3, "last" }, { pile:next() })
      assert.is_nil((pile:next()))
      assert.equal(0, pile.pool:running())
    end)

    told("is an error of its imap, and the pool goes on", function()
      local pool, t = green.GreenPool(2), nil
      local ok, err = pcall(function()
        green.spawn_after(1, function() abandon(t) end)
        for _ in pool:imap(function(n)
          if n == 2 then
            t = green.getcurrent()
            stubborn()
          end
          return n
        end, { 1, 2, 3 }) do
          green.sleep(0)
        end
      end)
      assert.is_false(ok)
      assert.is_true(green.is_error(err, "ECANCELED"), tostring(err))
      assert.is_true(pool:waitall(5))
      assert.equal(2, pool:free())
      green.sleep(5) -- for who abandons
    end)

    told("frees its key of a DAGPool", function()
      local dag, t = green.DAGPool(), nil
      dag:spawn("a", {}, function()
        t = green.getcurrent()
        stubborn()
      end)
      dag:spawn("b", { "a" }, function(_, inputs)
        for _ in inputs do
          error("it got an input of a call that failed")
        end
      end)
      testing.settle()
      abandon(t)
      assert.is_false(pcall(dag.wait_for, dag, "a", 1))
      assert.is_false(pcall(dag.wait_for, dag, "b", 1))
      assert.equal(0, dag:running())
    end)

    spec("is a child that has ended for its group", function()
      local t
      local ok, err = pcall(green.timeout, 20, green.group, function(group)
        t = group:spawn(stubborn)
        green.spawn_after(1, function() abandon(t) end)
        group:spawn(green.sleep, 2)
      end)
      assert.is_true(ok, tostring(err))
      assert.is_true(t:dead())
    end)

    -- -- Permits and locks ----------------------------------------------------

    spec("gives back the permit of Semaphore:with", function()
      for _, make in ipairs { green.Semaphore, green.BoundedSemaphore } do
        local sem = make(1)
        local t = green.spawn(sem.with, sem, stubborn)
        testing.settle()
        local waiter = green.spawn(sem.acquire, sem)
        testing.settle()
        abandon(t)
        assert.is_true(waiter:wait(1))
        sem:release()
        assert.equal(1, sem:balance())
      end
    end)

    spec("gives back the permit of CappedSemaphore:with", function()
      local sem = green.CappedSemaphore(1, 1)
      local t = green.spawn(sem.with, sem, stubborn)
      testing.settle()
      abandon(t)
      assert.is_true(sem:acquire(1))
    end)

    spec("gives back the permit of CappedSemaphore:with that it could not release yet", function()
      for _, is_woken in ipairs { false, true } do
        local sem = green.CappedSemaphore(1, 1)
        local go, left = green.Event(), {}
        local t = green.spawn(sem.with, sem, function() go:wait() end)
        testing.settle()
        sem:release() -- there is no room for t's
        go:send()
        testing.settle()
        assert.equal(2, sem:balance()) -- one free, one that waits to be released
        if is_woken then
          assert.is_true(sem:try_acquire())
          left[1] = true
        end
        if is_woken then
          core.drop(t)
        else
          abandon(t)
        end
        testing.settle()
        for _ = #left + 1, 2 do
          assert.is_true(sem:acquire(1))
          testing.settle()
        end
        assert.is_false(sem:try_acquire())
        assert.equal(0, sem:balance())
      end
      local sem = green.CappedSemaphore(1, 1)
      local t = green.spawn(sem.with, sem, nothing)
      testing.settle()
      assert.is_true(t:dead())
      abandon(t)
      assert.equal(1, sem:balance())
    end)

    spec("gives back the locks it owns", function()
      local lock, other = green.RLock(), green.RLock()
      local t = green.spawn(function()
        lock:acquire()
        lock:acquire()
        other:with(stubborn)
      end)
      testing.settle()
      local waiter = green.spawn(function()
        assert(lock:acquire())
        lock:release()
        return "had it"
      end)
      testing.settle()
      assert.equal(t, lock:owner())
      abandon(t)
      assert.equal("had it", waiter:wait(1))
      assert.is_false(lock:locked())
      assert.is_true(lock:try_acquire())
      lock:release()
      assert.is_true(other:acquire(1))
      other:release()
    end)

    spec("gives back the item of Pool:with: a place is free", function()
      local made = 0
      local pool = green.Pool { max_size = 1, create = function()
        made = made + 1
        return made
      end }
      local t = green.spawn(pool.with, pool, stubborn)
      testing.settle()
      local waiter = green.spawn(pool.get, pool)
      testing.settle()
      abandon(t)
      local item = waiter:wait(1)
      assert.is_number(item)
      pool:put(item)
      assert.equal(1, pool:free())
      assert.equal(0, pool:waiting())
    end)

    -- -- Waits ----------------------------------------------------------------

    spec("leaves the lines it stood in", function()
      local queue, full, event = green.Queue(), green.Queue(1), green.Event()
      local sem, meta = green.Semaphore(0), green.metaphore()
      full:put("first")
      meta:inc()
      local function hold(fn, ...)
        while true do
          pcall(fn, ...)
        end
      end
      for _, c in ipairs {
        { queue.get, queue, function() return queue:getting() end },
        { full.put, full, function() return full:putting() end, "mine" },
        { sem.acquire, sem, function() return -sem:balance() end },
      } do
        local t = green.spawn(hold, c[1], c[2], c[4])
        testing.settle()
        assert.equal(1, c[3]())
        abandon(t)
        assert.equal(0, c[3]())
      end
      assert.equal("first", full:get())
      assert.is_nil((full:get_nowait()))
      for _, c in ipairs { { event.wait, event }, { meta.wait, meta } } do
        local t = green.spawn(hold, unpack(c))
        testing.settle()
        abandon(t)
      end
      event:send(1)
      meta:dec()
      queue:put(1)
      assert.equal(1, queue:get())
    end)

    spec("that waits for all does not confuse green.wait()", function()
      local t = green.spawn(function()
        while true do
          pcall(green.wait)
        end
      end)
      green.spawn(green.sleep, 1)
      testing.settle()
      abandon(t)
      assert.is_true(green.wait(nil, 5))
    end)

    spec("is no thread that green.wait() waits for", function()
      local t = green.spawn(stubborn)
      testing.settle()
      local waiter = green.spawn(function()
        return green.wait({ t }, 5)[1]
      end)
      testing.settle()
      abandon(t)
      assert.equal(t, waiter:wait(1))
    end)

    told("tells its links and its waiters, who get its kill error", function()
      local t, linked = green.spawn(stubborn), nil
      testing.settle()
      t:link(function(ended) linked = ended end)
      local waiter = green.spawn(function()
        return select(2, pcall(t.wait, t))
      end)
      testing.settle()
      abandon(t)
      assert.is_true(green.is_error(waiter:wait(1), "ECANCELED"))
      testing.settle()
      assert.equal(t, linked)
    end)
  end)
end

-- -- Handed over, and then dropped before they ran -----------------------------

--- So many wait for a lock; the first is dropped when it has just got it.
local function assert_handed_on(waiters, lock)
  local list, got = {}, 0
  lock:acquire()
  for i = 1, waiters do
    list[i] = green.spawn(function()
      lock:acquire()
      got = got + 1
      lock:release()
    end)
  end
  testing.settle()
  lock:release()
  core.drop(list[1])
  testing.settle()
  assert.equal(waiters - 1, got)
  assert.is_false(lock:locked())
  assert.is_true(lock:acquire(0))
  lock:release()
end

describe("what is handed over to a thread that is dropped before it runs:", function()
  it("a permit goes to the next, or back", function()
    for _, make in ipairs { green.Semaphore, green.BoundedSemaphore } do
      for waiters = 1, 3 do
        local sem = make(1)
        assert_handed_on(waiters, sem)
        assert.equal(1, sem:balance())
      end
    end
  end)

  it("a permit of a CappedSemaphore, and its room", function()
    local sem = green.CappedSemaphore(0, 1)
    local a = green.spawn(sem.acquire, sem)
    local b = green.spawn(sem.acquire, sem)
    testing.settle()
    sem:release()
    core.drop(a)
    assert.is_true(b:wait(1))
    assert.equal(0, sem:balance())
    sem:release()
    local r = green.spawn(sem.release, sem)
    local s = green.spawn(sem.release, sem)
    testing.settle()
    assert.is_true(sem:acquire()) -- takes one in; r goes on
    core.drop(r)
    testing.settle()
    -- Whether r's permit counts or s's: one is there, and nobody waits for ever.
    assert.is_true(sem:acquire(1))
    s:wait(1)
    assert.is_true(s:dead())
  end)

  it("a lock goes to the next, or is free", function()
    for waiters = 1, 3 do
      assert_handed_on(waiters, green.RLock())
    end
  end)

  it("an item goes to the next getter", function()
    for _, make in ipairs { green.Queue, green.LifoQueue, green.PriorityQueue } do
      local queue = make()
      local a = green.spawn(queue.get, queue)
      local b = green.spawn(queue.get, queue)
      testing.settle()
      queue:put("x")
      core.drop(a)
      assert.equal("x", b:wait(1))
    end
  end)

  it("an item goes back to the front of the queue", function()
    local queue = green.Queue()
    local a = green.spawn(queue.get, queue)
    testing.settle()
    queue:put(1)
    queue:put(2)
    core.drop(a)
    testing.settle()
    assert.equal(2, queue:qsize())
    assert.equal(1, queue:get(0))
    assert.equal(2, queue:get(0))
  end)

  it("an item goes back to a PriorityQueue in its order", function()
    local queue = green.PriorityQueue()
    local a = green.spawn(queue.get, queue)
    testing.settle()
    queue:put(2)
    queue:put(1)
    queue:put(3)
    core.drop(a)
    testing.settle()
    assert.same({ 1, 2, 3 }, { queue:get(0), queue:get(0), queue:get(0) })
  end)

  it("several items to several who are all dropped", function()
    local queue, list = green.Queue(), {}
    for i = 1, 4 do
      list[i] = green.spawn(queue.get, queue)
    end
    testing.settle()
    for i = 1, 3 do
      queue:put(i)
    end
    for i = 1, 3 do
      core.drop(list[i])
    end
    assert.equal(1, list[4]:wait(8))
    testing.settle()
    local left = { queue:get(0), queue:get(0) }
    table.sort(left)
    assert.same({ 2, 3 }, left)
    assert.is_nil((queue:get_nowait()))
  end)

  it("an item of a queue with tasks still counts once", function()
    local queue = green.Queue()
    local a = green.spawn(queue.get, queue)
    testing.settle()
    queue:put(1)
    core.drop(a)
    testing.settle()
    assert.equal(1, queue:get(0))
    queue:task_done()
    assert.is_true(queue:join(1))
  end)

  it("an item of a Pool goes to the next, or back", function()
    for waiters = 1, 2 do
      local pool = green.Pool { max_size = 1, create = function() return "item" end }
      local item, list = pool:get(), {}
      for i = 1, waiters do
        list[i] = green.spawn(pool.get, pool)
      end
      testing.settle()
      pool:put(item)
      core.drop(list[1])
      if waiters == 2 then
        assert.equal("item", list[2]:wait(8))
        pool:put(item)
      end
      testing.settle()
      assert.equal(1, pool:free())
      assert.equal("item", pool:get(0))
    end
  end)

  it("a place of a Pool (somebody put nil) goes to the next, or is free", function()
    for waiters = 1, 2 do
      local pool = green.Pool { max_size = 1, create = function() return "item" end }
      local list = {}
      pool:get()
      for i = 1, waiters do
        list[i] = green.spawn(pool.get, pool)
      end
      testing.settle()
      pool:put(nil)
      core.drop(list[1])
      if waiters == 2 then
        assert.equal("item", list[2]:wait(8))
        pool:put("item")
      end
      testing.settle()
      assert.equal(1, pool:free())
      assert.equal("item", pool:get(0))
    end
  end)

  it("a slot of a GreenPool goes to the next spawner, or is free", function()
    for spawners = 1, 2 do
      local pool, event, ran, list = green.GreenPool(1), green.Event(), 0, {}
      pool:spawn(event.wait, event)
      for i = 1, spawners do
        list[i] = green.spawn(pool.spawn, pool, function() ran = ran + 1 end)
      end
      testing.settle()
      pool:resize(2) -- the first has a slot, and is ready
      assert.equal("ready", list[1]:status())
      core.drop(list[1])
      testing.settle()
      assert.equal(spawners - 1, ran)
      assert.equal(1, pool:running())
      assert.equal(0, pool:waiting())
      event:send(true)
      assert.is_true(pool:waitall(1))
      assert.equal(2, pool:free())
    end
  end)

  it("an item that a waiting put has given is taken, one that has not is gone with it", function()
    local queue = green.Queue(1)
    queue:put("a")
    local putters = {}
    for i = 1, 3 do
      putters[i] = green.spawn(queue.put, queue, i)
    end
    testing.settle()
    assert.equal("a", queue:get()) -- takes 1 in; its putter is ready
    core.drop(putters[1])
    core.drop(putters[2])
    assert.equal(1, queue:putting())
    assert.equal(1, queue:get())
    assert.equal(3, queue:get())
    assert.equal(0, queue:putting())
  end)

  it("a lock whose owner ends without releasing is free", function()
    for _, how in ipairs { "returned", "raised", "killed" } do
      quietly(function()
        local lock = green.RLock()
        local t = green.spawn(function()
          lock:acquire()
          lock:acquire()
          green.sleep(how == "killed" and 100 or 1)
          if how == "raised" then
            error("x", 0)
          end
        end)
        testing.settle()
        local waiter = green.spawn(lock.acquire, lock)
        testing.settle()
        if how == "killed" then
          t:kill()
        end
        pcall(t.wait, t)
        assert.is_true(waiter:wait(5), how)
        testing.settle()
        assert.is_true(lock:acquire(1), how) -- the waiter has ended, too
        lock:release()
        assert.is_false(lock:locked())
      end)
    end
  end)

  it("a slot of a member killed before it started is free at once", function()
    local pool = green.GreenPool(1)
    local t = pool:spawn(nothing)
    t:kill()
    assert.equal(0, pool:running())
    assert.equal(1, pool:free())
    local waiter
    t = pool:spawn(nothing)
    waiter = green.spawn(pool.spawn, pool, nothing)
    t:kill_soon()
    testing.settle()
    assert.is_true(waiter:dead())
    assert.is_true(pool:waitall(1))
  end)
end)
