local green = require "green"
local patch_require = require "green.patch.require"
local testing = require "green.testing"

local it = testing.busted()

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- Modules for package.preload; forgotten after the test.
local function modules(list)
  for name, fn in pairs(list) do
    package.preload["spec.load." .. name] = fn
  end
  finally(function()
    for name in pairs(list) do
      package.preload["spec.load." .. name] = nil
      package.loaded["spec.load." .. name] = nil
    end
  end)
end

local function req(name)
  return require("spec.load." .. name)
end

describe("green.patch.require", function()
  describe("require", function()
    it("takes modules that wait at their top level", function()
      modules { slow = function(name)
        green.sleep(1)
        return { name = name }
      end }
      local t0 = green.now()
      assert.are.equal("spec.load.slow", req("slow").name)
      assert.is_near(1, green.now() - t0, 1e-6)
      assert.are.equal(req "slow", package.loaded["spec.load.slow"])
    end)

    it("runs a module once though many ask for it at once", function()
      local runs = 0
      modules { slow = function()
        runs = runs + 1
        green.sleep(1)
        return { runs }
      end }
      local got = {}
      for i = 1, 5 do
        green.spawn(function()
          got[i] = req "slow"
        end)
      end
      green.sleep(2)
      assert.are.equal(1, runs)
      for i = 1, 5 do
        assert.are.equal(got[1], got[i])
      end
    end)

    it("lets modules spawn threads that outlive it", function()
      local done = false
      modules { starter = function()
        green.spawn(function()
          green.sleep(1)
          done = true
        end)
      end }
      assert.is_true(req "starter")
      assert.is_false(done)
      green.sleep(2)
      assert.is_true(done)
    end)

    it("gives what plain Lua gives: a value, package.loaded, true, false", function()
      modules {
        value = function()
          return 7
        end,
        set = function(name)
          package.loaded[name] = "set"
        end,
        none = function() end,
        no = function()
          return false
        end,
      }
      assert.are.equal(7, req "value")
      assert.are.equal("set", req "set")
      assert.is_true(req "none")
      assert.is_false(req "no")
    end)

    it("tells of a module that is not there, and where it was asked for", function()
      local line = debug.getinfo(1, "l").currentline + 2
      local err = raised(function()
        require "spec.load.absent"
        return nil
      end)
      assert.matches("_spec%.lua:" .. line .. ": module 'spec%.load%.absent' not found:", err)
      assert.matches("no field package%.preload%['spec%.load%.absent'%]", err)
      assert.matches("spec/load/absent%.lua", err)
    end)

    it("refuses what is no name", function()
      assert.matches("bad argument #1 to 'require'", raised(require))
      assert.matches("bad argument #1 to 'require'", raised(require, {}))
      assert.matches("module '5' not found", raised(require, 5))
    end)

    it("passes on a module's error to all who wait, and lets the next one try", function()
      local runs, err = 0, { "mine" }
      modules { bad = function()
        runs = runs + 1
        green.sleep(1)
        if runs < 3 then
          error(err)
        end
        return "good"
      end }
      local first = green.spawn(pcall, req, "bad")
      local second = green.spawn(pcall, req, "bad")
      assert.are.same({ false, err }, { first:wait() })
      assert.are.same({ false, err }, { second:wait() })
      assert.are.equal("good", req "bad")
    end)

    it("sees a cycle in one thread, as plain Lua does", function()
      modules {
        a = function()
          return req "b"
        end,
        b = function()
          return req "a"
        end,
      }
      assert.matches("loop or previous error loading module 'spec%.load%.a'", raised(req, "a"))
    end)

    it("sees a cycle through threads that wait for each other", function()
      modules {
        a = function()
          green.sleep(1)
          return { pcall(req, "b") }
        end,
        b = function()
          green.sleep(1)
          return { pcall(req, "a") }
        end,
      }
      local ta, tb = green.spawn(req, "a"), green.spawn(req, "b")
      local a, b = ta:wait(), tb:wait()
      local failed = a[1] and b or a
      local fine = a[1] and a or b
      assert.matches("loop or previous error", failed[2])
      assert.are.equal(failed, fine[2])
    end)

    it("gives a module that is in package.loaded early to cycles", function()
      modules {
        a = function(name)
          local m = {}
          package.loaded[name] = m
          m.b = req "b"
          return m
        end,
        b = function()
          green.sleep(1)
          return { a = req "a" }
        end,
      }
      local a = req "a"
      assert.are.equal(a, a.b.a)
    end)

    it("goes on for the others when the loading thread is killed", function()
      local runs = 0
      modules { slow = function()
        runs = runs + 1
        green.sleep(5)
        return runs
      end }
      local first, second = green.spawn(req, "slow"), green.spawn(req, "slow")
      green.sleep(1)
      first:kill()
      assert.are.equal(2, second:wait())
    end)

    it("does so when the loading thread is abandoned", function()
      local runs = 0
      modules { slow = function()
        runs = runs + 1
        green.shield(60, green.sleep, 50)
        return runs
      end }
      local first, second = green.spawn(req, "slow"), green.spawn(req, "slow")
      green.sleep(1)
      first:kill { force_after = 1 }
      green.sleep(2)
      assert.is_true(first:dead())
      local third = green.spawn(req, "slow")
      assert.are.equal(2, third:wait())
      assert.are.equal(2, second:wait())
    end)

    it("is left by a waiter that is killed", function()
      modules { slow = function()
        green.sleep(5)
        return "x"
      end }
      local first, second = green.spawn(req, "slow"), green.spawn(req, "slow")
      green.sleep(1)
      second:kill()
      assert.are.equal("killed", second:status())
      assert.are.equal("x", first:wait())
    end)

    it("keeps the traceback of a module's error", function()
      local trace
      modules { bad = function()
        local function culprit()
          green.sleep(1)
          error("deep")
        end
        culprit()
        return nil
      end }
      local old = green.on_error(function(_, _, text)
        trace = text
      end)
      green.spawn(req, "bad")
      green.sleep(2)
      green.on_error(old)
      assert.matches("culprit", trace)
    end)
  end)

  describe("dofile", function()
    local function file(text)
      local path = os.tmpname()
      local f = assert(io.open(path, "w"))
      f:write(text)
      f:close()
      finally(function()
        os.remove(path)
      end)
      return path
    end

    it("takes files that wait", function()
      local t0 = green.now()
      local path = file "require('green').sleep(2) return 1, nil, 3"
      assert.are.same({ 1, nil, 3 }, { dofile(path) })
      assert.is_near(2, green.now() - t0, 1e-6)
    end)

    it("fails as in plain Lua", function()
      local path = file "this is no Lua"
      local _, want = loadfile(path)
      assert.are.equal(want, raised(dofile, path))
      _, want = loadfile(path .. ".absent")
      assert.are.equal(want, raised(dofile, path .. ".absent"))
      path = file "error({ 'mine' })"
      assert.are.same({ "mine" }, raised(dofile, path))
    end)
  end)

  it("keeps Lua's own require", function()
    assert.are_not.equal(require, patch_require.raw_require)
    assert.are.equal(string, patch_require.raw_require "string")
  end)
end)
