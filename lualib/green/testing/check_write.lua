--- Checks of what streams write. Private to green.testing.check_stream.
-- @module green.testing.check_write

local check = require "green.testing.check"
local thread = require "green.thread"

local is, fails = check.is, check.fails

local BIG = 8 * 1024 * 1024 -- more than the buffers of any socket

local function add_small(add)
  add("write returns true and takes several strings and numbers", function(a, b)
    is(a:write("a", 1, "b", 2.5), true)
    is(b:read(6), "a1b2.5")
  end)

  add("writing nothing is allowed and sends nothing", function(a, b)
    is(a:write(""), true)
    is(a:write(), true)
    is(a:writev({}), true)
    a:write("x")
    is(b:read_some(), "x")
  end)

  add("writev writes a list in order", function(a, b)
    is(a:writev({ "one", 2, "", "three" }), true)
    is(b:read(9), "one2three")
  end)

  add("write raises for what is no string", function(a)
    is(pcall(a.write, a, {}, "x"), false)
    is(pcall(a.write, a, true), false)
    is(pcall(a.writev, a, { "x", false }), false)
  end)
end

local function add_order(add)
  add("many small writes arrive in order", function(a, b)
    local t = thread.spawn(function()
      for i = 1, 500 do
        assert(a:write(("%05d"):format(i)))
      end
    end)
    for i = 1, 500 do
      is(b:read(5), ("%05d"):format(i))
    end
    t:wait()
  end)

  add("both directions are apart", function(a, b)
    a:write("there")
    b:write("back")
    is(a:read(4), "back")
    is(b:read(5), "there")
  end)
end

local function reader_of(stream, n)
  return thread.spawn(stream.read, stream, n)
end

local function add_big(add)
  add("write waits while the reader is slow, and everything arrives", function(a, b)
    local data = check.pattern(BIG)
    local t = check.start(a.write, a, data)
    is(t:dead(), false, "the write ended though nobody reads")
    local got = b:read(BIG)
    check.ok(got == data, "the data differ")
    is(t:wait(), true)
  end)

  add("two big writes cross each other", function(a, b)
    local there, back = check.pattern(1000003), check.pattern(999983):reverse()
    local writers = { thread.spawn(a.write, a, there), thread.spawn(b.write, b, back) }
    local at_b, at_a = reader_of(b, #there), reader_of(a, #back)
    check.ok(at_b:wait() == there, "the data there differ")
    check.ok(at_a:wait() == back, "the data back differ")
    is(writers[1]:wait(), true)
    is(writers[2]:wait(), true)
  end)

  add("one green thread may read while another one writes", function(a, b)
    local reader = check.start(a.read, a, 3)
    is(a:write("abc"), true)
    is(b:read(3), "abc")
    b:write("xyz")
    is(reader:wait(), "xyz")
  end)
end

--- The error must name both green threads.
local function is_busy(err)
  check.ok(tostring(err):find("first", 1, true), "the first thread is not named: " .. tostring(err))
  check.ok(tostring(err):find("second", 1, true), "the second is not named: " .. tostring(err))
end

local function add_busy(add)
  add("a second reader gets EBUSY naming both; the first goes on", function(a, b)
    local first = check.start(b.read, b, 1):name("first")
    local second = thread.spawn(b.read_some, b):name("second")
    is_busy(fails("EBUSY", second:wait()))
    a:write("x")
    is(first:wait(), "x")
  end)

  add("a second writer gets EBUSY naming both; the first goes on", function(a, b)
    local data = check.pattern(BIG)
    local first = check.start(a.write, a, data):name("first")
    local second = thread.spawn(a.write, a, "x"):name("second")
    is_busy(fails("EBUSY", second:wait()))
    check.ok(b:read(BIG) == data, "the data differ")
    is(first:wait(), true)
  end)

  add("readers may take turns", function(a, b)
    a:write("ab")
    is(thread.spawn(b.read, b, 1):wait(), "a")
    is(thread.spawn(b.read, b, 1):wait(), "b")
  end)
end

return function(add)
  add_small(add)
  add_order(add)
  add_big(add)
  add_busy(add)
end
