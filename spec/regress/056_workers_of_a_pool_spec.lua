-- A server in a GreenPool took it for a pool of another kind, which may keep its
-- threads: each request was given a green thread of its own.

local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = testing.busted()

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

-- A worker was entered in the server's books when pool:spawn had returned. One that had
-- ended by then was never struck off, and a stop waited for it for ever; and one that
-- had no thread of its own left its connection open when it failed.
describe("a server in a pool whose spawn", function()
  local function ask(client)
    return client:raw "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
  end

  local function served(spawn, app)
    local pool = { spawn = spawn, waitall = function() end }
    kit.with(app, { custom_pool = pool, error_log = false }, function(client, server)
      for _ = 1, 3 do ask(client) end
      testing.settle_io(function() return server:stats().connections == 0 end)
      local s = server:stats()
      assert.equals("0 0 0", ("%d %d %d"):format(s.workers, s.busy, s.connections))
      assert.equals(3, s.requests)
      assert.is_true(green.timeout(5, server.stop, server, { grace = 1 }))
    end)
  end

  local function hello()
    return 200, nil, "hello"
  end

  it("waits until its thread has run has no worker left", function()
    served(function(_, fn, ...)
      local t = green.spawn(fn, ...)
      t:wait()
      return t
    end, hello)
  end)

  it("keeps its threads has no worker left", function()
    local jobs = require("green.queue").Queue()
    local t = green.spawn(function()
      while true do jobs:get()() end
    end)
    served(function(_, fn, ...)
      local self, state = ...
      jobs:put(function() fn(self, state) end)
      return t
    end, hello)
    t:kill()
  end)

  it("runs its function in place leaves no connection", function()
    served(function(_, fn, ...) fn(...) end, function() error("oops") end)
  end)
end)
