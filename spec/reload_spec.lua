-- The library belongs to the state: forgotten and required again it is the same.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"
local reload = require "spec.support.reload"

describe("the library, required again", function()
  for what, code in pairs(reload.chunks) do
    it(": " .. what, function()
      chunk.prints("fine\n", reload.PRELUDE .. code .. ' print "fine"')
    end)
  end

  it(": the error that ends the program is reported as ever", function()
    local r = program.run_greenlua { "-e", reload.PRELUDE .. [[
      again()
      clear()
      error("the end", 0)
    ]] }
    assert.equal(1, r.status)
    assert.matches("greenlua: the end\nstack traceback:", r.err)
  end)

  it(": forgotten before its first use it can be loaded", function()
    chunk.prints("fine\n", [[
      for name in pairs(package.loaded) do
        if name:find "^green" then package.loaded[name] = nil end
      end
      local green = require "green"
      green.sleep(0.001)
      print "fine"
    ]])
  end)
end)
