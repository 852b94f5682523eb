-- The blocking detector. What blocks does so until it is told of: no spec depends on how fast
-- that is.

local ffi = require "ffi"
local core = require "green.core"
local debugging = require "green.debug"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local RESOLUTION = 0.02

ffi.cdef [[
int blocking_usleep(unsigned us) __asm__("usleep");
]]

local function told()
  return core.watchdog_state().told
end

local function line_of(fn)
  local info = debug.getinfo(fn, "S")
  return info.linedefined, info.lastlinedefined
end

-- -- Ways to block ------------------------------------------------------------

local function spin()
  repeat
    local x = 0
    for i = 1, 1e5 do
      x = x + i
    end
  until told()
end

local function spin_interpreted()
  repeat
    local x = 0
    for i = 1, 1e5 do
      x = x + i
    end
  until told()
end
jit.off(spin_interpreted)

--- Nearly all of the time is in here, and all of that compiled.
local function compiled_loop(n)
  local x = 0
  for i = 1, n do
    x = x + i
    if x > 1e15 then
      x = 0
    end
  end
  return x
end

local function spin_compiled()
  repeat
    compiled_loop(2e7)
  until told()
end

local function spin_in_sort()
  repeat
    local list = {}
    for i = 1, 1000 do
      list[i] = -i % 17
    end
    table.sort(list, function(a, b)
      local less = a < b
      return less
    end)
  until told()
end

local function spin_in_c()
  local s = ("a"):rep(1e6)
  repeat
    s:gsub("a", "b")
  until told()
end

local numbers = ffi.new("int[1024]")
local function spin_in_ffi()
  repeat
    for _ = 1, 1e4 do
      for i = 0, 1023 do
        numbers[i] = numbers[i] + 1
      end
    end
  until told()
end

local function spin_in_coroutine()
  coroutine.wrap(function()
    coroutine.wrap(spin)()
  end)()
end

-- -- Watching -----------------------------------------------------------------

--- The stalls that are reported while fn runs in a thread of its own.
local function stalls_of(fn, opts)
  local seen = {}
  opts = opts or {}
  opts.report = function(stall)
    seen[#seen + 1] = stall
  end
  assert.is_true(debugging.hub_blocking_detection(true, RESOLUTION, opts))
  local t = green.spawn(fn)
  t:name("the culprit")
  local ok, err = pcall(t.wait, t)
  testing.settle()
  debugging.hub_blocking_detection(false)
  return seen, ok, err, t
end

--- Other threads of the spec's own may be slow, too.
local function stall_of(fn, opts)
  local seen, ok, err = stalls_of(fn, opts)
  for _, stall in ipairs(seen) do
    if stall.name == "the culprit" then
      return stall, ok, err
    end
  end
  error("it was not reported", 2)
end

--- On a busy machine a thread may stand still anywhere, and is reported there: once in ten
-- times it must be as is said.
local function once(fn)
  local is_so, why
  for _ = 1, 10 do
    is_so, why = fn()
    if is_so then
      return
    end
  end
  assert.is_truthy(is_so, why)
end

local function has_line_of(stall, fn)
  local first, last = line_of(fn)
  for line in (stall.traceback or ""):gmatch("blocking_spec%.lua:(%d+): in") do
    if tonumber(line) >= first and tonumber(line) <= last then
      return true
    end
  end
  return false
end

--- The line of the function, or of another that does the work of fn; and a text.
local function is_shown(fn, inner, text)
  once(function()
    local stall = stall_of(fn)
    local trace = stall.traceback or "no traceback"
    return has_line_of(stall, inner or fn) and trace:find(text or "", 1, true), trace
  end)
end

describe("green.debug's hub_blocking_detection", function()
  it("reports who blocks, where it was spawned and for how long [S24] [S29]", function()
    local stall = stall_of(spin)
    assert.are.equal("the culprit", stall.name)
    assert.is_truthy(stall.site:find("blocking_spec%.lua:%d+$"))
    assert.is_true(stall.seconds > 0)
    assert.is_true(green.is_thread(stall.thread))
    assert.is_nil(stall.syscall)
  end)

  it("shows the line of interpreted code", function()
    is_shown(spin_interpreted)
  end)

  it("shows the line inside of a compiled loop [S30]", function()
    is_shown(spin_compiled, compiled_loop)
  end)

  it("shows the line in a function that sort calls", function()
    is_shown(spin_in_sort, nil, "in function 'sort'")
  end)

  it("shows the line of a call of C when that has returned", function()
    is_shown(spin_in_c)
  end)

  it("shows the line of a loop over FFI data", function()
    is_shown(spin_in_ffi)
  end)

  it("shows the coroutine that runs, and who has resumed it", function()
    is_shown(spin_in_coroutine, spin)
    is_shown(spin_in_coroutine)
  end)

  it("names the system call, and does not cut it short", function()
    once(function()
      local result, seconds
      local stall = stall_of(function()
        repeat
          local began = green.now()
          result = ffi.C.blocking_usleep(200000)
          seconds = green.now() - began
        until result ~= 0 or told()
      end)
      return result == 0 and seconds >= 0.2 and (stall.syscall or ""):find("nanosleep")
    end)
  end)

  it("names what os.execute waits in", function()
    once(function()
      local stall = stall_of(function()
        repeat
          os.execute("sleep 0.2")
        until told()
      end)
      return stall.syscall
    end)
  end)

  it("reports each stall once", function()
    once(function()
      local seen = stalls_of(function()
        for _ = 1, 3 do
          spin()
          local again = green.now() + 3 * RESOLUTION -- it goes on after the report
          repeat
          until green.now() >= again
          green.sleep(0)
        end
      end)
      local n = 0
      for _, stall in ipairs(seen) do
        n = n + (stall.name == "the culprit" and 1 or 0)
      end
      return n == 3, n .. " reports"
    end)
  end)

  it("reports many short runs without a poll between as a turn", function()
    local stop
    local seen = stalls_of(function()
      local threads = {}
      for i = 1, 20000 do
        threads[i] = green.spawn(function()
          local x = 0
          for k = 1, stop and 1 or 2e4 do
            x = x + k
          end
          stop = stop or told()
        end)
      end
      for _, t in ipairs(threads) do
        t:wait()
      end
    end)
    assert.is_true(#seen > 0)
  end)

  it("counts stalls, and sorts them by their length", function()
    local before = debugging.blocking_stats()
    stall_of(spin)
    local after = debugging.blocking_stats()
    assert.is_true(after.count > before.count)
    assert.is_true(after.total > before.total)
    assert.is_true(after.longest > 0 and after.longest <= after.total)
    local n = 0
    for _, row in ipairs(after.histogram) do
      n = n + row.count
    end
    assert.are.equal(after.count, n)
    assert.is_false(after.is_on)
  end)

  it("says nothing of what waits", function()
    once(function()
      local seen = stalls_of(function()
        green.sleep(4 * RESOLUTION)
      end)
      return #seen == 0, "it was reported"
    end)
  end)

  it("formats a stall as the log does", function()
    local text = debugging.format_stall(stall_of(spin))
    assert.is_truthy(text:find("^green thread the culprit %(spawned at [^\n]*:%d+%) blocked"))
    assert.is_truthy(text:find("stack traceback:", 1, true))
    local ok, err = pcall(debugging.format_stall, { seconds = "one" })
    assert.is_false(ok)
    assert.is_truthy(tostring(err):find("format_stall: stall.seconds must be", 1, true), err)
  end)

  it("learns the lines of compiled code where it may not know them before", function()
    local shown
    for _ = 1, 20 do
      local stall = stall_of(spin_compiled, { exact = false })
      shown = shown or has_line_of(stall, spin_compiled)
    end
    assert.is_true(shown)
  end)
end)

describe("the detector below valgrind", function()
  it("lets the program run on", function()
    local found = program.run { "sh", "-c", "command -v valgrind" }
    if program.build ~= "build" or found.status ~= 0 then
      return pending("there is no valgrind, or a sanitizer, which does not run below it")
    end
    local r = program.run { "valgrind", "--tool=none", "-q", program.greenlua, "--watchdog=0.05",
      "-e", [[
        local core, green = require "green.core", require "green"
        local due = os.time() + 30
        repeat until core.watchdog_state().told or os.time() > due
        green.sleep(0.01)
        print("end")
      ]], patience = 120 }
    assert.equal("end\n", r.out)
    assert.equal(0, r.status)
  end)
end)

describe("who breaks in", function()
  local break_in = require("green.debug.blocking").break_in

  local function state()
    local w = core.watchdog_state()
    return { w.limit, w.exact, w.logs, w.raises, debugging.blocking_stats().is_on }
  end

  it("uses the detector, shows nothing of it, and leaves it off", function()
    break_in(function() end)
    assert.are.same({ 0.25, true, false, true, false }, state())
    break_in(false)
    assert.is_nil(core.watchdog_state().limit)
    break_in(function() end)
    debugging.hub_blocking_detection(true, 0.5, { log = true })
    assert.are.same({ 0.5, true, true, true, true }, state())
    debugging.hub_blocking_detection(false)
    assert.are.same({ 0.25, true, false, true, false }, state())
    break_in(nil)
    break_in(nil)
    assert.is_nil(core.watchdog_state().limit)
  end)

  it("leaves one that was asked for as it was", function()
    debugging.hub_blocking_detection(true, 0.5, { exact = false })
    local before = state()
    break_in(function() end)
    assert.are.same({ 0.5, true, true, true, true }, state())
    break_in(false)
    assert.is_true(debugging.blocking_stats().is_on)
    break_in(nil)
    assert.are.same(before, state())
    debugging.hub_blocking_detection(false)
  end)
end)

describe("hub_blocking_detection's raise", function()
  it("raises in the one that blocks [b171]", function()
    local stall, ok, err = stall_of(function()
      while true do
      end
    end, { raise = true })
    assert.is_false(ok)
    assert.are.equal("ETIMEDOUT", err.code)
    assert.is_true(err.is_stall)
    assert.is_truthy(tostring(err):find("blocking_spec%.lua:%d+: the green thread blocked"))
    assert.is_truthy(stall.traceback)
  end)

  it("raises again where the detector was turned off and on meanwhile", function()
    local function blocked()
      debugging.hub_blocking_detection(true, 0.02, { raise = true, log = false })
      local ok, err = pcall(function() while true do end end)
      debugging.hub_blocking_detection(false)
      return not ok and err.is_stall
    end
    local t = green.spawn(function() return blocked(), blocked(), blocked() end)
    assert.are.same({ true, true, true }, { t:wait() })
  end)

  it("raises in a compiled loop", function()
    local _, ok, err = stall_of(function()
      local x = 0
      for i = 1, 1e12 do
        x = x + i
      end
      return x
    end, { raise = true })
    assert.is_false(ok)
    assert.is_true(err.is_stall)
  end)

  it("raises again in one that catches it", function()
    local caught, waits = 0
    local _, ok, err = stall_of(function()
      for _ = 1, 3 do
        pcall(function()
          while true do
          end
        end)
        caught = caught + 1
      end
      waits = pcall(green.sleep, 0)
      green.sleep(0)
    end, { raise = true })
    assert.are.equal(3, caught)
    assert.is_false(waits)
    assert.is_false(ok)
    assert.is_true(err.is_stall)
  end)

  --- The function that it is raised in, by its file.
  local function raised_in(fn)
    local where
    stall_of(function()
      xpcall(fn, function()
        local level = 2
        repeat
          where = debug.getinfo(level, "S")
          level = level + 1
        until where.what ~= "C" and not where.source:find("green/debug/blocking", 1, true)
          and not where.source:find("green/thread/checkpoint", 1, true)
      end)
    end, { raise = true })
    return where.source
  end

  it("raises in no function of the library's, which ends what it has begun", function()
    for _ = 1, 10 do
      local q = green.Queue()
      assert.matches("blocking_spec", raised_in(function()
        while true do
          q:put_nowait(1) -- put lets others have their turns: that blocks nobody
          q:get_nowait()
        end
      end))
    end
  end)

  it("gives a hook of the script's back", function()
    local hook = function() end
    local after
    stall_of(function()
      debug.sethook(hook, "", 1000000)
      pcall(function()
        while true do
        end
      end)
      after = debug.gethook()
      debug.sethook()
    end, { raise = true })
    assert.are.equal(hook, after)
  end)
end)

describe("hub_blocking_detection's arguments", function()
  it("are checked", function()
    local wrong = {
      { { nil }, "state must be true or false, not nil" },
      { { true, 0 }, "resolution must be a number of at least 0.001, not 0" },
      { { true, 1e9 }, "resolution must be a number of at most 86400" },
      { { true, 1, { reprot = print } }, "report" },
      { { true, 1, { raise = 1 } }, "raise must be" },
      { { true, 1, { report = 1 } }, "report must be" },
    }
    for _, case in ipairs(wrong) do
      local ok, err = pcall(debugging.hub_blocking_detection, unpack(case[1], 1, 3))
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end
    assert.is_false(debugging.blocking_stats().is_on)
  end)

  it("may turn it on and off at any time", function()
    for _ = 1, 20 do
      assert.is_true(debugging.hub_blocking_detection(true, 0.5))
      assert.is_true(debugging.hub_blocking_detection(true))
      assert.are.equal(1, debugging.blocking_stats().resolution)
      assert.is_true(debugging.hub_blocking_detection(false))
      assert.is_true(debugging.hub_blocking_detection(false))
    end
  end)
end)

-- -- Programs -----------------------------------------------------------------

local SPIN = [[
local core = require "green.core"
local green = require "green"
local function spin()
  repeat local x = 0 for i = 1, 1e5 do x = x + i end until core.watchdog_state().told
end
]]

local function run(text, ...)
  local path = program.file(SPIN .. text)
  local words = { ... }
  words[#words + 1] = path
  local result = program.run_greenlua(words)
  os.remove(path)
  return result
end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("no '%s' in:\n%s"):format(part, text))
end

describe("greenlua's watchdog", function()
  it("is off, and on with a second by --watchdog alone [S46]", function()
    local r = run [[print(core.watchdog_state().limit)]]
    assert.are.equal("nil\n", r.out)
    r = run([[print(core.watchdog_state().limit, core.watchdog_state().exact)]], "--watchdog")
    assert.are.equal("1\ttrue\n", r.out)
    r = run([[print(core.watchdog_state().limit)]], "--watchdog=0")
    assert.are.equal("nil\n", r.out)
  end)

  it("writes to standard error while it lasts", function()
    local r = run([[
      green.spawn(function() green.sleep(0) spin() end):name("spinner"):wait()
      io.stderr:write("over\n")]], "--watchdog=0.02")
    has(r.err, "greenlua: green thread spinner (spawned at ")
    has(r.err, " blocks the loop for 0.")
    has(r.err, "in function 'spin'")
    assert.is_true(r.err:find("spinner") < r.err:find("over"))
    assert.are.equal(0, r.status)
  end)

  it("writes no control bytes of names", function()
    local r = run([[green.spawn(spin):name("evil\27[31m\n\194\155"):wait()]], "--watchdog=0.02")
    has(r.err, "green thread evil?[31m??? (spawned at ")
  end)

  it("has room for the line behind a long name", function()
    local r = run([[green.spawn(spin):name(("long "):rep(2000)):wait()]], "--watchdog=0.02")
    has(r.err, "long ")
    has(r.err, "so far:\nstack traceback:\n")
  end)

  it("takes its seconds of the environment", function()
    local path = program.file(SPIN .. "print(core.watchdog_state().limit)")
    local r = program.run_greenlua { path, env = { GREENLUA_WATCHDOG = "0.25" } }
    assert.are.equal("0.25\n", r.out)
    for _, text in ipairs { "soon", "1e9", "-1", "nan", "0.0001", "1 s" } do
      r = program.run_greenlua { path, env = { GREENLUA_WATCHDOG = text } }
      assert.are.same({ 1, "", "greenlua: GREENLUA_WATCHDOG=" .. text .. ": a number of seconds "
        .. "from 0.001 to 86400, or 0, is wanted\n" }, { r.status, r.out, r.err })
    end
    for word, limit in pairs { ["--watchdog=0"] = "nil\n", ["-E"] = "nil\n" } do
      r = program.run_greenlua { word, path, env = { GREENLUA_WATCHDOG = "soon" } }
      assert.are.same({ 0, limit, "" }, { r.status, r.out, r.err })
    end
    os.remove(path)
  end)

  it("is refused where it is no number, or none in the range", function()
    for _, text in ipairs { "", "x", "-1", "1s", "nan", "inf", "1e9", "86401", "0.0009", "0x1" } do
      local r = program.run_greenlua { "--watchdog=" .. text, "-e", "print(1)" }
      assert.are.same({ 2, "", "greenlua: --watchdog=" .. text .. ": a number of seconds "
        .. "from 0.001 to 86400, or 0, is wanted\n" }, { r.status, r.out, r.err })
    end
  end)

  it("lets a program end while a stall lasts", function()
    local r = run("spin() os.exit(3)", "--watchdog=0.02")
    assert.are.equal(3, r.status)
    r = run("spin()", "--watchdog=0.02")
    assert.are.equal(0, r.status)
  end)

  it("does not stop where nobody reads standard error", function()
    local r = run([[
      local ffi = require "ffi"
      ffi.cdef "int pipe(int *); int dup2(int, int); int fcntl(int, int, ...);"
      ffi.cdef "long write(int, const void *, size_t);"
      local fds = ffi.new("int[2]")
      ffi.C.pipe(fds)
      ffi.C.fcntl(fds[1], 4, ffi.cast("int", 2048)) -- O_NONBLOCK
      local page = ffi.new("char[4096]")
      while ffi.C.write(fds[1], page, 4096) > 0 do end
      ffi.C.fcntl(fds[1], 4, ffi.cast("int", 0))
      ffi.C.dup2(fds[1], 2)
      for i = 1, 3 do spin() green.sleep(0) end
      print "went on"]], "--watchdog=0.02")
    assert.are.equal("went on\n", r.out)
  end)

  it("lives beside jit.p", function()
    local r = run([[
      local p = require "jit.p"
      p.start("l", os.tmpname())
      green.spawn(spin):name("beside"):wait()
      p.stop()
      green.spawn(spin):name("after"):wait()
      local q = require "jit.profile"
      local n = 0
      q.start("i1", function(thread, samples) n = n + samples end)
      local t = os.clock() + 0.1
      while os.clock() < t do end
      q.stop()
      print(n > 0)
      green.spawn(spin):name("at last"):wait()]], "--watchdog=0.02")
    assert.are.equal("true\n", r.out)
    for _, name in ipairs { "beside", "after", "at last" } do
      has(r.err, "green thread " .. name)
    end
    assert.are.equal(0, r.status)
  end)

  it("watches a child of a fork that goes on", function()
    local r = run([[
      local process = require "green.process"
      local pid = assert(process.fork(function()
        green.spawn(function() green.sleep(0) spin() end):name("in the child"):wait()
      end))
      process.wait(pid)
      green.spawn(spin):name("in the parent"):wait()]], "--watchdog=0.02")
    has(r.err, "green thread in the child")
    has(r.err, "green thread in the parent")
  end)

  it("knows who it is where the system does not let the watchdog look", function()
    local r = run([[
      local ffi = require "ffi"
      local number = ({ x64 = 310, arm64 = 270 })[ffi.arch] -- process_vm_readv
      if not number then
        io.stderr:write "green thread spinner (spawned at"
        os.exit(0)
      end
      ffi.cdef "typedef struct { uint16_t code; uint8_t yes, no; uint32_t k; } step;"
      ffi.cdef "typedef struct { unsigned short n; step *steps; } filter;"
      ffi.cdef "int prctl(int, long, const void *, long, long);"
      local steps = ffi.new("step[4]", { { 0x20, 0, 0, 0 }, { 0x15, 0, 1, number },
        { 6, 0, 0, 0x50001 }, { 6, 0, 0, 0x7fff0000 } }) -- EPERM for that call
      assert(ffi.C.prctl(38, 1, nil, 0, 0) == 0)
      assert(ffi.C.prctl(22, 2, ffi.new("filter", 4, steps), 0, 0) == 0)
      assert(require("green.debug").hub_blocking_detection(true, 0.02))
      green.spawn(spin):name("spinner"):wait()]])
    has(r.err, "green thread spinner (spawned at")
    assert.are.equal(0, r.status)
  end)

  it("lets a child go on that is forked by others, in the middle of a stall", function()
    local r = run([[
      local ffi = require "ffi"
      ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
      local status = ffi.new("int[1]")
      for i = 1, 20 do
        local pid
        green.spawn(function()
          spin()
          local until_ = green.now() + i / 1000
          repeat until green.now() > until_
          pid = ffi.C.fork()
          if pid == 0 then
            for i = 1, 2 do
              green.sleep(0)
              spin()
            end
            ffi.C._exit(7)
          end
        end):wait()
        green.sleep(0)
        ffi.C.waitpid(pid, status, 0)
        assert(status[0] == 7 * 256, status[0])
      end
      print "all"]], "--watchdog=0.01")
    assert.are.equal("all\n", r.out, r.err)
  end)

  it("says of a second runtime who blocks, and that the first has the profiler", function()
    local path = program.file(SPIN .. [[
      return function() green.spawn(spin):name("of a worker"):wait() end]])
    local folder, name = path:match("^(.*/)([^/]*)$")
    local r = run(("package.path = '%s?;' .. package.path\n"):format(folder) .. ([[
      local workers = assert(green.workers(1, %q))
      workers:wait()
      green.spawn(spin):name("of main"):wait()]]):format(name), "--watchdog=0.02")
    os.remove(path)
    has(r.err, "green thread of a worker")
    has(r.err, "another runtime has it")
    has(r.err, "green thread of main")
    has(r.err, "stack traceback:")
  end)
end)
