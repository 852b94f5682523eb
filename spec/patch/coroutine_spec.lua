local patch_coroutine = require "green.patch.coroutine"
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"
local thread = require "green.thread"

local it = testing.busted()

local create, resume, wrap = coroutine.create, coroutine.resume, coroutine.wrap
local status, yield = coroutine.status, coroutine.yield

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

-- Lua's own; the green one over it takes the texts by itself.
local function lua_print()
  for i = 1, 60 do
    local name, value = debug.getupvalue(print, i)
    if name == "raw" then
      return value.print
    end
  end
  return print
end

--- A generator that waits before each of its values.
local function slow(n)
  return wrap(function()
    for i = 1, n do
      green.sleep(1)
      yield(i)
    end
  end)
end

describe("green.patch.coroutine", function()
  describe("a coroutine of the script's", function()
    it("works as in plain Lua while it does not wait", function()
      local co = create(function(a, b)
        local c, d = yield(a, nil, b)
        return c, nil, d
      end)
      assert.are.same({ true, 1, nil, 3 }, { resume(co, 1, 3) })
      assert.are.equal("suspended", status(co))
      assert.are.same({ true, 4, nil, 6 }, { resume(co, 4, 6) })
      assert.are.equal("dead", status(co))
      assert.are.same({ false, "cannot resume dead coroutine" }, { resume(co) })
    end)

    it("passes hundreds of values both ways", function()
      local many = {}
      for i = 1, 500 do
        many[i] = i
      end
      local co = create(function(...)
        return select("#", yield(...))
      end)
      assert.are.equal(501, select("#", resume(co, unpack(many))))
      assert.are.same({ true, 500 }, { resume(co, unpack(many)) })
    end)

    it("may wait: the whole green thread waits, and others run", function()
      local others = 0
      local other = green.spawn(function()
        for _ = 1, 6 do
          green.sleep(0.5)
          others = others + 1
        end
      end)
      local got = {}
      for i in slow(3) do
        got[#got + 1] = i
      end
      assert.are.same({ 1, 2, 3 }, got)
      assert.is_true(others >= 5)
      other:wait()
    end)

    it("may wait levels deep, and each level's values stay its own", function()
      local function level(n)
        return wrap(function()
          if n == 0 then
            green.sleep(1)
            yield("deepest")
            green.sleep(1)
            return "end"
          end
          local inner = level(n - 1)
          yield(n .. inner())
          return n .. inner()
        end)
      end
      local t0 = green.now()
      local outer = level(5)
      assert.are.equal("54321deepest", outer())
      assert.are.equal("54321end", outer())
      assert.is_near(2, green.now() - t0, 1e-6)
    end)

    it("gets what its wait was woken with", function()
      local queue = core.waitq()
      green.spawn_after(1, core.wake, queue, "a", nil, "c")
      local f = wrap(function()
        return thread.stand(queue)
      end)
      assert.are.same({ 0, "a", nil, "c" }, { f() })
      green.spawn_after(1, core.wake, queue)
      assert.are.equal(1, select("#", wrap(function()
        return thread.stand(queue)
      end)()))
    end)

    it("can be passed from thread to thread between its waits", function()
      local gen = slow(4)
      local got = {}
      for _ = 1, 2 do
        green.spawn(function()
          got[#got + 1] = gen()
          got[#got + 1] = gen()
        end):wait()
      end
      assert.are.same({ 1, 2, 3, 4 }, got)
    end)

    it("cannot be resumed while it is parked in a green thread", function()
      local co = create(function()
        green.sleep(2)
        return "done"
      end)
      local t = green.spawn(resume, co)
      green.sleep(1)
      local ok, err = resume(co)
      assert.is_false(ok)
      assert.matches("parked in a green thread", err)
      assert.are.same({ true, "done" }, { t:wait() })
    end)

    it("cannot be resumed by itself or by those inside of it", function()
      local co
      co = create(function()
        local _, own = resume(co)
        local inner = wrap(function()
          return select(2, resume(co))
        end)
        return own, inner()
      end)
      local _, own, inner = resume(co)
      assert.matches("cannot resume", own)
      assert.matches("cannot resume", inner)
    end)

    it("that is a green thread's own cannot be resumed", function()
      local co
      local t = green.spawn(function()
        co = coroutine.running()
        green.sleep(1)
        return "fine"
      end)
      testing.settle()
      local ok, err = resume(co)
      assert.is_false(ok)
      assert.matches("green thread", err)
      assert.are.equal("fine", t:wait())
    end)

    it("gives an error with its traceback through wrap", function()
      local function culprit()
        green.sleep(1)
        error("deep")
      end
      local reports = {}
      local old = green.on_error(function(_, _, trace)
        reports[#reports + 1] = trace
      end)
      green.spawn(function()
        wrap(function()
          culprit()
          return 1
        end)()
      end)
      green.sleep(2)
      green.on_error(old)
      assert.are.equal(1, #reports)
      assert.matches("culprit", reports[1])
      assert.matches("coroutine_spec%.lua:%d+: deep", reports[1])
    end)

    it("keeps error objects through wrap and resume", function()
      local err = { "mine" }
      assert.are.equal(err, raised(wrap(function()
        green.sleep(1)
        error(err)
      end)))
      local ok, same = resume(create(error), err)
      assert.is_false(ok)
      assert.are.equal(err, same)
    end)
  end)

  describe("a kill", function()
    it("of a thread parked in a coroutine unwinds through it", function()
      local order = {}
      local t = green.spawn(function()
        green.finally(function()
          wrap(function()
            green.finally(function()
              green.sleep(60)
            end, function()
              order[#order + 1] = "inner"
            end)
          end)()
        end, function()
          order[#order + 1] = "outer"
        end)
      end)
      testing.settle()
      t:kill()
      assert.are.same({ "inner", "outer" }, order)
      assert.are.equal("killed", t:status())
    end)

    it("is raised again outside of a coroutine that swallowed it", function()
      local t = green.spawn(function()
        local co = create(function()
          green.sleep(60)
        end)
        local ok, err = resume(co)
        assert.is_false(ok)
        assert.are.equal(err, raised(green.sleep, 0))
        return "seen"
      end)
      testing.settle()
      t:kill()
      assert.are.equal("seen", t:wait())
    end)
  end)

  describe("a timeout", function()
    it("around a generator ends its wait", function()
      local got = {}
      local value, err = green.timeout(2.5, function()
        for i in slow(10) do
          got[#got + 1] = i
        end
      end)
      assert.is_nil(value)
      assert.is_true(err:is("ETIMEDOUT"))
      assert.are.same({ 1, 2 }, got)
    end)

    it("inside a generator ends with it", function()
      local gen = wrap(function()
        local value, err = green.timeout(1, green.sleep, 5)
        yield(value == nil and err.code)
        green.timeout(1, function() end)
        yield("second")
      end)
      assert.are.equal("ETIMEDOUT", gen())
      assert.are.equal("second", gen())
      green.sleep(5)
    end)

    it("around one call of a generator leaves the generator usable when it is caught", function()
      local gen = wrap(function()
        local ok = pcall(green.sleep, 5)
        yield(ok)
        green.sleep(1)
        yield("more")
      end)
      assert.is_false((green.timeout(1, gen)))
      assert.are.equal("more", gen())
    end)
  end)

  describe("yield", function()
    it("at the top of a green thread is a turn for the others", function()
      local order = {}
      local t = green.spawn(function()
        order[#order + 1] = "a"
        assert.are.equal(0, select("#", yield("ignored")))
        order[#order + 1] = "b"
      end)
      green.spawn(function()
        order[#order + 1] = "other"
      end)
      t:wait()
      assert.are.same({ "a", "other", "b" }, order)
    end)

    it("at the top raises when the thread is killed", function()
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        yield()
        return "not reached"
      end)
      assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
    end)

    it("that was kept from before the library was loaded works at the top too", function()
      local others = false
      green.spawn(function()
        others = true
      end)
      local t = green.spawn(function()
        patch_coroutine.raw.yield()
        return others
      end)
      assert.is_true(t:wait())
    end)
  end)

  describe("a wait that cannot be", function()
    it("in a coroutine that greenlua did not resume is refused", function()
      local co = create(function()
        return raised(green.sleep, 1)
      end)
      local ok, err = patch_coroutine.raw.resume(co)
      assert.is_true(ok)
      assert.matches("cannot wait in a coroutine that greenlua did not resume", err)
      green.sleep(1)
    end)

    it("does not make calls fail there that need not wait", function()
      local done = green.spawn(function()
        return "x"
      end)
      testing.settle()
      local co = create(function()
        for _ = 1, 200 do
          assert(done:wait() == "x")
        end
        return "all"
      end)
      assert.are.same({ true, "all" }, { patch_coroutine.raw.resume(co) })
    end)

    it("below a C function is refused inside of the coroutine", function()
      local inner
      local ok, err = pcall(string.gsub, "x", "x", function()
        local co = create(function()
          inner = raised(green.sleep, 1)
          return "went on"
        end)
        assert.are.same({ true, "went on" }, { resume(co) })
      end)
      assert.is_true(ok, err)
      assert.matches("cannot wait inside string%.gsub", inner)
      green.sleep(1)
    end)
  end)

  for what, call in pairs {
    ["string.gsub"] = function(fn)
      string.gsub("x", "x", fn)
    end,
    ["table.sort"] = function(fn)
      table.sort({ 1, 2, 3 }, function(a, b)
        fn()
        return a < b
      end)
    end,
    ["print"] = function(fn)
      lua_print()(setmetatable({}, { __tostring = function()
        fn()
        return ""
      end }))
    end,
  } do
    it("names " .. what .. " when a wait inside of it is refused", function()
      local message
      pcall(call, function()
        message = raised(green.sleep, 1)
        error("enough")
      end)
      assert.matches("coroutine_spec%.lua:%d+: cannot wait inside " .. what .. "$", message)
      green.sleep(1) -- nothing of it is left
    end)
  end

  --- Calls that raise, each in another way.
  local failures = {
    error = function() error("x", 0) end,
    ["a nil call"] = function() local none = nil none() end,
    ["a C function"] = function() string.rep() end,
    ["a coroutine"] = function() wrap(error)("x") end,
  }
  for what, fail in pairs(failures) do
    it("names xpcall's handler when a wait inside of it is refused, after " .. what, function()
      local messages = {}
      local ok, value = xpcall(fail, function(err)
        messages[1] = raised(green.sleep, 1)
        pcall(error) -- A caught error takes the state's own word for it away.
        messages[2] = raised(green.sleep, 1)
        messages[3] = raised(wrap(green.sleep), 1)
        return err
      end)
      assert.is_false(ok)
      assert.is_not.equal("error in error handling", value)
      for i = 1, 3 do
        assert.matches("cannot wait inside the message handler of xpcall$", messages[i])
        assert.matches(i < 3 and "coroutine_spec%.lua:%d+: " or "", messages[i])
      end
      assert.same({ false, "error in error handling" }, { xpcall(fail, function()
        green.sleep(1)
      end) })
      green.sleep(1) -- nothing of it is left
      assert.is_true(xpcall(green.sleep, print, 1))
    end)
  end

  it("says in a report why an error came out of error handling", function()
    local told
    local old = green.on_error(function(_, _, trace) told = trace end)
    green.spawn(function()
      error(select(2, xpcall(error, function() green.sleep(1) end, "x")), 0)
    end)
    testing.settle()
    green.on_error(old)
    assert.matches("^error in error handling\n%(the message handler of an xpcall", told)
  end)

  it("refuses to wait in a finalizer", function()
    local message
    local function make()
      local proxy = newproxy(true)
      getmetatable(proxy).__gc = function()
        message = select(2, pcall(green.sleep, 1))
      end
    end
    make()
    collectgarbage()
    collectgarbage()
    assert.matches("cannot wait inside a finalizer or a debug hook$", message)
    green.sleep(1)
  end)

  it("refuses to wait in a finalizer of the FFI's", function()
    local ffi = require "ffi"
    local message
    local function make()
      ffi.gc(ffi.new("int[1]"), function()
        message = select(2, pcall(green.sleep, 1))
      end)
    end
    make()
    collectgarbage()
    collectgarbage()
    assert.matches("cannot wait inside a finalizer or a debug hook$", message)
    green.sleep(1)
  end)

  it("waits inside pcall, xpcall, iterators and metamethods", function()
    local t0 = green.now()
    assert.is_true((pcall(green.sleep, 1)))
    assert.is_true((xpcall(green.sleep, error, 1)))
    for _ in function()
      green.sleep(1)
    end do
      error("no value")
    end
    local object = setmetatable({}, {
      __index = function()
        green.sleep(1)
        return "indexed"
      end,
      __add = function()
        green.sleep(1)
        return "added"
      end,
      __call = function()
        green.sleep(1)
        return "called"
      end,
    })
    assert.are.same({ "indexed", "added", "called" }, { object.x, object + 1, object() })
    assert.is_near(6, green.now() - t0, 1e-6)
  end)
end)
