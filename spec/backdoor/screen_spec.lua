-- What `greenlua top` shows, as the program makes it.

local screen = require "green.backdoor.screen"

--- The rates of a screen, as texts.
local function rates_of(last)
  local text = screen.text(last, 200, 30, "waited")
  return text:match "\ncpu ([^,]+)", text:match "turns ([^,]+), switches (%S+)\n"
end

describe("the screen of greenlua top", function()
  it("has no rates at first, then those since the last one", function()
    local last = {}
    assert.same({ "-", "-", "-" }, { rates_of(last) })
    last.now = last.now - 10
    for _, text in ipairs { rates_of(last) } do
      assert.matches("^%d", text)
    end
  end)

  it("keeps the rates of before where the last one was a moment ago", function()
    local last = {}
    rates_of(last)
    last.now = last.now - 10
    local before = { rates_of(last) }
    last.now = last.now + 1000 -- however slow this machine is, no time has passed since
    last.cpu, last.turns, last.switches = -1e9, -1e9, -1e9
    assert.same(before, { rates_of(last) })
  end)
end)
