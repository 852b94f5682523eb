-- green.shared under plain luajit with the rock.

local green = require "green"
local process = require "green.process"
local shared = require "green.shared"

describe("green.shared in the rock", function()
  it("shares with children", function()
    local dict = assert(shared.dict("rock", 100000))
    local counter = assert(shared.counter("rock"))
    local pid = assert(green.fork(function()
      dict:set("key", "of the child", 1000)
      dict:rpush("list", true)
      counter:add(3)
    end))
    assert.same({ "exit", 0 }, { process.wait(pid) })
    assert.equal("of the child", (dict:get("key")))
    assert.is_true(dict:lpop("list"))
    assert.equal(3, counter:get())
    assert.equal("EINVAL", select(2, dict:incr("key")).code)
  end)
end)
