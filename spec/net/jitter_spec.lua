local jitter = require "green.net.jitter"
local program = require "spec.support.program"

describe("green.net.jitter", function()
  it("gives numbers of at least 0 and below 1, all over", function()
    local seen = {}
    for _ = 1, 2000 do
      local x = jitter.fraction()
      assert.is_true(x >= 0 and x < 1)
      seen[math.floor(x * 10)] = true
    end
    for i = 0, 9 do
      assert.is_true(seen[i])
    end
  end)

  it("gives other ones in each process", function()
    local code = "print(require('green.net.jitter').fraction())"
    local one = program.run_greenlua { "-e", code }.out
    assert.matches("^0%.%d+\n$", one)
    assert.is_true(one ~= program.run_greenlua { "-e", code }.out)
  end)
end)
