-- debug.instrument: functions that hear of what the hub does.

local core = require "green.core"
local debugging = require "green.debug"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

--- Events of one kind about the thread with that name.
local function of(events, kind, name)
  local list = {}
  for _, e in ipairs(events) do
    if e.kind == kind and e.name == name then
      list[#list + 1] = e
    end
  end
  return list
end

--- What functions for these kinds hear while fn runs, and until they have heard all of it.
local function hear(kinds, fn)
  local events, hooks = {}, {}
  for _, kind in ipairs(kinds) do
    hooks[kind] = function(e) events[#events + 1] = e end
  end
  debugging.instrument(hooks)
  fn()
  green.sleep(0)
  green.sleep(0)
  debugging.instrument(nil)
  return events
end

local function silent(fn)
  local said = {}
  local complain = core.complain
  core.complain = function(text) said[#said + 1] = text end
  local ok, err = pcall(fn)
  core.complain = complain
  assert(ok, err)
  return said
end

describe("debug.instrument", function()
  it("tells of switches, parks and wakes, in order", function()
    local events = hear({ "switch", "park", "wake" }, function()
      local queue = green.Queue()
      local worker = green.spawn(function()
        queue:get()
        green.sleep(0.001)
        green.sleep(0)
      end):name("worker")
      green.sleep(0)
      queue:put(1)
      worker:wait()
    end)
    local order, last = {}, 0
    for _, e in ipairs(events) do
      assert.is_true(e.at >= last)
      last = e.at
      if e.name == "worker" then
        order[#order + 1] = e.kind .. (e.waits and " " .. e.waits or "")
          .. (e.status and " " .. e.status or "") .. (e.first and " first" or "")
      end
    end
    assert.same({ "switch first", "park queue", "wake", "switch", "park sleep",
      "wake ETIMEDOUT", "switch ETIMEDOUT", "park turn", "switch" }, order)
    local sleep = of(events, "park", "worker")[2]
    assert.is_true(sleep.timeout > 0 and sleep.timeout <= 0.001)
    local wake = of(events, "wake", "worker")[1]
    assert.is_number(wake.by)
    assert.not_equal(wake.id, wake.by)
    assert.matches("instrument_spec.lua:%d+", wake.spawned_at)
  end)

  it("tells of descriptors that are ready, and who waits for them", function()
    local a, b = require("green.socket").pair()
    local events = hear({ "io", "park" }, function()
      local reader = green.spawn(function() return a:read(1) end):name("reader")
      green.sleep(0)
      b:write("x")
      reader:wait()
    end)
    local park = of(events, "park", "reader")[1]
    assert.equal("read", park.waits)
    local found
    for _, e in ipairs(events) do
      found = found or e.kind == "io" and e.fd == park.fd and e
    end
    assert.is_true(found.read)
    assert.is_nil(found.write)
    assert.is_nil(found.id)
    a:close()
    b:close()
  end)

  it("tells of what was asked for only, and of nothing any more after nil", function()
    local function work() green.spawn(green.sleep, 0):name("w"):wait() end
    local events = hear({ "wake" }, work)
    assert.is_true(#events > 0)
    for _, e in ipairs(events) do
      assert.equal("wake", e.kind)
    end
    local n = #events
    work()
    green.sleep(0)
    green.sleep(0)
    assert.equal(n, #events)
  end)

  it("does not tell of the functions' own switches, parks and wakes", function()
    local events, calls = {}, 0
    debugging.instrument { switch = function(e)
      calls = calls + 1
      events[#events + 1] = e
      green.sleep(0.001)
    end }
    green.spawn(green.sleep, 0):name("w"):wait()
    local deadline = green.now() + 5
    repeat
      local before = calls
      core.trace_hooks {}
      green.sleep(0.01)
    until calls == before or green.now() > deadline
    debugging.instrument(nil)
    assert.is_true(#of(events, "switch", "w") >= 1)
    local ids = {}
    for _, e in ipairs(events) do
      ids[e.id] = true
    end
    local n = 0
    for _ in pairs(ids) do n = n + 1 end
    assert.is_true(n <= 4, n) -- the spec's threads and w
  end)

  it("ends a function that raises, and reports that once", function()
    local calls, others = 0, 0
    local said = silent(function()
      debugging.instrument {
        switch = function() calls = calls + 1 error("oops", 0) end,
        park = function() others = others + 1 end,
      }
      for _ = 1, 5 do green.sleep(0) end
      debugging.instrument(nil)
    end)
    assert.equal(1, calls)
    assert.is_true(others > 1)
    assert.equal(1, #said)
    assert.matches("error in the function for 'switch' of debug.instrument, which is taken away:"
      .. "\noops", said[1])
  end)

  it("may be set anew, and ended, by the functions themselves", function()
    local first, second = 0, 0
    debugging.instrument { switch = function()
      first = first + 1
      debugging.instrument { switch = function()
        second = second + 1
        debugging.instrument(nil)
      end }
    end }
    for _ = 1, 8 do green.sleep(0) end
    assert.equal(1, first)
    assert.equal(1, second)
  end)

  it("does not wait for a function of old that waits for ever", function()
    local queue, stuck, ended, heard = green.Queue(), 0, 0, 0
    debugging.instrument { switch = function()
      stuck = stuck + 1
      queue:get()
      ended = ended + 1
    end }
    for _ = 1, 4 do green.sleep(0) end
    assert.equal(1, stuck)
    debugging.instrument { switch = function() heard = heard + 1 end }
    for _ = 1, 4 do green.sleep(0) end
    assert.is_true(heard > 0)
    debugging.instrument(nil)
    debugging.instrument { switch = function() heard = heard + 100 end }
    for _ = 1, 4 do green.sleep(0) end
    assert.is_true(heard > 100)
    queue:put(1)
    for _ = 1, 4 do green.sleep(0) end
    assert.same({ 1, 1 }, { stuck, ended }) -- the old thread takes nothing more
    debugging.instrument(nil)
  end)

  it("counts what it had no room for", function()
    local lost, heard = 0, 0
    debugging.instrument { switch = function(e)
      lost, heard = lost + (e.lost or 0), heard + 1
    end }
    for _ = 1, 5000 do green.spawn_n(function() end) end
    for _ = 1, 10 do green.sleep(0) end
    debugging.instrument(nil)
    assert.is_true(lost > 0)
    assert.is_true(heard >= 4096)
  end)

  it("stays with the parent at a fork", function()
    local r = program.run_greenlua { "-", input = [[
      local green, debug, process = require "green", require "green.debug", require "green.process"
      local mine = 0
      debug.instrument { switch = function(e) if e.name == "parents" then mine = mine + 1 end end }
      green.spawn(function() green.sleep(0.01) end):name("parents")
      green.sleep(0)
      process.wait(assert(process.fork(function()
        green.sleep(0.001)
        green.sleep(0)
        io.write(mine, "\n")
        debug.instrument(nil)
      end)))
      green.sleep(0.02)
      debug.instrument(nil)
      print(mine)
    ]] }
    assert.equal("", r.err)
    assert.equal("0\n2\n", r.out)
  end)

  it("is of use in a child that one of the functions has made", function()
    local r = program.run_greenlua { "-", input = [[
      local green, debug, process = require "green", require "green.debug", require "green.process"
      local forked
      debug.instrument { switch = function()
        if forked then return end
        forked = true
        process.wait(assert(process.fork(function()
          local heard, mine = 0, green.getcurrent()
          debug.instrument { switch = function(e)
            if debug.thread(e.id) == mine then heard = heard + 1 end
          end }
          for _ = 1, 4 do green.sleep(0) end
          io.write(heard > 0 and "heard\n" or "deaf\n")
        end)))
        io.write "parent\n"
        debug.instrument(nil)
      end }
      for _ = 1, 3 do green.sleep(0.01) end
      green.sleep(0.2)
    ]] }
    assert.equal("", r.err)
    assert.equal("heard\nparent\n", r.out)
  end)

  it("is misuse with anything but functions, and unknown names", function()
    assert.error_matches(function() debugging.instrument { swich = print } end,
      "instrument: unknown option 'swich'; did you mean 'switch'%?")
    assert.error_matches(function() debugging.instrument { switch = 1 } end, "instrument: switch")
    assert.error_matches(function() debugging.instrument(1) end, "instrument")
  end)
end)
