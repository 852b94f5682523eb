local green = require "green"
local core = require "green.core"
local ffi = require "ffi"
local dbg = require "green.debug"
local socket = require "green.socket"
local testing = require "green.testing"

local it, real_it = testing.busted()

ffi.cdef [[
int debug_spec_pipe(int *fds) __asm__("pipe");
long debug_spec_write(int fd, const void *p, size_t n) __asm__("write");
int debug_spec_close(int fd) __asm__("close");
]]

local HERE = "spec/debug/threads_spec.lua:"

local function line()
  return debug.getinfo(2, "l").currentline
end

--- The data of one thread.
local function of(t, opts)
  local id = core.ids(t)
  for data in dbg.each_thread(opts) do
    if data.id == id then
      return data
    end
  end
end

--- Spawn fn, let it wait, ask, end it.
local function ask(fn, opts)
  local t = green.spawn(fn)
  testing.settle()
  local data, text = of(t, opts), require("green.debug.threads").text(t, false)
  t:kill()
  return data, text
end

describe("green.debug.threads", function()
  it("gives each thread's id, name, state, parent and spawn site", function()
    local me = core.ids(core.current())
    local t = green.spawn(function() green.Event():wait() end):name("worker")
    testing.settle()
    local data = of(t)
    assert.equal("worker", data.name)
    assert.equal("parked", data.state)
    assert.equal(me, data.parent)
    assert.equal(HERE .. line() - 6, data.spawned_at)
    assert.equal("running", of(core.current()).state)
    t:kill()
    assert.is_nil(of(t))
  end)

  it("has no control bytes of names in a text", function()
    local t = green.spawn(green.sleep, 1):name("evil\27[31m\n#1 main\194\155")
    local text = require("green.debug.threads").text(t, false)
    t:kill()
    assert.is_nil(text:find("%c"))
    assert.is_truthy(text:find("evil?[31m?#1 main? (", 1, true), text)
  end)

  it("has none of names of chunks in a traceback", function()
    local wait = loadstring("local green = ... green.sleep(1) return 1", "=evil\27[2J\194\155")
    local t = green.spawn(wait, green)
    testing.settle()
    local text = require("green.debug.threads").text(t, true)
    t:kill()
    assert.is_nil(text:find("[%z\1-\9\11-\31\127]"), text)
    assert.is_truthy(text:find("\n      evil?[2J?:1: in main chunk", 1, true), text)
  end)

  it("gives no id to a second thread", function()
    local seen = {}
    for _ = 1, 3 do
      local t = green.spawn(green.sleep, 1)
      local id = core.ids(t)
      assert.is_nil(seen[id])
      seen[id] = true
      t:kill()
    end
  end)

  it("lists as many as there are", function()
    local before = #dbg.threads()
    local all = {}
    for i = 1, 2000 do
      all[i] = green.spawn(green.sleep, 1)
    end
    assert.equal(before + 2000, #dbg.threads { traceback = false })
    assert.equal(before + 2000, #dbg.threads { traceback = false, at_once = true })
    green.joinall(all)
    assert.equal(before, #dbg.threads())
  end)

  it("tells a sleep and what is left of it", function()
    local t = green.spawn(function() green.sleep(10) end)
    testing.settle()
    core.advance(4)
    local data = of(t)
    assert.equal("sleep", data.wait.kind)
    assert.near(4, data.wait.waited, 1e-6)
    assert.near(6, data.wait.left, 1e-6)
    assert.near(core.now() - 4, data.wait.since, 1e-6)
    assert.equal(HERE .. line() - 8, data.wait.at)
    local text = dbg.format_threads { traceback = false }
    assert.matches(": sleep for 4.0 s, 6.0 s more at " .. HERE:gsub("%p", "%%%0"), text)
    t:kill()
  end)

  it("tells the call, its object and the timeout", function()
    local queue, lock = green.Queue(), green.Semaphore(0)
    local data, text = ask(function() queue:get() end)
    assert.equal("queue", data.wait.kind)
    assert.matches("^get of green.Queue{", data.wait.what)
    assert.is_nil(data.wait.left)
    assert.matches(": get of green.Queue{0 of any, 0 putting, 1 getting} at ", text)
    data, text = ask(function() local _ = lock:acquire(3) end)
    assert.equal(3, data.wait.left)
    assert.matches(": acquire of green.Semaphore{0 free, 1 waiting}, 3.0 s more at ", text)
  end)

  it("tells a thread that is to start", function()
    local t = green.spawn_after(5, function() end)
    local data = of(t)
    assert.equal("new", data.state)
    assert.equal("start", data.wait.kind)
    assert.equal(5, data.wait.left)
    assert.is_nil(data.traceback)
    assert.matches("%(new, [^\n]*%): starts in 5.0 s", dbg.format_threads())
    t:kill()
  end)

  it("says nothing of waits that have no name, and of threads that do not wait", function()
    local t = green.spawn(core.park, core.waitq())
    testing.settle()
    assert.is_nil(of(t).wait.what)
    assert.equal("queue", of(t).wait.kind)
    assert.is_nil(of(core.current()).wait)
    t:kill()
  end)

  it("tells scopes and their ends", function()
    local data = ask(function()
      green.timeout(2, function()
        green.shield(3, function()
          green.sleep(1)
        end)
      end)
    end)
    green.sleep(1) -- a shield has masked its kill
    assert.equal("timeout", data.scopes[1].kind)
    assert.equal(2, data.scopes[1].left)
    assert.is_false(data.scopes[1].fired)
    assert.equal("shield", data.scopes[2].kind)
    assert.equal(3, data.scopes[2].left)
    assert.is_nil(of(core.current()).scopes)
    data = ask(function()
      green.group(function(g) g:spawn(green.sleep, 1) end)
    end)
    assert.equal("group", data.scopes[1].kind)
    assert.is_nil(data.scopes[1].left)
  end)

  it("has the traceback of the thread and of the coroutines that it waits in", function()
    local data = ask(function()
      coroutine.wrap(function()
        local inner = coroutine.create(function() green.sleep(1) return 1 end)
        local _, value = coroutine.resume(inner)
        return value
      end)()
      return 1
    end)
    local trace = data.traceback
    local _, coroutines = trace:gsub("in coroutine 0x%x+, resumed by: stack traceback:", "")
    assert.equal(2, coroutines)
    for _, number in ipairs { line() - 9, line() - 8 } do
      assert.is_truthy(trace:find(HERE .. number, 1, true), number .. "\n" .. trace)
    end
    assert.is_nil(ask(function() green.sleep(1) end, { traceback = false }).traceback)
  end)

  it("counts the stack, with those of coroutines", function()
    local little = ask(function() green.sleep(1) end).stack
    local deeper = ask(function()
      local function deep(n)
        if n == 0 then
          green.sleep(1)
        else
          deep(n - 1)
        end
        return n
      end
      deep(50)
    end).stack
    local inside = ask(function()
      coroutine.wrap(function()
        local function deep(n)
          if n == 0 then
            green.sleep(1)
          else
            deep(n - 1)
          end
          return n
        end
        deep(50)
      end)()
    end).stack
    assert.is_true(little > 0)
    assert.is_true(deeper > little + 50 * 8)
    assert.is_true(inside > little + 50 * 8)
    assert.is_nil(of(core.current()).stack)
  end)

  it("gives the thread of an id", function()
    local t = green.spawn(green.sleep, 1)
    local id = core.ids(t)
    assert.equal(t, dbg.thread(id))
    t:kill()
    assert.is_nil(dbg.thread(id))
    assert.is_nil(dbg.thread(id + 0.5))
  end)

  it("gives the thread of an id among many, some of which have ended", function()
    local all = {}
    for i = 1, 1500 do
      all[i] = green.spawn(green.sleep, 1)
    end
    for i = 1, 1499 do
      if i % 700 ~= 0 then all[i]:kill() end
    end
    for i, t in ipairs(all) do
      if i % 50 == 0 then
        assert.equal((i == 1500 or i % 700 == 0) and t or nil, dbg.thread(core.ids(t)))
      end
    end
    green.killall(all)
  end)

  it("is a text with a line for each, and tracebacks if they are wanted", function()
    local text = dbg.format_threads()
    local n = tonumber(text:match("^(%d+) green thread"))
    local _, lines = text:gsub("\n#%d+ ", "")
    assert.equal(n, lines)
    assert.matches("\n    stack traceback:\n      ", text)
    assert.not_matches("stack traceback", dbg.format_threads { traceback = false })
    local all = {}
    for one, is_native in dbg.each_text() do
      if not is_native then
        assert.matches("^#%d+ ", one)
        all[#all + 1] = one
      end
    end
    assert.equal(n, #all)
  end)
end)

describe("green.debug.threads of descriptors", function()
  real_it("tells the peer's address, the number and the direction", function()
    local l = assert(green.listen("127.0.0.1:0"))
    local _, port = l:sockname()
    local c = assert(green.connect("127.0.0.1", port))
    local s = assert(l:accept())
    local data, text = ask(function() c:read_line() end)
    assert.equal("read", data.wait.kind)
    assert.equal("tcp 127.0.0.1:" .. port, data.wait.on)
    assert.equal(core.fd_of(c._s), data.wait.fd)
    assert.is_truthy(text:find((": read on tcp 127.0.0.1:%d fd %d"):format(port, data.wait.fd), 1,
      true), text)
    assert.matches(", in read_line of green.socket{", text)
    data = ask(function() c:write(("x"):rep(2 ^ 24)) end)
    assert.equal("write", data.wait.kind)
    data = ask(function() l:accept() end)
    assert.equal("tcp listening on 127.0.0.1:" .. port, data.wait.on)
    for _, x in ipairs { s, c, l } do
      x:close()
    end
  end)

  real_it("tells a job in a native thread", function()
    local tpool = require "green.tpool"
    local pipe = ffi.new("int[2]")
    ffi.C.debug_spec_pipe(pipe)
    local function job(fd) -- until it was asked about
      local f = require("ffi")
      f.cdef [[long debug_spec_read(int fd, void *p, size_t n) __asm__("read");]]
      return tonumber(f.C.debug_spec_read(fd, f.new("char[1]"), 1))
    end
    local t = green.spawn(function()
      local value = tpool.execute(job, pipe[0])
      return value
    end)
    testing.settle()
    local data = of(t)
    assert.equal("queue", data.wait.kind)
    assert.matches("^execute of green.tpool.pool{", data.wait.what)
    ffi.C.debug_spec_write(pipe[1], "x", 1)
    assert.equal(1, t:wait())
    ffi.C.debug_spec_close(pipe[0])
    ffi.C.debug_spec_close(pipe[1])
  end)

  it("tells who watches", function()
    local a, b = socket.pair()
    local t = green.spawn(function() green.wait { a } end)
    testing.settle()
    local kinds = {}
    for data in dbg.each_thread() do
      kinds[data.wait and data.wait.kind or ""] = data
    end
    assert.matches("^unix", kinds.watch.wait.on)
    t:kill()
    a:close()
    b:close()
  end)
end)

describe("green.debug.each_thread", function()
  --- 3,000 threads that sleep, and one that counts its turns; fn; how many turns those were.
  local function beside(fn)
    local all, turns = {}, 0
    for i = 1, 3000 do
      all[i] = green.spawn(green.sleep, 3600)
    end
    local spinner = green.spawn(function()
      while true do
        turns = turns + 1
        green.sleep(0)
      end
    end)
    fn(all)
    spinner:kill()
    green.killall(all)
    return turns
  end

  real_it("lets the others run between steps", function()
    local n
    local turns = beside(function() n = #dbg.threads() end)
    assert.is_true(n >= 3001)
    assert.is_true(turns > 1)
  end)

  it("lets the others run between steps while a virtual clock stands still", function()
    local turns = beside(function() dbg.threads() end)
    assert.is_true(turns >= 30, turns)
    turns = beside(function() dbg.format_hub_timers() end)
    assert.is_true(turns >= 60, turns) -- all are found, and all are written
  end)

  real_it("stops all others when that is asked for", function()
    local turns = beside(function()
      green.sleep(0)
      local listed = 0
      for _ in dbg.each_thread { at_once = true, traceback = false } do
        listed = listed + 1
      end
      assert.is_true(listed >= 3001)
    end)
    assert.is_true(turns <= 2)
  end)

  real_it("meets each that lives all the while once, whoever ends and begins", function()
    local seen, twice = {}, 0
    beside(function(all)
      local churn = green.spawn(function()
        while true do
          green.spawn_n(function() end)
          green.sleep(0)
        end
      end)
      for data in dbg.each_thread() do
        twice = twice + (seen[data.id] and 1 or 0)
        seen[data.id] = true
      end
      churn:kill()
      for _, t in ipairs(all) do
        assert.is_true(seen[core.ids(t)])
      end
    end)
    assert.equal(0, twice)
  end)

  for name, call in pairs {
    each_thread = function() for _ in dbg.each_thread() do end end,
    each_text = function() for _ in dbg.each_text() do end end,
    threads = dbg.threads,
    thread = function() dbg.thread(1e9) end,
    format_threads = dbg.format_threads,
    format_hub_timers = dbg.format_hub_timers,
    format_hub_listeners = dbg.format_hub_listeners,
  } do
    it(name .. " is a checkpoint: it raises a kill or a timeout, before and during", function()
      local t = green.spawn(call)
      t:kill_soon()
      assert.is_false((pcall(t.wait, t)))
      assert.equal("killed", t:status())
      local timeout = green.Timeout(0)
      green.sleep(0)
      local ok, err = pcall(call)
      timeout:cancel()
      assert.is_false(ok)
      assert.equal(timeout, err)
    end)
  end

  real_it("can be killed between two steps", function()
    local t
    beside(function()
      t = green.spawn(function() while true do dbg.threads() end end)
      green.sleep(0)
      t:kill()
    end)
    assert.equal("killed", t:status())
  end)

  it("works where nobody can wait", function()
    local n
    string.gsub("x", "x", function() n = #dbg.threads() end)
    assert.is_true(n >= 1)
    assert.is_string(select(2, pcall(string.gsub, "x", "x", dbg.format_threads)))
    local id, found = core.ids(core.current()), nil
    string.gsub("x", "x", function() found = dbg.thread(id) end)
    assert.equal(core.current(), found)
  end)
end)
