-- A script that `greenlua` runs is watched without being asked for. Programs block until they are
-- told of: no spec depends on how fast that is.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local STATE = [[
local core = require "green.core"
local green = require "green"
local function state() return core.watchdog_state() end
]]

--- Run it as a script; env: GREENLUA_WATCHDOG, not set without it.
local function run(text, env, ...)
  local path = program.file(STATE .. text)
  local r = program.run_greenlua { path, env = { GREENLUA_WATCHDOG = env or false }, ... }
  os.remove(path)
  return r
end

local LIMIT = "local s = state() print(s and s.limit or 0)"

describe("a script of greenlua's", function()
  it("is watched: what keeps the loop for a second is told of", function()
    local r = run [[
      green.sleep(0)
      local over = os.clock() + 60
      repeat local t = {} until state().told or os.clock() > over
      print(state().limit)
    ]]
    assert.matches("green thread main blocks the loop for %d+%.%d+ s so far", r.err)
    assert.matches("stack traceback:\n\t[^\n]+:%d+: in main chunk", r.err)
    assert.equal("1\n", r.out)
  end)

  it("blocks nobody before it first waits", function()
    local r = run [[
      local over = os.clock() + 1.5
      repeat until os.clock() > over
      green.sleep(0)
      print(require("green.debug").blocking_stats().count)
    ]]
    assert.same({ "0\n", "" }, { r.out, r.err })
  end)

  it("is not watched where the environment says 0", function()
    assert.equal("0\n", run(LIMIT, "0").out)
  end)

  it("is watched as it asks", function()
    local r = run([[require("green.debug").hub_blocking_detection(true, 5)
      print(state().limit)
      require("green.debug").hub_blocking_detection(false) ]] .. LIMIT)
    assert.equal("5\n0\n", r.out)
  end)
end)

describe("a statement of the command's", function()
  it("is not watched", function()
    local r = program.run_greenlua { "-e", STATE .. LIMIT, env = { GREENLUA_WATCHDOG = false } }
    assert.equal("0\n", r.out)
  end)
end)
