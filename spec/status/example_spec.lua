-- examples/status.lua: a server that is asked, and tells of it.

local http = require "green.http"

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

describe("examples/status.lua", function()
  it("bakes, counts, and has a page", function()
    local run = program.start { program.greenlua, "examples/status.lua", "127.0.0.1:0" }
    run:expect "serving on "
    local url = run:expect "\n"
    local session = http.session()
    local function get(path)
      local answer = assert(session:get(url .. path))
      return answer.status, (answer:read())
    end
    assert.same({ 200, "one bread\n" }, { get "/order/bread" })
    assert.equal(404, (get "/order/stones"))
    local code, text = get "/status/metrics"
    assert.equal(200, code)
    assert.matches('\nshop_orders_total{kind="bread"} 1\n', text)
    assert.matches("\nshop_baking_seconds_count 1\n", text)
    assert.is_nil(text:match "stones")
    code, text = get "/status"
    assert.equal(200, code)
    assert.matches("<title>The bakery</title>", text)
    session:close()
    run:kill(program.TERM):wait()
    assert.equal("", run.err)
  end)
end)
