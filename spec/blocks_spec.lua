-- Large blocks of Lua's memory, which are kept for the next who want one; see vm/blocks.h.

local program = require "spec.support.program"

local is_plain = program.build == "build" -- no sanitizer, which has memory of its own

--- What a program of our own prints.
-- @tparam number room bytes for a long string, which live while the program does
local function printed(code, room)
  local r = program.run_greenlua { "-e", ("local room = %d\n"):format(room or 2 ^ 21) .. [[
    local ffi, green = require "ffi", require "green"
    local MB = 2 ^ 20
    local bytes = ffi.new("char[?]", room)
    --- A string of so many bytes that no other is like.
    local function long(i, n)
      ffi.copy(bytes, ("%d."):format(i))
      return ffi.string(bytes, n or MB)
    end
    local function status(name)
      for line in io.lines("/proc/self/status") do
        local kb = line:match("^" .. name .. ":%s*(%d+)")
        if kb then return kb / 1024 end
      end
    end
    --- Page faults so far.
    local function faults()
      for line in io.lines("/proc/self/stat") do
        return tonumber(line:match("%) (.*)"):match(("%S+ "):rep(7) .. "(%d+)"))
      end
    end
  ]] .. code }
  assert.equal(0, r.status, r.err)
  return r.out
end

local function unless_sanitized()
  if not is_plain then pending("a sanitizer has memory of its own") end
  return is_plain
end

describe("a large block", function()
  it("that is free is what the next one gets", function()
    local out = printed [[
      local s
      for i = 1, 3 do s = long(i) s = nil collectgarbage() end
      local before = faults()
      for i = 4, 43 do s = long(i) s = nil collectgarbage() end
      local each = (faults() - before) / 40
      print(each < 64, s, each) -- 256 pages are a megabyte
    ]]
    assert.matches("^true\tnil", out)
  end)

  it("of about the same size is, too", function()
    local out = printed [[
      local s
      for i = 1, 3 do s = long(i, 1.2 * MB) s = nil collectgarbage() end
      local before = faults()
      for i = 4, 43 do s = long(i, 1.2 * MB - 100 * i) s = nil collectgarbage() end
      print((faults() - before) / 40 < 64, s)
    ]]
    assert.equal("true\tnil\n", out)
  end)

  it("is kept among 64 MB of them, and no more", function()
    if unless_sanitized() then
      local out = printed [[
        ffi.fill(bytes, room, 1)
        local before, list = status "VmRSS", {}
        for i = 1, 100 do list[i] = long(i) end
        local most = status "VmRSS"
        list = nil
        collectgarbage()
        local kept = status "VmRSS" - before
        print(most - before > 90, kept > 16, kept < 72, list)
      ]]
      assert.equal("true\ttrue\ttrue\tnil\n", out)
    end
  end)

  it("is given back when none was wanted for a second, garbage too", function()
    if unless_sanitized() then
      local out = printed [[
        ffi.fill(bytes, room, 1)
        collectgarbage()
        local before, s = status "VmRSS"
        for i = 1, 100 do s = long(i) end
        s = nil
        local now, tries = 0, 0
        repeat
          green.sleep(0.25) -- the time that passes is what is tested
          now, tries = status "VmRSS", tries + 1
        until now - before < 6 or tries > 40
        print(now - before < 6, s)
      ]]
      assert.equal("true\tnil\n", out)
    end
  end)

  it("does not keep a program from ending, nor from being in a deadlock", function()
    local out = printed [[
      local s
      for i = 1, 10 do s = long(i) end
      s = nil
      collectgarbage()
      print(require("green.core").stats().timers, s)
      print(pcall(function() green.Event():wait() end))
    ]]
    assert.matches("^0\tnil\nfalse\t.*deadlock", out)
  end)

  it("that is kept goes where there is no memory for another", function()
    if unless_sanitized() then
      local out = printed([[
        ffi.cdef "int setrlimit(int, const unsigned long *)"
        ffi.fill(bytes, room, 1)
        local list = {}
        for i = 1, 28 do list[i] = long(i) end
        list = nil
        collectgarbage()
        local most = (status "VmSize" + 8) * MB
        assert(ffi.C.setrlimit(9, ffi.new("unsigned long[2]", most, most)) == 0) -- RLIMIT_AS
        print(#long(1, 24 * MB), list)
      ]], 24 * 2 ^ 20)
      assert.equal(24 * 2 ^ 20 .. "\tnil\n", out)
    end
  end)

  it("leaves the collector where the script has stopped it", function()
    local out = printed [[
      collectgarbage "stop"
      local before = collectgarbage "count"
      for i = 1, 40 do last = long(i) green.sleep(0) end -- compiled, it is not made for nobody
      print(collectgarbage "count" - before > 39 * 1024)
      collectgarbage "restart"
      for i = 41, 200 do last = long(i) green.sleep(0) end
      print(collectgarbage "count" - before < 80 * 1024)
    ]]
    assert.equal("true\ntrue\n", out)
  end)

  it("is garbage that the collector keeps up with", function()
    local out = printed [[
      local live, most = {}, 0
      for i = 1, 1e5 do live[i] = { i } end
      collectgarbage()
      for i = 1, 400 do
        long(i)
        green.sleep(0)
        most = math.max(most, collectgarbage "count")
      end
      print(most < 80 * 1024, #live)
    ]]
    assert.equal("true\t100000\n", out)
  end)

  -- Interpreted: LuaJIT itself crashes where a finalizer raises that runs as compiled code is
  -- left (the step of its collector in lj_trace_exit has no frame to throw an error through).
  it("may be made and dropped by a finalizer that raises", function()
    local out = printed [[
      jit.off()
      local n = 0
      local function again()
        getmetatable(newproxy(true)).__gc = function()
          n = n + 1
          long(-n)
          again()
          error "no matter"
        end
      end
      again()
      for i = 1, 100 do pcall(long, i) pcall(green.sleep, 0) end
      collectgarbage("stop") -- else one may run, and raise, as this is printed
      print(n > 0)
    ]]
    assert.equal("true\n", out)
  end)
end)

describe("room for a long string", function()
  it("is given back by a finalizer, that of a state's end too", function()
    local out = printed [[
      local core = require "green.core"
      local dropped = core.gather(MB)
      dropped = nil
      collectgarbage()
      kept = core.gather(MB)
      core.gather_add(kept, "of the end")
      print(dropped, type(kept))
    ]]
    assert.equal("nil\tuserdata\n", out)
  end)

  it("is not there for short ones, nor for more than 64 MB at once", function()
    local out = printed [[
      local core = require "green.core"
      local list, n = {}, 0
      while n < 200 do
        local room = core.gather(MB)
        if not room then break end
        n = n + 1
        list[n] = room
      end
      print(core.gather(1000), core.gather(2 ^ 40), n, #list)
    ]]
    assert.equal("nil\tnil\t63\t63\n", out)
  end)

  it("gives the string of what has come, and is good no more", function()
    local out = printed [[
      local core = require "green.core"
      local room = core.gather(150001)
      for _ = 1, 3 do core.gather_add(room, ("abc"):rep(10000)) end
      print(#core.gather_text(room), pcall(core.gather_text, room))
      room = core.gather(150001)
      core.gather_add(room, ("x"):rep(150001))
      print(pcall(core.gather_add, room, "y"))
      print(core.gather_text(room) == ("x"):rep(150001))
    ]]
    assert.matches("^90000\tfalse\t.*already.*\nfalse\t.*no room.*\ntrue\n$", out)
  end)
end)

describe("a state with large blocks", function()
  local host = program.build .. "/examples/spec_blocks"

  local function run(what)
    local file = io.open(host)
    if not file then
      pending(host .. " was not built")
      return nil
    end
    file:close()
    local r = program.run { host, what }
    assert.equal(0, r.status, r.err)
    return r.out
  end

  for _, what in ipairs { "own", "guest" } do
    it("leaves nothing behind, and is closed in order: " .. what, function()
      local out = run(what)
      if out then assert.equal("as before\nend\n", out) end
    end)
  end

  it("has the allocator that its host has given it", function()
    local out = run "foreign"
    if out and out ~= "none\nend\n" then
      assert.equal("left alone\n0 left, 0 lies\nend\n", out)
    end
  end)

  it("may have another one put before it", function()
    local out = run "wrapped"
    if out then assert.equal("as before\nend\n", out) end
  end)
end)
