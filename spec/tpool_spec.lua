local errors = require "green.error"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"
local tpool = require "green.tpool"

local _, real = testing.busted()

--- A test that leaves no thread of the shared pool behind.
local function it(title, body)
  real(title, function()
    body()
    tpool.killall()
  end)
end

--- What a call raises.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- A file's name for a handshake between threads; it does not exist.
local function mark()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local function wait_for(path)
  local deadline = green.now() + 20
  while green.now() < deadline do
    local file = io.open(path)
    if file then
      file:close()
      os.remove(path)
      return
    end
    green.sleep(0.002) -- another thread has no other way to tell
  end
  error(path .. " has not come")
end

local function touch(path)
  assert(io.open(path, "w")):close()
end

--- Wait until no job is under way.
local function wait_quiet(pool)
  local deadline = green.now() + 20
  while pool.stats().pending > 0 do
    assert(green.now() < deadline, "a job does not end")
    green.sleep(0.002)
  end
  testing.settle() -- who has told it to stop sees that
end

describe("tpool.execute", function()
  it("calls a function with its upvalues in another thread, and waits", function()
    local base, count = 10, 0
    local function add(a, b)
      count = count + 1
      return a + b + base, nil, count, nil
    end
    local r = { n = select("#", tpool.execute(add, 1, 2)), tpool.execute(add, 1, 2) }
    assert.equal(4, r.n)
    assert.equal(13, r[1])
    assert.is_nil(r[2])
    assert.equal(1, r[3])
    assert.equal(0, count) -- by value
    assert.is_true(tpool.execute(tpool.inside))
    assert.is_false(tpool.inside())
    assert.not_equal(tpool.thread_id(), tpool.execute(tpool.thread_id))
  end)

  it("lets the other green threads go on", function()
    local here, there = mark(), mark()
    local ticks = 0
    local ticker = green.spawn(function()
      while true do
        green.sleep(0.001)
        ticks = ticks + 1
        if ticks == 3 then touch(here) end
      end
    end)
    local answer = tpool.execute(function(path)
      local file
      repeat file = io.open(path) until file -- blocks its own thread alone
      file:close()
      return "seen"
    end, here)
    ticker:kill()
    os.remove(here)
    os.remove(there)
    assert.equal("seen", answer)
  end)

  it("has tables, structs, functions and modules cross both ways", function()
    local t = { 1, { "two" }, int = 5LL }
    t.self = t
    local u, f = tpool.execute(function(x)
      assert(x.self == x and x.int == 5LL)
      x.new = string.format
      local n = 0
      return x, function() n = n + 1 return n end
    end, t)
    assert.equal(u, u.self)
    assert.equal(string.format, u.new)
    assert.equal(1, f())
    assert.equal(2, f())
  end)

  it("finds modules where the caller does, and keeps them", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    local file = assert(io.open(folder .. "/tpool_spec_module.lua", "w"))
    file:write("local n = 0 return { next = function() n = n + 1 return n end }")
    file:close()
    local path = package.path
    package.path = folder .. "/?.lua;" .. path
    tpool.set_num_threads(1)
    local function next_one() return require("tpool_spec_module").next() end
    local one, two = tpool.execute(next_one), tpool.execute(next_one)
    package.path = path
    tpool.killall()
    tpool.set_num_threads(4)
    os.execute("rm -r " .. folder)
    assert.equal(1, one)
    assert.equal(2, two)
  end)

  it("calls straight on from inside of a native thread", function()
    local outer, inner = tpool.execute(function()
      local pool = require "green.tpool"
      return pool.thread_id(), pool.execute(pool.thread_id)
    end)
    assert.equal(outer, inner)
  end)

  it("works while a module is required whose body calls it [S18]", function()
    package.preload["tpool_spec.body"] = function()
      return { value = require("green.tpool").execute(function()
        return require("green.url") ~= nil
      end) }
    end
    local value = require("tpool_spec.body").value
    package.loaded["tpool_spec.body"], package.preload["tpool_spec.body"] = nil, nil
    assert.is_true(value)
  end)

  it("may wait there, by a loop of that thread's own", function()
    assert.equal("done", tpool.execute(function()
      local g = require "green"
      local q = g.Queue()
      g.spawn(function()
        g.sleep(0.001)
        q:put("done")
      end)
      return q:get()
    end))
  end)

  it("says by its path what cannot cross, and has done nothing", function()
    local conn = { socket = coroutine.create(print) }
    assert.matches("tpool_spec.lua:%d+: execute: arg%[1%]%.conn%.socket is a coroutine",
      raised(tpool.execute, print, { conn = conn }))
    assert.matches("execute: upvalue 'conn'%.socket is a coroutine",
      raised(tpool.execute, function() return conn end))
    assert.matches("^result%[2%]%.x is a coroutine", raised(tpool.execute, function()
      return 1, { x = coroutine.create(print) }
    end))
    assert.equal(0, tpool.stats().pending)
  end)

  it("raises what the function raised: an error of the library's, any value, a text", function()
    local err = raised(tpool.execute, function()
      error(require("green.error").new("EPIPE", "write", nil, { detail = { 7 } }))
    end)
    assert.is_true(errors.is_error(err, "EPIPE"))
    assert.equal(7, err.detail[1])
    assert.same({ 1, 2 }, raised(tpool.execute, error, { 1, 2 }))
    assert.is_nil(raised(tpool.execute, error))
    assert.matches("^[^\n]*tpool_spec.lua:%d+: here$",
      raised(tpool.execute, function() error("here") end))
    assert.matches("attempt to index", raised(tpool.execute, function() return (nil).x end))
  end)

  it("raises what is left of an error that cannot cross whole", function()
    local err = raised(tpool.execute, function()
      error { code = 5, co = coroutine.create(print), list = { 1 } }
    end)
    assert.same({ code = 5, list = { 1 } }, err)
    assert.matches("^sorry %(.*metatable", raised(tpool.execute, function()
      error(setmetatable({}, { __tostring = function() return "sorry" end }))
    end))
    assert.matches("^an error that is a thread", raised(tpool.execute, function()
      error(coroutine.create(print))
    end))
  end)

  it("joins the traceback of the thread to the caller's", function()
    local r = program.run { program.greenlua, "-e", [[
      local function deep() error("boom") end
      require("green.tpool").execute(function() deep() end)
    ]] }
    assert.equal(1, r.status)
    assert.matches("boom.*in a native thread:.*in function 'deep'.*called from:.*'execute'", r.err)
  end)

  it("stays in one native thread where that is wanted [S16]", function()
    local own = tpool.with { affinity = true }
    local first = own:execute(tpool.thread_id)
    for _ = 1, 10 do
      green.spawn(tpool.execute, function() end)
      assert.equal(first, own:execute(tpool.thread_id))
    end
  end)

  it("keeps nothing of arguments and results alive [b166]", function()
    local function grown(n)
      for _ = 1, n do
        pcall(tpool.execute, function(t) error(t) end, { ("x"):rep(10000) .. n })
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    grown(10)
    local few = grown(10)
    assert.is_true(grown(100) - few < 100)
  end)
end)

describe("a job that nobody waits for any more", function()
  it("frees its caller at once, and is stopped where it is interpreted", function()
    local started = mark()
    local value, err = nil, nil
    local t = green.spawn(function()
      value, err = green.timeout(20, tpool.execute, function(path)
        io.open(path, "w"):close()
        while true do pcall(string.rep, "x", 10) jit.off(true, true) end
      end, started)
    end)
    wait_for(started)
    t:kill()
    assert.is_true(errors.is_error(raised(t.wait, t), "ECANCELED"))
    assert.is_nil(value or err)
    wait_quiet(tpool)
  end)

  it("is stopped by a timeout, though it catches that once and again", function()
    local value, err = green.timeout(0.05, tpool.execute, function()
      jit.off(true, true)
      local function spin() while true do end end
      jit.off(spin)
      for _ = 1, 5 do pcall(spin) end
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    wait_quiet(tpool)
  end)

  it("is stopped in compiled loops where it is killable", function()
    local value, err = green.timeout(0.05, function()
      tpool.with { killable = true }:execute(function() while true do end end)
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    wait_quiet(tpool)
    -- The next one is compiled again.
    assert.is_true(tpool.execute(function() return (jit.status()) end))
  end)

  it("leaves nothing half done to the next: its thread gets a new state", function()
    tpool.set_num_threads(1)
    local started = mark()
    local function load_it(path)
      package.preload["tpool_spec.half"] = package.preload["tpool_spec.half"] or function()
        if not _G.second then io.open(path, "w"):close() end
        jit.off(true, true)
        while not _G.second do string.rep("x", 10) end
        return "whole"
      end
      return require "tpool_spec.half"
    end
    local t = green.spawn(tpool.execute, load_it, started)
    wait_for(started)
    t:kill()
    wait_quiet(tpool)
    assert.equal("whole", tpool.execute(function(load, path)
      _G.second = true
      return load(path)
    end, load_it, started))
    tpool.killall()
    tpool.set_num_threads(4)
  end)

  it("is stopped where it waits by its own loop", function()
    local started = mark()
    local t = green.spawn(tpool.execute, function(path)
      io.open(path, "w"):close()
      require("green").sleep(1000)
    end, started)
    wait_for(started)
    t:kill()
    wait_quiet(tpool)
  end)

  it("has its native thread given up where it does not stop, four at most", function()
    local r = program.run { program.greenlua, "-e", [[
      local green, tpool = require "green", require "green.tpool"
      local hasty = tpool.with { grace = 0.02 }
      local function spin(path)
        jit.opt.start "hotloop=1"
        local ffi = require "ffi"
        ffi.cdef "int unlink(const char *)"
        while true do ffi.C.unlink(path) end
      end
      local function await_removal(path)
        io.open(path, "w"):close()
        repeat
          green.sleep(0.001)
          local file = io.open(path)
          if file then file:close() end
        until not file
      end
      for i = 1, 4 do
        local path = os.tmpname()
        local t = green.spawn(hasty.execute, hasty, spin, path)
        -- What is interpreted would stop: a loop that was turned so often is compiled.
        for _ = 1, 20 do await_removal(path) end
        t:kill()
        repeat green.sleep(0.002) until tpool.stats().pending == 0
        print(i, pcall(tpool.execute, function() return "another" end))
      end
    ]], patience = 60 }
    assert.equal(0, r.status, r.err)
    assert.matches("^1\ttrue\tanother\n2\ttrue\tanother\n3\ttrue\tanother\n4\tfalse\t"
      .. "execute: too many jobs would not stop.*ELOST", r.out)
    local _, lost = r.err:gsub("not stopped 0.02 s after it was left %(%(command line%):19%)", "")
    assert.equal(4, lost, r.err)
  end)

  it("never begins where it was in line", function()
    tpool.set_num_threads(1)
    local started, go, ran = mark(), mark(), mark()
    local first = green.spawn(tpool.execute, function(a, b)
      io.open(a, "w"):close()
      local file
      repeat file = io.open(b) until file
      file:close()
    end, started, go)
    wait_for(started)
    local second = green.spawn(tpool.execute, function(path) io.open(path, "w"):close() end, ran)
    green.sleep(0)
    assert.equal(1, tpool.stats().queued)
    second:kill()
    assert.equal(0, tpool.stats().queued)
    touch(go)
    first:wait()
    os.remove(go)
    assert.is_nil(io.open(ran))
    tpool.killall()
    tpool.set_num_threads(4)
  end)

  it("is not sent when a kill or a wait that is refused comes before", function()
    local ran = mark()
    local function run(path) io.open(path, "w"):close() end
    local err
    green.spawn(function()
      green.getcurrent():kill_soon()
      err = raised(tpool.execute, run, ran)
    end):wait()
    assert.is_true(errors.is_error(err, "ECANCELED"))
    assert.matches("cannot wait", raised(string.gsub, "x", "x", function()
      tpool.execute(run, ran)
    end))
    assert.is_nil(io.open(ran))
  end)
end)

describe("tpool.map and imap", function()
  it("give results in the order of the list", function()
    local squares = tpool.map(function(x) return x * x end, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
    assert.same({ 1, 4, 9, 16, 25, 36, 49, 64, 81, 100 }, squares)
    local seen = {}
    for i, double, text in tpool.imap(function(x) return x * 2, "t" .. x end, { 5, 6 }) do
      seen[i] = { double, text }
    end
    assert.same({ { 10, "t5" }, { 12, "t6" } }, seen)
  end)

  it("have no more under way than was said", function()
    local n = 0
    local function inputs()
      n = n + 1
      return n <= 30 and n or nil
    end
    for i in tpool.imap(function(x) return x end, inputs, { size = 3 }) do
      assert.is_true(n - i <= 3)
      assert.is_true(tpool.stats().pending <= 3)
    end
    assert.equal(31, n)
  end)

  it("raise an error in its place", function()
    assert.matches("no 2", raised(tpool.map, function(x)
      if x == 2 then error("no 2") end
      return x
    end, { 1, 2, 3 }))
    wait_quiet(tpool)
  end)
end)

describe("the number of native threads", function()
  it("is checked when it is set, or at the first job [S09]", function()
    assert.matches("set_num_threads: n must be a whole number, not \"5\"",
      raised(tpool.set_num_threads, "5"))
    assert.matches("whole number", raised(tpool.set_num_threads, 1.5))
    tpool.set_num_threads(-1)
    assert.matches("execute: the number of native threads is wrong: set_num_threads%(%-1%)",
      raised(tpool.execute, print))
    tpool.set_num_threads(2)
    assert.equal(1, tpool.execute(function() return 1 end))
    assert.matches("there are native threads already", raised(tpool.set_num_threads, 3))
    tpool.killall()
    tpool.set_num_threads(4)
  end)

  it("may be 0: jobs run in the loop's own state, which a warning says once [S09]", function()
    local r = program.run { program.greenlua, "-e", [[
      local tpool = require "green.tpool"
      tpool.set_num_threads(0)
      local t = {}
      print(tpool.execute(function() return t end) == t, tpool.execute(tpool.inside))
      print(pcall(tpool.execute, error, t))
    ]] }
    assert.equal(0, r.status, r.err)
    assert.matches("^true\tfalse\nfalse\ttable", r.out)
    local _, warnings = r.err:gsub("with 0 native threads", "")
    assert.equal(1, warnings, r.err)
    r = program.run { program.greenlua, "-e",
      "print(require('green.tpool').execute(function() return 5 end))",
      env = { GREENLUA_THREADS = "0" } }
    assert.equal("5\n", r.out)
  end)
end)

describe("tpool.killall", function()
  it("has jobs done and results delivered, and ends the threads; more may come [b165]", function()
    local results = {}
    for i = 1, 20 do
      green.spawn(function() results[i] = tpool.execute(function(x) return x end, i) end)
    end
    green.sleep(0)
    tpool.killall()
    green.sleep(0)
    assert.equal(20, #results)
    assert.equal(0, tpool.stats().threads)
    assert.equal(7, tpool.execute(function() return 7 end))
  end)
end)

describe("a pool of one's own", function()
  it("has its own threads, which run init first", function()
    local function init() _G.ready = (_G.ready or 0) + 1 end
    local pool = tpool.pool { threads = 1, init = init }
    local function get() return _G.ready end
    assert.equal(1, pool:execute(get))
    assert.equal(1, pool:execute(get))
    assert.is_nil(tpool.execute(get))
    assert.same({ 2, 3 }, pool:map(function(x) return x + 1 end, { 1, 2 }))
    assert.equal(1, pool:stats().threads)
    pool:close()
    pool:close()
    assert.is_true(errors.is_error(raised(pool.execute, pool, get), "ECLOSED"))
  end)

  it("tells an error of init, and tries again with the next job", function()
    local pool = tpool.pool { threads = 1, init = function()
      _G.tries = (_G.tries or 0) + 1
      if _G.tries < 2 then error("not yet") end
    end }
    assert.matches("not yet", raised(pool.execute, pool, print))
    assert.equal(2, pool:execute(function() return _G.tries end))
    pool:close()
    local co = coroutine.create(print)
    assert.matches("init: upvalue 'co' is a coroutine", raised(function()
      local other = tpool.pool { init = function() return co end }
      other:execute(print)
    end))
  end)

  it("wakes who waits when it is closed", function()
    local pool, started, fds = tpool.pool { threads = 1 }, mark(), testing.open_fds()
    local t = green.spawn(pool.execute, pool, function(path)
      io.open(path, "w"):close()
      require("green").sleep(1000)
    end, started)
    wait_for(started)
    pool:close()
    assert.is_true(errors.is_error(raised(t.wait, t), "ECLOSED"))
    local deadline = green.now() + 20
    while testing.open_fds() > fds and green.now() < deadline do
      green.sleep(0.002) -- the thread ends by itself, with its loop
    end
  end)

  it("refuses what is no option", function()
    assert.matches("unknown option 'thread'; did you mean 'threads'", raised(tpool.pool,
      { thread = 1 }))
    assert.matches("killable must be true or false", raised(tpool.with, { killable = 1 }))
  end)
end)

describe("a child of a fork", function()
  it("has its own threads, and does nothing again that its parent's were at", function()
    local log = mark()
    local r = program.run { program.greenlua, "-e", ([[
      local green, tpool = require "green", require "green.tpool"
      local log = %q
      local function append(text)
        local file = io.open(log, "a")
        file:write(text, "\n")
        file:close()
      end
      local function linger()
        append("ran")
        local until_when = os.time() + 30
        repeat
          local file = io.open(log .. ".go")
        until file or os.time() > until_when
        return "over"
      end
      local t = green.spawn(tpool.execute, linger)
      repeat green.sleep(0.002) local file = io.open(log) until file and file:read("*l") == "ran"
      local pid = green.fork(function()
        append("child " .. tpool.execute(function() return 5 end))
        local ok, err = pcall(t.wait, t)
        append("there " .. tostring(ok))
      end, { inherit = true })
      require("green.process").wait(pid)
      append("parent")
      io.open(log .. ".go", "w"):close()
      print(t:wait())
    ]]):format(log), patience = 60 }
    local file = assert(io.open(log))
    local text = file:read("*a")
    file:close()
    os.remove(log)
    os.remove(log .. ".go")
    assert.equal("over\n", r.out, r.err)
    assert.equal("ran\nchild 5\nthere false\nparent\n", text)
  end)
end)

describe("the end of the program", function()
  it("does not wait for a job that does not end", function()
    local r = program.run { program.greenlua, "-e", [[
      local green, tpool = require "green", require "green.tpool"
      green.spawn(tpool.execute, function() while true do end end)
      green.sleep(0.05)
      print("out")
    ]], patience = 20 }
    assert.equal("out\n", r.out)
    assert.equal(0, r.status, r.err)
    r = program.run { program.greenlua, "-e", [[
      local green, tpool = require "green", require "green.tpool"
      green.spawn(tpool.execute, function() require("green").sleep(1000) end)
      green.sleep(0.05)
    ]], patience = 20 }
    assert.equal("", r.err) -- what was stopped is nobody's error any more
  end)
end)

describe("the end of a native thread", function()
  it("refuses a finalizer that loads the library for the first time", function()
    local r = program.run_greenlua { "-e", [[
      local pool = require("green.tpool").pool { threads = 1 }
      local function arm()
        local object = newproxy(true)
        getmetatable(object).__gc = function()
          print(pcall(require, "green.core"))
          io.stdout:flush()
        end
        kept = object -- a global of the thread's
      end
      pool:execute(arm)
      pool:killall()
    ]] }
    assert.equal(0, r.status, r.err)
    assert.matches("^false\t.*the native thread ends", r.out)
  end)
end)
