-- green.redis and servers that mean harm, are broken, or go away: each failure has its code, no
-- reply goes to another command, and nothing is sent twice that must not be.

local fake = require "spec.support.redis_fake"
local green = require "green"
local program = require "spec.support.program"
local redis = require "green.redis"
local testing = require "green.testing"

local _, it = testing.busted()

local rep = string.rep

--- What GET gives from a server that answers it with that text on its first connection, and
-- rightly on others.
local function ask(text, changes)
  local value, err, served
  fake.with(function(conn, words, k)
    if k > 1 then
      return ("$%d\r\n%s\r\n"):format(#words[2], words[2])
    end
    conn:write(text)
    return text == "" and false or nil
  end, function(opts, all)
    for name, change in pairs(changes or {}) do
      opts[name] = change
    end
    opts.protocol, opts.timeout = 2, opts.timeout or 0.2
    local db = redis.client(opts)
    value, err = db:call("SET", "one", "two")
    assert.equal("next", db:get "next")
    served = all
    db:close()
  end)
  return value, err, served
end

local function fails(code, text, changes)
  local value, err, served = ask(text, changes)
  assert.is_nil(value)
  assert.equal(code, err.code, text:sub(1, 40))
  assert.equal(2, served.count)
  assert.same({ "SET one two", "GET next" }, served.log)
  return err
end

describe("a hostile server", function()
  it("is told by EPROTO when it does not speak RESP", function()
    for _, text in ipairs { "HTTP/1.1 400 Bad Request\r\n\r\n", "\r\n", "x", ":x\r\n", "$x\r\n",
      "+a\nb\r\n", "$1\r\nab\r\n", "$-2\r\n", "*-2\r\n", "#x\r\n", "*1\r\n>1\r\n+a\r\n",
      "$?\r\n;1\r\na\r\n;0\r\n", "\0", rep("\255", 100) } do
      local err = fails("EPROTO", text)
      assert.is_true(err.sent)
    end
  end)

  it("is told by ETOOBIG when it goes beyond a limit, and costs no memory before", function()
    fails("ETOOBIG", rep("*1\r\n", 33))
    fails("ETOOBIG", rep("%1\r\n+k\r\n", 10000))
    fails("ETOOBIG", "*2147483647\r\n")
    fails("ETOOBIG", "*9223372036854775807\r\n")
    fails("ETOOBIG", "$536870913\r\n")
    fails("ETOOBIG", "$11\r\n", { max_bulk = 10 })
    fails("ETOOBIG", "*2\r\n*5\r\n", { max_elements = 6 })
    fails("ETOOBIG", "*2\r\n$50\r\n", { max_reply = 50 })
    fails("ETOOBIG", "+" .. rep("x", 70000))
    collectgarbage()
    local before = collectgarbage "count"
    fails("ETIMEDOUT", "$536870912\r\n" .. rep("x", 1000))
    fails("ETIMEDOUT", "*16777216\r\n" .. rep(":1\r\n", 100))
    assert.is_true(collectgarbage "count" - before < 1000)
  end)

  it("is asked again while it has only just started, for as long as there is time", function()
    local log
    local left = 3
    fake.with(function()
      left = left - 1
      return left >= 0 and "-LOADING Redis is loading the dataset in memory\r\n" or "+OK\r\n"
    end, function(opts, all)
      opts.protocol, opts.timeout, opts.backoff = 2, 5, 0.01
      local db = redis.client(opts)
      assert.equal("OK", db:call("SET", "one", "two"))
      log, left = all.log, 1
      db:close()
      opts.backoff = 10
      db = redis.client(opts)
      local value, err = db:call("SET", "one", "two")
      assert.is_nil(value)
      assert.equal("LOADING", err.kind)
      db:close()
    end)
    assert.same({ "SET one two", "SET one two", "SET one two", "SET one two" },
      { unpack(log, 1, 4) })
  end)

  it("is left when it says only half", function()
    for _, text in ipairs { "+", "+OK", "+OK\r", "$5\r\nhel", "*2\r\n:1\r\n", "*1\r\n*1\r\n" } do
      fails("ETIMEDOUT", text, { timeout = 0.02 })
    end
  end)

  it("gets no second question on a connection where it said more than was asked", function()
    for _, more in ipairs { "+OK\r\n", "+", ":1\r\n:2\r\n", "x" } do
      local value, _, served = ask("+OK\r\n" .. more)
      assert.equal("OK", value)
      assert.equal(2, served.count)
    end
  end)
end)

describe("pushes that nobody asked for", function()
  local PUSH = ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n"
  local ATTRIBUTE = "|1\r\n+ttl\r\n:3600\r\n"

  it("are passed over, wherever they come between replies", function()
    fake.with(function(conn, words)
      local text = PUSH .. ATTRIBUTE .. PUSH:gsub("^", ATTRIBUTE) .. "+" .. words[2] .. "\r\n"
      if words[2] == "cut" then
        for i = 1, #text do
          conn:write(text:sub(i, i))
          green.sleep(0)
        end
        return nil
      end
      return text
    end, function(opts, served)
      opts.protocol = 2
      local db = redis.client(opts)
      assert.equal("a", db:get "a")
      assert.equal("cut", db:get "cut")
      assert.same({ "a", "cut", "b" }, db:pipeline(function(p)
        for _, key in ipairs { "a", "cut", "b" } do p:get(key) end
      end))
      assert.equal(1, served.count)
      db:close()
    end)
  end)

  it("cost an idle connection, and no command", function()
    fake.with(function(_, words)
      return "+" .. words[2] .. "\r\n" .. PUSH
    end, function(opts, served)
      opts.protocol, opts.max_size = 2, 1
      local db = redis.client(opts)
      for i = 1, 3 do
        assert.equal(tostring(i), db:set(i, "x"))
      end
      assert.equal(3, served.count)
      db:close()
    end)
  end)

  it("without an end are beyond a limit", function()
    fails("ETOOBIG", rep("|0\r\n", 1000) .. "|2147483647\r\n")
    fails("EPROTO", "|1\r\n+a\r\n" .. PUSH)
    fails("EPROTO", "*2\r\n+a\r\n" .. PUSH)
    fails("ETIMEDOUT", rep(PUSH, 5000))
  end)
end)

-- It floods whoever has asked for something, without a pause.
local FLOOD = [[
  local green = require "green"
  local listener = assert(green.listen "127.0.0.1:0")
  print("port " .. select(2, listener:sockname()) .. ".")
  local text = (%q):rep(20000)
  green.serve(listener, function(conn)
    conn:read_some()
    repeat until not conn:write(text)
  end)
]]

describe("a server that floods", function()
  for name, text in pairs { pushes = ">1\r\n+a\r\n", attributes = "|1\r\n+a\r\n+b\r\n" } do
    it("with " .. name .. " delays no other thread and no timeout", function()
      local server = program.start_greenlua { "-e", FLOOD:format(text) }
      server:expect "port"
      server:expect "."
      local db = redis.client { port = tonumber(server.out:match "%d+"), protocol = 2, tries = 1,
        timeout = program.is_sanitized and 5 or 0.5 } -- some megabytes are read between two turns
      local turns = 0
      local other = green.spawn(function()
        while true do
          green.sleep(0.01) -- the deadline of another thread
          turns = turns + 1
        end
      end)
      local value, err = green.timeout(20, db.get, db, "k")
      assert.is_nil(value)
      assert.is_truthy(err:is "ETIMEDOUT" or err:is "ETOOBIG", tostring(err))
      assert.equal("GET", err.op)
      assert.is_true(turns > 0)
      other:kill()
      db:close()
      server:kill(program.KILL)
      server:wait()
    end)
  end
end)

describe("a connection that ends", function()
  --- The server says so much of a reply, then closes or resets.
  local function cut(text, n, is_reset, name, ...)
    local result, log
    local given = { ... }
    fake.with(function(conn, words, k)
      if k > 1 then return "$3\r\nyes\r\n" end
      if words[1] == "PING" then return "+PONG\r\n" end
      if n > 0 then conn:write(text:sub(1, n)) end
      if is_reset then conn:setoption("so_linger", 0) end
      return false
    end, function(opts, served)
      opts.protocol = 2
      local db = redis.client(opts)
      assert.equal("PONG", db:ping()) -- so that the connection has been kept
      result = { db:call(name, unpack(given)) }
      log = served.log
      db:close()
    end)
    return result[1], result[2], log
  end

  local REPLY = "*2\r\n$3\r\nabc\r\n:12\r\n"

  it("is ECONNRESET at each byte of a reply, and what writes is never sent twice", function()
    for n = 0, #REPLY - 1 do
      for _, is_reset in ipairs { false, true } do
        local value, err, log = cut(REPLY, n, is_reset, "LPUSH", "k", "v")
        assert.is_nil(value)
        assert.equal("ECONNRESET", err.code)
        assert.is_true(err.sent)
        assert.same({ "PING", "LPUSH k v" }, log)
      end
    end
  end)

  it("lets what only reads be sent once more, if nothing was answered", function()
    local value, _, log = cut(REPLY, 0, false, "GET", "k")
    assert.equal("yes", value)
    assert.same({ "PING", "GET k", "GET k" }, log)
    for n = 1, #REPLY - 1 do
      local err
      value, err, log = cut(REPLY, n, false, "GET", "k")
      assert.is_nil(value)
      assert.equal("ECONNRESET", err.code)
      assert.same({ "PING", "GET k" }, log)
    end
  end)

  it("lets it be sent once more, not twice, nor on a new connection", function()
    fake.with(function(_, words) return words[1] == "PING" and "+PONG\r\n" end,
      function(opts, served)
        opts.protocol = 2
        local db = redis.client(opts)
        local _, err = db:get "k"
        assert.equal("ECONNRESET", err.code)
        assert.same({ "GET k" }, served.log)
        assert(db:ping())
        _, err = db:get "k"
        assert.equal("ECONNRESET", err.code)
        assert.same({ "GET k", "PING", "GET k", "GET k" }, served.log)
        db:close()
      end)
  end)

  it("fails all of a pipeline", function()
    fake.with(function(_, words) return words[2] ~= "3" and "+" .. words[2] .. "\r\n" end,
      function(opts)
        opts.protocol = 2
        local db = redis.client(opts)
        local replies, err = db:pipeline(function(p)
          for i = 1, 5 do p:get(i) end
        end)
        assert.is_nil(replies)
        assert.equal("ECONNRESET", err.code)
        assert.is_true(err.sent)
        db:close()
      end)
  end)
end)

describe("connecting again", function()
  it("begins with AUTH, CLIENT SETNAME and SELECT", function()
    fake.with(function(_, words)
      return words[1] ~= "GET" and "+OK\r\n"
    end, function(opts, served)
      opts.username, opts.password, opts.db, opts.name = "u", "p", 3, "me"
      local db = redis.client(opts)
      db:set("a", 1)
      db:get "a" -- which ends the connection, and the next one
      db:set("a", 2)
      local hello = { "AUTH u p", "CLIENT SETNAME me", "SELECT 3" }
      local expected = {}
      for _, command in ipairs { "SET a 1|GET a", "GET a", "SET a 2" } do
        for _, word in ipairs(hello) do table.insert(expected, word) end
        for word in command:gmatch "[^|]+" do table.insert(expected, word) end
      end
      assert.same(expected, served.log)
      db:close()
    end)
  end)

  it("waits longer after each failure, and comes to nothing at the deadline", function()
    local tries = {}
    local db = redis.client { tries = 100, backoff = 0.01, max_backoff = 0.08, timeout = 0.3,
      open = function()
        tries[#tries + 1] = green.now()
        return nil, "no"
      end }
    local _, err = db:get "k"
    assert.equal("ECONNREFUSED", err.code)
    for i = 2, #tries do -- at least half of what it is without the random part
      assert.is_true(tries[i] - tries[i - 1] >= math.min(0.01 * 2 ^ (i - 2), 0.08) / 2 - 0.001)
    end
    assert.is_true(#tries > 3 and #tries < 20)
    db:close()
  end)

  it("is done by no more than max_waiting at once", function()
    local db = redis.client { tries = 2, backoff = 0.02, max_size = 1, max_waiting = 2,
      open = function() return nil, "no" end }
    local threads, codes = {}, {}
    for i = 1, 10 do threads[i] = green.spawn(db.get, db, "k") end
    for i = 1, 10 do
      local _, err = threads[i]:wait()
      codes[err.code] = (codes[err.code] or 0) + 1
    end
    assert.same({ EBUSY = 7, ECONNREFUSED = 3 }, codes)
    db:close()
  end)

  it("is not tried again where the server says no", function()
    local opened = 0
    fake.with(function() return "-WRONGPASS no\r\n" end, function(opts, served)
      opts.password = "x"
      local db = redis.client(opts)
      local _, err = db:get "k"
      assert.equal("WRONGPASS", err.kind)
      opened = served.count
      db:close()
    end)
    assert.equal(1, opened)
  end)
end)
