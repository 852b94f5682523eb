-- tools/greenlua-gdb.py: green threads in gdb, of a live process and of a core file.

local folder = require "spec.support.folder"
local fs = require "green.fs"
local green = require "green"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)

local WORK = [[
local green = require "green"

local function deep(n, ...)
  if n == 0 then
    green.sleep(1000)
  end
  deep(n - 1, ...)
  return 1
end

green.spawn(function()
  green.listen("127.0.0.1:0"):accept()
end)
green.spawn(deep, 2, "more", nil):name("deep\27[1m one")
green.spawn(function()
  pcall(function()
    green.Queue():get()
  end)
end)
green.spawn(function()
  local outer = coroutine.wrap(function(...)
    local inner = coroutine.create(function()
      green.sleep(1000)
      return 1
    end)
    print(coroutine.resume(inner))
  end)
  print(outer(1, 2))
end)
green.sleep(0)
print("ready")
green.sleep(1000)
]]

local function gdb(...)
  local words = { "gdb", "-nx", "-batch", ... }
  words.patience = 120
  local p = program.run(words)
  return p.out .. p.err
end

--- Why it cannot be tried here, or nil.
local function obstacle()
  local ok, out = pcall(gdb, "-ex", "python print('it has ' + 'python')")
  if not ok or not out:find("it has python", 1, true) then
    return "no gdb with Python here"
  end
end

--- Run body(pid, path): a program whose file is path.
local function with_program(body)
  local path = dir() .. "/work.lua"
  local file = assert(io.open(path, "w"))
  file:write(WORK)
  file:close()
  local p = program.start_greenlua { path }
  p:expect "ready"
  local ok, err = pcall(body, tostring(p.pid), path)
  p:kill(program.KILL)
  p:wait()
  if not ok then
    error(err, 0)
  end
end

local function check(said, path)
  local text = said:gsub(path:gsub("%p", "%%%0"), "work.lua")
  local function has(line)
    assert.is_truthy(text:find(line, 1, true), line .. " is missing:\n" .. text)
  end
  assert.is_truthy(text:find("turn %d+, %d+ switches"), text)
  assert.is_truthy(text:find("%(main%) parked: waits for a deadline in %d+%.%d+ s\n"), text)
  has "work.lua:32: in main chunk"
  assert.is_truthy(text:find('#%d+ thread 0x%x+ "deep%?%[1m one" parked: '), text)
  assert.is_truthy(text:find("waits for read on fd %d+, spawned at work.lua:11\n"), text)
  has "work.lua:12: in function <work.lua:11>"
  assert.is_truthy(text:find("waits for a queue at 0x%x+, spawned at work.lua:15"), text)
  has("    work.lua:5: in function <work.lua:3>\n    work.lua:7: in function <work.lua:3>\n"
    .. "    work.lua:7: in function <work.lua:3>\n")
  has "work.lua:17: in function <work.lua:16>\n    [C]\n    work.lua:16: in function <work.lua:15>"
  text = text:gsub("    [^\n]*/green/[^\n]*\n", ""):gsub("0x%x+", "0x0") -- the library's frames
  has [[
    [C]
    work.lua:23: in function <work.lua:22>
    in coroutine 0x0, resumed by:
    [C]
    work.lua:26: in function <work.lua:21>
    in coroutine 0x0, resumed by:
    [C]
    work.lua:28: in function <work.lua:20>
]]
end

--- Without what differs each time.
local function normal(line)
  return (line:gsub("0x%x+", "0x"):gsub("fd %d+", "fd N"))
end

describe("tools/greenlua-gdb.py", function()
  it("writes what docs/what-are-my-threads-doing.md shows", function()
    local why = obstacle()
    if why then return pending(why) end
    local p = program.start_greenlua { "examples/debug/leak.lua", "0" }
    p:expect "127.0.0.1:"
    local conn = assert(green.connect("127.0.0.1", tonumber((p:expect "\n"))))
    conn:write "me\n"
    assert.equal("hello me", conn:read_line())
    local said = gdb("-q", "-p", tostring(p.pid), "-x", "tools/greenlua-gdb.py", "-ex",
      "greenlua-threads")
    conn:close()
    p:kill(program.KILL)
    p:wait()
    if not said:find("turn %d") then
      return pending("gdb may not attach to processes here")
    end
    local page, n = assert(fs.read_file("docs/what-are-my-threads-doing.md")), 0
    local lines = {}
    for line in said:gmatch "[^\n]+" do
      lines[normal(line)] = true
    end
    for line in page:match("of the program from above:\n\n(.-)\n\n"):gmatch "    (#[^\n]+)" do
      n = n + 1
      assert.is_true(lines[normal(line)], line .. " is not in\n" .. said)
    end
    assert.equal(3, n)
  end)

  it("lists the green threads of a live process", function()
    local why = obstacle()
    if why then return pending(why) end
    with_program(function(pid, path)
      local said = gdb("-p", pid, "-x", "tools/greenlua-gdb.py", "-ex", "greenlua-threads")
      if not said:find("turn %d") then
        return pending("gdb may not attach to processes here")
      end
      check(said, path)
    end)
  end)

  it("lists those of a core file", function()
    local why = obstacle() or program.is_sanitized and "a sanitizer's core file has terabytes"
    if why then return pending(why) end
    with_program(function(pid, path)
      local core = dir() .. "/core"
      local said = gdb("-p", pid, "-ex", "generate-core-file " .. core)
      if not said:find("Saved corefile", 1, true) then
        return pending("gdb may not attach to processes here")
      end
      check(gdb(program.greenlua, core, "-x", "tools/greenlua-gdb.py", "-ex", "greenlua-threads"),
        path)
    end)
  end)

  it("takes a runtime or a state by an expression, and says when there is none", function()
    local why = obstacle()
    if why then return pending(why) end
    with_program(function(pid, path)
      local said = gdb("-p", pid, "-x", "tools/greenlua-gdb.py", "-ex",
        "greenlua-threads 'sigint.c'::sigint.g->v", "-ex",
        "greenlua-traceback 'sigint.c'::sigint.g->v->main->co")
      if not said:find("turn %d") then
        return pending("gdb may not attach to processes here")
      end
      check(said, path)
      local _, n = said:gsub("work.lua:%d+: in main chunk", "")
      assert.equal(2, n)
      local co = said:match "in coroutine (0x%x+), resumed by"
      said = gdb("-p", pid, "-x", "tools/greenlua-gdb.py", "-ex", "greenlua-traceback " .. co)
      assert.is_truthy(said:find("work.lua:23: in function <[^\n]*work.lua:22>"), said)
    end)
    local said = gdb(program.greenlua, "-x", "tools/greenlua-gdb.py", "-ex", "greenlua-threads")
    assert.is_truthy(said:find("no runtime", 1, true), said)
  end)

  it("says what is wrong with an expression, and with a program that is another", function()
    local why = obstacle()
    if why then return pending(why) end
    local said = gdb(program.greenlua, "-x", "tools/greenlua-gdb.py", "-ex",
      "greenlua-threads nothing", "-ex", "greenlua-threads (char *)1", "-ex",
      "greenlua-traceback", "-ex", "greenlua-traceback nothing")
    assert.is_truthy(said:find('nothing: No symbol "nothing" in current context.\n'
      .. "(char *)1: a `vm *` or a `greenlua *` is wanted\n"
      .. "greenlua-traceback EXPRESSION: a `lua_State *` is wanted\n"
      .. 'nothing: No symbol "nothing" in current context.\n', 1, true), said)
    said = gdb("-x", "tools/greenlua-gdb.py", "-ex", "greenlua-threads")
    assert.is_truthy(said:find("this is not the command greenlua", 1, true), said)
    assert.is_nil(said:find("Python Exception", 1, true), said)
  end)

  it("says where a stack is damaged, and goes on", function()
    local why = obstacle()
    if why then return pending(why) end
    with_program(function(pid)
      local said = gdb("-p", pid, "-x", "tools/greenlua-gdb.py", "-ex", "greenlua-traceback 4096",
        "-ex", "set *(void **)((char *)'sigint.c'::sigint.g->v->main->co + 32) = (void *)4096",
        "-ex", "greenlua-threads", "-ex", "kill")
      if not said:find("turn %d") then
        return pending("gdb may not attach to processes here")
      end
      local _, n = said:gsub("what follows is no stack: Cannot access memory", "")
      assert.is_true(n >= 1, said)
      assert.is_truthy(said:find("in function <[^>]*work.lua:11>"), said) -- of another thread
    end)
  end)
end)
