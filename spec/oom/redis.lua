-- green.redis: commands as bytes, replies as values, a client and its connections.

local green = require "green"
local kit = require "spec.oom.kit"
local redis = require "green.redis"
local testing = require "green.testing"

local REPLY = "*5\r\n%2\r\n+a\r\n*2\r\n:1\r\n_\r\n$1\r\nb\r\n,1.5\r\n-WRONGTYPE no\r\n"
  .. "|1\r\n+x\r\n+y\r\n~1\r\n(123456789012345678901\r\n:9223372036854775807\r\n#t\r\n"
local LARGE = ("x"):rep(5000)

local function right(reply)
  assert(reply[1].a[1] == 1 and reply[1].a[2] == redis.null and reply[1].b == 1.5)
  assert(reply[2].code == "EREDIS" and reply[2].kind == "WRONGTYPE")
  assert(reply[3][1] == "123456789012345678901")
  assert(reply[4] == "9223372036854775807" and reply[5] == true)
end

-- What a work has opened is closed, whatever it came to.
local db

local answers = { HELLO = "-ERR no\r\n", MULTI = "+OK\r\n", WATCH = "+OK\r\n",
  SUBSCRIBE = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
    .. "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n",
  LRANGE = REPLY, EXEC = "*1\r\n" .. REPLY, EVALSHA = REPLY }

--- A server that looks at the first word of a command alone.
local function serve(stream)
  local queued = false
  while stream:read_line() do -- how many words
    stream:read_line() -- how long the first
    local word = stream:read_line()
    if not word then
      break
    end
    word = word:gsub("\r$", "")
    local text = answers[word]
    if queued and word ~= "EXEC" then
      text = "+QUEUED\r\n"
    end
    queued = word == "MULTI" or queued and word ~= "EXEC"
    local is_long = word ~= "MULTI" and word ~= "EXEC"
    if is_long and not stream:read_until("END\r\n", { max = 10000 }) then
      break
    end
    stream:write(text or "+OK\r\n")
  end
  stream:close()
end

local function open()
  local ours, theirs = testing.stream_pair()
  green.spawn(serve, theirs)
  return ours
end

local function client()
  db = redis.client { open = open, protocol = 2, tries = 1, timeout = 0.05 }
  return db
end

local function close()
  if db then
    db:close()
  end
end

--- A failure of the server's is one of memory, too, and ends in a timeout.
local function fine(err)
  assert(err and (kit.is_memory(err) or err:is "ETIMEDOUT" or err:is "ECONNRESET"
    or err:is "ECONNREFUSED"), tostring(err))
end

kit.run("a command and its reply", function()
  local reply, err = client():lrange("k", 1.5, LARGE, "END")
  if reply then right(reply) else fine(err) end
  local ok
  ok, err = db:set("k", 2 ^ 53, "END")
  if ok then assert(ok == "OK") else fine(err) end
end, nil, close)

kit.run("a pipeline", function()
  local replies, err = client():pipeline(function(p)
    p:lrange("k", "END")
    p:set("k", LARGE, "END")
    p:lrange("k", "END")
  end)
  if not replies then
    return fine(err)
  end
  right(replies[1])
  assert(replies[2] == "OK")
  right(replies[3])
end, nil, close)

kit.run("a transaction", function()
  local replies, err = client():multi(function(t, now)
    local value = now:lrange("k", "END")
    if value then right(value) end
    t:lrange("k", "END")
  end, { watch = "END" })
  if replies then right(replies[1]) else fine(err) end
end, nil, close)

kit.run("a subscription", function()
  local sub, err = client():subscribe("a", "END")
  if not sub then
    return fine(err)
  end
  sub:close()
end, nil, close)

kit.finish()
