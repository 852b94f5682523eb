-- The rock under plain luajit: tools/test runs this with the tree that LuaRocks
-- installed first in LUA_PATH and LUA_CPATH.

local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"
local TREE = os.getenv("ROCKTREE") or "rocktree"

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("no '%s' in:\n%s"):format(part, text))
end

--- Run a chunk in a luajit of its own.
local function run(code, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3] = LUAJIT, "-e", code
  return program.run(opts)
end

local function output(code)
  local r = run(code)
  assert.equal(0, r.status, r.err)
  return r.out
end

local function is_there(command)
  return program.run({ "sh", "-c", "command -v " .. command }).status == 0
end

describe("the rock", function()
  it("is what this runs with [S52]", function()
    local green = require "green"
    has(debug.getinfo(green.timeout).source, TREE)
    local maps = io.open("/proc/self/maps"):read("*a")
    has(maps, TREE .. "/lib/lua/5.1/green/core.so")
  end)

  it("lets this spec wait", function()
    local green = require "green"
    local t = green.spawn(function(x)
      green.sleep(0.001)
      return x + 1
    end, 41)
    assert.equal(42, t:wait())
  end)

  it("lets the main chunk wait, and its end ends the program", function()
    assert.equal("1\nthread\n2\n", output [[
      local green = require "green"
      green.spawn(function() green.sleep(3600) end)
      local t = green.spawn(function() green.sleep(0.002) return "thread" end)
      print(1)
      print(t:wait())
      green.sleep(0.001)
      print(2)
    ]])
  end)

  it("lets coroutines of the main chunk wait", function()
    assert.equal("a b c\n", output [[
      local green = require "green"
      local next = coroutine.wrap(function()
        for _, x in ipairs { "a", "b", "c" } do
          green.sleep(0.001)
          coroutine.yield(x)
        end
      end)
      print(next() .. " " .. next() .. " " .. next())
    ]])
  end)

  it("lets modules of the main chunk wait", function()
    local path = program.file("require('green').sleep(0.001) return 'loaded'")
    assert.equal("loaded\n", output(([[
      require "green"
      package.path = "/tmp/?;" .. package.path
      print(require "%s")
    ]]):format(path:match("[^/]+$"))))
    os.remove(path)
  end)

  it("runs the echo example", function()
    local green = require "green"
    local server = program.start { LUAJIT, "examples/echo.lua", "0" }
    server:expect("listening on 127.0.0.1:")
    local port = tonumber(server:expect("\n"))
    local client = assert(green.connect("127.0.0.1", port))
    assert(client:write("hello"))
    assert.equal("hello", client:read(5))
    client:close()
    server:kill(program.TERM):wait()
    assert.equal(program.TERM, server.signal)
  end)

  it("writes out what was printed, however it ends", function()
    assert.equal("x\n", output "require 'green' print('x')")
    assert.equal("x\n", output "require 'green' print('x') os.exit(0)")
    local r = run "require 'green' print('x') error('y')"
    assert.equal("x\n", r.out)
    assert.equal(1, r.status)
    has(r.err, "y")
  end)

  it("tells of errors in threads, and of deadlocks", function()
    local r = run [[
      local green = require "green"
      green.spawn(function() error("lonely") end)
      green.sleep(0.001)
      green.Event():wait()
    ]]
    assert.equal(1, r.status)
    has(r.err, "lonely")
    has(r.err, "deadlock")
  end)

  it("lets no SIGPIPE end it, and its children have the default", function()
    assert.equal("nil\tBroken pipe\t256\n", output [[
      require "green"
      local p = io.popen("exec true", "w")
      p:setvbuf "no"
      local ok, message
      repeat ok, message = p:write("x") until not ok
      print(ok, message, os.execute "grep -q '^SigIgn:.*[13579bdf]...$' /proc/self/status")
    ]])
  end)

  it("obeys GREENLUA_HUB", function()
    local code = "print(require('green').get_hub())"
    assert.equal("poll\n", run(code, { env = { GREENLUA_HUB = "poll" } }).out)
    local r = run(code, { env = { GREENLUA_HUB = "nohub" } })
    assert.equal(1, r.status)
    has(r.err, "GREENLUA_HUB=nohub: no such hub")
  end)

  it("has a REPL too", function()
    local r = run("require('green.cmd.repl').run()", { input = "1 + 1\ngreen.sleep(0)\n'on'\n" })
    assert.equal(0, r.status, r.err)
    assert.equal("> 2\n> > on\n> \n", r.out)
  end)

  it("says under PUC Lua that it needs LuaJIT", function()
    if not is_there("lua5.1") then
      pending("lua5.1 is not installed")
      return
    end
    local r = program.run { "lua5.1", "-e", "require 'green'" }
    assert.equal(1, r.status)
    has(r.err, "greenlua needs LuaJIT")
  end)
end)
