local green = require "green"
local locals = require "green.locals"
local testing = require "green.testing"

local it = testing.busted()

describe("green.locals", function()
  it("keeps each green thread's values apart", function()
    local mine = green.thread_local()
    mine.name = "outer"
    local t = green.spawn(function()
      assert.is_nil(mine.name)
      mine.name = "inner"
      green.sleep(1)
      return mine.name
    end)
    assert.are.equal("inner", t:wait())
    assert.are.equal("outer", mine.name)
  end)

  it("keeps each table's values apart", function()
    local a, b = green.thread_local(), locals.new()
    a.x, b.x = 1, 2
    assert.are.same({ 1, 2 }, { a.x, b.x })
  end)

  it("frees values with their green thread [b69]", function()
    local mine = green.thread_local()
    local alive = setmetatable({}, { __mode = "k" })
    local function put()
      local value = {}
      alive[value] = true
      mine.value = value
    end
    put()
    for _ = 1, 100 do
      green.spawn(put)
    end
    testing.settle()
    collectgarbage()
    collectgarbage()
    local n = 0
    for _ in pairs(alive) do
      n = n + 1
    end
    assert.are.equal(1, n)
    assert.is_true(alive[mine.value])
  end)

  it("calls its init function in each thread, with the same arguments [b69]", function()
    local calls = 0
    local mine = green.thread_local(function(values, a, b, c)
      calls = calls + 1
      values.list = { a, b, c }
    end, 1, nil, 3)
    assert.are.equal(0, calls)
    assert.are.same({ 1, nil, 3 }, mine.list)
    assert.are.same({ 1, nil, 3 }, mine.list)
    local t = green.spawn(function()
      return mine.list
    end)
    assert.are_not.equal(mine.list, t:wait())
    assert.are.equal(2, calls)
  end)

  it("begins with a copy of a table", function()
    local mine = green.thread_local({ count = 10 })
    mine.count = mine.count + 1
    local t = green.spawn(function()
      return mine.count
    end)
    assert.are.same({ 10, 11 }, { t:wait(), mine.count })
  end)

  it("lets init use the table, and tries again when init failed", function()
    local tries, mine = 0, nil
    mine = green.thread_local(function(values)
      tries = tries + 1
      if tries == 1 then
        error("not yet", 0)
      end
      values.a = 1
      mine.b = mine.a + 1
    end)
    assert.is_false(pcall(function()
      return mine.a
    end))
    assert.are.same({ 1, 2 }, { mine.a, mine.b })
  end)

  it("gives the plain table for pairs", function()
    local mine = green.thread_local({ x = 1 })
    mine.y = 2
    assert.are.same({ x = 1, y = 2 }, locals.values(mine))
  end)

  it("takes a table or a function only", function()
    assert.error_matches(function()
      green.thread_local(7)
    end, "thread_local: init must be a table or a function")
  end)
end)
