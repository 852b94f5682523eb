local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

describe("green", function()
  it("has the names of DESIGN.md from the start", function()
    for _, name in ipairs {
      "spawn", "spawn_n", "spawn_after", "spawn_after_local", "sleep", "getcurrent", "kill",
      "kill_soon", "timeout", "with_timeout", "Timeout", "shield", "finally", "group", "on_error",
      "use_hub", "get_hub", "now", "stats", "threads", "is_timeout", "is_error", "is_thread",
    } do
      assert.is_function(green[name], name)
    end
    assert.is_string(green.version)
  end)

  it("loads its larger parts when they are first named", function()
    local p = program.run_greenlua { "-e", [[
      local green = require "green"
      local function loaded() return package.loaded["green.queue"] ~= nil end
      print(loaded(), type(green.Queue), loaded(), rawget(green, "Queue") == green.Queue)
    ]] }
    assert.are.equal("", p.err)
    assert.are.equal("false\tfunction\ttrue\ttrue\n", (p.out:gsub("table", "function")))
  end)

  it("has nothing for unknown names", function()
    assert.is_nil(green.no_such_name)
    assert.is_nil(green[1])
  end)

  it("leaves no globals behind", function()
    local p = program.run_greenlua { "-e", [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "green"
      for name in pairs(_G) do
        if not before[name] then print(name) end
      end
    ]] }
    assert.are.equal("", p.err)
    assert.are.equal("", p.out)
  end)

  it("alone puts its functions into Lua's places, not each part that is loaded", function()
    local p = program.run_greenlua { "-e", [[
      local function functions()
        local all = { print = print, exit = os.exit, write = io.stdout.write }
        for _, place in ipairs { "coroutine", "io" } do
          for name, fn in pairs(_G[place]) do all[place .. "." .. name] = fn end
        end
        return all
      end
      local function tell_changed(before)
        local n = 0
        for name, fn in pairs(functions()) do
          if before[name] ~= fn then n = n + 1 end
        end
        print(n)
      end
      local before = functions()
      for path in io.popen("ls lualib/green/*.lua"):lines() do
        local name = path:match("([%w_]+)%.lua$")
        if name ~= "init" and name ~= "wsgi" then require("green." .. name) end
      end
      tell_changed(before)
      require "green"
      tell_changed(before)
    ]] }
    assert.are.equal("", p.err)
    assert.matches("^0\n%d%d?\n$", p.out)
    assert.are_not.equal("0\n0\n", p.out)
  end)

  it("kills by function as by method", function()
    local a, b = green.spawn(green.sleep, 10), green.spawn(green.sleep, 10)
    testing.settle()
    green.kill(a)
    assert.are.equal("killed", a:status())
    green.kill_soon(b, { error = "x" })
    assert.are.same({ false, "x" }, { pcall(b.wait, b) })
  end)

  it("has a clock that only goes forward", function()
    local t0 = green.now()
    green.sleep(2)
    assert.is_near(t0 + 2, green.now(), 1e-6)
  end)

  it("says under which thread it runs", function()
    local t
    t = green.spawn(function()
      return green.getcurrent() == t, green.is_thread(t)
    end)
    assert.are.same({ true, true }, { t:wait() })
  end)

  it("needs LuaJIT, and says so", function()
    local chunk = assert(loadfile("lualib/green/init.lua"))
    setfenv(chunk, setmetatable({ _VERSION = "Lua 5.4", _G = {} }, { __index = _G }))
    local ok, err = pcall(chunk)
    assert.is_false(ok)
    assert.are.equal("greenlua needs LuaJIT 2.1, this is Lua 5.4", err)
  end)
end)
