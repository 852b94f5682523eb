-- green.process: kills and timeouts at every point of every call leave no process, no
-- descriptor, no green thread (which testing.busted's it looks after).

local green = require "green"
local process = require "green.process"
local testing = require "green.testing"

local ffi = require "ffi"
local kit = require "spec.support.process_kit"
local _, it = testing.busted()

ffi.cdef [[
int process_storm_getrlimit(int resource, unsigned long *limit) __asm__("getrlimit");
int process_storm_setrlimit(int resource, const unsigned long *limit) __asm__("setrlimit");
]]
local NOFILE = 7 -- RLIMIT_NOFILE

local TURNS = 30 -- more than any of these takes from beginning to end, but for the programs

local text = ("x"):rep(100000)

local acts = {
  run = function() return process.run { "cat", input = text } end,
  ["run of one that does not hear"] = function()
    return process.run { "sh", "-c", kit.stubborn, grace = 0.001 }
  end,
  ["run of one that cannot be started"] = function()
    return process.run { "/nowhere", input = text }
  end,
  pipe = function()
    return process.pipe { { "cat" }, { "cat" }, { "cat" }, input = text }
  end,
  ["spawn, and a wait"] = function()
    return assert(process.spawn { "sleep", "0.01" }):wait()
  end,
  ["spawn, and a stop"] = function()
    return assert(process.spawn { "sleep", "1000" }):stop()
  end,
  ["a conversation on a terminal"] = function()
    local child = assert(process.spawn { "cat", pty = true })
    local r = green.finally(function()
      child.pty:write("hello\n\4")
      return child.pty:read_all()
    end, function() child:close() end)
    return child:wait() and r
  end,
  ["a stream that is copied"] = function()
    local ours, theirs = testing.stream_pair()
    return green.finally(function()
      local child = assert(process.spawn { "cat", stdin = theirs, stdout = theirs })
      ours:write(text)
      ours:shutdown("write")
      ours:read(#text)
      return child:wait()
    end, function()
      ours:close()
      theirs:close()
    end)
  end,
}

local function settle()
  testing.settle_io(function() return not kit.has_children() end)
  collectgarbage()
end

--- Random, and the same each time.
local function dice(seed)
  return function(n)
    seed = (seed * 16807) % 2147483647
    return seed % n
  end
end

describe("green.process", function()
  for name, act in pairs(acts) do
    it("leaves nothing of " .. name .. " that is killed, whenever that is", function()
      for turns = 0, TURNS do
        local t = green.spawn(act)
        for _ = 1, turns do green.sleep(0) end
        t:kill()
        pcall(t.wait, t)
      end
      settle()
    end)
  end

  it("leaves nothing of many at once, of which some are killed and some run out of time", function()
    local names, roll = {}, dice(42)
    for name in pairs(acts) do names[#names + 1] = name end
    table.sort(names)
    local threads, killers = {}, {}
    for i = 1, 60 do
      local act = acts[names[roll(#names) + 1]]
      local seconds = roll(100) / 1000
      threads[i] = green.spawn(function()
        return green.timeout(seconds, act)
      end)
      if roll(3) == 0 then
        killers[#killers + 1] = green.spawn_after(roll(100) / 1000, function()
          threads[i]:kill()
        end)
      end
    end
    for _, t in ipairs(threads) do pcall(t.wait, t) end
    for _, t in ipairs(killers) do t:wait() end -- which may come later than all ends
    settle()
  end)

  it("leaves nothing where there are no descriptors left", function()
    local saved, limit = ffi.new("unsigned long[2]"), ffi.new("unsigned long[2]")
    ffi.C.process_storm_getrlimit(NOFILE, saved)
    limit[1] = saved[1]
    local failed, worked = 0, 0
    for free = 0, 40 do
      limit[0] = free
      ffi.C.process_storm_setrlimit(NOFILE, limit)
      local value, err = process.run { "true", limits = { nofile = 100 } }
      ffi.C.process_storm_setrlimit(NOFILE, saved)
      assert.is_truthy(value or err:is("EMFILE"), tostring(err))
      failed, worked = failed + (value and 0 or 1), worked + (value and 1 or 0)
    end
    assert.is_true(failed > 0 and worked > 0)
    settle()
  end)
end)
