-- green.redis against a real server: what is sent, what comes back, how it connects.

local certs = require "spec.support.certs"
local fake = require "spec.support.redis_fake"
local green = require "green"
local program = require "spec.support.program"
local redis = require "green.redis"
local redis_server = require "spec.support.redis_server"
local testing = require "green.testing"

local _, it = testing.busted()

local server

--- body(db) with a client of the server, which is empty.
local function with(opts, body)
  local db = assert(redis.connect(server:url(), opts))
  assert(db:flushall())
  local ok, err = pcall(body, db)
  db:close()
  if not ok then
    error(err, 0)
  end
end

setup(function()
  server = redis_server.new { tls = true, words = { "--enable-debug-command", "local" } }
end)

teardown(function()
  server:remove()
end)

describe("commands", function()
  it("have a method each, and call takes any", function()
    with(nil, function(db)
      assert.equal("OK", db:set("k", "v"))
      assert.equal("v", db:get "k")
      assert.equal("v", db:call("GET", "k"))
      assert.equal("v", db:call("get", "k"))
      assert.equal("hash", (db:hset("h", "f", 1) and db:type "h"))
    end)
  end)

  it("are sent byte for byte, whatever the bytes", function()
    with(nil, function(db)
      local bytes = {}
      for i = 0, 255 do bytes[i + 1] = string.char(i) end
      local all = table.concat(bytes) .. "\r\n$3\r\nGET\r\n"
      db:set(all, all)
      assert.equal(all, db:get(all))
      local large = ("x"):rep(3000000)
      db:set("large", large)
      assert.is_true(db:get "large" == large)
      assert.equal("", (db:set("empty", "") and db:get "empty"))
      assert.equal(3, db:dbsize())
    end)
  end)

  it("have numbers exactly, without an exponent below 2^53", function()
    with(nil, function(db)
      for number, text in pairs {
        [0] = "0", [-1] = "-1", [2 ^ 53] = "9007199254740992", [-2 ^ 53] = "-9007199254740992",
        [1e15] = "1000000000000000", [123456789012345] = "123456789012345", [0.1] = "0.1",
        [1.5] = "1.5", [1 / 3] = "0.33333333333333331", [1e300] = "1e+300", [math.huge] = "inf",
      } do
        assert.equal(text, db:echo(number))
        assert.equal(number, tonumber(text) or math.huge)
      end
    end)
  end)

  it("refuse nil and what is no text, in the caller's line, and nothing is sent", function()
    with(nil, function(db)
      local function fails(text, ...)
        local ok, err = pcall(db.set, db, ...)
        assert.is_false(ok)
        assert.matches("redis_spec.lua:%d+: set: " .. text, err)
      end
      fails("argument 2 must be a string or a number, not nil", "k", nil)
      fails("argument 1 must be a string or a number, not nil", nil, "v")
      fails("argument 2 must be a string or a number, not true", "k", true)
      fails("argument 3 must be a string or a number %(options are words, .*, not a table", "k",
        "v", {})
      fails("argument 2 must be a string or a number, not nan", "k", 0 / 0)
      fails("argument 2 must be a string or a number", "k", redis.null)
      assert.equal(0, db:exists "k")
    end)
  end)

  it("refuse what would change the connection for the next", function()
    with(nil, function(db)
      for name in ("SELECT auth MULTI Subscribe WATCH QUIT MONITOR"):gmatch "%a+" do
        local ok, err = pcall(db.call, db, name, "1")
        assert.is_false(ok)
        assert.matches("redis_spec.lua:%d+: call: " .. name:upper() .. " cannot be sent here", err)
      end
      assert.has_error(function() db:call() end)
      assert.has_error(function() db:call "" end)
      assert.has_error(function() db:call(1) end)
      assert.is_nil(db.no_such_command)
    end)
  end)
end)

for _, protocol in ipairs { 2, 3 } do
  describe("replies of RESP" .. protocol, function()
    local opts = { protocol = protocol }

    it("come as Lua has them", function()
      with(opts, function(db)
        assert.equal(protocol, db:protocol())
        assert.equal("OK", db:set("k", "v"))
        assert.equal(1, db:incr "n")
        assert.same({ "a", "b" }, db:rpush("l", "a", "b") and db:lrange("l", 0, -1))
        assert.same({}, db:lrange("none", 0, -1))
        assert.equal("9223372036854775807", (db:set("n", "9223372036854775806") and db:incr "n"))
        assert.equal(2 ^ 53, (db:set("n", 2 ^ 53 - 1) and db:incr "n"))
        assert.equal("-9007199254740993", (db:set("n", -2 ^ 53) and db:decr "n"))
        local id = db:xadd("s", "1-1", "f", "v")
        assert.equal("1-1", id)
        assert.same({ { "1-1", { "f", "v" } } }, db:xrange("s", "-", "+"))
        db:sadd("set", "x")
        assert.same({ "x" }, db:smembers "set")
      end)
    end)

    it("are nil alone for null, and redis.null inside", function()
      with(opts, function(db)
        assert.equal(2, select("#", db:get "none", 1))
        assert.is_nil(db:get "none")
        assert.is_nil((select(2, db:get "none")))
        assert.same({ redis.null, redis.null }, db:mget("a", "b"))
        assert.equal("null", tostring(redis.null))
        local value, err = db:blpop("none", 0.01)
        assert.is_nil(value)
        assert.is_nil(err)
      end)
    end)

    it("are nil, err for errors of the server's, and the connection goes on", function()
      with(opts, function(db)
        db:set("k", "v")
        local value, err = db:lpush("k", 1)
        assert.is_nil(value)
        assert.equal("EREDIS", err.code)
        assert.is_true(err:is "EREDIS")
        assert.equal("WRONGTYPE", err.kind)
        assert.matches("^WRONGTYPE Operation", err.message)
        assert.equal("LPUSH", err.op)
        assert.matches("^LPUSH: WRONGTYPE .*%(EREDIS%)$", tostring(err))
        assert.equal("ERR", select(2, db:call "NOSUCH").kind)
        assert.equal(1, db:stats().connects)
      end)
    end)
  end)
end

describe("replies of RESP3", function()
  it("are tables for maps, and numbers for doubles", function()
    with(nil, function(db)
      db:hset("h", "a", 1, "b", 2)
      assert.same({ a = "1", b = "2" }, db:hgetall "h")
      db:zadd("z", 1.5, "x", "inf", "y", "-inf", "w")
      assert.equal(1.5, db:zscore("z", "x"))
      assert.equal(math.huge, db:zscore("z", "y"))
      assert.same({ { "w", -math.huge }, { "x", 1.5 }, { "y", math.huge } },
        db:zrange("z", 0, -1, "WITHSCORES"))
    end)
  end)

  it("have every type that there is", function()
    with({ timeout = 5 }, function(db)
      local function reply(kind)
        return db:call("DEBUG", "PROTOCOL", kind)
      end
      assert.equal("This is a verbatim\nstring", reply "verbatim")
      assert.equal("1234567999999999999999999999999999999", reply "bignum")
      assert.is_true(reply "true")
      assert.is_false(reply "false")
      assert.is_nil(reply "null")
      assert.same({ 0, 1, 2 }, reply "array")
      assert.same({ 0, 1, 2 }, reply "set")
      assert.same({ [0] = false, [1] = true, [2] = false }, reply "map")
      assert.equal(3.141, reply "double")
      assert.equal("Some real reply following the attribute", reply "attrib")
    end)
  end)
end)

describe("connecting", function()
  local function check(target, opts)
    local db = assert(redis.connect(target, opts))
    assert.equal("PONG", db:ping())
    local id = db:client "GETNAME"
    db:close()
    return id
  end

  it("takes URLs, tables and options, by TCP and UNIX sockets", function()
    check(server:url())
    check { port = server.port }
    check({ port = 1 }, { port = server.port })
    check("unix://" .. server.unix)
    check("unix://" .. server.unix .. "?db=1&protocol=2")
    check { unix = server.unix }
    assert.equal("me", check(server:url(), { name = "me" }))
    assert.equal("me", check(server:url() .. "?name=me"))
    assert.equal("me", check(server:url(), { name = "me", protocol = 2 }))
  end)

  it("speaks TLS, and looks at the certificate", function()
    local url = ("rediss://127.0.0.1:%d"):format(server.tls_port)
    check(url, { tls = { ca = certs.path "ca.pem" } })
    check({ port = server.tls_port, tls = { ca = certs.path "ca.pem", host = "a.test" } })
    local db, err = redis.connect(url, { tls = { ca = certs.path "self.pem" } })
    assert.is_nil(db)
    assert.equal("ECERTUNKNOWN", err.code)
    db, err = redis.connect { port = server.tls_port, tls = { ca = certs.path "ca.pem",
      host = "b.test" } }
    assert.is_nil(db)
    assert.equal("ECERTHOST", err.code)
    with(nil, function(plain)
      local large = ("y"):rep(500000)
      local secure = assert(redis.connect(url, { tls = { ca = certs.path "ca.pem" } }))
      secure:set("large", large)
      assert.is_true(plain:get "large" == large and secure:get "large" == large)
      secure:close()
    end)
  end)

  it("takes any stream that somebody opens", function()
    local opened = 0
    check { open = function()
      opened = opened + 1
      return green.connect("127.0.0.1", server.port)
    end }
    assert.equal(1, opened)
    -- An object with the three methods, nothing more.
    check { open = function()
      local conn = assert(green.connect("127.0.0.1", server.port))
      return {
        read_some = function(_, most, opts) return conn:read_some(most, opts) end,
        write = function(_, ...) return conn:write(...) end,
        close = function() conn:close() end,
      }
    end }
    local db, err = redis.connect { open = function() return nil, "not today" end, tries = 1 }
    assert.is_nil(db)
    assert.matches("not today", tostring(err))
    db, err = redis.connect { open = function() return {} end }
    assert.is_nil(db)
    assert.equal("EINVAL", err.code)
  end)

  it("authenticates and selects first", function()
    with(nil, function(db)
      assert(db:acl("SETUSER", "alice", "on", ">se:c@ret", "~*", "&*", "+@all"))
      for _, protocol in ipairs { 2, 3 } do
        local one = assert(redis.connect(("redis://alice:se%%3Ac%%40ret@127.0.0.1:%d/2"):format(
          server.port), { protocol = protocol }))
        assert.equal("alice", one:acl "WHOAMI")
        one:set("in2", protocol)
        one:close()
        local two, err = redis.connect(server:url(), { username = "alice", password = "no",
          protocol = protocol })
        assert.is_nil(two)
        assert.equal("EREDIS", err.code)
        assert.equal("WRONGPASS", err.kind)
        two, err = redis.connect(server:url(99), { protocol = protocol })
        assert.is_nil(two)
        assert.matches("out of range", err.message)
      end
      assert.equal(0, db:exists "in2")
      -- A name without a password is not passed over.
      assert(db:acl("SETUSER", "bob", "on", "nopass", "~*", "&*", "+@all"))
      for _, protocol in ipairs { 2, 3 } do
        local bob = assert(redis.connect((server:url():gsub("//", "//bob@")),
          { protocol = protocol }))
        assert.equal("bob", bob:acl "WHOAMI")
        bob:close()
        local alice, err = redis.connect(server:url(), { username = "alice", protocol = protocol })
        assert.is_nil(alice)
        assert.equal("WRONGPASS", err.kind)
      end
      assert(db:acl("DELUSER", "bob"))
      assert(db:acl("DELUSER", "alice"))
    end)
  end)

  it("says what is wrong with a URL", function()
    for url, text in pairs {
      ["http://127.0.0.1/"] = "scheme", ["127.0.0.1:6379"] = "such as redis://",
      ["redis://127.0.0.1/x"] = 'database in the URL must be a number, not "x"',
      ["redis://127.0.0.1/1/2"] = "database", ["redis://127.0.0.1/99999999999"] = "database",
      ["redis://127.0.0.1/?db=x"] = 'database in the URL must be a number, not "x"',
      ["redis://127.0.0.1/?protocol=4"] = 'protocol in the URL must be 2 or 3, not "4"',
      ["redis://127.0.0.1/?name=a%20b"] = "without blanks", ["redis://127.0.0.1:0/"] = "port",
      ["redis://127.0.0.1/?nam=x"] = "unknown parameter", ["unix://"] = "path", ["127"] = "",
    } do
      local db, err = redis.client(url)
      assert.is_nil(db, url)
      assert.equal("EINVAL", err.code)
      assert.matches(text, err.message)
    end
  end)

  it("raises for wrong options, naming the nearest", function()
    for opts, text in pairs {
      [{ hots = "x" }] = "unknown option 'hots'; did you mean 'host'?",
      [{ protocol = 4 }] = "protocol must be 2 or 3", [{ db = -1 }] = "db must be a whole number",
      [{ timeout = "1" }] = "timeout must be a number", [{ name = "a b" }] = "without blanks",
      [{ tls = 1 }] = "tls must be true, a table of options or a context",
      [{ port = 70000 }] = "port must be", [{ open = 1 }] = "open must be a function",
    } do
      local ok, err = pcall(redis.client, opts)
      assert.is_false(ok)
      assert.is_truthy(err:find(text, 1, true), err)
    end
  end)

  it("fails with the code of the last of its attempts", function()
    local listener = assert(green.listen "127.0.0.1:0")
    local _, port = listener:sockname()
    listener:close()
    local db, err = redis.connect { port = port, backoff = 0.001 }
    assert.is_nil(db)
    assert.equal("ECONNREFUSED", err.code)
    local lazy = redis.client { port = port, backoff = 0.001, tries = 4 }
    _, err = lazy:get "k"
    assert.equal("ECONNREFUSED", err.code)
    assert.equal(4, lazy:stats().failures)
    lazy:close()
  end)

  it("connects when it is first used, if it is a client", function()
    local db = assert(redis.client(server:url()))
    assert.is_nil(db:protocol())
    assert.equal(0, db:stats().open)
    assert.equal("PONG", db:ping())
    assert.equal(1, db:stats().open)
    db:close()
  end)
end)

describe("a client", function()
  it("serves many threads, with no more connections than it may", function()
    with({ max_size = 3 }, function(db)
      local threads = {}
      for i = 1, 50 do
        threads[i] = green.spawn(function()
          db:set("k" .. i, i)
          return db:get("k" .. i)
        end)
      end
      for i = 1, 50 do
        assert.equal(tostring(i), threads[i]:wait())
      end
      assert.equal(3, db:stats().open)
      assert.equal(3, db:stats().connects)
    end)
  end)

  it("lets commands that wait in the server keep nobody waiting", function()
    with({ max_size = 1 }, function(db)
      local got = {}
      for i = 1, 5 do
        got[i] = green.spawn(db.blpop, db, "jobs", 0)
      end
      local read = green.spawn(db.xread, db, "BLOCK", 0, "STREAMS", "s", "$")
      while tonumber(db:info("clients"):match "blocked_clients:(%d+)") < 6 do
        green.sleep(0.001)
      end
      for i = 1, 5 do db:rpush("jobs", i) end
      for i = 1, 5 do assert.equal("jobs", got[i]:wait()[1]) end
      db:xadd("s", "1-1", "f", "v")
      assert.same({ s = { { "1-1", { "f", "v" } } } }, read:wait())
    end)
  end)

  it("gives EBUSY when too many stand in line, ETIMEDOUT when it takes too long", function()
    fake.with(function() end, function(opts)
      opts.max_size, opts.max_waiting, opts.protocol, opts.timeout = 1, 1, 2, 0.05
      local db = assert(redis.connect(opts))
      local one, two = green.spawn(db.get, db, "a"), green.spawn(db.get, db, "b")
      green.sleep(0)
      local _, err = db:get "c"
      assert.equal("EBUSY", err.code)
      assert.is_false(err.sent)
      _, err = one:wait()
      assert.equal("ETIMEDOUT", err.code)
      assert.is_true(err.sent)
      _, err = two:wait()
      assert.equal("ETIMEDOUT", err.code)
      db:close()
    end)
  end)

  it("has other timeouts by with, on the same connections", function()
    with(nil, function(db)
      local _, err = db:with({ timeout = 0.02 }):call("DEBUG", "SLEEP", 0.2)
      assert.equal("ETIMEDOUT", err.code)
      assert.is_true(err.sent)
      assert.equal("PONG", db:ping())
      _, err = db:with({ timeout = 0.02 }):blocking("BLPOP", "none", 0.1)
      assert.is_nil(err)
      assert.has_error(function() db:with { timeout = -1 } end)
      assert.has_error(function() db:with { time = 1 } end)
    end)
  end)

  it("is closed for good", function()
    with(nil, function(db)
      local waiting = green.spawn(db.blocking, db, "BLPOP", "none", 0)
      green.sleep(0.01)
      db:close()
      db:close()
      local _, err = db:get "k"
      assert.equal("ECLOSED", err.code)
      _, err = db:subscribe "x"
      assert.equal("ECLOSED", err.code)
      waiting:kill()
      assert.equal(0, db:stats().open)
      assert.equal("green.redis{closed}", tostring(db))
    end)
  end)

  it("tells who stands in line that it is closed", function()
    with({ max_size = 1, timeout = false }, function(db)
      local first = green.spawn(db.multi, db, function() green.sleep(3600) end, { watch = "k" })
      green.sleep(0.01)
      local second = green.spawn(db.get, db, "k")
      green.sleep(0)
      db:close()
      local _, err = second:wait()
      assert.equal("ECLOSED", err.code)
      first:kill()
    end)
  end)

  it("closes what nobody has used for long, and what the server has ended", function()
    with({ idle_timeout = 0.15, max_size = 5 }, function(db)
      for _ = 1, 2 do
        local threads = {}
        for i = 1, 5 do threads[i] = green.spawn(db.blpop, db, "none", 0.01) end
        for i = 1, 5 do threads[i]:wait() end
        assert.is_true(db:stats().open >= 5)
        while db:stats().open > 0 do
          green.sleep(0.01) -- nothing is asked, nothing else wakes anybody
        end
      end
      assert.equal("PONG", db:ping())
    end)
    with(nil, function(db)
      local admin = assert(redis.connect(server:url()))
      assert(admin:client("KILL", "TYPE", "normal", "SKIPME", "yes"))
      while db:stats().open > 0 do green.sleep(0.01) end
      admin:close()
    end)
  end)

  it("keeps no program waiting by what it looks after", function()
    local p = program.run_greenlua { "-e", ([[
      local green = require "green"
      local db = assert(require("green.redis").connect "%s")
      assert(db:ping())
      green.wait()
      print "ended"
    ]]):format(server:url()) }
    assert.equal("ended\n", p.out)
    assert.equal("", p.err)
  end)

  it("does not use a connection again that was unused for long, or that was ended", function()
    with({ idle_timeout = 0 }, function(db)
      db:get "a"
      db:get "b"
      assert.is_true(db:stats().connects >= 3)
    end)
    with(nil, function(db)
      local admin = assert(redis.connect(server:url()))
      assert(admin:client("KILL", "TYPE", "normal", "SKIPME", "yes"))
      assert.equal("PONG", db:ping())
      assert.equal(1, db:lpush("l", 1)) -- which would not be sent twice
      assert.equal(2, db:stats().connects)
      admin:close()
    end)
  end)
end)

describe("a pipeline", function()
  it("sends all at once and gives a list, errors in their places", function()
    with(nil, function(db)
      local replies = assert(db:pipeline(function(p)
        p:set("a", "x")
        p:lpush("a", 1)
        p:get "none"
        p:call("GET", "a")
      end))
      assert.equal(4, #replies)
      assert.equal("OK", replies[1])
      assert.equal("WRONGTYPE", replies[2].kind)
      assert.equal("LPUSH", replies[2].op)
      assert.equal(redis.null, replies[3])
      assert.equal("x", replies[4])
      assert.same({}, db:pipeline(function() end))
    end)
  end)

  it("holds thousands, and megabytes", function()
    with(nil, function(db)
      local replies = assert(db:pipeline(function(p)
        for i = 1, 5000 do p:set("k" .. i, ("v"):rep(500) .. i) end
        for i = 1, 5000 do p:get("k" .. i) end
      end))
      for i = 1, 5000 do
        assert.equal(("v"):rep(500) .. i, replies[5000 + i])
      end
    end)
  end)

  it("passes errors of the function on, and has sent nothing", function()
    with(nil, function(db)
      local kept
      assert.has_error(function()
        db:pipeline(function(p)
          kept = p
          p:set("a", 1)
          error("mine", 0)
        end)
      end, "mine")
      assert.equal(0, db:exists "a")
      db:pipeline(function(p) kept = p end)
      assert.has_error(function() kept:set("a", 1) end)
    end)
  end)
end)

describe("a script", function()
  it("is sent by its digest, and by its source when the server does not know it", function()
    with(nil, function(db)
      local s = db:script "return { KEYS[1], ARGV[1], #ARGV }"
      db:call("SCRIPT", "FLUSH")
      assert.same({ "k", "5", 2 }, s:call({ "k" }, 5, "x"))
      assert.same({ "k", "5", 2 }, s:call({ "k" }, 5, "x"))
      assert.matches("cmdstat_eval:calls=1,", db:info "commandstats")
      assert.same({ 1 }, db:call("SCRIPT", "EXISTS", s.sha))
      local _, err = db:script("return redis.error_reply('MINE x')"):call()
      assert.equal("MINE", err.kind)
      _, err = db:script("this is no Lua"):call()
      assert.equal("EREDIS", err.code)
      assert.has_error(function() s:call("k") end)
      assert.matches("spec.lua:%d+: script:call: key 2 must be a string or a number, not a table",
        select(2, pcall(s.call, s, { "k", {} }, "x")))
      assert.matches("spec.lua:%d+: script:call: argument 2 must be a string or a number, not nil",
        select(2, pcall(s.call, s, { "k" }, "x", nil)))
      assert.has_error(function() db:script(nil) end)
    end)
  end)
end)

describe("examples/redis.lua", function()
  it("keeps what is slow, until somebody says that it has changed", function()
    local p = program.run_greenlua { "examples/redis.lua", server:url() }
    assert.equal("", p.err)
    assert.equal("stale: apple\n1\tAPPLE\tslow\n2\tAPPLE\tquick\n3\tAPPLE\tquick\n", p.out)
  end)
end)
