-- A host inside its own ev_run that asked for a run got EBUSY, but the run had begun: its
-- side effects were done, and it stayed parked. A wait on the host's own state was parked
-- where nobody could take it out: the lists were corrupted. EBUSY means that nothing has
-- run and nothing is parked.

local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

-- What the host (spec/embed/busy.c) loads and calls.
local SCRIPT = [[
  local green, socket = require "green", require "green.socket"
  local core, signal = require "green.core", require "green.signal"
  ticks = 0
  green.spawn(function() while true do green.sleep(0.002) ticks = ticks + 1 end end)
  local queue, full, event = green.Queue(), green.Queue(0), green.Event()
  local sem, a, b = green.Semaphore(0), socket.pair()
  local target = green.spawn(green.sleep, 1000)
  local waitq = core.waitq()
  local c, d = socket.pair()
  keep = d -- else it is collected, and a read from c ends at once

  local waits = {
    { "sleep", function() green.sleep(0.001) end },
    { "sleep(0)", function() green.sleep(0) end },
    { "get", function() queue:get() end },
    { "get with a timeout", function() queue:get(0.01) end },
    { "put", function() full:put(1) end },
    { "wait for an event", function() event:wait() end },
    { "acquire", function() sem:acquire() end },
    { "read", function() c:read(1) end },
    { "wait for a thread", function() target:wait() end },
    { "kill", function() target:kill() end },
    { "kill with force_after", function() target:kill { force_after = 0 } end },
    { "getaddrinfo", function() socket.getaddrinfo("localhost", 80, { resolver = "system" }) end },
    { "signal.wait", function() signal.wait "USR1" end },
    { "wait", function() green.wait { queue } end },
    { "wait for all", function() green.wait() end },
    { "timeout", function() green.timeout(0.001, green.sleep, 1) end },
    { "group", function() green.group(function(g) g:spawn(green.sleep, 1) end) end },
    { "park", function() core.park(waitq, core.now() + 0.01) end },
    { "a coroutine", function() coroutine.wrap(green.sleep)(0.001) end },
  }

  local function parked()
    return ("%d %d %d %d %s %d"):format(queue:getting(), full:putting(), sem:balance(),
      core.waiting(waitq), target:status(), core.stats().waits)
  end

  function wait_everywhere()
    local before = parked()
    for _ = 1, 3 do
      for _, wait in ipairs(waits) do
        local ok, err = pcall(wait[2])
        if ok then tell(wait[1] .. " was not refused") end
        if parked() ~= before then tell(wait[1] .. " left " .. parked() .. ", not " .. before) end
      end
      collectgarbage()
    end
    tell "everything was refused"
  end

  local got = {}
  green.spawn(function() for item in queue:items() do got[#got + 1] = item end end)
  green.spawn(function()
    local x = a:read(1)
    got[#got + 1] = x
  end)

  function do_without_waiting()
    queue:put_nowait "item"
    b:write "x"
    green.spawn(function() green.sleep(0.001) got[#got + 1] = "spawned" end)
    green.spawn(run)
  end

  function check()
    table.sort(got)
    tell("got " .. table.concat(got, " "))
    tell("ran " .. tostring(ran))
    tell(ticks > 0 and "ticked" or ticks .. " ticks")
    tell("target " .. target:status())
    collectgarbage()
    collectgarbage()
  end
]]

local function run()
  local path = program.build .. "/examples/spec_busy"
  local file = io.open(path)
  if not file then
    pending(path .. " was not built")
    return nil
  end
  file:close()
  local script = program.file(SCRIPT)
  local r = program.run { "timeout", "25", path, script }
  os.remove(script)
  return r
end

--- Every line that begins so, without it.
local function lines_of(r, start)
  local lines = {}
  for line in r.out:gmatch("[^\n]+") do
    if line:sub(1, #start) == start then
      lines[#lines + 1] = line:sub(#start + 1)
    end
  end
  return lines
end

describe("a host that is inside its own ev_run", function()
  local r
  local function out()
    r = r or run()
    return r
  end

  it("ends well, whatever it has asked for", function()
    if out() then
      assert.equal(0, r.status, chunk.describe(r))
      assert.is_truthy(r.out:find("\nend\n$"), chunk.describe(r))
    end
  end)

  for _, where in ipairs { "inside ev_run", "inside ev_run again", "inside a thread" } do
    it(("is refused a run %s, which has done nothing"):format(where), function()
      if out() then
        for _, kind in ipairs { "dostring", "waiting dostring" } do
          local lines = lines_of(r, ("%s: %s "):format(where, kind))
          assert.equal(1, #lines, chunk.describe(r))
          assert.is_truthy(lines[1]:find("^[n1]"), lines[1]) -- it says why
          assert.is_truthy(lines[1]:find(": %w"), lines[1])
        end
        for _, kind in ipairs { "call", "turn", "blocking turn" } do
          assert.same({ "negative" }, lines_of(r, ("%s: %s "):format(where, kind)),
            chunk.describe(r))
        end
      end
    end)
  end

  it("sees no effect of a refused run, then or later", function()
    if out() then
      assert.is_falsy(r.out:find("that gave EBUSY", 1, true), r.out)
      assert.same({ "nil", "nil" }, lines_of(r, "tell ran "))
    end
  end)

  it("is refused a wait on its own state, which leaves nothing parked", function()
    if out() then
      assert.is_falsy(r.out:find("was not refused", 1, true), r.out)
      assert.is_falsy(r.out:find(" left ", 1, true), r.out)
      assert.equal(1, #lines_of(r, "tell everything was refused"), r.out)
    end
  end)

  it("may do what does not wait, and the threads go on", function()
    if out() then
      assert.same({ "item spawned x", "item spawned x" }, lines_of(r, "tell got "))
      assert.same({ "parked", "parked" }, lines_of(r, "tell target "))
      assert.equal(2, #lines_of(r, "tell ticked"))
    end
  end)

  it("may run again when it has left ev_run", function()
    if out() then
      assert.same({ "0: " }, lines_of(r, "afterwards "))
    end
  end)
end)
