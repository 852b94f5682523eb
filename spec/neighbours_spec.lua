-- Other people's libraries and schedulers beside green threads (spec/neighbours).

local neighbours = require "spec.support.neighbours"
local program = require "spec.support.program"

describe("beside green threads", function()
  for _, name in ipairs(neighbours.names) do
    it(name .. " works as if they were not there", function()
      local missing = neighbours.check(name, program.greenlua)
      if missing then
        pending(missing .. " is not installed")
      end
    end)
  end
end)
