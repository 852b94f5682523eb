-- Every call that waits lets the others run meanwhile.

local core = require "green.core"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")
local primitives = dofile("spec/support/primitives.lua")
local _, it = testing.busted()

--- How often a ticker runs while fn does, which is given a function that says how
-- often by now.
local function ticks_during(fn)
  local ticks, done = 0, false
  local ticker = green.spawn(function()
    while not done do
      ticks = ticks + 1
      green.sleep(0)
    end
  end)
  fn(function()
    return ticks
  end)
  local seen = ticks
  done = true
  ticker:wait()
  return seen
end

local function proves(what)
  it("switches in " .. what.name .. " [S69]", function()
    local c = what.open()
    green.sleep(0)
    local helper, results, has_returned
    local ticks = ticks_during(function(ticks_by_now)
      helper = green.spawn(function()
        while ticks_by_now() < 1 and not has_returned do
          green.sleep(0)
        end
        what.ready(c)
      end)
      results = { what.call(c) }
      has_returned = true
    end)
    helper:wait()
    if what.ok then what.ok(unpack(results)) end
    assert.is_true(ticks >= 1 or what.others_ran and what.others_ran(c))
    what.done(c)
  end)
end

describe("greenness of sockets:", function()
  for _, what in ipairs(sockets.parking) do
    proves(what)
  end

  it("switches in serve and green.connect [S69]", function()
    local listener = green.listen("127.0.0.1:0")
    local ticks = ticks_during(function()
      green.spawn(function()
        local conn = green.connect("127.0.0.1", select(2, listener:sockname()))
        conn:read_some()
        conn:close()
        listener:close()
      end)
      green.serve(listener, function()
        green.sleep(0.001)
      end)
      green.sleep(0.001)
    end)
    assert.is_true(ticks >= 2)
  end)
end)

describe("greenness of everything else:", function()
  for _, what in ipairs(primitives) do
    proves(what)
  end
end)

describe("greenness is told of every method:", function()
  -- Those that never wait. What waits is in sockets.parking.
  local at_once = {}
  for name in ([[
    bind close detach dup fileno getoption gettimeout listen peercred peername
    setoption settimeout shutdown sockname
  ]]):gmatch("%S+") do
    at_once[name] = true
  end
  -- Those that the table has under other names.
  local covered = { sendto = "send of a datagram" }

  local function knows(name)
    for _, what in ipairs(sockets.parking) do
      if what.name == (covered[name] or name) or what.name:match("^" .. name .. " of a ") then
        return true
      end
    end
    return at_once[name] or name:find("^_") or false
  end

  for kind, make in pairs({ stream = socket.tcp, datagram = socket.udp }) do
    it("the methods of " .. kind .. " sockets are all sorted [S69]", function()
      local s = make()
      for name in pairs(getmetatable(s).__index) do
        assert.is_true(knows(name) ~= false, name .. " is in neither list")
      end
      s:close()
    end)
  end
end)

describe("greenness has an end:", function()
  it("a thread whose data always waits still gives the others their turn [S69]", function()
    local a, b = socket.pair()
    local served = 0
    local busy = green.spawn(function()
      while a:write("x") and b:read_some() do
        served = served + 1
      end
    end)
    local turns = core.stats().turns
    for _ = 1, 10 do
      green.sleep(0)
    end
    assert.is_true(served > 0 and core.stats().turns >= turns + 10)
    busy:kill()
    a:close()
    b:close()
  end)
end)
