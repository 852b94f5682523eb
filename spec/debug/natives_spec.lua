-- Native threads among the threads: green.debug.native_threads, and the texts.

local green = require "green"
local core = require "green.core"
local dbg = require "green.debug"
local folder = require "spec.support.folder"
local fs = require "green.fs"
local program = require "spec.support.program"
local testing = require "green.testing"
local tpool = require "green.tpool"

local _, real = testing.busted()

local HERE = "spec/debug/natives_spec.lua:"
local USR2 = 12

local dir = folder.each(before_each, after_each)

--- A test that leaves no native thread behind.
local function it(title, body)
  real(title, function()
    body()
    tpool.killall()
  end)
end

--- Until a file is there.
local function work(path)
  local file
  repeat
    file = io.open(path)
  until file
  file:close()
end

--- Call fn(path) in a native thread, ask(record, thread) while it is at work, let it end.
local function while_at_work(fn, ask, arg)
  local path = os.tmpname()
  os.remove(path)
  local t = green.spawn(function() return tpool.execute(fn, arg or path) end):name("caller")
  local found
  repeat
    green.sleep(0.001)
    for _, n in ipairs(dbg.native_threads()) do
      found = n.state == "at work" and n or found
    end
  until found
  ask(found, t)
  assert(io.open(path, "w")):close()
  t:wait()
  os.remove(path)
end

local function of(tid)
  for _, n in ipairs(dbg.native_threads()) do
    if n.tid == tid then
      return n
    end
  end
end

describe("green.debug.native_threads", function()
  it("is empty where no job ever was", function()
    local p = program.run_greenlua { "-e", [[
      local dbg = require "green.debug"
      local function tasks()
        local status = io.open("/proc/self/status"):read("*a")
        return tonumber(status:match("Threads:%s*(%d+)"))
      end
      local before = tasks()
      print(#dbg.native_threads(), (dbg.format_threads():match("native")), tasks() - before)
    ]] }
    assert.equal("0\tnil\t0\n", p.out)
  end)

  it("has the job of each, since when, and who wants it", function()
    while_at_work(work, function(n, t)
      assert.equal("function <" .. HERE .. debug.getinfo(work, "S").linedefined .. ">", n.job)
      assert.is_true(n.seconds >= 0)
      assert.equal("caller", n.name)
      assert.equal(core.ids(t), n.by)
      assert.matches("^" .. HERE:gsub("%.", "%%.") .. "%d+$", n.spawned_at)
      assert.is_true(n.is_ours)
      assert.is_true(n.tid > 0)
    end)
  end)

  it("is idle when the job is over", function()
    local tid
    while_at_work(work, function(n) tid = n.tid end)
    local n = of(tid)
    assert.equal("idle", n.state)
    assert.is_nil(n.job)
    assert.is_nil(n.by)
    assert.is_false(n.is_ours)
  end)

  it("knows functions of C, and of modules, by their names", function()
    local path = os.tmpname()
    os.remove(path)
    while_at_work(os.execute, function(n)
      assert.equal("function os.execute", n.job)
      repeat
        green.sleep(0.001)
        n = of(n.tid)
      until n.syscall and n.syscall:find "^wait" -- before it there is the start of the child
      assert(io.open(path, "w")):close()
    end, "while ! [ -e " .. path .. " ]; do sleep 0.01; done")
    os.remove(path)
  end)

  it("gives all who ask where its Lua stands the answer", function()
    while_at_work(work, function(n)
      assert.equal(1, core.native_ask(n.number, n.jobs, false))
      local first
      repeat
        green.sleep(0.001)
        first = core.native_answer(n.number, n.jobs)
      until first
      assert.matches(HERE .. "%d+: in function", first)
      assert.equal(first, core.native_answer(n.number, n.jobs))
    end)
  end)

  it("knows them in a program's first job", function()
    local p = program.run_greenlua { "-e", [[
      local green, dbg, tpool = require "green", require "green.debug", require "green.tpool"
      local job
      local t = green.spawn(function()
        repeat tpool.execute(os.execute, "sleep 0.05") until job
      end)
      repeat
        green.sleep(0.001)
        local n = dbg.native_threads()[1]
        job = n and n.job
      until job
      print(job)
      t:wait()
    ]] }
    assert.equal("function os.execute\n", p.out)
  end)

  it("is of the whole process: a job sees its own thread, which another runtime wants", function()
    local pool = tpool.pool { threads = 1 } -- its state has a hub, and goes with it
    local n = pool:execute(function()
      local tid = require("green.tpool").thread_id()
      for _, one in ipairs(require("green.debug").native_threads()) do
        if one.tid == tid then
          return one
        end
      end
    end)
    pool:killall()
    pool:close()
    assert.equal("at work", n.state)
    assert.is_false(n.is_ours)
  end)

  it("shows the library's own by what they do", function()
    local p = program.run_greenlua { "-e", [[
      local green, dbg, fs = require "green", require "green.debug", require "green.fs"
      local file, job = assert(fs.open("/dev/zero")), nil
      green.spawn(function() -- jobs of some milliseconds each
        repeat assert(file:read(1e7)) until job
        print((job:gsub("%d+", "N")))
      end)
      repeat
        green.sleep(0.001)
        for _, n in ipairs(dbg.native_threads()) do job = n.job or job end
      until job
      green.wait()
    ]] }
    assert.equal("read of fd N\n", p.out)
  end)

  it("has none of the parent's in a child", function()
    local p = program.run_greenlua { "-e", [[
      local green, dbg, tpool = require "green", require "green.debug", require "green.tpool"
      tpool.execute(function() end)
      print(#dbg.native_threads())
      local child = green.fork(function()
        print(#dbg.native_threads())
        tpool.execute(function() end)
        print(#dbg.native_threads())
      end)
      require("green.process").wait(child)
    ]] }
    assert.equal("1\n0\n1\n", p.out)
  end)
end)

describe("Native threads in texts", function()
  it("stand behind the green ones", function()
    while_at_work(work, function(n, t)
      local text = dbg.format_threads { traceback = false }
      assert.matches("^%d+ green threads?, %d+ native threads?\n", text)
      assert.matches("\nnative thread " .. n.tid .. " %(at work for %d+%.%d s[^)]*%): function <"
        .. HERE:gsub("%.", "%%.") .. "%d+>, for #" .. core.ids(t) .. " caller %(spawned at "
        .. HERE:gsub("%.", "%%.") .. "%d+%)\n", text)
    end)
    assert.matches("\nnative thread %d+ %(idle for %d+%.%d s%)\n", dbg.format_threads())
  end)

  it("have the traceback of their Lua, as far as it comes at once", function()
    while_at_work(work, function(n)
      local text, found
      repeat
        text = dbg.format_threads()
      until text:find("\nnative thread " .. n.tid .. " %(at work[^\n]*\n    stack traceback:\n")
      assert.matches("\n      " .. HERE:gsub("%.", "%%.") .. "%d+: in function <", text)
      repeat
        for _, one in ipairs(dbg.native_threads { traceback = true }) do
          found = one.traceback or found
        end
      until found
      assert.matches("^stack traceback:\n\t", found)
    end)
    for _, one in ipairs(dbg.native_threads { traceback = true }) do
      assert.is_nil(one.traceback)
    end
  end)

  it("have no control bytes of names", function()
    local natives = require "green.debug.natives"
    local text = natives.text { tid = 1, state = "at work", seconds = 1, job = "open of a\27[1m\n",
      name = "b\194\155", by = 3, is_ours = true }
    assert.equal("native thread 1 (at work for 1.0 s): open of a?[1m?, for #3 b?", text)
  end)

  local SERVES = [[
    local green, tpool = require "green", require "green.tpool"
    green.spawn(function()
      tpool.execute(function() while true do end end)
    end):name("cruncher")
    local debugging = require "green.debug"
    local first
    repeat
      green.sleep(0.001)
      first = debugging.native_threads()[1]
    until first and first.state == "at work"
    print "up"
    io.stdout:flush()
    green.sleep(3600)
  ]]
  local SEEN = "\nnative thread %d+ %(at work for %d+%.%d s[^)]*%): function <%(command line%):3>, "
    .. "for #%d+ cruncher %(spawned at "

  it("are in what SIGUSR2 writes", function()
    local p = program.start_greenlua { "-e", SERVES }
    p:expect "up\n"
    p:kill(USR2)
    local text = p:expect("greenlua: 2 green threads, 1 native thread\n", "err")
    assert.matches(SEEN, text)
    p:kill(program.TERM)
    p:wait()
    assert.equal(program.TERM, p.signal)
  end)

  it("are in what `greenlua dump` writes", function()
    assert(fs.chmod(dir(), 448))
    local env = { XDG_RUNTIME_DIR = dir() }
    local p = program.start_greenlua { env = env, "--backdoor", "-e", SERVES }
    p:expect "up\n"
    local out = program.run_greenlua { "dump", tostring(p.pid), env = env }
    p:kill(program.TERM)
    p:wait()
    assert.equal("", out.err)
    assert.matches(SEEN, out.out)
  end)
end)
