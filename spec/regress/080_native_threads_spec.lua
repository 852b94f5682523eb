-- What broke under attack in native threads that run Lua, and in what they share with others.
local errors = require "green.error"
local finalizers = require "spec.support.finalizers"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"
local tpool = require "green.tpool"

local _, real = testing.busted()

local function it(title, body)
  real(title, function()
    body()
    collectgarbage()
    collectgarbage()
    green.sleep(0)
    tpool.killall()
    testing.settle() -- who has told jobs to stop sees that they have
  end)
end

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- A folder with a module of that text, and what finds it in package.path.
local function with_module(name, text, fn)
  local path = os.tmpname()
  os.remove(path)
  local file = path .. "_" .. name .. ".lua"
  local f = assert(io.open(file, "w"))
  f:write(text)
  f:close()
  local before = package.path
  package.path = path .. "_?.lua;" .. before
  local ok, err = pcall(fn)
  package.path = before
  package.loaded[name] = nil
  os.remove(file)
  assert(ok, err)
end

describe("a native thread whose job was stopped or raised", function()
  -- The mark that require leaves in package.loaded made the module a "loop or previous
  -- error" for good.
  it("loads a module once more that did not come to its end", function()
    local path = os.tmpname() -- has a byte for each load: a stopped job's thread gets a new state
    with_module("stopped_once", ([[
      local file = io.open(%q, "a+")
      file:write("x")
      file:flush()
      file:seek("set")
      local loads = #file:read("*a")
      file:close()
      if loads == 1 then
        while true do io.open("/nowhere") end
      elseif loads == 2 then
        error("not yet")
      end
      return { loads = loads }
    ]]):format(path), function()
      local pool = tpool.pool { threads = 1, grace = 20 }
      local function load() return require("stopped_once").loads end
      local value, err = green.timeout(0.2, pool.execute, pool, load)
      assert.is_nil(value)
      assert.is_true(green.is_timeout(err))
      assert.matches("not yet", raised(pool.execute, pool, load))
      assert.equal(3, pool:execute(load))
      pool:close()
    end)
    os.remove(path)
  end)

  -- Half of the library was loaded, and what had been declared to the FFI was declared again.
  it("has the library whole, wherever that was stopped", function()
    local function use()
      return require("green").sleep(0) == nil and require("green.tpool").channel ~= nil
    end
    for i = 0, 30 do
      local pool = tpool.pool { threads = 1, grace = 20 }
      green.timeout(i * 0.001, pool.execute, pool, use)
      assert.is_true(pool:execute(use))
      pool:close()
    end
  end)

  it("tells of an error whose __tostring raises, and has no traceback of another", function()
    local err = raised(tpool.execute, function()
      error(setmetatable({}, { __tostring = function() error("no text") end }))
    end)
    assert.matches("^an error that is a table", err)
  end)

  -- It gave the error nil.
  it("says when there are too many results", function()
    assert.matches("too many results", raised(tpool.execute, function()
      return unpack({}, 1, 7950)
    end))
  end)
end)

describe("a job that shall stop", function()
  -- (io.open: ThreadSanitizer hands signals over in calls of C's alone.)
  -- One error each 10 ms was caught by one pcall each 10 ms.
  it("does, though all it does is to catch that in a loop", function()
    local pool = tpool.pool { threads = 1, killable = true, grace = 20 }
    local before = pool:execute(tpool.thread_id)
    local value, err = green.timeout(0.1, pool.execute, pool, function()
      while true do
        pcall(function() while true do io.open("/nowhere") end end)
      end
    end)
    assert.is_nil(value)
    assert.is_true(green.is_timeout(err))
    assert.equal(before, pool:execute(tpool.thread_id)) -- it was not lost
    pool:close()
  end)

  -- The signal was the script's, which was told of the job's end instead of the job.
  it("is told by a signal that a script may watch, too", function()
    local r = program.run { program.greenlua, "-e", [[
      local green, tpool, signal = require "green", require "green.tpool", require "green.signal"
      local ffi = require "ffi"
      ffi.cdef "int getpid(void); int kill(int, int);"
      local pool = tpool.pool { threads = 1, grace = 20 }
      local event = green.Event()
      local n = 0
      pool:execute(function() end)
      signal.handler("URG", function()
        n = n + 1
        if n == 1 then event:send() end
      end)
      green.timeout(0.1, pool.execute, pool, function() while true do io.type(1) end end)
      print(pool:execute(function() return "free" end), n)
      ffi.C.kill(ffi.C.getpid(), signal.number "URG")
      event:wait()
      print(n)
    ]], patience = 60 }
    assert.equal("free\t0\n1\n", r.out, r.err)
  end)
end)

describe("a pool that is closed", function()
  -- Its caller raised "bad argument #1 to 'call_outcome'".
  it("in the turn in which a job's end has come leaves the results to the caller", function()
    local pool, results = tpool.pool { threads = 1 }, {}
    local caller = green.spawn(function()
      results = { pcall(pool.execute, pool, function() return 1 end) }
    end)
    local closer = green.spawn(function()
      while pool:stats().pending > 0 or not caller do
        green.sleep(0)
      end
      pool:close()
    end)
    caller:wait()
    closer:wait()
    assert.same({ true, 1 }, results)
  end)

  it("in the turn in which its caller is killed does no harm", function()
    local pool, fds = tpool.pool { threads = 1 }, testing.open_fds()
    local caller = green.spawn(pool.execute, pool, function() require("green").sleep(1000) end)
    green.sleep(0)
    caller:kill_soon()
    pool:close()
    assert.is_true(errors.is_error(raised(caller.wait, caller), "ECANCELED"))
    local deadline = green.now() + 20
    while testing.open_fds() > fds and green.now() < deadline do
      green.sleep(0.002) -- the thread ends by itself, with its loop
    end
  end)

  -- The call went to memory that was free.
  it("by what runs while arguments are looked at takes no job", function()
    local pool, n_closed = tpool.pool { threads = 1 }, 0
    finalizers.amidst(8000, function() pool:close() end, function()
      for _ = 1, 20 do
        local ok, err = pcall(pool.execute, pool, function() end, { "x" })
        if not ok then
          assert.matches("the pool is closed", tostring(err))
          n_closed = n_closed + 1
          pool = tpool.pool { threads = 1 }
        end
      end
    end)
    assert.is_true(n_closed > 0)
    pool:close()
  end)
end)

describe("what crosses", function()
  it("may be a function with a NUL in its name", function()
    with_module("nul_name", [[
      return { x = function() return "x" end, ["x\0y"] = function() return "whole" end }
    ]], function()
      local fn = require("nul_name")["x\0y"]
      assert.equal("whole", tpool.execute(function(f) return f() end, fn))
    end)
  end)

  -- A crash: there was no runtime to make it in.
  it("is refused where the library is not loaded: what channels and shares are made of", function()
    local pool = tpool.pool { threads = 1 }
    local function kind(x) return type(x) end
    assert.matches("is not loaded", raised(pool.execute, pool, kind, tpool.channel()._channel))
    assert.matches("is not loaded",
      raised(pool.execute, pool, kind, rawget(tpool.share { 1 }, "\0share")))
    pool:close()
  end)

  -- A crash: the token had been collected.
  it("is no token that a finalizer has found", function()
    local r = program.run { program.greenlua, "-e", [[
      local tpool = require "green.tpool"
      local channel, token = tpool.channel(), nil
      local last = newproxy(true)
      getmetatable(last).__gc = function() print(pcall(channel.put_nowait, channel, token)) end
      token = tpool.move(io.open("/dev/null"))
    ]], patience = 20 }
    assert.equal(0, r.status, r.err)
    assert.matches("it has been moved already", r.out)
  end)
end)

describe("a function of a module's proxy", function()
  -- It called what had the module's number by then, or nothing.
  it("keeps the module where it lives", function()
    local hello = tpool.Proxy(require "spec.support.tpool_thing").thread
    local id = hello()
    for _ = 1, 3 do
      collectgarbage()
      green.sleep(0)
      tpool.execute(function() end)
    end
    assert.equal(id, hello())
  end)
end)

describe("a call of a proxy that was left", function()
  -- They stayed for ever.
  it("has the objects let go that it gives", function()
    local proxy = tpool.Proxy(require "spec.support.tpool_thing")
    local new, sleep = proxy.new, proxy.sleep
    local busy = green.spawn(sleep, 0.05) -- the thread is at it: the next one comes late
    green.sleep(0)
    local late = green.spawn(new, 5)
    green.sleep(0)
    late:kill()
    busy:wait()
    testing.settle_io(function()
      collectgarbage()
      return proxy.alive() == 0
    end)
  end)
end)

describe("a job that forks", function()
  -- The child stayed for twenty seconds with nothing to do.
  it("ends the child where it returns there", function()
    local r = program.run { program.greenlua, "-e", [[
      local tpool = require "green.tpool"
      print(tpool.execute(function()
        local ffi = require "ffi"
        ffi.cdef "int fork(void); int waitpid(int, int *, int);"
        local pid, status = ffi.C.fork(), ffi.new "int[1]"
        if pid > 0 then
          ffi.C.waitpid(pid, status, 0)
        end
        return status[0]
      end))
    ]], patience = 15 }
    assert.equal("0\n", r.out, r.err)
  end)
end)

describe("GREENLUA_THREADS", function()
  it("is named where it is no number, and may be 0 in other words", function()
    local function try(value)
      return program.run { program.greenlua, "-e", [[
        print(pcall(require("green.tpool").execute, function() return 1 end))
      ]], env = { GREENLUA_THREADS = value }, patience = 20 }
    end
    for _, text in ipairs { "many", "-1", "2000", "1.5", "nan", "4x" } do
      local r = try(text)
      assert.same({ 1, "", "greenlua: GREENLUA_THREADS=" .. text
        .. ": a whole number from 0 to 1024 is wanted\n" }, { r.status, r.out, r.err })
    end
    assert.equal("true\t1\n", try("00").out)
  end)
end)

describe("a process without descriptors", function()
  -- libev ended it.
  it("tells a job of that which asks for a loop, and the next one has it", function()
    local r = program.run { "sh", "-c", "ulimit -n 64; exec " .. program.greenlua .. [[ -e '
      local tpool = require "green.tpool"
      local function wait() return require("green").sleep(0) == nil end
      tpool.execute(function() end)
      local files = {}
      for i = 1, 100 do files[i] = io.open("/dev/null") end
      print(pcall(tpool.execute, wait))
      for _, file in ipairs(files) do file:close() end
      print(tpool.execute(wait))
    ']], patience = 20 }
    assert.equal(0, r.status, r.err)
    assert.matches("^false\t.*too many open files", r.out)
    assert.matches("true\n$", r.out)
  end)

  -- It was open for ever.
  it("has what was moved closed, when it cannot be made where it should arrive", function()
    local r = program.run { "sh", "-c", "ulimit -n 64; exec " .. program.greenlua .. [[ -e '
      local tpool, testing = require "green.tpool", require "green.testing"
      tpool.execute(function() end)
      local before, files = testing.open_fds(), {}
      local token = tpool.move(io.open("/dev/null"))
      for i = 1, 100 do files[i] = io.open("/dev/null") end
      print(pcall(tpool.execute, function() end, token))
      for _, file in ipairs(files) do file:close() end
      token = nil
      collectgarbage()
      collectgarbage()
      print(testing.open_fds() - before)
    ']], patience = 20 }
    assert.equal(0, r.status, r.err)
    assert.matches("^false\t.*Too many open files", r.out)
    assert.matches("\n0\n$", r.out)
  end)
end)
