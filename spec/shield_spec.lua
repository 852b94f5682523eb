local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("green.shield", function()
  it("gives what the function returned, passes on its errors", function()
    assert.are.equal(3, select("#", green.shield(1, function(...)
      return ...
    end, nil, nil, 3)))
    assert.are.equal("x", raised(green.shield, 1, error, "x", 0))
  end)

  it("holds a kill back until it ends", function()
    local steps = {}
    local t = green.spawn(function()
      green.shield(5, function()
        green.sleep(1)
        steps[#steps + 1] = "cleaned up"
      end)
      steps[#steps + 1] = "still here"
      green.sleep(0)
      steps[#steps + 1] = "not reached"
    end)
    testing.settle()
    t:kill()
    assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
    assert.are.same({ "cleaned up", "still here" }, steps)
  end)

  it("holds outer timeouts back, not inner ones", function()
    local t0 = green.now()
    local inner
    local value, err = green.timeout(1, function()
      green.shield(10, function()
        inner = { green.timeout(2, green.sleep, 60) }
        green.sleep(1)
      end)
      assert.is_near(3, green.now() - t0, 1e-6)
      green.sleep(1)
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.is_nil(inner[1])
    assert.is_true(inner[2]:is("ETIMEDOUT"))
    assert.is_near(3, green.now() - t0, 1e-6)
  end)

  it("works in a thread that is cancelled already", function()
    local cleaned = false
    local t = green.spawn(function()
      pcall(green.sleep, 10)
      green.shield(5, green.sleep, 1)
      cleaned = true
    end)
    testing.settle()
    t:kill()
    t:wait()
    assert.is_true(cleaned)
  end)

  it("gives nil and ETIMEDOUT when its time is up", function()
    local t0 = green.now()
    local value, err = green.shield(2, green.sleep, 60)
    assert.is_nil(value)
    assert.is_true(green.is_error(err, "ETIMEDOUT"))
    assert.is_near(2, green.now() - t0, 1e-6)
  end)

  it("wants a finite time", function()
    assert.matches("seconds must be a number", raised(green.shield, nil, print))
    assert.matches("seconds must be a number", raised(green.shield, print))
    assert.matches("finite", raised(green.shield, math.huge, print))
    assert.matches("at least 0", raised(green.shield, -1, print))
  end)

  it("can be nested; the innermost decides what is masked", function()
    local t0 = green.now()
    local inner
    local outer, err = green.shield(2, function()
      inner = { green.shield(5, green.sleep, 3) }
      green.sleep(60)
    end)
    assert.are.equal(0, #inner)
    assert.is_nil(outer)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.is_near(3, green.now() - t0, 1e-6)
  end)

  it("leaves nothing", function()
    local before = green.stats().timers
    for _ = 1, 100 do
      green.shield(60, function() end)
      pcall(green.shield, 60, error, "x")
    end
    assert.are.equal(before, green.stats().timers)
  end)
end)

describe("green.finally", function()
  it("cleans up after a return, and gives its values", function()
    local cleaned = 0
    assert.are.equal(3, select("#", green.finally(function()
      return nil, 2, nil
    end, function()
      cleaned = cleaned + 1
    end)))
    assert.are.equal(1, cleaned)
  end)

  it("cleans up after an error, and passes it on", function()
    local cleaned, err = 0, { "mine" }
    assert.are.equal(err, raised(green.finally, function()
      error(err)
    end, function()
      cleaned = cleaned + 1
    end))
    assert.are.equal(1, cleaned)
  end)

  it("cleans up in a killed thread, and the cleanup may wait", function()
    local cleaned = 0
    local t = green.spawn(green.finally, function()
      green.sleep(60)
    end, function()
      green.sleep(1)
      cleaned = cleaned + 1
    end)
    testing.settle()
    t:kill()
    assert.are.equal(0, cleaned)
    assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
    assert.are.equal(1, cleaned)
    assert.are.equal("killed", t:status())
  end)

  it("cleans up after a timeout", function()
    local cleaned = 0
    local value, err = green.timeout(1, green.finally, function()
      green.sleep(60)
    end, function()
      green.sleep(1)
      cleaned = cleaned + 1
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.are.equal(1, cleaned)
  end)

  it("gives a cleanup that hangs five seconds", function()
    local t0 = green.now()
    assert.are.equal("x", green.finally(function()
      return "x"
    end, function()
      green.sleep(3600)
    end))
    assert.is_near(5, green.now() - t0, 1e-6)
  end)

  it("raises an error of the cleanup", function()
    assert.are.equal("cleanup", raised(green.finally, function() end, function()
      error("cleanup", 0)
    end))
  end)
end)
