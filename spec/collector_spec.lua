-- The collector rests longer while there is little to look at; see vm/collector.h.

local program = require "spec.support.program"

--- What a program of our own prints. pause() tells the pause and leaves it as it is.
local function printed(code)
  local r = program.run_greenlua { "-e", [[
    local function pause()
      local now = collectgarbage("setpause", 200)
      collectgarbage("setpause", now)
      return now
    end
    local function live(mb)
      local t = {}
      for i = 1, mb do t[i] = ("%d"):format(i):rep(2 ^ 20 / #tostring(i)) end
      return t
    end
    local function cycles(n) for _ = 1, n do collectgarbage() end end
    local function stepmul()
      local now = collectgarbage("setstepmul", 200)
      collectgarbage("setstepmul", now)
      return now
    end
    -- Connections that may be idle for hours.
    local function keep(n)
      local function nothing() end
      local stream = { read_some = nothing, write = nothing, close = nothing }
      local kept = {}
      for i = 1, n do
        kept[i] = assert(require "green.websocket".attach(stream, { ping_interval = false }))
      end
      return kept
    end
  ]] .. code }
  assert.equal(0, r.status, r.err)
  return r.out
end

describe("the pause of the collector", function()
  it("is four times of what lives in a small program", function()
    assert.equal("400\n400\n", printed "print(pause()) cycles(3) print(pause())")
  end)

  it("is Lua's own in a large one", function()
    assert.equal("200\t100\n", printed "local t = live(100) cycles(2) print(pause(), #t)")
  end)

  it("is between in one of some megabytes, and follows what lives", function()
    local out = printed [[
      local t = live(8)
      cycles(2)
      print(pause() > 200 and pause() < 400)
      t = nil
      cycles(3)
      print(pause(), t)
    ]]
    assert.equal("true\n400\tnil\n", out)
  end)

  it("adds no more than 16 MB to what a program takes", function()
    local out = printed [[
      local t, most = live(10), 0
      cycles(2)
      local at = collectgarbage "count"
      for i = 1, 20000 do
        local s = ("x"):rep(8192) .. i
        most = math.max(most, collectgarbage "count")
      end
      print(most - at < 20 * 1024, #t)
    ]]
    assert.equal("true\t10\n", out)
  end)

  it("lets 48 MB be garbage where that is large blocks", function()
    local out = printed [[
      local t = live(8)
      cycles(2)
      local kb, last = collectgarbage "count"
      local small = pause()
      for i = 1, 200 do
        last = ("%07d"):format(i):rep(2 ^ 17)
        require "green".sleep(0) -- at a turn's end what is owed for them is made up for
      end
      local mb = (pause() - 100) / 100 * kb / 1024
      print(small, mb > 36 and mb < 60 or mb, #t + #last)
    ]]
    assert.matches("^2%d%d\ttrue\t917512\n$", out)
  end)

  it("is the script's when it sets one", function()
    assert.equal("150\n", printed "collectgarbage('setpause', 150) cycles(3) print(pause())")
    assert.equal("1000\t50\n", printed [[
      local t = live(50)
      collectgarbage("setpause", 1000)
      cycles(3)
      print(pause(), #t)
    ]])
  end)

  it("is ours again when the script puts back what it found", function()
    assert.equal("200\t50\n", printed [[
      local found = collectgarbage("setpause", 100)
      cycles(3)
      collectgarbage("setpause", found)
      local t = live(50)
      cycles(2)
      print(pause(), #t)
    ]])
  end)

  it("bears a script that asks for cycle after cycle in its last finalizers", function()
    assert.equal("", printed [[
      getmetatable(newproxy(true)).__gc = function() cycles(3) end
    ]])
  end)

  it("is short while many things are made that stay, and long again afterwards", function()
    local out = printed [[
      local kept = { keep(100) }
      cycles(1)
      print(pause(), stepmul()) -- a few are no reason
      for _, n in ipairs { 300, 40, 10 } do
        kept[#kept + 1] = keep(n)
        cycles(1)
        print(pause(), stepmul())
      end
    ]]
    assert.equal("400\t200\n200\t800\n200\t800\n400\t200\n", out)
  end)

  it("is shorter still in a large program while such things are made", function()
    local out = printed [[
      local t, kept = live(40), keep(300)
      cycles(1)
      print(pause(), #t + #kept)
    ]]
    assert.equal("140\t340\n", out)
  end)

  it("is the script's then, too, and so is how fast memory is looked at", function()
    local out = printed [[
      collectgarbage("setpause", 300)
      collectgarbage("setstepmul", 500)
      local kept = keep(300)
      cycles(1)
      print(pause(), stepmul(), #kept)
    ]]
    assert.equal("300\t500\t300\n", out)
  end)
end)
