-- Transactions of green.redis: all or nothing, WATCH, and what a lost connection means.

local fake = require "spec.support.redis_fake"
local green = require "green"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"

local _, it = testing.busted()

local server

local function with(opts, body)
  local db = assert(redis.connect("unix://" .. server.unix, opts))
  assert(db:flushall())
  local ok, err = pcall(body, db)
  db:close()
  if not ok then
    error(err, 0)
  end
end

setup(function() server = redis_server.new() end)
teardown(function() server:remove() end)

describe("multi", function()
  it("does all of it, and gives the replies", function()
    with(nil, function(db)
      db:set("text", "x")
      local replies = assert(db:multi(function(t)
        t:incr "n"
        t:get "none"
        t:lpush("text", 1)
        t:call("INCR", "n")
      end))
      assert.equal(1, replies[1])
      assert.equal(redis.null, replies[2])
      assert.equal("WRONGTYPE", replies[3].kind)
      assert.equal("LPUSH", replies[3].op)
      assert.equal(2, replies[4])
      assert.same({}, db:multi(function() end))
    end)
  end)

  it("does nothing when one of the commands cannot be", function()
    with(nil, function(db)
      local replies, err = db:multi(function(t)
        t:set("a", 1)
        t:get()
      end)
      assert.is_nil(replies)
      assert.equal("EREDIS", err.code)
      assert.equal("EXECABORT", err.kind)
      assert.equal(1, #err.errors)
      assert.equal("GET", err.errors[1].op)
      assert.equal(0, db:exists "a")
    end)
  end)

  it("sends nothing when the function gives up or raises", function()
    with(nil, function(db)
      assert.is_false(db:multi(function(t)
        t:set("a", 1)
        return false
      end))
      assert.has_error(function() db:multi(function() error("mine", 0) end) end, "mine")
      assert.equal(0, db:exists "a")
      assert.has_error(function() db:multi() end)
      assert.has_error(function() db:multi(print, { wacth = "k" }) end)
      assert.has_error(function() db:multi(print, { watch = { {} } }) end)
    end)
  end)
end)

describe("multi with watch", function()
  it("runs again when a key was changed meanwhile", function()
    with(nil, function(db)
      db:set("n", 1)
      local runs = 0
      local replies = assert(db:multi(function(t, now)
        runs = runs + 1
        local n = tonumber(now:get "n")
        if runs < 3 then
          db:set("n", n + 10) -- somebody else
        end
        t:set("n", n * 2)
        t:get "n"
      end, { watch = "n" }))
      assert.equal(3, runs)
      assert.same({ "OK", "42" }, replies)
    end)
  end)

  it("is EAGAIN when the keys keep changing", function()
    with(nil, function(db)
      local runs = 0
      local replies, err = db:multi(function(t)
        runs = runs + 1
        db:incr "n"
        t:incr "n"
      end, { watch = { "n", "other" }, tries = 4 })
      assert.is_nil(replies)
      assert.equal("EAGAIN", err.code)
      assert.equal(4, runs)
      assert.equal("4", db:get "n")
    end)
  end)

  it("adds up when many do it at once", function()
    with({ max_size = 8 }, function(db)
      local threads = {}
      for i = 1, 20 do
        threads[i] = green.spawn(function()
          return db:multi(function(t, now)
            t:set("n", (tonumber(now:get "n") or 0) + 1)
          end, { watch = "n", tries = math.huge })
        end)
      end
      for i = 1, 20 do assert(threads[i]:wait()) end
      assert.equal("20", db:get "n")
    end)
  end)

  it("leaves no watch behind, however the function ends", function()
    with({ max_size = 1 }, function(db)
      local kept
      assert.is_false(db:multi(function(_, now)
        kept = now
        return false
      end, { watch = "n" }))
      assert.has_error(function() kept:get "n" end)
      assert.equal(1, db:stats().connects)
      assert.has_error(function()
        db:multi(function() error("mine", 0) end, { watch = "n" })
      end, "mine")
      assert.equal(0, db:stats().open)
      db:set("n", 1)
      assert.same({ 2 }, db:multi(function(t) t:incr "n" end))
      assert.has_error(function()
        db:multi(function(_, now) now:select(1) end, { watch = "n" })
      end)
      assert.has_error(function()
        db:multi(function(_, now) now:call("SELECT", 1) end, { watch = "n" })
      end)
    end)
  end)

  it("does not share its connection with a thread that still asks", function()
    local asked
    fake.with(function(_, words)
      return words[1] == "WATCH" and "+OK\r\n" or nil -- GET has no answer
    end, function(opts, served)
      opts.protocol = 2
      local db = redis.client(opts)
      local replies, err = db:multi(function(t, now)
        t:incr "n"
        asked = green.spawn(now.get, now, "n")
        green.sleep(0)
      end, { watch = "n" })
      assert.is_nil(replies)
      assert.equal("EBUSY", err.code)
      assert.is_false(err.sent)
      local value
      value, err = asked:wait()
      assert.is_nil(value)
      assert.equal("ECLOSED", err.code)
      assert.same({ "WATCH n", "GET n" }, served.log)
      assert.equal(0, db:stats().open)
      db:close()
    end)
  end)

  it("takes no questions any more, however its function has ended", function()
    with({ max_size = 1 }, function(db)
      local kept
      for _, ending in ipairs {
        function() end, function() return false end, function() error("mine", 0) end,
        function() green.getcurrent():kill() end,
      } do
        local thread = green.spawn(pcall, db.multi, db, function(_, now)
          kept = now
          return ending()
        end, { watch = "n" })
        pcall(thread.wait, thread)
        local ok, err = pcall(kept.get, kept, "n")
        assert.is_false(ok)
        assert.matches("get: the transaction is over", err)
        -- Nor while somebody else has the connection.
        db:multi(function()
          assert.is_false((pcall(kept.get, kept, "n")))
        end, { watch = "n" })
      end
    end)
  end)

  it("does not end the connection that the next one has", function()
    -- A thread that still asks learns late that its connection was closed.
    local conns = 0
    fake.with(function(_, words, k)
      conns = k
      local text = words[1] == "GET" and k > 1 and "+later\r\n"
      return text or words[1] == "WATCH" and "+OK\r\n" or nil
    end, function(opts)
      opts.protocol, opts.max_size = 2, 1
      local host, port = opts.host, opts.port
      opts.open = function() -- which does not wait, so that it is there before that thread runs
        return green.connect(host, port)
      end
      local db = redis.client(opts)
      local asked
      db:multi(function(_, now)
        asked = green.spawn(now.get, now, "n")
        green.sleep(0)
      end, { watch = "n" })
      assert.equal("later", db:get "n")
      assert.equal("ECLOSED", select(2, asked:wait()).code)
      assert.equal(2, conns)
      assert.equal(1, db:stats().open)
      db:close()
    end)
  end)

  it("fails when its connection is lost, and is not done twice", function()
    with(nil, function(db)
      local other = assert(redis.connect("unix://" .. server.unix))
      local replies, err = db:multi(function(t, now)
        t:incr "n"
        local id = now:client "ID"
        other:client("KILL", "ID", id)
        local value, failure = now:get "n"
        assert.is_nil(value)
        assert.equal("ECONNRESET", failure.code)
      end, { watch = "n" })
      assert.is_nil(replies)
      assert.equal("ECONNRESET", err.code)
      assert.is_false(err.sent)
      assert.equal(0, db:exists "n")
      other:close()
    end)
  end)
end)

describe("a lost connection", function()
  it("fails a transaction whose EXEC has left, for it may have been done", function()
    local execs = 0
    fake.with(function(_, words)
      if words[1] == "EXEC" then
        execs = execs + 1
        return false
      end
      return words[1] == "MULTI" and "+OK\r\n" or "+QUEUED\r\n"
    end, function(opts)
      local db = redis.client(opts)
      local replies, err = db:multi(function(t) t:get "n" end)
      assert.is_nil(replies)
      assert.equal("ECONNRESET", err.code)
      assert.is_true(err.sent)
      assert.equal(1, execs)
      db:close()
    end)
  end)

  it("fails a script in flight, which is not sent again", function()
    local runs = 0
    fake.with(function()
      runs = runs + 1
      return false
    end, function(opts)
      local db = redis.client(opts)
      local value, err = db:script("return 1"):call({ "k" })
      assert.is_nil(value)
      assert.equal("ECONNRESET", err.code)
      assert.is_true(err.sent)
      assert.equal(1, runs)
      db:close()
    end)
  end)
end)
