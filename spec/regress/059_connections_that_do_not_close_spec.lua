-- green.serve takes anything with an `accept`, and so connections of others. One whose
-- close raised kept its client's place for ever: with as many as `concurrency` of these
-- nobody was served any more.

local errors = require "green.error"
local green = require "green"

local _, it = require("green.testing").busted()

describe("green.serve", function()
  it("has room for the next client when a connection's close raises", function()
    local left, served, told = 3, 0, {}
    local listener = {
      accept = function()
        left = left - 1
        if left >= 0 then
          return { close = function() error("stuck", 0) end }, {}
        end
        return nil, errors.new("ECLOSED")
      end,
    }
    local old = green.on_error(function(err) table.insert(told, err) end)
    local ok = green.serve(listener, function() served = served + 1 end,
      { concurrency = 1, grace = 1 })
    green.sleep(0)
    green.on_error(old)
    assert.is_true(ok)
    assert.equals(3, served)
    assert.same({ "stuck", "stuck", "stuck" }, told)
  end)
end)
