local core = require "green.core"
local green = require "green"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it = testing.busted()

local kinds = { "Queue", "LightQueue", "PriorityQueue", "LifoQueue" }

local function is_code(code, value, err)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, code), tostring(err))
end

local function drain(q)
  local items = {}
  while not q:empty() do
    items[#items + 1] = q:get()
  end
  return items
end

local function get(q, timeout)
  return q:get(timeout)
end

local function put(q, timeout)
  return q:put("more", timeout)
end

local function is_item(...)
  assert.are.equal(1, select("#", ...))
  assert.are.equal("item", (...))
end

local function is_true(...)
  assert.are.equal(1, select("#", ...))
  assert.is_true((...))
end

for _, kind in ipairs(kinds) do
  local new = function(...)
    return green[kind](...)
  end

  describe(kind, function()
    parks.check(it, "get", {
      make = new,
      call = get,
      ready = function(q)
        q:put_nowait("item")
      end,
      good = is_item,
      timeout = true,
    })

    parks.check(it, "put on a full queue", {
      make = function()
        local q = new(1)
        q:put("one")
        return q
      end,
      call = put,
      ready = function(q)
        q:get_nowait()
      end,
      good = is_true,
      timeout = true,
    })

    parks.check(it, "get from a queue of size 0", {
      make = function()
        return new(0)
      end,
      call = get,
      ready = function(q)
        green.spawn(q.put, q, "item")
        testing.settle()
      end,
      wake = function(q)
        q:put_nowait("item")
      end,
      good = is_item,
      timeout = true,
      -- ready gives the others their turn already, and leaves a put behind.
      without = {
        ["returns at once when it can"] = true,
      },
    })

    parks.check(it, "put on a queue of size 0", {
      make = function()
        return new(0)
      end,
      call = put,
      ready = function(q)
        green.spawn(q.get, q)
        testing.settle()
      end,
      wake = function(q)
        assert(q:get_nowait())
      end,
      good = is_true,
      timeout = true,
      without = {
        ["returns at once when it can"] = true,
      },
    })

    it("takes any item but nil", function()
      local q = new()
      assert.has_error(function()
        q:put(nil)
      end)
      assert.has_error(function()
        q:put_nowait(nil)
      end)
      q:put(false)
      assert.is_false(q:get())
    end)

    it("checks its size", function()
      assert.is_false(pcall(new, -1))
      assert.is_false(pcall(new, "big"))
      assert.is_false(pcall(new().resize, new(), -1))
    end)

    it("tells its state exactly", function()
      local q = new(2)
      assert.are.same({ 0, true, false }, { q:qsize(), q:empty(), q:full() })
      q:put(1)
      assert.are.same({ 1, false, false }, { q:qsize(), q:empty(), q:full() })
      q:put(2)
      assert.are.same({ 2, false, true }, { q:qsize(), q:empty(), q:full() })
      local putter = green.spawn(q.put, q, 3)
      testing.settle()
      assert.are.same({ 1, 0 }, { q:putting(), q:getting() })
      drain(q)
      local getter = green.spawn(q.get, q)
      testing.settle()
      assert.are.same({ 0, 1 }, { q:putting(), q:getting() })
      assert.is_true(putter:wait())
      green.kill(getter)
      assert.are.same({ 0, 0 }, { q:putting(), q:getting() })
      assert.matches("green%." .. kind .. "{0 of 2, 0 putting, 0 getting}", tostring(q))
    end)

    it("without a size takes any number of items", function()
      local q = new()
      for i = 1, 1000 do
        assert.is_true(q:put(i))
      end
      assert.is_false(q:full())
      assert.are.equal(1000, q:qsize())
      assert.are.equal(1000, #drain(q))
    end)

    it("of size 0 is a meeting: empty and full at once [b42]", function()
      local q = new(0)
      assert.is_true(q:empty())
      assert.is_true(q:full())
      is_code("ETIMEDOUT", q:put("x", 1))
      is_code("ETIMEDOUT", q:get(1))
    end)

    it("of size 0 keeps nothing of a put that timed out [b44]", function()
      local q = new(0)
      is_code("ETIMEDOUT", q:put("lost", 1))
      is_code("EAGAIN", q:get_nowait())
      local t = green.spawn(q.get, q)
      testing.settle()
      q:put("kept")
      assert.are.equal("kept", t:wait())
      assert.are.equal(0, q:putting())
    end)

    it("of size 0 takes a put_nowait only if somebody waits [b46]", function()
      local q = new(0)
      is_code("EAGAIN", q:put_nowait("x"))
      local dying = green.spawn(q.get, q)
      local living = green.spawn(q.get, q)
      testing.settle()
      dying:kill_soon()
      assert.is_true(q:put_nowait("y"))
      is_code("EAGAIN", q:put_nowait("z"))
      assert.are.equal("y", living:wait())
      assert.is_false(pcall(dying.wait, dying))
    end)

    it("gives get_nowait the item of a put that waits", function()
      local q = new(0)
      local t = green.spawn(q.put, q, "x")
      testing.settle()
      assert.are.equal("x", q:get_nowait())
      assert.is_true(t:wait())
      is_code("EAGAIN", q:get_nowait())
    end)

    it("loses no item to a getter that is killed or timed out [b45]", function()
      local q = new()
      local killed = green.spawn(q.get, q)
      local late = green.spawn(q.get, q, 1)
      local live = green.spawn(q.get, q)
      testing.settle()
      green.kill(killed)
      green.sleep(2)
      q:put("one")
      assert.are.equal("one", live:wait())
      assert.is_nil(late:wait())
      local doomed = { green.spawn(q.get, q), green.spawn(q.get, q) }
      testing.settle()
      green.killall(doomed)
      q:put("two")
      assert.are.equal(1, q:qsize())
      assert.are.equal("two", q:get())
    end)

    it("loses no item to a put that is killed or timed out", function()
      local q = new(1)
      q:put(0)
      local killed = green.spawn(q.put, q, 1)
      local late = green.spawn(q.put, q, 2, 1)
      local live = green.spawn(q.put, q, 3)
      testing.settle()
      green.kill(killed)
      green.sleep(2)
      is_code("ETIMEDOUT", late:wait())
      assert.are.equal(1, q:putting())
      assert.are.equal(0, q:get())
      assert.are.equal(3, q:get())
      assert.is_true(live:wait())
      assert.is_true(q:empty())
    end)

    it("serves getters and putters in order of arrival", function()
      local q, order = new(0), {}
      for i = 1, 4 do
        green.spawn(function()
          q:get()
          order[#order + 1] = i
        end)
      end
      testing.settle()
      for i = 1, 4 do
        q:put(i)
      end
      testing.settle()
      assert.are.same({ 1, 2, 3, 4 }, order)
      for i = 5, 8 do
        green.spawn(q.put, q, i)
      end
      testing.settle()
      for i = 5, 8 do
        assert.are.equal(i, q:get())
      end
    end)

    it("works without waiting from any kind of thread [b47]", function()
      local q = new()
      string.gsub("x", "x", function()
        q:put_nowait("from gsub")
        assert.are.equal("from gsub", q:get_nowait())
      end)
      is_code("EAGAIN", q:get_nowait())
    end)

    it("wakes who waits to put when it grows, and drops nothing when it shrinks [b48]",
      function()
        local q = new(1)
        q:put(1)
        local threads = {}
        for i = 2, 5 do
          threads[i - 1] = green.spawn(q.put, q, i)
        end
        testing.settle()
        q:resize(3)
        testing.settle()
        assert.are.same({ 3, 2 }, { q:qsize(), q:putting() })
        q:resize(nil)
        testing.settle()
        assert.are.same({ 5, 0 }, { q:qsize(), q:putting() })
        q:resize(2)
        assert.are.same({ 5, true }, { q:qsize(), q:full() })
        is_code("EAGAIN", q:put_nowait(6))
        assert.are.equal(5, #drain(q))
        green.joinall(threads)
      end)

    it("ends when it is shut down and empty", function()
      local q = new()
      q:put(1)
      q:put(1)
      q:shutdown()
      q:shutdown()
      assert.is_true(q:is_shutdown())
      is_code("ECLOSED", q:put(2))
      is_code("ECLOSED", q:put_nowait(2))
      local seen = 0
      for item in q:items() do
        seen = seen + item
      end
      assert.are.equal(2, seen)
      is_code("ECLOSED", q:get())
      is_code("ECLOSED", q:get_nowait())
    end)

    it("sends everybody home who waits when it is shut down", function()
      local q = new(1)
      local getter = green.spawn(q.get, q)
      local loop = green.spawn(function()
        local n = 0
        for _ in q:items() do
          n = n + 1
        end
        return n
      end)
      testing.settle()
      q:shutdown()
      is_code("ECLOSED", getter:wait())
      assert.are.equal(0, loop:wait())
      q = new(1)
      q:put(1)
      local putter = green.spawn(q.put, q, 2)
      testing.settle()
      q:shutdown(true)
      is_code("ECLOSED", putter:wait())
      assert.are.equal(0, q:qsize())
      is_code("ECLOSED", q:get())
    end)

    it("iterates while others put", function()
      local q, sum = new(1), 0
      local t = green.spawn(function()
        for item in q:items() do
          sum = sum + item
        end
      end)
      for i = 1, 10 do
        q:put(i)
      end
      q:shutdown()
      t:wait()
      assert.are.equal(55, sum)
    end)

    it("lets an error after a get pass to whoever waits for it [b50]", function()
      local q = new(0)
      local t = green.spawn(function()
        q:get()
        error("stop", 0)
      end)
      local waiter = green.spawn(function()
        return pcall(t.wait, t)
      end)
      testing.settle()
      assert.is_true(q:put(1))
      assert.are.same({ false, "stop" }, { waiter:wait() })
    end)
  end)
end

describe("Queue of size 0", function()
  it("lets the sender go on only after the receiver has the item [b43]", function()
    local q, events = green.Queue(0), {}
    local function note(what)
      events[#events + 1] = what
    end
    green.spawn(function()
      note(q:get())
      note(q:get())
    end)
    note("sending")
    q:put("hello")
    note("sent hello")
    q:put("world")
    note("sent world")
    assert.are.same({ "sending", "hello", "sent hello", "world", "sent world" }, events)
  end)

  it("takes the item of who sent before [b43]", function()
    local q, events = green.Queue(0), {}
    local function note(what)
      events[#events + 1] = what
    end
    green.spawn(function()
      note("sending hello")
      q:put("hello")
      note("sending world")
      q:put("world")
      note("sent world")
    end)
    note("waiting")
    note(q:get())
    note(q:get())
    assert.are.same({ "waiting", "sending hello", "hello", "sending world", "world" }, events)
    testing.settle()
    assert.are.equal("sent world", events[6])
  end)
end)

describe("orders", function()
  it("Queue and LightQueue: first in, first out", function()
    for _, kind in ipairs({ "Queue", "LightQueue" }) do
      local q = green[kind]()
      for round = 1, 3 do
        for i = 1, 5 do
          q:put(round * 10 + i)
        end
        assert.are.equal(round * 10 + 1, q:get())
        for i = 2, 5 do
          assert.are.equal(round * 10 + i, q:get())
        end
      end
    end
  end)

  it("LifoQueue: last in, first out", function()
    local q = green.LifoQueue()
    for i = 1, 3 do
      q:put(i)
    end
    assert.are.same({ 3, 2, 1 }, drain(q))
  end)

  it("PriorityQueue: smallest first, equal ones in order of putting", function()
    local q = green.PriorityQueue()
    local items = {}
    for i = 1, 200 do
      items[i] = { math.random(20), i }
      q:put(items[i])
    end
    table.sort(items, function(a, b)
      return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
    end)
    assert.are.same(items, drain(q))
  end)

  it("PriorityQueue: mixes puts and gets", function()
    local q, held = green.PriorityQueue(), {}
    for _ = 1, 500 do
      if math.random() < 0.6 or #held == 0 then
        local item = math.random(1000)
        q:put(item)
        held[#held + 1] = item
        table.sort(held)
      else
        assert.are.equal(table.remove(held, 1), q:get())
      end
    end
    assert.are.same(held, drain(q))
  end)

  it("PriorityQueue: by a function of one's own", function()
    local q = green.PriorityQueue(nil, {
      less = function(a, b)
        return a.rank > b.rank
      end,
    })
    for _, rank in ipairs({ 2, 3, 1 }) do
      q:put({ rank = rank })
    end
    assert.are.same({ { rank = 3 }, { rank = 2 }, { rank = 1 } }, drain(q))
    assert.has_error(function()
      green.PriorityQueue(nil, { lest = print })
    end)
  end)

  it("PriorityQueue: stays as it was when items cannot be compared", function()
    local q = green.PriorityQueue()
    q:put(2)
    q:put(1)
    assert.has_error(function()
      q:put("three")
    end)
    assert.are.same({ 1, 2 }, drain(q))
  end)

  --- A queue whose comparisons raise while `trouble` says so.
  local function troubled(maxsize)
    local self = { trouble = function() return false end }
    self.q = green.PriorityQueue(maxsize, { less = function(a, b)
      if self.trouble() then
        error("not now", 0)
      end
      return a < b
    end })
    return self
  end

  it("PriorityQueue: loses nothing and keeps its order when comparisons raise anywhere", function()
    for seed = 1, 30 do
      math.randomseed(seed)
      local t, held = troubled(), {}
      for _ = 1, 400 do
        local left = math.random(12)
        t.trouble = function()
          left = left - 1
          return left == 0
        end
        local putting = math.random() < 0.55
        local item = math.random(100)
        local ok, got = pcall(putting and t.q.put or t.q.get, t.q, putting and item or 0)
        t.trouble = function() return false end
        if not ok then
          assert.equal("not now", got)
        elseif putting then
          held[#held + 1] = item
          table.sort(held)
        elseif held[1] then
          assert.equal(table.remove(held, 1), got)
        end
        assert.equal(#held, t.q:qsize())
      end
      assert.same(held, drain(t.q))
    end
  end)

  it("PriorityQueue: a put that waited raises what its item cannot be compared with", function()
    local q, outcome = green.PriorityQueue(1), {}
    q:put(1)
    for i, item in ipairs { "two", 3 } do
      green.spawn(function()
        outcome[i] = { pcall(q.put, q, item) }
      end)
    end
    testing.settle()
    q:resize(2)
    testing.settle()
    assert.is_false(outcome[1][1])
    assert.matches('not "two" beside 1$', outcome[1][2])
    assert.same({ true, true }, outcome[2])
    assert.same({ 1, 3 }, drain(q))
    assert.equal(0, q:putting())
  end)

  it("PriorityQueue: a get gets its item though another's cannot be compared", function()
    local q, ended = green.PriorityQueue(2), nil
    q:put(1)
    q:put(2)
    local putter = green.spawn(function()
      ended = { pcall(q.put, q, {}) }
    end)
    local killed = green.spawn(q.put, q, 9)
    testing.settle()
    killed:kill_soon()
    assert.equal(1, q:get())
    testing.settle()
    assert.is_true(putter:dead())
    assert.is_false(ended[1])
    assert.same({ 2 }, drain(q))
  end)

  it("PriorityQueue: what comes back from a thread that ended is not lost either", function()
    local t = troubled()
    local getter = green.spawn(t.q.get, t.q)
    testing.settle()
    t.q:put(5) -- handed over
    t.q:put(1)
    t.trouble = function() return true end
    core.drop(getter)
    assert.equal(2, t.q:qsize())
    assert.equal(5, t.q:get()) -- it was the first, and there is nothing to compare
    t.trouble = function() return false end
    assert.same({ 1 }, drain(t.q))
    assert.equal(0, t.q:qsize())
  end)
end)

for _, kind in ipairs({ "Queue", "PriorityQueue", "LifoQueue" }) do
  describe(kind .. " tasks", function()
    parks.check(it, "join", {
      make = function()
        local q = green[kind]()
        q:put(1)
        return q
      end,
      call = function(q, timeout)
        return q:join(timeout)
      end,
      ready = function(q)
        q:task_done()
      end,
      good = is_true,
      timeout = true,
    })

    it("join returns when nothing was ever put [b49]", function()
      assert.is_true(green[kind]():join(0))
    end)

    it("task_done once too often is an error [b49]", function()
      local q = green[kind]()
      assert.has_error(function()
        q:task_done()
      end)
      q:put(1)
      q:task_done()
      assert.has_error(function()
        q:task_done()
      end)
    end)

    it("a put that meets a get counts as one task [b49]", function()
      local q = green[kind](0)
      local t = green.spawn(q.get, q)
      testing.settle()
      q:put("x")
      t:wait()
      assert.are.equal(1, q:unfinished())
      q:task_done()
      assert.is_true(q:join())
      is_code("ETIMEDOUT", q:put("y", 1))
      assert.are.equal(0, q:unfinished())
    end)

    it("join waits for every worker", function()
      local q, done = green[kind](3), 0
      for _ = 1, 2 do
        green.spawn(function()
          for _ in q:items() do
            green.sleep(1)
            done = done + 1
            q:task_done()
          end
        end)
      end
      for i = 1, 7 do
        q:put(i)
      end
      assert.is_true(q:join())
      assert.are.equal(7, done)
      q:shutdown()
      testing.settle()
    end)

    it("join ends when the items are dropped", function()
      local q = green[kind]()
      q:put(1)
      q:put(2)
      local t = green.spawn(q.join, q)
      testing.settle()
      q:shutdown(true)
      assert.is_true(t:wait())
    end)
  end)
end

describe("LightQueue", function()
  it("does not count tasks", function()
    assert.is_nil(green.LightQueue().join)
    assert.is_nil(green.LightQueue().task_done)
  end)
end)
