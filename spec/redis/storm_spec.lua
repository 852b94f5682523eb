-- A storm on green.redis: a hundred threads, random kills and timeouts, connections killed by
-- the server; every reply belongs to its command.

local green = require "green"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"

local _, it = testing.busted()

local SEED = tonumber(os.getenv "STORM_SEED" or "") or os.time()
local THREADS, ROUNDS = 100, 20

local server

setup(function() server = redis_server.new() end)
teardown(function() server:remove() end)

--- What may go wrong in a storm.
local allowed = { ETIMEDOUT = true, ECONNRESET = true, ECANCELED = true, EAGAIN = true }

local function expect(wanted, value, err)
  if value == nil then
    assert(err and allowed[err.code], tostring(err))
  else
    assert.same(wanted, value)
  end
end

local acts = {
  function(db, mark) expect(mark, db:echo(mark)) end,
  function(db, mark)
    expect("OK", db:set("k" .. mark, mark))
    expect(mark, db:echo(mark))
  end,
  function(db, mark)
    expect({ mark, mark .. "b", "PONG" }, db:pipeline(function(p)
      p:echo(mark)
      p:echo(mark .. "b")
      p:ping()
    end))
  end,
  function(db, mark)
    expect({ mark }, db:multi(function(t) t:echo(mark) end, { watch = "w", tries = 2 }))
  end,
  function(db, mark) expect({ mark }, db:script("return { ARGV[1] }"):call({}, mark)) end,
  function(db, mark)
    db:rpush(mark, mark)
    local value, err = db:blpop(mark, 0.01)
    if value then expect({ mark, mark }, value, err) end
  end,
  function(db, mark) expect(mark, db:with({ timeout = 0.0005 }):echo(mark)) end,
  function(db, mark)
    local value, err = green.timeout(0.0005, db.echo, db, mark)
    expect(mark, value, err)
  end,
}

describe("a storm", function()
  it("gives every reply to its command (seed " .. SEED .. ")", function()
    math.randomseed(SEED)
    local db = assert(redis.connect("unix://" .. server.unix, { max_size = 7, backoff = 0.001,
      tries = 10 }))
    local admin = assert(redis.connect("unix://" .. server.unix))
    local failures, done, threads = {}, 0, {}
    for i = 1, THREADS do
      threads[i] = green.spawn(function()
        for round = 1, ROUNDS do
          local act = acts[math.random(#acts)]
          local ok, err = pcall(act, db, ("%d.%d"):format(i, round))
          if not ok and not (type(err) == "table" and err.code == "ECANCELED") then
            failures[#failures + 1] = tostring(err)
          end
        end
        done = done + 1
      end)
    end
    for _ = 1, 60 do
      green.sleep(math.random() * 0.005)
      threads[math.random(THREADS)]:kill_soon()
      if math.random(4) == 1 then
        admin:client("KILL", "TYPE", "normal", "SKIPME", "yes")
      end
    end
    for i = 1, THREADS do pcall(threads[i].wait, threads[i]) end
    assert.same({}, failures)
    assert.is_true(done >= THREADS - 60)
    assert.equal(0, db:stats().busy)
    assert.equal("still", db:echo "still")
    db:close()
    admin:close()
  end)
end)
