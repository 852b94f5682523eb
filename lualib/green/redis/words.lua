--- What the client knows of commands: their names, and which of them are special.
-- Private to green.redis.
-- @module green.redis.words

-- Scripts may put their own in their places.
local gmatch, pairs, type, upper = string.gmatch, pairs, type, string.upper

local M = {}

local function words(text, value)
  local set = {}
  for word in gmatch(text, "%S+") do
    set[word] = value or true
  end
  return set
end

--- They only read, so that one whose connection was lost may be sent again.
M.readonly = words [[
  BITCOUNT BITFIELD_RO BITPOS COMMAND DBSIZE DUMP ECHO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS
  GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HGET HGETALL HKEYS
  HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS INFO KEYS LASTSAVE LCS LINDEX LLEN LOLWUT LPOS
  LRANGE MGET OBJECT PEXPIRETIME PFCOUNT PING PTTL PUBSUB RANDOMKEY ROLE SCAN SCARD SDIFF SINTER
  SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SRANDMEMBER SSCAN STRLEN SUBSTR SUNION TIME
  TTL TYPE XINFO XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD
  ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX
  ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ]]

local others = words [[
  ACL APPEND BGREWRITEAOF BGSAVE BITFIELD BITOP CLIENT CLUSTER CONFIG COPY DEBUG DECR DECRBY DEL
  EVAL EVALSHA EVALSHA_RO EVAL_RO EXPIRE EXPIREAT FAILOVER FCALL FCALL_RO FLUSHALL FLUSHDB
  FUNCTION GEOADD GEORADIUS GEORADIUSBYMEMBER GEOSEARCHSTORE GETDEL GETEX GETSET HDEL HEXPIRE
  HEXPIREAT HEXPIRETIME HINCRBY HINCRBYFLOAT HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME
  HPTTL HSET HSETNX HTTL INCR INCRBY INCRBYFLOAT LATENCY LINSERT LMOVE LMPOP LPOP LPUSH LPUSHX
  LREM LSET LTRIM MEMORY MIGRATE MODULE MOVE MSET MSETNX PERSIST PEXPIRE PEXPIREAT PFADD PFDEBUG
  PFMERGE PSETEX PUBLISH RENAME RENAMENX REPLICAOF RESTORE RPOP RPOPLPUSH RPUSH RPUSHX SADD SAVE
  SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SHUTDOWN SINTERSTORE SLAVEOF SLOWLOG SMOVE SORT
  SPOP SPUBLISH SREM SUNIONSTORE SWAPDB TOUCH UNLINK XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP
  XREADGROUP XSETID XTRIM ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZMPOP ZPOPMAX ZPOPMIN ZRANGESTORE
  ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZUNIONSTORE ]]

--- They wait in the server: name -> where among the arguments the time stands (-1: it is
-- the last), and what one of its units is in seconds.
M.blocking = {
  BLPOP = { -1, 1 }, BRPOP = { -1, 1 }, BRPOPLPUSH = { -1, 1 }, BLMOVE = { -1, 1 },
  BZPOPMAX = { -1, 1 }, BZPOPMIN = { -1, 1 }, BLMPOP = { 1, 1 }, BZMPOP = { 1, 1 },
  WAIT = { -1, 0.001 }, WAITAOF = { -1, 0.001 },
}

-- Those of which it depends on their arguments, too.
M.may_wait = words "XREAD XREADGROUP"
for name in pairs(M.blocking) do
  M.may_wait[name] = true
end

--- They change what the connection means for the next that uses it: name -> what to do
-- instead.
M.refused = {
  AUTH = "give username and password to redis.connect",
  HELLO = "give protocol to redis.connect",
  SELECT = "give db to redis.connect",
  QUIT = "use close()", RESET = "use close()",
  MULTI = "use multi(fn)", EXEC = "use multi(fn)", DISCARD = "use multi(fn)",
  WATCH = "use multi(fn, { watch = ... })", UNWATCH = "use multi(fn, { watch = ... })",
  SUBSCRIBE = "use subscribe()", UNSUBSCRIBE = "use subscribe()",
  PSUBSCRIBE = "use psubscribe()", PUNSUBSCRIBE = "use psubscribe()",
  SSUBSCRIBE = "use ssubscribe()", SUNSUBSCRIBE = "use ssubscribe()",
  MONITOR = "its connection brings no more replies", SYNC = "it is for servers",
  PSYNC = "it is for servers", REPLCONF = "it is for servers", ASKING = "it is for clusters",
  READONLY = "it is for clusters", READWRITE = "it is for clusters",
}

--- Every name that is a method, in lower case -> the command's.
M.methods = {}
for _, set in pairs { M.readonly, others, M.blocking } do
  for name in pairs(set) do
    M.methods[name:lower()] = name
  end
end

--- The name as servers document it. Does not park.
function M.canonical(name)
  return M.methods[name] or upper(name)
end

-- -- Time ---------------------------------------------------------------------

local function seconds_of(value, unit)
  value = tonumber(value)
  return value and value > 0 and value * unit or math.huge -- 0: for ever
end

--- Where XREAD says BLOCK, how long.
local function block_of(...)
  local list = { ... }
  for i = 1, #list - 1 do
    local word = type(list[i]) == "string" and upper(list[i])
    if word == "STREAMS" then
      return nil
    elseif word == "BLOCK" then
      return seconds_of(list[i + 1], 0.001)
    end
  end
end

--- How many seconds a command, one of may_wait, may wait in the server, math.huge: for ever;
-- nil: it does not. Does not park.
-- @tparam string name as M.canonical gives it
-- @param ... its arguments
function M.patience(name, ...)
  local how = M.blocking[name]
  if how then
    local at = how[1] == -1 and select("#", ...) or how[1]
    return seconds_of(at > 0 and (select(at, ...)) or nil, how[2])
  elseif M.may_wait[name] then
    return block_of(...)
  end
end

return M
