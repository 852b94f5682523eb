-- A server that has only just started refuses commands: what was refused was not done, and is
-- asked again for as long as there is time.

local fake = require "spec.support.redis_fake"
local green = require "green"
local redis = require "green.redis"
local testing = require "green.testing"

local _, it = testing.busted()

local LOADING = "-LOADING Redis is loading the dataset in memory\r\n"

local always = { WATCH = "+OK\r\n", MULTI = "+OK\r\n", UNWATCH = "+OK\r\n" } -- these it takes

--- A server that refuses the first n commands that it does not take always; a transaction with
-- one of them is refused as a whole. What else is done is in `done`.
local function loading(n, body, changes)
  local left, done = n, {}
  local queued, is_bad, in_multi = {}, false, false
  local function one(words)
    if words[1] == "MULTI" then
      queued, is_bad, in_multi = {}, false, true
    elseif words[1] == "EXEC" then
      in_multi = false
      if is_bad then
        return "-EXECABORT Transaction discarded because of previous errors.\r\n"
      end
      for _, word in ipairs(queued) do done[#done + 1] = word end
      return "*" .. #queued .. "\r\n" .. ("+OK\r\n"):rep(#queued)
    end
    if always[words[1]] then
      return always[words[1]]
    elseif left > 0 then
      left, is_bad = left - 1, true
      return LOADING
    elseif in_multi then
      queued[#queued + 1] = words[1]
      return "+QUEUED\r\n"
    end
    done[#done + 1] = words[1]
    return words[1] == "GET" and "$1\r\n7\r\n" or "+OK\r\n"
  end
  fake.with(function(_, words) return one(words) end, function(opts, served)
    opts.protocol, opts.timeout, opts.backoff = 2, 20, 0.001
    for name, value in pairs(changes or {}) do opts[name] = value end
    local db = redis.client(opts)
    body(db, done, served)
    assert.equal(0, db:stats().busy)
    db:close()
  end)
end

local function write(t)
  t:incr "a"
  t:incr "b"
end

describe("a server that is loading", function()
  it("is asked a pipeline again of which it did nothing", function()
    loading(6, function(db, done)
      assert.same({ "OK", "OK" }, db:pipeline(write))
      assert.same({ "INCR", "INCR" }, done)
    end)
  end)

  it("is not asked again what it did a part of", function()
    loading(1, function(db, done)
      local replies = assert(db:pipeline(write))
      assert.equal("LOADING", replies[1].kind)
      assert.equal("OK", replies[2])
      assert.same({ "INCR" }, done)
    end)
  end)

  it("is asked a transaction again", function()
    for n = 1, 5 do
      loading(n, function(db, done)
        assert.same({ "OK", "OK" }, db:multi(write))
        assert.same({ "INCR", "INCR" }, done)
      end)
    end
  end)

  it("is asked a transaction with watch again, as is what that asks meanwhile", function()
    for n = 1, 5 do
      loading(n, function(db, done)
        local heard = {}
        assert.same({ "OK", "OK" }, db:multi(function(t, now)
          heard[#heard + 1] = now:get "n" or "nothing"
          write(t)
        end, { watch = "n" }))
        assert.same({ "7" }, heard)
        assert.same({ "GET", "INCR", "INCR" }, done)
      end)
    end
    loading(0, function(db, done)
      local runs = 0
      assert.is_false(db:multi(function() runs = runs + 1 return false end, { watch = "n" }))
      assert.equal(1, runs)
      assert.same({}, done)
    end)
  end)

  it("fails all of them when there is no time for another try", function()
    loading(1e9, function(db, done)
      local replies, err = db:multi(write)
      assert.is_nil(replies)
      assert.equal("EXECABORT", err.kind)
      assert.equal("LOADING", err.errors[1].kind)
      replies, err = db:multi(write, { watch = "n" })
      assert.is_nil(replies)
      assert.equal("EXECABORT", err.kind)
      replies = assert(db:pipeline(write))
      assert.equal("LOADING", replies[2].kind)
      local value
      db:multi(function(_, now)
        value, err = now:get "n"
        return false
      end, { watch = "n" })
      assert.is_nil(value)
      assert.equal("LOADING", err.kind)
      assert.same({}, done)
    end, { backoff = 3600 })
  end)

  it("may be left while it is waited for", function()
    loading(1e9, function(db)
      for _, act in ipairs {
        function() return db:pipeline(write) end, function() return db:multi(write) end,
        function() return db:multi(write, { watch = "n" }) end,
        function() return db:multi(function(_, now) now:get "n" end, { watch = "n" }) end,
      } do
        local thread = green.spawn(act)
        green.sleep(0.01) -- so that it is in the middle of a pause
        assert.is_false(thread:dead())
        thread:kill()
        assert.is_true(thread:dead())
        assert.equal(0, db:stats().busy)
      end
    end, { backoff = 3600, timeout = false })
  end)
end)
