-- coroutine.resume counted a level before it found that its argument was no coroutine,
-- and raised with the level still counted: from then on no coroutine of that green
-- thread could wait.

local green = require "green"

local _, it = require("green.testing").busted()

describe("coroutine.resume of what is no coroutine", function()
  it("raises in the caller's line, as Lua's", function()
    for _, value in ipairs { 5, "x", {}, print, green.getcurrent() } do
      local ok, err = pcall(function()
        coroutine.resume(value)
      end)
      assert.is_false(ok)
      assert.matches("^[^:]*054[^:]*:%d+: bad argument #1 to 'resume' %(coroutine expected%)", err)
    end
    assert.has_error(function() coroutine.resume() end)
  end)

  it("does no harm to coroutines that wait", function()
    pcall(coroutine.resume, nil)
    pcall(coroutine.resume, 5)
    assert.equals("done", coroutine.wrap(function()
      green.sleep(1)
      return "done"
    end)())
  end)
end)
