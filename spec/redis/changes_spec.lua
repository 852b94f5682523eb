-- What a subscription of green.redis listens to, changed while other things go on.

local fake = require "spec.support.redis_fake"
local green = require "green"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"

local _, it = testing.busted()

local server

setup(function() server = redis_server.new() end)
teardown(function() server:remove() end)

local function with(opts, body)
  local db = assert(redis.connect("unix://" .. server.unix, opts))
  local ok, err = pcall(body, db)
  db:close()
  if not ok then
    error(err, 0)
  end
end

for _, protocol in ipairs { 2, 3 } do
  describe("what is listened to, by RESP" .. protocol, function()
    it("can be changed while nobody takes what has come", function()
      with({ protocol = protocol, timeout = 20 }, function(db)
        local sub = assert(db:subscribe { "a", max_pending = 5 })
        for round = 1, 3 do
          for i = 1, 50 do db:publish("a", i) end
          assert.is_true(sub:subscribe("b" .. round))
          assert.is_true(sub:unsubscribe("b" .. round))
          for i = 1, 50 do assert.equal(tostring(i), sub:next().data) end
        end
        assert.same({ "a" }, sub:channels())
        sub:close()
      end)
    end)

    it("has each refusal told to whom it is for", function()
      with({ protocol = protocol }, function(db)
        assert(db:acl("SETUSER", "half", "on", ">x", "+@all", "~*", "resetchannels", "&ok*"))
        local half = assert(redis.connect("unix://" .. server.unix, { username = "half",
          password = "x", protocol = protocol, backoff = 0.001 }))
        local sub = assert(half:subscribe { "ok", gaps = true })
        local bad = green.spawn(sub.subscribe, sub, "bad")
        local more = green.spawn(sub.subscribe, sub, "ok1", "bad1")
        local good = green.spawn(sub.subscribe, sub, "ok2")
        assert.equal("NOPERM", select(2, bad:wait()).kind)
        assert.equal("NOPERM", select(2, more:wait()).kind)
        assert.is_true(good:wait())
        for _ = 1, 10 do -- nobody waits for this one any more
          bad = green.spawn(sub.subscribe, sub, "bad")
          green.sleep(0)
          bad:kill()
          assert.is_true(sub:subscribe "ok3")
          assert.is_true(sub:unsubscribe "ok3")
        end
        assert.same({ "ok", "ok2" }, sub:channels())
        -- Nor is it asked for again, which would end it all.
        assert(db:client("KILL", "TYPE", "pubsub"))
        assert.is_true(sub:next().gap)
        db:publish("ok2", 1)
        assert.equal("1", sub:next().data)
        sub:close()
        half:close()
        db:acl("DELUSER", "half")
      end)
    end)
  end)
end

describe("a subscription whose connection is lost", function()
  it("sends nothing before the server knows who it is", function()
    fake.with(function(_, words, k)
      if words[1] == "AUTH" and k == 2 then
        green.sleep(0.05) -- a slow server; meanwhile somebody wants another channel
      elseif words[1] == "LOSE" then
        return false
      elseif words[1] == "SUBSCRIBE" then
        return ("*3\r\n$9\r\nsubscribe\r\n$1\r\n%s\r\n:1\r\n"):format(words[2])
      end
      return "+OK\r\n"
    end, function(opts, served)
      opts.password, opts.name = "p", "me"
      local db = redis.client(opts)
      local sub = assert(db:subscribe { "a" })
      served.conns[1]:close()
      while served.count < 2 do green.sleep(0) end
      assert.is_true(sub:subscribe "b")
      local log = { unpack(served.log, 4) }
      table.sort(log, function(x, y) return x < y end)
      assert.same({ "AUTH p", "CLIENT SETNAME me", "SUBSCRIBE a", "SUBSCRIBE b" }, log)
      sub:close()
      db:close()
    end)
  end)

  it("tells of the gap even where it listens to nothing", function()
    with({ backoff = 0.001 }, function(db)
      local sub = assert(db:subscribe { "a", gaps = true })
      assert(sub:unsubscribe())
      local waiting = green.spawn(sub.next, sub, { timeout = 3600 })
      green.sleep(0)
      assert(db:client("KILL", "TYPE", "pubsub") or db:client("KILL", "TYPE", "normal",
        "SKIPME", "yes"))
      db:client("KILL", "TYPE", "normal", "SKIPME", "yes")
      assert.is_true(waiting:wait().gap)
      sub:close()
    end)
  end)
end)
