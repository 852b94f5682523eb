-- thread:waits_for(), and what a deadlock's error says of each thread.

local core = require "green.core"
local green = require "green"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local it = testing.busted()

local function line()
  return debug.getinfo(2, "l").currentline
end

--- Spawn fn, let it wait, and ask. It is killed then.
local function ask(fn)
  local t = green.spawn(fn)
  testing.settle()
  local what, place = t:waits_for()
  t:kill()
  return what, place
end

describe("waits_for", function()
  local queue, event, lock = green.Queue(1), green.Event(), green.Semaphore(0)
  local here = "spec/thread/where_spec.lua:"

  it("names the call, its object and the line", function()
    local what, place = ask(function() queue:get() end)
    assert.equal("get of green.Queue{0 of 1, 0 putting, 1 getting}", what)
    assert.equal(here .. line() - 2, place)
    what, place = ask(function()
      local _ = 1
      event:wait()
    end)
    assert.equal("wait of green.Event{not sent, 1 waiting}", what)
    assert.equal(here .. line() - 3, place)
  end)

  it("names what has no object", function()
    local what, place = ask(function() green.sleep(10) end)
    assert.equal("sleep", what)
    assert.equal(here .. line() - 2, place)
    assert.equal("wait", (ask(function() green.wait { event } end)))
  end)

  it("names a thread, a socket and a group", function()
    local sleeper = green.spawn(green.sleep, 10):name("sleeper")
    assert.is_truthy(ask(function() sleeper:wait() end):find("^wait of green.thread{sleeper %("))
    sleeper:kill()
    local a, b = socket.pair()
    assert.is_truthy(ask(function() a:read_line() end):find("^read_line of green.socket{%d+, "))
    a:close()
    b:close()
    assert.equal("group", ask(function()
      green.group(function(g) g:spawn(green.sleep, 10) end)
    end):match("^%a+"))
  end)

  it("sees through the library's own functions that call back", function()
    local what, place = ask(function()
      green.timeout(10, function()
        green.finally(function()
          pcall(lock.acquire, lock)
        end, function() end)
      end)
    end)
    assert.equal(here .. line() - 4, place)
    assert.equal("a wait of green.Semaphore{0 free, 1 waiting}", what)
  end)

  it("looks inside of coroutines", function()
    for _, call in ipairs {
      function(fn) coroutine.wrap(fn)() end,
      function(fn) coroutine.resume(coroutine.create(fn)) end,
      function(fn) coroutine.wrap(function() coroutine.wrap(fn)() end)() end,
    } do
      local what, place = ask(function()
        call(function()
          queue:get()
        end)
      end)
      assert.equal(here .. line() - 3, place)
      assert.is_truthy(what:find("^get of green.Queue{"), what)
    end
  end)

  it("does without the line that a tail call has left", function()
    local what, place = ask(function() return queue:get() end)
    assert.is_truthy(what:find("of green.Queue{", 1, true), what)
    assert.is_nil(place)
  end)

  it("gives nothing of threads that do not wait", function()
    local t = green.spawn(function() end)
    assert.is_nil(t:waits_for()) -- new
    t:wait()
    assert.is_nil(t:waits_for())
    assert.is_nil(green.getcurrent():waits_for())
    t = green.spawn(core.park, core.waitq())
    testing.settle()
    assert.is_nil(t:waits_for()) -- nothing there has a name
    t:kill()
  end)

  it("holds for compiled code", function()
    local t = green.spawn(function()
      for i = 1, 300 do
        if i == 300 then queue:get() end
        queue:put(i)
        queue:get()
      end
    end)
    testing.settle()
    local what, place = t:waits_for()
    assert.equal(here .. line() - 7, place)
    assert.equal("get of green.Queue{0 of 1, 0 putting, 1 getting}", what)
    t:kill()
  end)
end)

describe("a deadlock's error", function()
  it("says where each thread waits and for what", function()
    local p = program.run_greenlua { "-e", [[
      local green = require "green"
      local queue = green.Queue()
      local t = green.spawn(function()
        queue:get()
      end):name("worker")
      green.spawn(function() green.sleep(math.huge) end):name("sleeper")
      t:wait()]] }
    assert.equal(1, p.status)
    local err = p.err:gsub(" for [%d.]+ s", "") -- where the machine is slow
    for _, text in ipairs {
      "\n  main %(parked%): wait of green.thread{worker .-} at %(command line%):7\n",
      "\n  worker %(parked, spawned at %(command line%):3%): "
        .. "get of green.Queue{0 of any, 0 putting, 1 getting} at %(command line%):4\n",
      "\n  sleeper %(parked, spawned at .-%): sleep at %(command line%):6",
    } do
      assert.is_truthy(err:find(text), err)
    end
  end)
end)
