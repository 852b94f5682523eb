-- Coroutines of others under plain luajit (spec/support/foreign.lua): there the main
-- chunk waits by running the loop in place.

local foreign = require "spec.support.foreign"
local neighbours = require "spec.support.neighbours"
local program = require "spec.support.program"
local reload = require "spec.support.reload"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function prints(expected, code)
  local r = program.run { LUAJIT, "-e", code }
  assert.equal(0, r.status, r.err)
  assert.equal(expected, r.out)
end

for place in pairs(foreign.places) do
  describe("under plain luajit, a coroutine of others in " .. place, function()
    for what, case in pairs(foreign.cases(place)) do
      it(": " .. what, function()
        prints(case[1], case[2])
      end)
    end
  end)
end

it("the library loaded inside a coroutine leaves its yields to its resumer", function()
  prints("1\t2\tend\n", [[
    local gen = coroutine.wrap(function()
      require "green"
      coroutine.yield(1)
      coroutine.yield(2)
      return "end"
    end)
    print(gen(), gen(), gen())
  ]])
end)

describe("beside green threads under plain luajit", function()
  for _, name in ipairs(neighbours.names) do
    it(name .. " works as if they were not there", function()
      local missing = neighbours.check(name, LUAJIT)
      if missing then
        pending(missing .. " is not installed")
      end
    end)
  end
end)

describe("the library, required again under plain luajit", function()
  for what, code in pairs(reload.chunks) do
    it(": " .. what, function()
      prints("fine\n", reload.PRELUDE .. code .. ' print "fine"')
    end)
  end
end)
