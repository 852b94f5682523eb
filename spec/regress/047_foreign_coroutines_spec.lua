-- The patched coroutine.yield took a coroutine that greenlua had not resumed for the
-- top of its green thread, and waited there: libraries that keep coroutine.resume from
-- before `require "green"`, and schedulers in C, could not run at all. Asking for
-- coroutine.running there took the coroutine away from the script, and a scope of a
-- dropped one stayed with the thread.

local chunk = require "spec.support.chunk"
local foreign = require "spec.support.foreign"

for place in pairs(foreign.places) do
  describe("a coroutine that greenlua did not resume, in " .. place, function()
    for what, case in pairs(foreign.cases(place)) do
      it(": " .. what, function()
        chunk.prints(case[1], case[2])
      end)
    end
  end)
end

describe("a coroutine that is resumed while the state closes", function()
  it("yields to its resumer", function()
    chunk.prints("1\t2\n", [[
      local raw_resume, raw_create = coroutine.resume, coroutine.create
      require "green"
      proxy = newproxy(true)
      getmetatable(proxy).__gc = function()
        local co = raw_create(function() coroutine.yield(1) coroutine.yield(2) end)
        print(select(2, raw_resume(co)), select(2, raw_resume(co)))
      end
    ]])
  end)
end)

describe("greenlua required inside a coroutine", function()
  it("leaves that coroutine's yields to its resumer", function()
    chunk.prints("1\t2\tend\n", [[
      package.loaded.green, package.loaded["green.patch.coroutine"] = nil, nil
      local gen = coroutine.wrap(function()
        require "green"
        coroutine.yield(1)
        coroutine.yield(2)
        return "end"
      end)
      print(gen(), gen(), gen())
    ]])
  end)
end)
