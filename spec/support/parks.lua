-- parks.lua: what holds for every call that parks, as a list of tests.
--
-- parks.check(it, name, case), where case has
--   make()          a fresh object
--   call(obj, t)    the call, t seconds at most (t only if case.timeout)
--   ready(obj)      make one call succeed at once, without parking
--   wake(obj)       the same while somebody waits; default: ready
--   good(...)       assert that these are the call's results
--   timeout         true: the call has a timeout
--   cleanup(obj)    at the end of each test
--   without         titles of tests that do not apply -> true

local assert = require "luassert"
local green = require "green"
local testing = require "green.testing"

local M = {}

local function killed(t)
  local ok, err = pcall(t.wait, t)
  assert.is_false(ok)
  assert.is_true(green.is_error(err, "ECANCELED"))
end

local tests = {}

tests["returns at once when it can"] = function(case)
  local obj, others_ran = case.make(), false
  case.ready(obj)
  green.spawn(function()
    others_ran = true
  end)
  case.good(case.call(obj))
  assert.is_false(others_ran)
end

tests["waits until it can"] = function(case)
  local obj, woken = case.make(), false
  green.spawn_after(5, function()
    woken = true
    case.wake(obj)
  end)
  case.good(case.call(obj))
  assert.is_true(woken)
end

tests["raises in a killed thread before any effect, and again when swallowed"] = function(case)
  local obj = case.make()
  case.ready(obj)
  local raised = {}
  green.spawn(function()
    green.getcurrent():kill_soon()
    for i = 1, 3 do
      raised[i] = select(2, pcall(case.call, obj))
    end
  end):wait()
  assert.is_true(green.is_error(raised[1], "ECANCELED"))
  assert.are.equal(raised[1], raised[2])
  assert.are.equal(raised[1], raised[3])
  case.good(case.call(obj))
end

tests["raises in a thread that is killed meanwhile, and leaves nothing"] = function(case)
  local obj = case.make()
  local first = green.spawn(case.call, obj)
  local second = green.spawn(case.call, obj)
  testing.settle()
  first:kill()
  killed(first)
  case.wake(obj)
  case.good(second:wait())
end

tests["lets an expired scope raise, and can be called again"] = function(case)
  local obj = case.make()
  local t0 = green.now()
  local value, err = green.timeout(3, case.call, obj)
  assert.is_nil(value)
  assert.is_true(err:is("ETIMEDOUT"))
  assert.is_near(3, green.now() - t0, 1e-6)
  green.spawn_after(1, case.wake, obj)
  case.good(case.call(obj))
end

tests["keeps what it was given when the kill comes later"] = function(case)
  local obj = case.make()
  local t = green.spawn(function()
    local results = { n = 0 }
    local function keep(...)
      results = { n = select("#", ...), ... }
    end
    keep(case.call(obj))
    local ok, err = pcall(green.sleep, 0)
    assert.is_false(ok)
    assert.is_true(green.is_error(err, "ECANCELED"))
    return unpack(results, 1, results.n)
  end)
  testing.settle()
  case.wake(obj)
  t:kill_soon()
  case.good(t:wait())
end

tests["refuses to wait inside string.gsub, and leaves nothing"] = function(case)
  local obj = case.make()
  local ok, err = pcall(string.gsub, "x", "x", function()
    case.call(obj)
  end)
  assert.is_false(ok)
  assert.matches("cannot wait inside", tostring(err))
  green.spawn_after(1, case.wake, obj)
  case.good(case.call(obj))
end

tests["waits inside a coroutine of the script's"] = function(case)
  local obj = case.make()
  green.spawn_after(1, case.wake, obj)
  case.good(coroutine.wrap(function()
    return case.call(obj)
  end)())
end

local timeout_tests = {}

timeout_tests["says ETIMEDOUT when the time is up, and leaves nothing"] = function(case)
  local obj = case.make()
  local t0 = green.now()
  local value, err = case.call(obj, 2)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, "ETIMEDOUT"))
  assert.is_near(2, green.now() - t0, 1e-6)
  green.spawn_after(1, case.wake, obj)
  case.good(case.call(obj, 2))
end

timeout_tests["gives up at once with a timeout of 0"] = function(case)
  local obj = case.make()
  local t0 = green.now()
  local _, err = case.call(obj, 0)
  assert.is_true(green.is_error(err, "ETIMEDOUT"))
  assert.is_near(t0, green.now(), 1e-6)
end

timeout_tests["raises for a timeout that is none"] = function(case)
  local obj = case.make()
  assert.is_false(pcall(case.call, obj, "soon"))
  assert.is_false(pcall(case.call, obj, -1))
end

local function run(test, case)
  local made = {}
  test(setmetatable({
    make = function()
      made[#made + 1] = case.make()
      return made[#made]
    end,
  }, { __index = case }))
  for _, obj in ipairs(case.cleanup and made or {}) do
    case.cleanup(obj)
  end
end

--- Register the tests with an `it` of green.testing (virtual clock).
function M.check(it, name, case)
  case.wake = case.wake or case.ready
  local without = case.without or {}
  for _, list in ipairs({ tests, case.timeout and timeout_tests or {} }) do
    for title, test in pairs(list) do
      if not without[title] then
        it(name .. " " .. title, function()
          run(test, case)
        end)
      end
    end
  end
end

return M
