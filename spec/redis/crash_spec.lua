-- Servers that die and come back with their data, and connections that are killed from outside,
-- while much is going on: what was acknowledged is there, and nothing was done twice.

local beside = require "spec.support.redis_beside"
local green = require "green"
local redis = require "green.redis"
local testing = require "green.testing"

local _, it = testing.busted()

local SEED = tonumber(os.getenv "STORM_SEED" or "") or os.time()

-- What adds one to a counter, each in its own way. true: it was done; nil, err.
local ways = {
  function(db, key) return db:incr(key) end,
  function(db, key)
    local replies, err = db:pipeline(function(p)
      p:get(key)
      p:incr(key)
      p:get(key)
    end)
    return replies and replies[2], err
  end,
  function(db, key)
    local replies, err = db:multi(function(t)
      t:incr(key)
      t:get(key)
    end)
    return replies and replies[1], err
  end,
  function(db, key)
    return db:multi(function(t, now)
      local n, err = now:get(key)
      if err then
        return false
      end
      t:set(key, (tonumber(n) or 0) + 1)
    end, { watch = key, tries = 100 })
  end,
  function(db, key) return db:script("return redis.call('INCR', KEYS[1])"):call { key } end,
}

local allowed = { ECONNRESET = true, ECONNREFUSED = true, ENOENT = true, ETIMEDOUT = true,
  EPIPE = true }

--- Add to counters in many threads until over() says so. key -> { done, unknown }: how often it
-- was acknowledged, and how often it may have been done.
local function count(db, over, problems)
  local counters, threads = {}, {}
  for i, way in ipairs(ways) do
    for k = 1, 3 do
      local key = "n" .. i .. (i == 4 and k or "") -- a key of its own: WATCH is for others
      local counter = counters[key] or { 0, 0 }
      counters[key] = counter
      threads[#threads + 1] = green.spawn(function()
        while not over() do
          local ok, err = way(db, key)
          if ok then
            counter[1] = counter[1] + 1
          elseif err and (err.kind == "EXECABORT" or not allowed[err.code]) then
            problems[#problems + 1] = way .. ": " .. tostring(err)
          elseif err and err.sent then
            counter[2] = counter[2] + 1
          end
          green.sleep(ok and 0 or 0.001)
        end
      end)
    end
  end
  return counters, threads
end

local function check(db, counters)
  local n = 0
  for key, counter in pairs(counters) do
    local value = tonumber((db:get(key))) or 0
    assert.is_true(value >= counter[1], ("%s is %d, %d were acknowledged"):format(key, value,
      counter[1]))
    assert.is_true(value <= counter[1] + counter[2],
      ("%s is %d: %d were acknowledged, %d not known"):format(key, value, counter[1], counter[2]))
    n = n + counter[1]
  end
  return n
end

--- Disturb so often while counters are added to.
local function storm(is_kept, times, disturb)
  math.randomseed(SEED)
  beside.with(function(server)
    local db = assert(redis.connect(server.url, { max_size = 8, backoff = 0.001, max_backoff = 0.01,
      tries = 1000, timeout = 20, db = 2, name = "storm" }))
    local is_over, problems = false, {}
    local counters, threads = count(db, function() return is_over end, problems)
    for _ = 1, times do
      green.sleep(math.random() * 0.03)
      disturb(server)
    end
    green.sleep(0.01)
    is_over = true
    for _, thread in ipairs(threads) do thread:wait() end
    assert.same({}, problems)
    assert.is_true(check(db, counters) > 0)
    assert.equal("storm", db:client "GETNAME") -- and all of it in the one database
    assert.matches("^# Keyspace\r\ndb2:[^\n]*\r\n$", db:info "keyspace")
    assert.equal(0, db:stats().busy)
    db:close()
  end, is_kept)
end

describe("a server that crashes (seed " .. SEED .. ")", function()
  it("has all that was acknowledged, and nothing twice", function()
    storm(true, 6, function(server)
      server:stop()
      os.remove(server.path)
      server:start()
    end)
  end)
end)

describe("connections that are killed from outside (seed " .. SEED .. ")", function()
  it("cost no acknowledged command, and do none twice", function()
    storm(false, 40, function(server)
      local conn = assert(green.connect("unix:" .. server.path))
      beside.ask(conn, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      conn:close()
    end)
  end)
end)

describe("a user who is not let in any more", function()
  it("is told so, and does not come again and again", function()
    beside.with(function(server)
      local admin = assert(redis.connect(server.url))
      assert(admin:acl("SETUSER", "alice", "on", ">x", "~*", "&*", "+@all"))
      local db = assert(redis.connect(server.url, { username = "alice", password = "x",
        backoff = 0.001 }))
      local sub = assert(db:subscribe { "a", tries = false })
      assert(db:set("k", 1))
      assert(admin:acl("DELUSER", "alice")) -- which ends her connections
      for _ = 1, 2 do
        local value, err = db:get "k"
        assert.is_nil(value)
        assert.equal("WRONGPASS", err.kind)
      end
      local message, err = sub:next()
      assert.is_nil(message)
      assert.equal("WRONGPASS", err.kind)
      local refused = tonumber(admin:info("stats"):match "total_connections_received:(%d+)")
      assert.is_true(refused < 10)
      db:close()
      admin:close()
    end)
  end)
end)

describe("large replies", function()
  it("are taken whole, and their memory is given back", function()
    beside.with(function(server)
      local db = assert(redis.connect(server.url, { max_size = 1, timeout = 60 }))
      assert(db:setrange("large", 64 * 2 ^ 20 - 1, "x"))
      local push = db:script "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], i) end return 1"
      assert(push:call({ "list" }, 300000))
      for _ = 1, 2 do
        assert.equal(64 * 2 ^ 20, #db:get "large")
        local list = db:lrange("list", 0, -1)
        assert.equal(300000, #list)
        assert.equal("300000", list[300000])
      end
      collectgarbage()
      collectgarbage()
      assert.is_true(collectgarbage "count" < 60 * 1024)
      assert.equal("x", db:getrange("large", -1, -1))
      local _, err = db:with({ timeout = 60 }):call("GETRANGE", "large", 0, -1)
      assert.is_nil(err)
      db:close()
      db = assert(redis.connect(server.url, { max_bulk = 2 ^ 20, max_size = 1 }))
      _, err = db:get "large"
      assert.equal("ETOOBIG", err.code)
      assert.equal("PONG", db:ping())
      db:close()
    end)
  end)
end)
