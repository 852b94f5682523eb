-- Where green.redis waits: killed or timed out there, it leaves nothing, and no other command
-- gets the reply.

local abandoned = require "spec.support.abandoned"
local fake = require "spec.support.redis_fake"
local green = require "green"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"

local _, it = testing.busted()

local LARGE = ("x"):rep(3e5)
local peers = {} -- which never read

local server

setup(function() server = redis_server.new() end)
teardown(function() server:remove() end)

--- Ways to wait: name -> function(db, opts) that parks for ever, what the server says before
-- (by the command's name), and options.
local places = {
  { "connecting", function(db) return db:get "k" end, open = function() green.sleep(3600) end },
  { "what is said first", function(db) return db:get "k" end, opts = { password = "x" } },
  { "the line", function(db) return db:get "k" end, opts = { max_size = 1 }, is_second = true },
  { "a reply", function(db) return db:get "k" end },
  { "half a reply", function(db) return db:get "k" end, replies = { GET = "$5\r\nhel" } },
  { "a command that waits in the server", function(db) return db:blpop("k", 0) end },
  { "a pipeline", function(db) return db:pipeline(function(p) p:get "a" p:get "b" end) end,
    replies = { GET = "+half" } },
  { "multi", function(db) return db:multi(function(t) t:get "a" end) end,
    replies = { MULTI = "+OK\r\n", GET = "+QUEUED\r\n" } },
  { "WATCH", function(db) return db:multi(function() end, { watch = "k" }) end },
  { "a question during WATCH",
    function(db) return db:multi(function(_, now) return now:get "k" end, { watch = "k" }) end,
    replies = { WATCH = "+OK\r\n" } },
  { "EXEC behind WATCH",
    function(db) return db:multi(function(t) t:get "k" end, { watch = "k" }) end,
    replies = { WATCH = "+OK\r\n" } },
  { "a script", function(db) return db:script("return 1"):call() end },
  { "a subscription", function(db) return db:subscribe "a" end },
  { "a large command", function(db) return db:set("k", LARGE) end, open = function()
    local ours, theirs = testing.stream_pair()
    peers[#peers + 1] = theirs
    return ours
  end },
}

--- body(db, wait) beside a server that answers as the place says, where wait() parks.
local function at(place, body)
  fake.with(function(_, words)
    return words[2] == "good" and "+good\r\n" or place.replies and place.replies[words[1]] or nil
  end, function(opts, served)
    opts.protocol, opts.timeout = 2, 20
    for name, value in pairs(place.opts or {}) do opts[name] = value end
    opts.open = place.open
    local db = redis.client(opts)
    local first = place.is_second and green.spawn(db.get, db, "first")
    green.sleep(0)
    body(db, place[2], served)
    if first then first:kill() end
    assert.equal(0, db:stats().busy)
    assert.equal(0, db:stats().waiting)
    assert.equal(0, db:stats().open)
    db:close()
  end)
end

for _, place in ipairs(places) do
  describe(place[1], function()
    it("may be killed before", function()
      at(place, function(db, wait)
        local thread = green.spawn(wait, db)
        thread:kill()
        assert.equal("ECANCELED", select(2, pcall(thread.wait, thread)).code)
      end)
    end)

    it("may be killed during", function()
      at(place, function(db, wait)
        local thread = green.spawn(wait, db)
        green.sleep(0.05)
        assert.is_false(thread:dead())
        thread:kill()
        assert.is_true(thread:dead())
        assert.equal("ECANCELED", select(2, pcall(thread.wait, thread)).code)
      end)
    end)

    it("may be timed out from outside, and raises", function()
      at(place, function(db, wait)
        local value, err = green.timeout(0.05, wait, db)
        assert.is_nil(value)
        assert.is_true(err:is "ETIMEDOUT")
        assert.is_nil(err.sent)
      end)
    end)

    if place[1] ~= "connecting" and place[1] ~= "a command that waits in the server" then
      it("has its own timeout", function()
        at(place, function(db, wait)
          local value, err = wait(db:with { timeout = 0.05 })
          assert.is_nil(value)
          assert.is_true(err == nil or err:is "ETIMEDOUT" or err:is "ECONNRESET")
        end)
      end)
    end

    for way, abandon in pairs(abandoned.ways) do
      it("may be abandoned by " .. way, function()
        at(place, function(db, wait)
          local thread = green.spawn(green.shield, 3600, wait, db)
          green.sleep(0.05)
          abandon(thread)
          assert.is_true(thread:dead())
        end)
      end)
    end
  end)
end

describe("a reply that nobody waits for any more", function()
  it("goes to no later command", function()
    local db = assert(redis.connect("unix://" .. server.unix, { max_size = 1 }))
    for i = 1, 50 do
      local thread = green.spawn(function()
        for k = 1, 100 do db:echo("dropped" .. k) end
      end)
      green.sleep(0)
      if i % 2 == 0 then
        thread:kill()
      else
        green.timeout(0, thread.wait, thread)
        thread:kill()
      end
      assert.equal("kept" .. i, db:echo("kept" .. i))
    end
    db:close()
  end)
end)
