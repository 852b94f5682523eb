local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local ffi = require "ffi"

ffi.cdef [[int spec_testing_clock_gettime(int, long *) __asm__("clock_gettime");]]

--- Seconds of CLOCK_MONOTONIC: the wall's clock may be set, the hub's is replaced.
local function real_seconds()
  local time = ffi.new("long[2]")
  ffi.C.spec_testing_clock_gettime(1, time)
  return tonumber(time[0]) + tonumber(time[1]) / 1e9
end

local busted_it = it
local it, real_it = testing.busted()

local function fails(fn, pattern)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
  return err
end

describe("virtual", function()
  it("lets a day of sleep pass in no time", function()
    local t0, c0 = green.now(), real_seconds()
    green.sleep(86400)
    assert.is_near(86400, green.now() - t0, 1e-3)
    assert.is_true(real_seconds() - c0 < 86400)
  end)

  busted_it("returns what the body returns, and raises its error", function()
    assert.are.same({ 1, nil, 3 }, { testing.virtual(function(...)
      return ...
    end, 1, nil, 3) })
    local err = {}
    assert.are.equal(err, select(2, pcall(testing.virtual, error, err)))
  end)

  busted_it("goes back to the real clock, whatever the body did", function()
    local t0 = green.now()
    testing.virtual(green.sleep, 1e6)
    pcall(testing.virtual, function()
      green.spawn(green.sleep, 1e6)
      error("x")
    end)
    assert.is_true(green.now() - t0 < 1e6)
  end)

  busted_it("may be nested", function()
    testing.virtual(function()
      local t0 = green.now()
      testing.virtual(green.sleep, 10)
      green.sleep(10)
      assert.is_near(20, green.now() - t0, 1e-6)
    end)
  end)

  busted_it("says what a body leaves behind, and ends it [b17]", function()
    local left
    local err = fails(function()
      testing.virtual(function()
        left = green.spawn(green.sleep, 100):name("the leak")
        green.spawn_after(100, print)
      end)
    end, "the leak")
    assert.matches("2 more deadlines", err)
    assert.is_true(left:dead())
    local a, b
    fails(function()
      testing.virtual(function()
        a, b = socket.pair()
      end)
    end, "2 more open descriptors")
    a:close()
    b:close()
  end)

  busted_it("takes what is garbage for gone", function()
    testing.virtual(function()
      socket.pair()
    end)
  end)

  busted_it("fails when an error is unheard, unless the body listens", function()
    fails(function()
      testing.virtual(function()
        green.spawn(error, "nobody hears this")
      end)
    end, "nobody hears this")
    testing.virtual(function()
      local seen
      local old = green.on_error(function(err)
        seen = err
      end)
      green.spawn(error, "heard")
      testing.settle()
      green.on_error(old)
      assert.are.equal("heard", seen)
    end)
  end)

  busted_it("raises for a body that waits for ever", function()
    local err = fails(function()
      testing.virtual(function()
        green.Event():wait()
      end)
    end, "deadlock")
    assert.is_true(err:is("EDEADLOCK"))
  end)

  busted_it("refuses to start while deadlines are pending", function()
    local t = green.spawn_after(100, print)
    fails(function()
      testing.virtual(print)
    end, "deadlines are pending")
    t:cancel()
  end)
end)

describe("real", function()
  real_it("runs on the real clock, in a green thread", function()
    local t0 = real_seconds()
    green.sleep(0.002) -- the clock is what is tested
    assert.is_true(real_seconds() - t0 >= 0.002)
    assert.is_true(green.is_thread(green.getcurrent()))
  end)

  busted_it("checks for leaks too", function()
    fails(function()
      testing.real(function()
        green.spawn(green.sleep, 100)
      end)
    end, "left behind")
  end)
end)

describe("settle", function()
  it("lets all others run until they wait, while time stands still", function()
    local steps, t0 = 0, green.now()
    green.spawn(function()
      for _ = 1, 50 do
        green.sleep(0)
        steps = steps + 1
      end
      green.spawn(function()
        steps = steps + 1
        green.sleep(1)
        steps = steps + 1000
      end)
    end)
    testing.settle()
    assert.are.equal(51, steps)
    assert.are.equal(t0, green.now())
    green.sleep(2)
    assert.are.equal(1051, steps)
  end)

  it("gives up on a thread that never waits", function()
    local t = green.spawn(function()
      while true do
        green.sleep(0)
      end
    end)
    fails(testing.settle, "still run")
    t:kill()
  end)

  it("lets input that is there be seen", function()
    local a, b = socket.pair()
    local t = green.spawn(b.read, b, 1)
    testing.settle()
    a:write("x")
    testing.settle()
    assert.is_true(t:dead())
    a:close()
    b:close()
  end)
end)

describe("settle_io", function()
  -- Several times what the systems' buffers take: it goes in many steps.
  local large = ("x"):rep(20000000)

  local function tcp_pair()
    local listener = assert(green.listen("127.0.0.1:0"))
    local a = assert(green.connect(listener:sockname()))
    local b = assert(listener:accept())
    listener:close()
    return a, b
  end

  for name, run in pairs { virtual = it, real = real_it } do
    run("lets what was sent arrive, and be answered, on the clock that is " .. name, function()
      local a, b = tcp_pair()
      local got
      local reader = green.spawn(function()
        got = b:read(#large)
        b:write("thanks")
        b:close()
      end)
      local writer = green.spawn(a.write, a, large)
      local thanks = green.spawn(a.read, a, 6)
      testing.settle_io()
      assert.is_true(reader:dead() and writer:dead() and thanks:dead())
      assert.is_true(got == large)
      assert.equal("thanks", thanks:wait())
      a:close()
    end)
  end

  it("does not wait for what nobody reads", function()
    local a, b = tcp_pair()
    local writer = green.spawn(a.write, a, large)
    local t0 = green.now()
    testing.settle_io()
    assert.is_false(writer:dead())
    assert.equal(t0, green.now())
    b:close()
    testing.settle_io()
    assert.is_true(writer:dead())
    a:close()
  end)

  real_it("waits for what its function says, and gives that", function()
    local t = green.spawn(function()
      green.sleep(0.01) -- a deadline is what is waited for
      return "late"
    end)
    assert.equal(t, testing.settle_io(function()
      return t:dead() and t
    end))
    assert.equal("late", t:wait())
    assert.equal(7, testing.settle_io(function()
      return 7
    end))
  end)

  it("gives up after a while", function()
    local settle = require "green.testing.settle"
    local patience = settle.patience
    settle.patience = 0
    fails(testing.settle_io, "settle_io: no rest in 0 s")
    fails(function()
      testing.settle_io(function() end)
    end, "spec/testing_spec.lua:%d+: settle_io: what was waited for did not happen in 0 s")
    settle.patience = patience
  end)

  it("raises what its function raises", function()
    fails(function()
      testing.settle_io(error)
    end, "nil")
    fails(function()
      testing.settle_io(function()
        error("not this")
      end)
    end, "not this")
  end)
end)

describe("advance", function()
  it("reaches a deadline exactly, whatever the clock stands at", function()
    local a, b = socket.pair()
    local reader = green.spawn(a.read_some, a) -- so that time stands still
    for i = 1, 100 do
      testing.advance(i / 7)
      for _, seconds in ipairs { 0, 0.1 } do
        local waiter = green.spawn(green.Queue().get, green.Queue(), seconds)
        testing.settle()
        testing.advance(seconds)
        assert.is_true(waiter:dead(), seconds)
      end
    end
    reader:kill()
    a:close()
    b:close()
  end)

  it("by more than the clock can count goes to its end, and never back", function()
    for _, seconds in ipairs { 2 ^ 53, 1e300, math.huge } do
      local before = green.now()
      testing.advance(seconds)
      assert.is_true(green.now() >= before and green.now() > 2 ^ 32)
      green.sleep(0)
    end
  end)

  it("moves the clock though a descriptor is waited for", function()
    local a, b = socket.pair()
    local t = green.spawn(function()
      return green.timeout(10, b.read, b, 1)
    end)
    testing.settle()
    testing.advance(9)
    assert.is_false(t:dead())
    testing.advance(2)
    local value, err = t:wait()
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    a:close()
    b:close()
  end)
end)

describe("assert_no_leaks", function()
  it("passes results and errors on", function()
    assert.are.same({ 1, 2 }, { testing.assert_no_leaks(function(...)
      return ...
    end, 1, 2) })
    fails(function()
      testing.assert_no_leaks(error, "its own")
    end, "its own")
  end)

  it("raises for what is left behind", function()
    fails(function()
      testing.assert_no_leaks(green.spawn, green.sleep, 10)
    end, "left behind")
    fails(function()
      testing.assert_no_leaks(green.Timeout, 10)
    end, "1 more deadline")
  end)
end)

describe("busted", function()
  it("gives functions like it", function()
    assert.is_true(green.is_thread(green.getcurrent()))
  end)

  busted_it("raises outside of busted", function()
    local outside = setfenv(function()
      return testing.busted()
    end, { testing = testing })
    fails(outside, "no busted")
  end)
end)

describe("stream_pair", function()
  it("lets a writer wait while its capacity stands unread", function()
    local a, b = testing.stream_pair({ capacity = 3 })
    local t = green.spawn(a.write, a, "abcdef")
    testing.settle()
    assert.is_false(t:dead())
    assert.are.equal("abc", b:read_some())
    assert.is_true(t:wait())
    assert.are.equal("def", b:read_some())
    a:close()
    b:close()
  end)

  it("checks its options, and shows its ends", function()
    assert.is_false(pcall(testing.stream_pair, { capacity = 0 }))
    assert.is_false(pcall(testing.stream_pair, { capasity = 1 }))
    local a, b = testing.stream_pair()
    assert.are.equal("green.testing.stream{a}", tostring(a))
    b:close()
    assert.are.equal("green.testing.stream{b, closed}", tostring(b))
    a:close()
  end)

  it("is all in memory: no descriptors", function()
    local n = testing.open_fds()
    local a, b = testing.stream_pair()
    a:write("x")
    b:read(1)
    assert.are.equal(n, testing.open_fds())
    a:close()
    b:close()
  end)
end)

describe("check_stream", function()
  busted_it("names the checks that fail", function()
    local function broken_pair()
      local a, b = testing.stream_pair()
      function b.read_until()
        return "always the same"
      end
      return a, b
    end
    local err = fails(function()
      testing.check_stream(broken_pair, { clock = "virtual" })
    end, "checks failed")
    assert.matches("read_until finds a delimiter", err)
    assert.not_matches("writev", err)
  end)

  busted_it("checks its options", function()
    fails(function()
      testing.check_stream(testing.stream_pair, { clock = "sun" })
    end, "clock")
    fails(function()
      testing.check_stream(testing.stream_pair, { iit = print })
    end, "did you mean 'it'")
  end)

  describe("over memory streams", function()
    testing.check_stream(testing.stream_pair, { it = busted_it, clock = "virtual" })
  end)

  describe("over memory streams of small capacity", function()
    testing.check_stream(function()
      return testing.stream_pair({ capacity = 1024 })
    end, { it = busted_it, clock = "virtual" })
  end)
end)
