-- green.thread.context: what a green thread hands to those that it spawns.

local contexts = require "green.thread.context"
local core = require "green.core"
local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

describe("green.thread.context", function()
  it("goes to threads that are spawned, and to theirs, by every way", function()
    local mine = { "mine" }
    contexts.run(mine, function()
      local seen = {}
      local function look(name)
        seen[name] = contexts.get()
      end
      green.spawn(function()
        look "spawn"
        green.spawn(look, "deeper"):wait()
      end)
      green.spawn_n(look, "spawn_n")
      green.spawn_after(0.1, look, "spawn_after")
      local pool = green.GreenPool(2)
      for i = 1, 4 do pool:spawn(look, "pool" .. i) end
      pool:waitall()
      green.group(function(group) group:spawn(look, "group") end)
      green.sleep(1)
      local n = 0
      for name, value in pairs(seen) do
        assert.equal(mine, value, name)
        n = n + 1
      end
      assert.equal(9, n)
    end)
    assert.is_nil(contexts.get())
  end)

  it("is the one of the moment of the spawn", function()
    local before, later
    contexts.run({ n = 1 }, function()
      local t = green.spawn(function()
        before = contexts.get().n
        contexts.set({ n = 3 })
        green.sleep(1)
        later = contexts.get().n
      end)
      contexts.set({ n = 2 })
      t:wait()
      assert.equal(2, contexts.get().n)
    end)
    assert.same({ 1, 3 }, { before, later })
  end)

  it("is as it was behind run, whatever fn did", function()
    contexts.run({ n = 1 }, function()
      local ok, err = pcall(contexts.run, { n = 2 }, function()
        contexts.set({ n = 3 })
        error("oops", 0)
      end)
      assert.same({ false, "oops", 1 }, { ok, err, contexts.get().n })
      assert.same({ 1, nil, 3 }, { contexts.run({}, function() return 1, nil, 3 end) })
    end)
  end)

  it("costs a thread without one no table", function()
    local t = green.spawn(function()
      assert.is_nil(contexts.get())
      return core.own() == nil
    end)
    assert.is_true(t:wait())
    contexts.run({ n = 1 }, function() contexts.set(nil) end)
    assert.is_nil(core.peek(green.spawn(function() end)))
  end)

  it("is taken from a thread that is used again", function()
    local wsgi, http = require "green.wsgi", require "green.http"
    local seen = {}
    testing.real(function()
      local server = assert(wsgi.new("127.0.0.1:0", function()
        seen[#seen + 1] = contexts.get() or "none"
        contexts.set({ n = #seen })
        return 200, {}, "ok"
      end, { log = false, error_log = false }))
      contexts.run({ "who started it" }, server.start, server)
      for _ = 1, 3 do
        assert(http.get(server.url))
      end
      http.close_idle()
      server:stop()
    end)
    assert.same({ "none", "none", "none" }, seen)
  end)
end)
