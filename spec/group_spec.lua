local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("green.group", function()
  it("joins its children, then gives what the function returned", function()
    local done = {}
    local t0 = green.now()
    assert.are.equal(3, select("#", green.group(function(g)
      for i = 1, 3 do
        g:spawn(function(n)
          green.sleep(n)
          done[#done + 1] = n
        end, i)
      end
      return "a", nil, nil
    end)))
    assert.are.same({ 1, 2, 3 }, done)
    assert.is_near(3, green.now() - t0, 1e-6)
  end)

  it("without children only calls the function", function()
    assert.are.equal("x", green.group(function()
      return "x"
    end))
  end)

  it("joins children of children's making", function()
    local done = false
    green.group(function(g)
      g:spawn(function()
        green.sleep(1)
        g:spawn(function()
          green.sleep(1)
          done = true
        end)
      end)
    end)
    assert.is_true(done)
  end)

  it("raises the first error of a child and kills and joins the others", function()
    local err, cleaned, after = { "mine" }, false, false
    local t0 = green.now()
    assert.are.equal(err, raised(green.group, function(g)
      g:spawn(function()
        green.sleep(1)
        error(err)
      end)
      g:spawn(green.finally, function()
        green.sleep(60)
      end, function()
        green.sleep(1)
        cleaned = true
      end)
      green.sleep(60)
      after = true
    end))
    assert.is_true(cleaned)
    assert.is_false(after)
    assert.is_near(2, green.now() - t0, 1e-6)
  end)

  it("keeps later errors in others", function()
    local first, second, third = { "1" }, { "2" }, { "3" }
    local err = raised(green.group, function(g)
      g:spawn(function()
        green.sleep(1)
        error(first)
      end)
      g:spawn(function()
        pcall(green.sleep, 60)
        error(second)
      end)
      g:spawn(function()
        pcall(green.sleep, 60)
        green.shield(1, green.sleep, 1)
        error(third)
      end)
      green.sleep(60)
    end)
    assert.are.equal(first, err)
    assert.are.equal(2, #err.others)
    assert.are.equal(second, err.others[1])
    assert.are.equal(third, err.others[2])
  end)

  it("cancels what its function waits for when a child fails, which is no timeout", function()
    local first, second
    pcall(green.group, function(g)
      g:spawn(error, "child", 0)
      first, second = raised(green.sleep, 60), raised(green.sleep, 60)
    end)
    assert.are.equal(first, second)
    assert.is_true(first:is("ECANCELED"))
    assert.is_false(green.is_timeout(first))
    assert.matches("another green thread of the group has failed", tostring(first))
  end)

  it("raises an error of the function itself and kills the children", function()
    local err, child = { "mine" }, nil
    assert.are.equal(err, raised(green.group, function(g)
      child = g:spawn(green.sleep, 60)
      green.sleep(1)
      error(err)
    end))
    assert.are.equal("killed", child:status())
    assert.is_nil(err.others)
  end)

  it("raises a child's error though the function swallowed the cancel", function()
    assert.are.equal("child", raised(green.group, function(g)
      g:spawn(error, "child", 0)
      pcall(green.sleep, 60)
      return "fine"
    end))
  end)

  it("puts a child's error behind the function's own", function()
    local err = raised(green.group, function(g)
      g:spawn(error, "child", 0)
      pcall(green.sleep, 60)
      error({ "own" })
    end)
    assert.are.same({ "own", others = { "child" } }, err)
  end)

  it("lets a child be killed without harm to the rest", function()
    local done = false
    assert.are.equal("ok", green.group(function(g)
      local child = g:spawn(green.sleep, 60)
      g:spawn(function()
        green.sleep(2)
        done = true
      end)
      green.sleep(1)
      child:kill()
      return "ok"
    end))
    assert.is_true(done)
  end)

  it("kills and joins the children when its owner is killed", function()
    local children, cleaned = {}, 0
    local t = green.spawn(green.group, function(g)
      for i = 1, 3 do
        children[i] = g:spawn(green.finally, function()
          green.sleep(60)
        end, function()
          green.sleep(1)
          cleaned = cleaned + 1
        end)
      end
      green.sleep(60)
    end)
    testing.settle()
    t:kill()
    assert.is_true(green.is_error(raised(t.wait, t), "ECANCELED"))
    assert.are.equal(3, cleaned)
    assert.are.equal("killed", children[1]:status())
    assert.are.equal("killed", t:status())
  end)

  it("does the same when its owner is killed while it joins", function()
    local child
    local t = green.spawn(green.group, function(g)
      child = g:spawn(green.sleep, 60)
    end)
    testing.settle()
    t:kill()
    assert.is_false((pcall(t.wait, t)))
    assert.are.equal("killed", child:status())
  end)

  it("does the same for a timeout around it, which then gives nil, err", function()
    local child
    local value, err = green.timeout(1, green.group, function(g)
      child = g:spawn(green.sleep, 60)
      green.sleep(60)
    end)
    assert.is_nil(value)
    assert.is_true(err:is("ETIMEDOUT"))
    assert.are.equal("killed", child:status())
  end)

  it("waits for children that take long to clean up", function()
    local t0 = green.now()
    local t = green.spawn(green.group, function(g)
      g:spawn(green.finally, function()
        green.sleep(60)
      end, function()
        pcall(green.sleep, 4)
      end)
      g:spawn(green.shield, 60, green.sleep, 17)
      green.sleep(60)
    end)
    testing.settle()
    t:kill_soon()
    assert.is_false((pcall(t.wait, t)))
    assert.is_near(17, green.now() - t0, 1e-6)
  end)

  it("does not report errors that it raises", function()
    local reports = 0
    local old = green.on_error(function()
      reports = reports + 1
    end)
    pcall(green.group, function(g)
      g:spawn(error, "x")
      g:spawn(error, "y")
      green.sleep(1)
    end)
    testing.settle()
    green.on_error(old)
    assert.are.equal(0, reports)
  end)

  it("can be nested: an inner failure ends the outer", function()
    local sibling
    assert.are.equal("deep", raised(green.group, function(outer)
      sibling = outer:spawn(green.sleep, 60)
      outer:spawn(function()
        green.group(function(inner)
          inner:spawn(function()
            green.sleep(1)
            error("deep", 0)
          end)
        end)
      end)
    end))
    assert.are.equal("killed", sibling:status())
  end)

  it("takes no children when it has ended", function()
    local kept
    green.group(function(g)
      kept = g
    end)
    assert.matches("has ended", raised(kept.spawn, kept, print))
  end)

  it("joins all the same when an error is thrown into its end", function()
    local t = green.spawn(function()
      local err = raised(green.group, function(g)
        g:spawn(green.shield, 60, green.sleep, 3)
        green.sleep(0)
        error { "own" }
      end)
      green.sleep(10) -- nothing is left that would cancel this
      return err
    end)
    local t0 = green.now()
    green.sleep(1)
    t:throw("thrown")
    assert.are.same({ "own", others = { "thrown" } }, t:wait())
    assert.is_near(13, green.now() - t0, 1e-6)
  end)
end)
