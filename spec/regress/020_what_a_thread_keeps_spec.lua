-- What the core notes about a thread (its error is heard by somebody, it was handed
-- something, its end is somebody's business) is not lost by what else is done to it.

local core = require "green.core"
local green = require "green"
local pools = require "green.pools"
local testing = require "green.testing"

local function nothing() end

local function collect()
  for _ = 1, 3 do
    collectgarbage()
  end
  testing.settle()
end

--- Things that are done to a thread from outside, and leave it as it was.
local touches = {
  ["a link that is taken back"] = function(t)
    t:link(nothing)
    t:unlink(nothing)
  end,
  ["a wait that timed out"] = function(t)
    t:wait(0)
  end,
  ["green.wait that timed out"] = function(t)
    green.wait({ t }, 0)
  end,
  ["a name"] = function(t)
    t:name("x")
  end,
}

describe("a thread, after", function()
  for name, touch in pairs(touches) do
    it(name .. ", tells a group its error, and nobody else", function()
      local reports = 0
      local old = green.on_error(function() reports = reports + 1 end)
      local ok, err = pcall(green.group, function(g)
        local t = g:spawn(function()
          green.sleep(0.002)
          error("boom", 0)
        end)
        touch(t)
      end)
      testing.settle()
      green.on_error(old)
      assert.is_false(ok)
      assert.equal("boom", tostring(err):match("boom"))
      assert.equal(0, reports)
    end)

    it(name .. ", hands on what it was given when it is dropped", function()
      local s = green.Semaphore(0)
      local t = green.spawn(s.acquire, s)
      testing.settle()
      s:release()
      if name ~= "a wait that timed out" and name ~= "green.wait that timed out" then
        touch(t) -- those would let it run
      end
      core.drop(t)
      testing.settle()
      assert.equal(1, s:balance())
    end)

    it(name .. ", gives back what it holds when it is dropped", function()
      local s = green.Semaphore(1)
      local t = green.spawn(function() s:with(green.sleep, 60) end)
      testing.settle()
      touch(t)
      core.drop(t)
      testing.settle()
      assert.equal(1, s:balance())
    end)
  end
end)

describe("what a coroutine holds that is dropped in the middle", function()
  it("is given back: the permit of Semaphore:with", function()
    local s = green.Semaphore(1);
    (function()
      coroutine.wrap(function() s:with(coroutine.yield) end)()
    end)()
    assert.equal(0, s:balance())
    collect()
    assert.equal(1, s:balance())
  end)

  it("is given back: the item of Pool:with", function()
    local p = pools.TokenPool { max_size = 1 };
    (function()
      coroutine.wrap(function() p:with(coroutine.yield) end)()
    end)()
    assert.equal(0, p:free())
    collect()
    assert.equal(1, p:free())
  end)

  it("is given back: both, one in the other", function()
    local s, p = green.Semaphore(1), pools.TokenPool { max_size = 1 };
    (function()
      coroutine.wrap(function()
        s:with(function() p:with(coroutine.yield) end)
      end)()
    end)()
    collect()
    assert.same({ 1, 1 }, { s:balance(), p:free() })
  end)
end)

describe("a Timeout of before a worker's reset", function()
  it("may be cancelled, and takes no newer one along", function()
    local own = green.spawn(function()
      local before = green.Timeout(100)
      core.reset()
      local after = green.Timeout(0.002)
      before:cancel()
      local _, err = pcall(green.sleep, 5)
      after:cancel()
      return rawequal(err, after)
    end):wait()
    assert.is_true(own)
  end)
end)
