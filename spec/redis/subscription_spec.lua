-- Subscriptions of green.redis: what is heard, what a lost connection does, how they end.

local fake = require "spec.support.redis_fake"
local green = require "green"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"

local _, it = testing.busted()

local server

local function with(opts, body)
  local db = assert(redis.connect("unix://" .. server.unix, opts))
  local ok, err = pcall(body, db)
  db:close()
  if not ok then
    error(err, 0)
  end
end

setup(function() server = redis_server.new() end)
teardown(function() server:remove() end)

for _, protocol in ipairs { 2, 3 } do
  local opts = { protocol = protocol, backoff = 0.001 }

  describe("a subscription by RESP" .. protocol, function()
    it("hears its channels and patterns", function()
      with(opts, function(db)
        local sub = assert(db:subscribe("a", "b"))
        assert(sub:psubscribe "p.*")
        assert.equal(1, db:publish("a", "1"))
        assert.equal(1, db:publish("p.x", "2"))
        assert.equal(0, db:publish("c", "3"))
        assert.equal(1, db:publish("b", "\r\n\0"))
        assert.same({ channel = "a", data = "1" }, sub:next())
        assert.same({ channel = "p.x", pattern = "p.*", data = "2" }, sub:next())
        assert.same({ channel = "b", data = "\r\n\0" }, sub:next())
        assert.same({ "a", "b" }, sub:channels())
        assert.same({ "p.*" }, sub:patterns())
        sub:close()
      end)
    end)

    it("takes channels in and lets them go, and keeps what comes meanwhile", function()
      with(opts, function(db)
        local sub = assert(db:subscribe "a")
        for i = 1, 20 do db:publish("a", i) end
        assert.is_true(sub:subscribe "b")
        assert.is_true(sub:unsubscribe "a")
        assert.equal(0, db:publish("a", "x"))
        assert.equal(1, db:publish("b", "y"))
        for i = 1, 20 do assert.equal(tostring(i), sub:next().data) end
        assert.equal("y", sub:next().data)
        assert.is_true(sub:ssubscribe "s")
        assert.equal(1, db:spublish("s", "z"))
        assert.same({ channel = "s", data = "z" }, sub:next())
        assert.is_true(sub:sunsubscribe())
        assert.is_true(sub:punsubscribe())
        assert.is_true(sub:unsubscribe())
        assert.same({}, sub:channels())
        assert.equal(0, db:publish("b", "y"))
        assert.is_true(sub:subscribe "c")
        db:publish("c", "again")
        assert.equal("again", sub:next().data)
        sub:close()
      end)
    end)

    it("comes back with all it had when the connection is lost", function()
      with(opts, function(db)
        local sub = assert(db:subscribe { "a", "b", gaps = true })
        assert(sub:psubscribe "p*")
        for _ = 1, 3 do
          db:publish("a", "before")
          assert.equal("before", sub:next().data)
          assert.equal(1, db:client("KILL", "TYPE", "pubsub"))
          local gap = sub:next()
          assert.is_true(gap.gap)
          assert.equal("ECONNRESET", gap.error.code)
          for _, channel in ipairs { "a", "b", "pq" } do
            assert.equal(1, db:publish(channel, "after"))
            assert.equal(channel, sub:next().channel)
          end
        end
        sub:close()
      end)
    end)
  end)
end

describe("a subscription", function()
  it("is heard by many threads, each message by one", function()
    with(nil, function(db)
      local sub = assert(db:subscribe "a")
      local heard, threads = {}, {}
      for i = 1, 5 do
        threads[i] = green.spawn(function()
          for message in sub:messages() do
            assert.is_nil(heard[message.data])
            heard[message.data] = true
          end
        end)
      end
      for i = 1, 100 do db:publish("a", i) end
      while not heard["100"] do green.sleep(0.001) end
      sub:close()
      for i = 1, 5 do threads[i]:wait() end
      for i = 1, 100 do assert.is_true(heard[tostring(i)]) end
    end)
  end)

  it("gives up waiting after its timeout, and goes on", function()
    with(nil, function(db)
      local sub = assert(db:subscribe "a")
      local message, err = sub:next { timeout = 0.01 }
      assert.is_nil(message)
      assert.equal("ETIMEDOUT", err.code)
      db:publish("a", 1)
      assert.equal("1", sub:next({ timeout = 5 }).data)
      sub:close()
      assert.is_nil((sub:next()))
      assert.is_nil((select(2, sub:next())))
      assert.equal("ECLOSED", select(2, sub:subscribe "b").code)
    end)
  end)

  it("loses nothing when who waits is killed", function()
    with(nil, function(db)
      local sub = assert(db:subscribe "a")
      local waiting = green.spawn(sub.next, sub)
      green.sleep(0)
      waiting:kill()
      local adding = green.spawn(sub.subscribe, sub, "b")
      green.sleep(0)
      adding:kill()
      db:publish("a", 1)
      assert.equal("1", sub:next().data)
      sub:close()
    end)
  end)

  it("reads no more than it may keep", function()
    with(nil, function(db)
      local sub = assert(db:subscribe { "a", max_pending = 10 })
      for i = 1, 200 do db:publish("a", i) end
      green.sleep(0.01)
      for i = 1, 200 do assert.equal(tostring(i), sub:next().data) end
      sub:close()
    end)
  end)

  it("is refused by who may not, and leaves nothing", function()
    with(nil, function(db)
      assert(db:acl("SETUSER", "deaf", "on", "nopass", "+@all", "~*", "resetchannels"))
      local deaf = assert(redis.connect("unix://" .. server.unix,
        { username = "deaf", password = "x" }))
      local sub, err = deaf:subscribe "a"
      assert.is_nil(sub)
      assert.equal("EREDIS", err.code)
      assert.equal("NOPERM", err.kind)
      assert.equal("subscribe", err.op)
      deaf:close()
    end)
  end)

  it("refuses wrong names and options", function()
    with(nil, function(db)
      for _, call in ipairs {
        function() db:subscribe() end, function() db:subscribe(1) end,
        function() db:subscribe {} end, function() db:subscribe { "a", gap = true } end,
        function() db:subscribe { "a", keepalive = 0 } end, function() db:subscribe("a", nil) end,
      } do
        assert.has_error(call)
      end
      local sub = assert(db:subscribe "a")
      assert.has_error(function() sub:subscribe() end)
      assert.has_error(function() sub:next { timout = 1 } end)
      assert.has_error(function() sub.next() end)
      sub:close()
    end)
  end)

  it("ends with the server that is gone for good", function()
    local other = redis_server.new()
    local db = assert(redis.connect("unix://" .. other.unix, { backoff = 0.001, tries = 3 }))
    local sub = assert(db:subscribe "a")
    db:close()
    other:remove()
    local message, err = sub:next()
    assert.is_nil(message)
    assert.equal("ENOENT", err.code)
    assert.equal("ENOENT", select(2, sub:next()).code)
    sub:close()
  end)

  it("is there again when the server is, if it never gives up", function()
    local other = redis_server.new()
    local db = assert(redis.connect("unix://" .. other.unix, { backoff = 0.001,
      max_backoff = 0.01 }))
    local sub = assert(db:subscribe { "a", tries = false, gaps = true })
    other:stop()
    os.remove(other.unix)
    other:start()
    assert.is_true(sub:next().gap)
    assert.equal(1, db:publish("a", 1))
    assert.equal("1", sub:next().data)
    sub:close()
    db:close()
    other:remove()
  end)

  it("asks a silent server whether it is there, and leaves one that is not", function()
    local pings = 0
    fake.with(function(_, words, k)
      if words[1] == "SUBSCRIBE" then
        return "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
      elseif words[1] == "PING" and k == 1 then
        pings = pings + 1
        return pings < 3 and "*2\r\n$4\r\npong\r\n$0\r\n\r\n" or nil
      end
    end, function(opts)
      opts.protocol, opts.timeout = 2, 0.05
      local db = redis.client(opts)
      local sub = assert(db:subscribe { "a", keepalive = 0.01, gaps = true })
      local gap = sub:next()
      assert.equal("ETIMEDOUT", gap.error.code)
      assert.equal(3, pings)
      sub:close()
      db:close()
    end)
  end)

  it("does not go round in a hurry when a server ends it at once", function()
    local conns = 0
    fake.with(function(conn, words, k)
      conns = k
      if k == 1 and words[1] == "SUBSCRIBE" then
        conn:write "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
      end
      return false
    end, function(opts)
      opts.protocol, opts.tries = 2, 4
      local db = redis.client(opts)
      local sub = assert(db:subscribe "a")
      local _, err = sub:next()
      assert.equal("ECONNRESET", err.code)
      assert.equal(5, conns)
      sub:close()
      db:close()
    end)
  end)
end)
