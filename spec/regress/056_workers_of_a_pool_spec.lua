-- A server in a GreenPool took it for a pool of another kind, which may keep its
-- threads: each request was given a green thread of its own.

local core = require "green.core"
local green = require "green"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = require("green.testing").busted()

describe("a server in a GreenPool", function()
  it("lets a worker go on with what its connection has at hand", function()
    local seen, n = {}, 0
    local function app()
      local me = core.current() -- which makes it known to no script
      n = n + (seen[me] and 0 or 1)
      seen[me] = true
      return 200, nil, "hello"
    end
    kit.with(app, { custom_pool = green.GreenPool(4) }, function(client)
      local get = "GET / HTTP/1.1\r\nHost: x\r\n"
      local answers = client:raw((get .. "\r\n"):rep(4) .. get .. "Connection: close\r\n\r\n")
      assert.equals(5, select(2, answers:gsub("hello", "")))
    end)
    assert.equals(1, n)
  end)
end)
