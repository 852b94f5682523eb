-- examples/log.lua and examples/tracing.lua.

local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

describe("examples/log.lua", function()
  it("has the request's id in all lines of a request", function()
    local run = program.start_greenlua { "examples/log.lua", "0", "json",
      env = { GREENLUA_LOG = "info,work=debug" } }
    run:expect("\n")
    local port = tonumber(run.out:match("127%.0%.0%.1:(%d+)"))
    local conn = assert(green.connect("127.0.0.1", port))
    conn:write("GET /x HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\nAuthorization: geheim\r\n"
      .. "Connection: close\r\n\r\n")
    local answer = conn:read_all()
    conn:close()
    run:kill(program.TERM)
    run:wait()
    assert.truthy(answer:find("\r\nX-Request-Id: mine\r\n", 1, true), answer)
    local with_id = 0
    for line in run.err:gmatch("[^\n]+") do
      local one = require("cjson").decode(line)
      with_id = with_id + (one.request_id == "mine" and 1 or 0)
    end
    assert.equal(4, with_id, run.err)
    assert.is_nil(run.err:find("geheim", 1, true))
  end)
end)

describe("examples/tracing.lua", function()
  it("prints the tree of a request", function()
    local r = program.run_greenlua { "examples/tracing.lua" }
    assert.same({ 0, "" }, { r.status, r.err })
    assert.equal("7 left\nall spans were sent\na customer\n  GET\n    shop: GET /\n      GET\n"
      .. "        stock: GET /count\n          read the shelf\n", r.out)
  end)
end)
