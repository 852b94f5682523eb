-- Children of green.process.spawn: their ends, signals, groups, and whose they are.

local green = require "green"
local process = require "green.process"
local testing = require "green.testing"

local kit = require "spec.support.process_kit"
local program = require "spec.support.program"
local fails, refuses = kit.fails, kit.refuses
local _, it = testing.busted()

--- A child that ends with a status when it is told to.
local function obedient()
  local child = assert(process.spawn { "sh", "-c", "read x; exit $x", stdin = "pipe" })
  return child, function(status)
    child.stdin:write(status, "\n")
    child:close()
  end
end

describe("green.process: child:wait", function()
  it("returns at once when the child has ended", function()
    local child, tell = obedient()
    tell(3)
    testing.settle_io(function() return child:status() end)
    local others_ran = false
    local t = green.spawn(function() others_ran = true end)
    assert.equal(3, child:wait(0).status)
    assert.is_false(others_ran)
    t:wait()
  end)

  it("waits for the end, as many as want to", function()
    local child, tell = obedient()
    local waiters = {}
    for i = 1, 3 do waiters[i] = green.spawn(child.wait, child) end
    testing.settle()
    tell(4)
    for i = 1, 3 do assert.equal(4, waiters[i]:wait().status) end
    assert.equal(4, child:wait().status)
  end)

  it("gives up when its time is up, and the child goes on [b88]", function()
    local child, tell = obedient()
    local err = fails("ETIMEDOUT", child:wait(0.01))
    assert.equal(("wait for process %d, sh -c 'read x; exit $x': timed out (ETIMEDOUT)")
      :format(child.pid), tostring(err))
    fails("ETIMEDOUT", child:wait(0))
    tell(5)
    assert.equal(5, child:wait().status)
  end)

  it("raises in a killed thread, and the child goes on", function()
    local child, tell = obedient()
    local t = green.spawn(child.wait, child)
    testing.settle()
    t:kill()
    assert.is_nil(child:status())
    local ended = green.spawn(function()
      green.getcurrent():kill_soon()
      return child:wait()
    end)
    assert.is_false((pcall(ended.wait, ended)))
    tell(6)
    assert.equal(6, child:wait().status)
  end)

  it("returns at the child's end though others hold its pipes", function()
    local child = assert(process.spawn { "sh", "-c", "sleep 1000 & echo $!", stdout = "pipe" })
    assert.is_true(child:wait().ok)
    local pid = tonumber(child.stdout:read_line())
    fails("ETIMEDOUT", child.stdout:read_some(nil, { timeout = 0.01 }))
    process.kill(pid, "KILL")
    assert.is_nil(child.stdout:read_some())
    child:close()
  end)

  it("says so when somebody else has taken the child's end", function()
    local child, tell = obedient()
    tell(7)
    assert.is_true(kit.reap(child.pid)) -- before the loop turns
    local err = fails("ECHILD", child:wait())
    assert.matches("taken by somebody else", tostring(err))
    fails("ECHILD", child:status())
    assert.matches("an end that nobody knows", tostring(child))
    fails("ESRCH", child:signal("TERM"))
  end)
end)

describe("green.process: a child that nobody waits for", function()
  it("is no zombie", function()
    local child, tell = obedient()
    tell(0)
    testing.settle_io(function() return not kit.has_children() end)
    assert.is_true(child:status().ok)
  end)

  it("is none when it was collected before, either", function()
    local tell
    do
      local child = obedient()
      child:disown()
      local stdin = child.stdin
      tell = function() stdin:write("1\n") stdin:close() end
    end
    for _ = 1, 3 do collectgarbage() end
    assert.is_true(kit.has_children())
    tell()
    testing.settle_io(function() return not kit.has_children() end)
  end)
end)

describe("green.process: signals to a child", function()
  it("are sent by name and number", function()
    local child = kit.spawn_ready("trap 'exit 5' USR1; " .. kit.for_ever)
    assert.is_true(child:signal(0))
    assert.is_true(child:signal("USR1"))
    assert.equal(5, child:wait().status)
    fails("ESRCH", child:signal("TERM"))
    fails("ESRCH", child:kill())
    fails("ESRCH", child:terminate())
    refuses("unknown signal 'SOUP'", child.signal, child, "SOUP")
    refuses("the process leads no group", child.signal, child, "TERM", { group = true })
    child:close()
  end)

  it("kill it", function()
    local child = kit.spawn_ready(kit.stubborn)
    assert.is_true(child:kill())
    assert.equal("SIGKILL", child:wait().signal)
    child:close()
  end)

  it("ask first, and kill when the grace is over", function()
    local child = kit.spawn_ready(kit.stubborn)
    local how = child:stop { grace = 0.01 }
    assert.equal("SIGKILL", how.signal)
    child:close()
    child = kit.spawn_ready("trap 'exit 5' HUP; " .. kit.for_ever)
    assert.equal(5, child:stop({ signal = "HUP", grace = 1000 }).status)
    assert.equal(5, child:stop().status) -- it has ended
    child:close()
  end)

  it("reach a whole group, and what is left of it when its leader has ended", function()
    local child = assert(process.spawn { "sh", "-c",
      "(trap '' TERM; echo ready; exec sleep 1000) & wait", stdout = "pipe", group = true })
    assert.equal("ready", child.stdout:read_line())
    assert.is_true(child:terminate { group = true, grace = 0.01 })
    assert.equal("SIGTERM", child:wait().signal)
    assert.is_nil(child.stdout:read_some()) -- nobody holds the pipe any more
    child:close()
  end)
end)

describe("green.process: a child's owner", function()
  it("ends it by its own end", function()
    local child
    green.spawn(function() child = kit.spawn_ready(kit.for_ever) end):wait()
    assert.equal("SIGTERM", child:wait().signal)
    child:close()
  end)

  it("kills it when it does not hear", function()
    local child
    local t = green.spawn(function()
      child = kit.spawn_ready(kit.stubborn, { grace = 0.01 })
      green.sleep(1000)
    end)
    testing.settle_io(function() return child end)
    t:kill()
    assert.equal("SIGKILL", child:wait().signal)
    child:close()
  end)

  it("ends all of its group where that was asked for", function()
    local child
    green.spawn(function()
      child = assert(process.spawn { "sh", "-c", "(echo ready; exec sleep 1000) & wait",
        stdout = "pipe", kill_group = true })
      assert.equal("ready", child.stdout:read_line())
    end):wait()
    assert.equal("SIGTERM", child:wait().signal)
    assert.is_nil(child.stdout:read_some())
    child:close()
  end)

  it("lets it live that was let go", function()
    local child, other
    green.spawn(function()
      child = kit.spawn_ready(kit.for_ever, { owned = false })
      other = kit.spawn_ready(kit.for_ever)
      other:disown()
    end):wait()
    testing.settle()
    for _, one in ipairs { child, other } do
      assert.is_nil(one:status())
      one:stop()
      one:close()
    end
  end)

  it("is forgotten when the child's end has been seen", function()
    local owned = require "green.process.owned"
    for _ = 1, 3 do
      assert.is_true(assert(process.spawn { "true" }):wait().ok)
    end
    assert.is_false(owned.is_any())
  end)

  it("is the program, in the end, which waits for its children", function()
    local r = program.run_greenlua { "-e", [[
      local child = require("green.process").spawn { "sh", "-c",
        "trap 'echo heard; exit' TERM; echo ready; while :; do :; done",
        stdout = "pipe" }
      print(child.stdout:read_line())
      require("green").spawn(function() print(child.stdout:read_line()) end)
    ]] }
    assert.equal("ready\nheard\n", r.out, r.err)
    assert.equal(0, r.status)
  end)

  it("kills at the program's end who does not hear", function()
    local r = program.run_greenlua { "-e", [[
      local child = require("green.process").spawn { "sh", "-c",
        "trap '' TERM; echo ready; while :; do :; done", stdout = "pipe", grace = 0.01 }
      print(child.stdout:read_line(), child.pid)
    ]] }
    local pid = tonumber(r.out:match("ready\t(%d+)"))
    assert.is_false(kit.exists(pid))
  end)

  it("is no child of a fork", function()
    local child = kit.spawn_ready(kit.for_ever)
    local pid = assert(green.fork(function()
      local _, err = child:wait()
      os.exit(err and err:is("ECHILD") and 0 or 1)
    end))
    assert.same({ "exit", 0 }, { process.wait(pid) })
    assert.is_nil(child:status())
    child:stop()
    child:close()
  end)
end)

describe("green.process: a child's streams", function()
  it("are buffered, and let others run while they wait [S63]", function()
    local child = assert(process.spawn { "sh", "-c",
      "while read a b; do echo \"$b $a\"; done", stdin = "pipe", stdout = "pipe" })
    local ticks = 0
    local ticker = green.spawn(function()
      while true do
        ticks = ticks + 1
        green.sleep(0)
      end
    end)
    for i = 1, 20 do
      child.stdin:write(i, " lines\n", i, " more\n")
      assert.equal("lines " .. i, child.stdout:read_line())
      assert.equal("more", child.stdout:read_until(" "))
      assert.equal(tostring(i), child.stdout:read_line())
    end
    child.stdin:close()
    assert.is_nil(child.stdout:read_line())
    ticker:kill()
    assert.is_true(ticks > 0)
    assert.is_true(child:wait().ok)
    child:close()
  end)
end)

describe("green.process: child:communicate", function()
  it("writes, reads and waits", function()
    local child = assert(process.spawn { "tr", "a-z", "A-Z", stdin = "pipe", stdout = "pipe" })
    local r = assert(child:communicate("hello"))
    assert.same({ "HELLO", 0 }, { r.stdout, r.status })
    assert.is_nil(r.stderr)
    child:close() -- stdin is closed already [b89]
  end)

  it("refuses an input that has no way to the child", function()
    local child = assert(process.spawn { "true", stdout = "pipe" })
    refuses("there is an input, but the child was spawned without stdin", child.communicate,
      child, "hello")
    assert.is_true(child:communicate().ok)
    child = assert(process.spawn { "true", stdin = "pipe" })
    refuses("input[2] must be a string, not a table", child.communicate, child, { "a", {} })
    child:close()
    assert.is_true(child:wait().ok)
  end)

  it("ends the child when its time is up [b89]", function()
    local child = assert(process.spawn { "sh", "-c", "echo begun; " .. kit.for_ever,
      stdin = "pipe", stdout = "pipe" })
    local err = fails("ETIMEDOUT", child:communicate(nil, { timeout = 0.1 }))
    assert.equal("SIGTERM", err.result.signal)
    assert.matches("^communicate with sh", tostring(err))
  end)

  it("is ended by a timeout around it, and ends the child [b89]", function()
    local child = kit.spawn_ready(kit.for_ever)
    local value, err = green.timeout(0.02, child.communicate, child)
    fails("ETIMEDOUT", value, err)
    assert.equal("SIGTERM", child:status().signal)
  end)
end)
