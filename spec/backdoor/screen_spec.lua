-- What `greenlua top` shows, as the program makes it.

local green = require "green"
local screen = require "green.backdoor.screen"
local testing = require "green.testing"
local tpool = require "green.tpool"

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

  it("has the native threads that are at work, those that have been for longest first", function()
    local gates, jobs = {}, {}
    for i = 1, 2 do
      gates[i] = tpool.channel(1)
      jobs[i] = green.spawn(tpool.execute, function(gate) return gate:get() end, gates[i])
      jobs[i]:name(i == 1 and "first" or "second")
      testing.settle_io(function()
        local name = i == 1 and "first" or "second"
        return screen.text({}, 200, 30, "waited"):find(", for #%d+ " .. name)
      end)
    end
    local text = screen.text({}, 200, 30, "waited")
    assert.matches("native thread %d+ %(at work for [^)]+%): function <[^\n]+, for #%d+ first"
      .. ".*\nnative thread %d+ %(at work for [^)]+%): function <[^\n]+, for #%d+ second", text)
    for i = 1, 2 do
      gates[i]:put(i)
      assert.equal(i, jobs[i]:wait())
    end
    assert.not_matches("native thread %d", screen.text({}, 200, 30, "waited"))
  end)

  it("cuts a list of native threads short where there is little room", function()
    local gate, jobs = tpool.channel(9), {}
    local function busy(rows)
      local text = screen.text({}, 200, rows, "waited")
      return select(2, text:gsub("\nnative thread %d", "")), text
    end
    for i = 1, 4 do
      jobs[i] = green.spawn(tpool.execute, function(g) return g:get() end, gate)
    end
    testing.settle_io(function() return busy(60) == 4 end)
    local n, text = busy(16)
    assert.equal(2, n)
    assert.matches("\nand 2 more\n", text)
    n, text = busy(7)
    assert.equal(0, n)
    assert.not_matches(" more\n", text)
    for i = 1, 4 do gate:put(i) end
    for i = 1, 4 do jobs[i]:wait() end
  end)
end)
