-- tpool.channel: between green threads of one runtime, between native threads, in children.

local green = require "green"
local channels = require "green.tpool.channel"
local process = require "green.process"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local channel = channels.channel

local function fails(code, value, err)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, code), tostring(err))
  return err
end

local function filled()
  local ch = channel(1)
  ch:put("one")
  return ch
end

--- The two calls that park: how each is made to wait, and let go.
local calls = {
  get = {
    make = function() return channel(1) end,
    call = function(ch, timeout) return ch:get(timeout) end,
    ready = function(ch) ch:put_nowait("item") end,
    result = "item",
  },
  put = {
    make = filled,
    call = function(ch, timeout) return ch:put("two", timeout) end,
    ready = function(ch) assert(ch:get_nowait()) end,
    result = true,
  },
}

local function killed(t)
  local ok, err = pcall(t.wait, t)
  assert.is_false(ok)
  assert.is_true(green.is_error(err, "ECANCELED"))
end

-- A channel may be used by other native threads, so no virtual clock jumps over a wait.
for name, case in pairs(calls) do
  describe("tpool.channel " .. name, function()
    it("returns at once when it can", function()
      local ch, others_ran = case.make(), false
      case.ready(ch)
      green.spawn(function() others_ran = true end)
      assert.equal(case.result, case.call(ch))
      assert.is_false(others_ran)
    end)

    it("waits until it can", function()
      local ch, woken = case.make(), false
      green.spawn_after(0.01, function()
        woken = true
        case.ready(ch)
      end)
      assert.equal(case.result, case.call(ch, 20))
      assert.is_true(woken)
    end)

    it("says ETIMEDOUT when the time is up, at once with 0, and leaves nothing", function()
      local ch = case.make()
      fails("ETIMEDOUT", case.call(ch, 0.01))
      fails("ETIMEDOUT", case.call(ch, 0))
      case.ready(ch)
      assert.equal(case.result, case.call(ch, 0))
    end)

    it("raises in a killed thread before any effect", function()
      local ch = case.make()
      case.ready(ch)
      killed(green.spawn(function()
        green.getcurrent():kill_soon()
        case.call(ch)
      end))
      assert.equal(case.result, case.call(ch, 0))
    end)

    it("is killed while it waits, and leaves nothing", function()
      local ch = case.make()
      local waiter = green.spawn(case.call, ch)
      testing.settle()
      waiter:kill()
      killed(waiter)
      case.ready(ch)
      assert.equal(case.result, case.call(ch, 0))
    end)

    it("lets an expired scope raise, and can be called again", function()
      local ch = case.make()
      local value, err = green.timeout(0.01, case.call, ch)
      assert.is_nil(value)
      assert.is_true(green.is_timeout(err))
      case.ready(ch)
      assert.equal(case.result, case.call(ch, 0))
    end)

    it("ends with ECLOSED when it is closed meanwhile", function()
      local ch = case.make()
      local waiter = green.spawn(function()
        return { case.call(ch) }
      end)
      testing.settle()
      ch:close()
      fails("ECLOSED", unpack(waiter:wait(), 1, 2))
    end)
  end)
end

describe("tpool.channel", function()
  it("gives values in order, and what is left in it when it is closed", function()
    local ch = channel(10)
    for i = 1, 3 do
      assert.is_true(ch:put(i))
    end
    ch:close()
    ch:close()
    local all = {}
    for value in ch:values() do
      all[#all + 1] = value
    end
    assert.same({ 1, 2, 3 }, all)
    fails("ECLOSED", ch:get())
    fails("ECLOSED", ch:get_nowait())
    fails("ECLOSED", ch:put(4))
    fails("ECLOSED", ch:put_nowait(4))
  end)

  it("is bounded", function()
    local ch = channel(2)
    assert.same({ 0, 2 }, { ch:size(), ch:capacity() })
    assert.is_true(ch:put_nowait(1))
    assert.is_true(ch:put_nowait(2))
    fails("EAGAIN", ch:put_nowait(3))
    assert.equal(2, ch:size())
    assert.matches("2 of 2", tostring(ch))
    ch:get()
    ch:get()
    fails("EAGAIN", ch:get_nowait())
    assert.equal(100, channel():capacity())
  end)

  it("gives copies: nil, tables that hold themselves, errors, channels", function()
    local ch = channel()
    local function through(value)
      assert(ch:put(value))
      return ch:get()
    end
    assert.is_nil(through(nil))
    assert.is_false(through(false))
    assert.equal("a\0b", through("a\0b"))
    local loop = { n = 1 }
    loop.own = loop
    local copy = through(loop)
    assert.are_not.equal(loop, copy)
    assert.equal(copy, copy.own)
    assert.equal(math.max, through(math.max)) -- by name
    assert.is_true(green.is_error(through(select(2, ch:get_nowait())), "EAGAIN"))
    local other = through(ch)
    ch:put("x")
    assert.equal("x", other:get())
  end)

  it("raises for what cannot cross, says where it stands, and puts nothing in", function()
    local ch = channel()
    local ok, err = pcall(ch.put, ch, { list = { 1, { conn = coroutine.create(print) } } })
    assert.is_false(ok)
    assert.matches("^[^ ]*channel_spec.lua:%d+: put: .*list%[2%]%.conn.* is a coroutine", err)
    ok, err = pcall(ch.put, ch, { fn = function() end })
    assert.is_false(ok)
    assert.matches("channel_spec.lua:%d+: put: .*fn is a function", err)
    assert.equal(0, ch:size())
  end)

  it("says what is wrong with a call", function()
    for text, fn in pairs {
      ["channel: capacity must be a whole number from 1 to 2147483647, not 0"] =
        function() channel(0) end,
      ["put: timeout must be"] = function() channel():put(1, "x") end,
      ["get: timeout must be"] = function() channel():get(-1) end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
  end)

  it("hands on what a killed getter was told of", function()
    local ch = channel(1)
    local first, second = green.spawn(ch.get, ch), green.spawn(ch.get, ch)
    testing.settle()
    ch:put("x")
    first:kill_soon()
    assert.equal("x", second:wait())
  end)

  it("serves those who wait in order of arrival", function()
    local ch, order = channel(1), {}
    for i = 1, 5 do
      green.spawn(function()
        local name = ch:get()
        order[#order + 1] = i .. name
      end)
    end
    testing.settle()
    for _, name in ipairs { "a", "b", "c", "d", "e" } do
      ch:put(name)
    end
    testing.settle()
    assert.same({ "1a", "2b", "3c", "4d", "5e" }, order)
  end)

  it("joins native threads: each value comes once, whoever takes it", function()
    local N, THREADS = 500, 3
    local jobs, results = channel(4), channel(2)
    local workers = assert(green.workers(THREADS, function()
      for n in jobs:values() do
        results:put { n, n * n }
      end
    end))
    local feeder = green.spawn(function()
      for n = 1, N do
        jobs:put(n)
      end
      jobs:close()
    end)
    local sum, seen = 0, {}
    for _ = 1, N do
      local pair = assert(results:get(60))
      assert.is_nil(seen[pair[1]])
      seen[pair[1]] = true
      sum = sum + pair[2]
    end
    assert.equal(N * (N + 1) * (2 * N + 1) / 6, sum)
    feeder:wait()
    assert.is_true(workers:wait(60))
  end)

  it("is closed and empty in a child", function()
    local ch = filled()
    local waiter = green.spawn(ch.get, channel())
    green.sleep(0)
    local pid = assert(green.fork(function()
      assert(select(2, ch:get()):is "ECLOSED")
      assert(select(2, ch:put(1)):is "ECLOSED")
      assert(ch:size() == 0)
      ch:close()
    end))
    assert.same({ "exit", 0 }, { process.wait(pid, 20) })
    assert.equal("one", ch:get())
    waiter:kill()
  end)

  it("frees what nobody takes", function()
    local function leave()
      local ch = channel()
      ch:put(channel())
      ch:put(("x"):rep(1e6))
    end
    leave()
    collectgarbage()
    collectgarbage()
  end)

  it("leaves no wait behind when the value cannot be read here", function()
    local p = program.run_greenlua { "-e", [[
      local green, tpool = require "green", require "green.tpool"
      local ch = tpool.channel(1)
      local job = green.spawn(tpool.execute, function()
        require("ffi").cdef "struct only_there { int n; };"
        ch:put(require("ffi").new "struct only_there")
      end)
      print(pcall(ch.get, ch))
      job:wait()
      green.Event():wait() -- a wait that was left behind would hold the loop for ever
    ]] }
    assert.matches("^false\t.*no ctype 'struct only_there' in this thread", p.out)
    assert.matches("EDEADLOCK", p.err)
  end)

  it("is not looked for in an object that has none", function()
    local core = require "green.core"
    local none, message, share = core.object "channel", core.object "message", core.object "share"
    for text, fn in pairs {
      ["channel_get.*a channel expected"] = function() core.channel_get(none) end,
      ["channel_wait.*a channel expected"] = function()
        core.channel_wait(core.object "channel_wait", none)
      end,
      ["channel_put.*a message expected"] = function()
        core.channel_put(core.object("channel", 1), message)
      end,
      ["share_part.*shared values expected"] = function() core.share_part(share, 1) end,
      ["it is empty"] = function() error((core.crosses(none))) end,
      ["has no values"] = function() error((core.crosses(share))) end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches(text, err)
    end
  end)

  it("is freed with thousands in it, each in another", function()
    local p = program.run { "sh", "-c", 'ulimit -s 1024; exec "$0" -e "$1"', program.greenlua, [[
      local tpool = require "green.tpool"
      local ch, data = tpool.channel(1), tpool.share {}
      for _ = 1, 20000 do
        local outer = tpool.channel(1)
        assert(outer:put(ch))
        ch, data = outer, tpool.share { data }
      end
      ch, data = nil, nil
      collectgarbage()
      collectgarbage()
      print "freed"
    ]] }
    assert.equal("freed\n", p.out, p.err)
    assert.equal(0, p.status, p.err)
  end)
end)
