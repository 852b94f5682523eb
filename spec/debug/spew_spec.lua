local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

local folder = os.tmpname()
os.remove(folder)

--- Run a chunk from a file of that name: what came on standard output and error.
local function run(code, name)
  local path = folder .. (name or "app.lua")
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  local p = program.run_greenlua { path }
  os.remove(path)
  assert.equal(0, p.status, p.err)
  return p.out, (p.err:gsub("[^\n]-([%w_]+%.lua:)", "%1"))
end

describe("green.debug.spew", function()
  it("writes every line of the script that runs, in all threads, until unspew", function()
    local _, err = run [[
local green, debug = require "green", require "green.debug"
local function add(a, b)
  return a + b
end
debug.spew()
local t = green.spawn(function()
  add(1, 2)
end)
green.sleep(0)
debug.unspew()
add(3, 4)
]]
    local at = 1
    for _, text in ipairs {
      "6: local t = green.spawn(function()\n", "9: green.sleep(0)\n", "7: add(1, 2)\n",
      "3: return a + b\n", "8: end)\n", "10: debug.unspew()\n",
    } do
      at = select(2, err:find("app.lua:" .. text, at, true))
      assert.is_truthy(at, text .. err)
    end
    assert.not_matches("app.lua:11", err)
    assert.not_matches("lualib", err)
  end)

  it("shows the values of locals, and upvalues, where asked", function()
    local _, err = run [[
local debug = require "green.debug"
local up = "above"
local function show(n, text)
  local both = n .. text .. up
  return both
end
debug.spew(nil, true)
show(1, "x")
debug.unspew()
]]
    assert.matches('app.lua:4: local both = n .. text .. up  %(n=1, text="x", up="above"%)', err)
    assert.matches('app.lua:5: return both  %(both="1xabove"%)', err)
  end)

  it("keeps to files of a name", function()
    local code = [[
local debug = require "green.debug"
debug.spew { "nothing_like_it", "wanted.lua" }
local x = 1
debug.unspew()
]]
    assert.matches("x = 1", select(2, run(code, "wanted.lua")))
    assert.equal("", (select(2, run(code, "other.lua"))))
  end)

  it("sees compiled loops, and leaves the compiler and the script's hook as they were", function()
    local out, err = run [[
local debug, lua = require "green.debug", debug
local function loop(n)
  local sum = 0
  for i = 1, n do
    sum = sum + i
  end
  return sum
end
loop(1000)
local function hook() end
lua.sethook(hook, "l", 7)
debug.spew()
loop(3)
debug.spew()
debug.unspew()
debug.unspew()
print(jit.status())
local f, mask, count = lua.gethook()
print(f == hook, mask, count)
]]
    local _, n = err:gsub("app.lua:5: sum = sum %+ i", "")
    assert.equal(3, n)
    assert.matches("^true\t", out)
    assert.matches("\ntrue\tl\t7\n", out)
  end)

  it("says what names are", function()
    local debugging = require "green.debug"
    for wanted, value in pairs { ["names must be a text or a list of texts, not 5"] = 5,
      ["a name must be a string, not 5"] = { "a.lua", 5 } } do
      local ok, err = pcall(debugging.spew, value)
      assert.is_false(ok)
      assert.matches("spew: " .. wanted, err, 1, true)
    end
  end)
end)
