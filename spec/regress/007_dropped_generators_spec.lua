-- A generator that was dropped inside green.timeout (or shield, group, ...) never left
-- its scope: each later wait of the thread raised ETIMEDOUT, a shield masked kills for
-- as long as it liked. A scope whose coroutine is collected ends with it.

local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local chunk = require "spec.support.chunk"

local it = testing.busted()

local function collect()
  for _ = 1, 3 do
    collectgarbage()
  end
end

local function nothing() end

--- How a coroutine can be made and stepped.
local makers = {
  ["coroutine.wrap"] = coroutine.wrap,
  ["coroutine.create"] = function(fn)
    local co = coroutine.create(fn)
    return function()
      return select(2, assert(coroutine.resume(co)))
    end
  end,
  ["a generator in a generator"] = function(fn)
    return coroutine.wrap(function()
      local inner = coroutine.wrap(fn)
      while true do
        coroutine.yield(inner())
      end
    end)
  end,
}

--- What opens a scope of that many seconds and calls fn in it.
local scopes = {
  ["green.timeout"] = function(seconds, fn)
    return green.timeout(seconds, fn)
  end,
  ["green.with_timeout"] = function(seconds, fn)
    return green.with_timeout(seconds, fn)
  end,
  ["timeouts in each other"] = function(seconds, fn)
    return green.timeout(seconds, function()
      return green.timeout(seconds * 2, green.with_timeout, seconds * 3, fn)
    end)
  end,
  ["a timeout in a shield"] = function(seconds, fn)
    return green.shield(100, green.timeout, seconds, fn)
  end,
  ["a shield"] = function(seconds, fn)
    return green.shield(seconds, fn)
  end,
  ["the cleanup of finally"] = function(_, fn)
    return green.finally(nothing, fn)
  end,
  ["a timeout around a group"] = function(seconds, fn)
    return green.timeout(seconds, green.group, fn)
  end,
}

local function yields()
  coroutine.yield(1)
  coroutine.yield(2)
end

--- Step a generator once, which opens the scope, and drop it. Not inline: no slot
-- of the caller's may keep it.
local function open_and_drop(make, scope, seconds)
  local step = make(function()
    scope(seconds, yields)
  end)
  assert.equal(1, step())
end

local function waits_are_well()
  for _ = 1, 3 do
    assert.same({ true }, { pcall(green.sleep, 20) })
  end
  assert.is_true(green.Semaphore(1):acquire())
end

local function drop(make, scope)
  open_and_drop(make, scope, 5)
end
-- The collector must not find a compiled trace's copy of a coroutine either.
jit.off(open_and_drop)
jit.off(drop)

for made, make in pairs(makers) do
  describe("a generator of " .. made, function()
    for name, scope in pairs(scopes) do
      it(("dropped inside %s takes the scope along"):format(name), function()
        collect()
        local timers = core.stats().timers
        drop(make, scope)
        collect()
        assert.equal(timers, core.stats().timers)
        waits_are_well()
      end)

      it(("dropped inside %s that fires before the collection does, too"):format(name), function()
        drop(make, scope)
        collectgarbage("stop")
        pcall(green.sleep, 30)
        collectgarbage("restart")
        collect()
        waits_are_well()
      end)
    end

    it("dropped inside a shield lets a kill through", function()
      local err
      local t = green.spawn(function()
        open_and_drop(make, scopes["a shield"], 1000)
        collect()
        err = select(2, pcall(green.sleep, 100))
        error(err, 0)
      end)
      testing.settle()
      local t0 = green.now()
      t:kill()
      assert.is_true(green.is_error(err, "ECANCELED"))
      assert.equal("killed", t:status())
      assert.is_near(0, green.now() - t0, 1e-6)
    end)

    it("dropped inside a shield lets an outer timeout through", function()
      local t0 = green.now()
      local value, err = green.timeout(3, function()
        open_and_drop(make, scopes["a shield"], 1000)
        collect()
        green.sleep(100)
      end)
      assert.is_nil(value)
      assert.is_true(err:is("ETIMEDOUT"))
      assert.is_near(3, green.now() - t0, 1e-6)
      waits_are_well()
    end)

    it("dropped inside a group: a child that fails later does not reach the thread", function()
      local function drop_group()
        local step = make(function()
          green.group(function(group)
            group:spawn(function()
              green.sleep(1)
              error("late", 0)
            end)
            coroutine.yield(1)
          end)
        end)
        assert.equal(1, step())
      end
      jit.off(drop_group)
      local old = green.on_error(nothing) -- whether it is reported is not asked here
      drop_group()
      collect()
      local ok, err = pcall(waits_are_well)
      green.on_error(old)
      assert.is_true(ok, tostring(err))
    end)
  end)
end

describe("a scope in a dropped generator", function()
  local wrap = coroutine.wrap

  it("is the only one that ends: those around it fire in their time", function()
    local t0 = green.now()
    local value, err = green.timeout(10, function()
      green.shield(100, function()
        open_and_drop(wrap, scopes["green.timeout"], 1)
        collect()
        green.sleep(5)
      end)
      open_and_drop(wrap, scopes["green.timeout"], 1)
      open_and_drop(wrap, scopes["a shield"], 50)
      collect()
      green.sleep(100)
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.is_near(10, green.now() - t0, 1e-6)
    waits_are_well()
  end)

  it("ends in any order with others, dropped or finished", function()
    for kept = 1, 3 do
      local steps = {}
      for i = 1, 3 do
        steps[i] = wrap(function()
          green.timeout(i, yields)
          return 3
        end)
        steps[i]()
      end
      for i = 1, 3 do
        if i ~= kept then
          steps[i] = nil
        end
      end
      collect()
      -- The one that is kept: it has its scope, and ends it.
      local t0 = green.now()
      local ok, err = pcall(green.sleep, 100)
      assert.is_false(ok)
      assert.is_true(green.is_error(err, "ETIMEDOUT") or green.is_timeout(err))
      assert.is_near(kept, green.now() - t0, 1e-6)
      assert.equal(2, steps[kept]())
      assert.equal(3, steps[kept]())
      waits_are_well()
    end
  end)

  it("does not end while the generator is alive", function()
    local step = wrap(function()
      local value, err = green.timeout(5, function()
        coroutine.yield(1)
        green.sleep(100)
      end)
      coroutine.yield(value == nil and err:is("ETIMEDOUT"))
    end)
    step()
    collect()
    green.sleep(2)
    collect()
    local t0 = green.now()
    assert.is_true(step())
    assert.is_near(3, green.now() - t0, 1e-6)
    waits_are_well()
  end)

  it("of another thread ends there", function()
    local queue, err = green.Queue(), nil
    local owner = green.spawn(function()
      queue:put(wrap(function()
        green.timeout(1, yields)
      end))
      queue:get() -- until it has been stepped and dropped
      err = select(2, pcall(green.sleep, 100))
    end)
    local function step_elsewhere()
      local step = queue:get()
      assert.equal(1, step()) -- the scope is this thread's
    end
    jit.off(step_elsewhere)
    step_elsewhere()
    collect()
    waits_are_well()
    queue:put(1)
    owner:wait()
    assert.is_nil(err)
  end)

  it("whose thread has ended is no matter", function()
    local held
    green.spawn(function()
      held = wrap(function()
        green.timeout(1, yields)
      end)
      held()
    end):wait()
    held = nil
    collect()
    assert.is_nil(held)
    waits_are_well()
  end)

  it("of a thread that waits meanwhile ends, and the wait goes on", function()
    local event = green.Event()
    local t = green.spawn(function()
      open_and_drop(wrap, scopes["green.timeout"], 5)
      return event:wait()
    end)
    testing.settle()
    collect()
    green.sleep(10)
    event:send("x")
    assert.equal("x", t:wait())
  end)

  it("leaves nothing, a thousand times", function()
    collect()
    local before = core.stats().timers
    for _ = 1, 1000 do
      open_and_drop(wrap, scopes["green.timeout"], 1000)
      open_and_drop(wrap, scopes["a shield"], 1000)
    end
    collect()
    assert.equal(before, core.stats().timers)
    waits_are_well()
  end)

  it("that raised is left as ever", function()
    local step = wrap(function()
      green.timeout(5, function()
        coroutine.yield(1)
        error("x", 0)
      end)
    end)
    step()
    assert.same({ false, "x" }, { pcall(step) })
    step = nil
    collect()
    assert.is_nil(step)
    waits_are_well()
  end)
end)

describe("the end of a program", function()
  it("with generators inside of scopes is an ordinary one", function()
    chunk.prints("end\n", [[
      local green = require "green"
      list = {}
      for i = 1, 30 do
        list[i] = coroutine.wrap(function()
          green.shield(100, green.timeout, 100, function() coroutine.yield(1) end)
        end)
        list[i]()
        green.spawn(list[i])
        if i % 3 == 0 then list[i] = false collectgarbage() end
      end
      getmetatable(newproxy(true)).__gc = function() list = nil end
      print "end"
    ]])
  end)
end)
