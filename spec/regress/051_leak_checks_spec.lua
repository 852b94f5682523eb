-- The leak checks took the private descriptor that a first print opens for a leak, and
-- what was left behind was not told at all when the body or another thread had failed.

local green = require "green"
local testing = require "green.testing"

local program = require "spec.support.program"

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function leave_a_thread()
  green.spawn(green.sleep, 100):name("the leak")
end

describe("what is left behind", function()
  it("is not what stdio has opened for itself", function()
    local body = [[
      local green, testing = require "green", require "green.testing"
      local file, n = io[arg[1] ], tonumber(arg[2])
      testing.%s(function()
        if arg[1] == "stdin" then return file:read(1) end
        for _ = 1, n do file:write(("x"):rep(99), "\n") end
      end)
      testing.%s(function()
        for _ = 1, n do file:write("more\n") end
      end)
      os.exit(7)
    ]]
    for _, clock in ipairs { "virtual", "real", "assert_no_leaks" } do
      local path = program.file(body:format(clock, clock))
      for _, words in ipairs { { "stdout", "1" }, { "stdout", "3000" }, { "stderr", "1" },
        { "stderr", "3000" }, { "stdin", "0" } } do
        -- Nobody reads before it ends: 3000 lines are more than a pipe takes.
        local p = program.start_greenlua { path, unpack(words) }
        p:write("x")
        local r = p:wait()
        assert.equal(7, r.status, clock .. " " .. words[1] .. ": " .. r.err:sub(-300))
      end
      os.remove(path)
    end
  end)

  it("is still what the body has opened beside it", function()
    local r = program.run_greenlua { "-e", [[
      local socket, testing = require "green.socket", require "green.testing"
      local kept
      print(pcall(testing.virtual, function() print "x" kept = { socket.pair() } end))
    ]] }
    assert.matches("left behind:%s+2 more registered descriptors%s+2 more open descriptors", r.out)
  end)

  it("is told before a text that the body raises", function()
    for _, run in ipairs { testing.virtual, testing.real, testing.assert_no_leaks } do
      local err = raised(run, function()
        leave_a_thread()
        error("its own", 0)
      end)
      assert.matches("^left behind:\n  green thread the leak.*\nand the error: its own$", err)
    end
  end)

  it("is told with errors that nobody heard, and these with the body's", function()
    local err = raised(testing.virtual, function()
      leave_a_thread()
      green.spawn(error, "unheard")
      testing.settle()
    end)
    assert.matches("^left behind:\n  green thread the leak.*nobody waited for:.*unheard", err)
    err = raised(testing.virtual, function()
      green.spawn(error, "unheard")
      testing.settle()
      error("its own", 0)
    end)
    assert.matches("^errors that nobody waited for:.*unheard.*\nand the error: its own$", err)
  end)

  it("goes to standard error when the body raises an object, which stays it", function()
    local r = program.run_greenlua { "-e", [[
      local green, testing = require "green", require "green.testing"
      local mine = {}
      print(select(2, pcall(testing.virtual, function()
        green.spawn(green.sleep, 100):name("the leak")
        error(mine)
      end)) == mine)
      testing.virtual(function() end) -- it was ended
    ]] }
    assert.equal("true\n", r.out)
    assert.matches("^green.testing: besides the error: left behind:\n  green thread the leak",
      r.err)
    assert.equal(0, r.status)
  end)

  it("is told before an assertion of busted's, which stays a failure", function()
    local spec = program.file [[
      local green = require "green"
      local it = require("green.testing").busted()
      local never = green.Event()
      it("fails", function()
        green.spawn(green.sleep, 100):name("the leak")
        assert.equal("this", "that")
      end)
      it("ends by an error object", function()
        green.spawn(never.wait, never):name("another")
        never:wait()
      end)
    ]]
    local path = spec .. "_spec.lua"
    os.rename(spec, path)
    local r = program.run_greenlua { "spec/run.lua", path, env = { SEED = "1" } }
    os.remove(path)
    assert.matches("not ok %d %- fails\n# at [^\n]*\n# %S+ left behind:\n#   green thread the leak"
      .. ".-\n# and the failure: .-Expected objects to be equal", r.out)
    assert.matches("ends by an error object\n# at [^\n]*\n# %S+ left behind:\n"
      .. "#   green thread another.-\n# and the error: deadlock", r.out)
  end)
end)
