-- A list with a userdata that has no metatable made green.wait fail on a line of its own,
-- instead of naming what cannot be waited for.

local green = require "green"

local _, it = require("green.testing").busted()

describe("a userdata without a metatable", function()
  it("cannot be waited for, and is named", function()
    for name, wait in pairs { wait = green.wait, iwait = green.iwait } do
      local ok, err = pcall(function()
        wait { newproxy() }
      end)
      assert.is_false(ok)
      assert.matches("055[^:]*:%d+: " .. name .. ": object 1 %(a userdata%) cannot be waited for",
        err)
    end
  end)
end)
