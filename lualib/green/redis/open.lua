--- How a connection to a server comes to be: the stream, TLS, who we are, which database.
-- Private to green.redis.
-- @module green.redis.open

local command = require "green.redis.command"
local connecting = require "green.net.connect"
local core = require "green.core"
local errors = require "green.error"
local jitter = require "green.net.jitter"
local streams = require "green.stream"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local concat, error, find, min, tostring, type, unpack, xpcall = table.concat, error, string.find,
  math.min, tostring, type, unpack, xpcall

local now_of, left = core.now, thread.left
local encode = command.encode

local M = {}

-- -- Streams ------------------------------------------------------------------

--- A stream that somebody else opens. nil, err. Parks if that does.
local function open_by(settings)
  local stream, err = settings.open()
  if not stream then
    return nil, errors.is_error(err) and err or errors.new("ECONNREFUSED", "redis.connect",
      err ~= nil and tostring(err) or nil)
  elseif not streams.is_stream(stream) then
    return nil, errors.new("EINVAL", "redis.connect", "open has not returned a stream")
  end
  return stream
end

--- A connected stream, without TLS. nil, err. Parks.
local function connect(settings, deadline)
  if settings.open then
    return open_by(settings)
  elseif settings.unix then
    return connecting.reach("unix:" .. settings.unix, nil, { deadline = deadline })
  end
  return connecting.reach(settings.host, settings.port, { deadline = deadline })
end

--- The stream that commands go through. nil, err. Parks.
local function reach(settings, deadline)
  local stream, err = connect(settings, deadline)
  if not stream or not settings.shake then
    return stream, err
  elseif type(stream._fill) ~= "function" then
    stream:close()
    return nil, errors.new("EINVAL", "redis.connect",
      "tls is over streams of green's, and open has returned another")
  end
  local conn
  conn, err = settings.shake(stream, left(deadline))
  if not conn then
    stream:close()
  end
  return conn, err
end

-- -- What is said first -------------------------------------------------------

local function hello(settings)
  local words = { "HELLO", 3 }
  if settings.password then
    words[3], words[4], words[5] = "AUTH", settings.username or "default", settings.password
  end
  if settings.name then
    words[#words + 1], words[#words + 2] = "SETNAME", settings.name
  end
  return encode("redis.connect", unpack(words))
end

--- Does the answer to HELLO mean that the server does not know it?
local function is_old(err)
  return err.kind == "ERR" or err.kind == "NOPROTO"
end

--- The commands of an older protocol that do what HELLO does, but for the database.
local function introduce(settings, list)
  if settings.password and settings.username then
    list[#list + 1] = encode("redis.connect", "AUTH", settings.username, settings.password)
  elseif settings.password then
    list[#list + 1] = encode("redis.connect", "AUTH", settings.password)
  end
  if settings.name then
    list[#list + 1] = encode("redis.connect", "CLIENT", "SETNAME", settings.name)
  end
end

--- Say who we are. true; nil, err. Parks.
local function greet(conn, settings, deadline)
  local list = {}
  conn.protocol = 2
  if settings.protocol == 3 then
    local reply, err = conn:ask(hello(settings), deadline, "HELLO")
    if reply then
      conn.protocol = 3
    elseif not is_old(err or {}) then
      if err and err.kind then
        err.op = "redis.connect"
      end
      return nil, err
    end
  end
  if conn.protocol == 2 then
    introduce(settings, list)
  end
  if settings.db ~= 0 then
    list[#list + 1] = encode("redis.connect", "SELECT", settings.db)
  end
  if #list == 0 then
    return true
  end
  local replies, err = conn:ask_all(concat(list), #list, deadline, "AUTH, SELECT")
  for i = 1, replies and #replies or 0 do
    if errors.is_error(replies[i]) then
      replies[i].op = "redis.connect"
      return nil, replies[i]
    end
  end
  return replies and true, err
end

--- Open it once. true; nil, err. Parks.
local function try(conn, settings, deadline)
  local stream, err = reach(settings, deadline)
  if not stream then
    return nil, err
  end
  conn:attach(stream)
  local ok
  ok, err = greet(conn, settings, deadline)
  if ok then
    conn.used = 0
    return true
  end
  if err then
    err.sent = nil
  end
  return nil, err
end

local function protected(conn, settings, deadline)
  local ok, done, err = xpcall(try, thread.note_traceback, conn, settings, deadline)
  if not (ok and done) then
    conn:close()
  end
  if not ok then
    error(done, 0)
  end
  return done, err
end

-- -- Again and again ----------------------------------------------------------

-- Another attempt would fail as this did.
local final = {}
for code in ([[EINVAL ENOLIBRARY ECERTEXPIRED ECERTHOST ECERTUNKNOWN ECERTREVOKED
  ECERTINVALID EKEYINVALID ECERTPIN ETLSVERSION EPROTO ETOOBIG ECLOSED EACCES]]):gmatch "%S+" do
  final[code] = true
end

local function is_final(err)
  if err.code == "EREDIS" then
    return err.kind ~= "LOADING" and not find(err.message, "max number of clients", 1, true)
  end
  return final[err.code] or false
end

--- Note that an attempt has failed: none begins before `not_before`.
function M.note_failure(state, settings, err)
  local pause = min(settings.backoff * 2 ^ min(state.failures, 30), settings.max_backoff)
  state.failures = state.failures + 1
  state.last_error = err
  state.not_before = now_of() + pause * (1 - jitter.fraction() / 2)
end

--- Wait until the next attempt may begin. false: that is too late. Parks.
local function wait_turn(state, deadline)
  local pause = state.not_before - now_of()
  if pause <= 0 then
    return true
  elseif deadline and now_of() + pause >= deadline then
    return false
  end
  thread.sleep(pause)
  return true
end

local function too_late(state)
  local last = state.last_error
  return nil, errors.new(last and last.code or "ETIMEDOUT", "redis.connect",
    last and last.message)
end

--- Open a connection, in as many attempts as settings say, which begin the later the more have
-- failed. true; nil, err. Parks.
-- @tparam table state of the client: `failures` in a row, `not_before`, `last_error`, `closed`
function M.open(conn, settings, state, deadline)
  local ok, err
  for _ = 1, settings.tries do
    if not wait_turn(state, deadline) then
      return too_late(state)
    elseif state.closed then
      return nil, errors.new("ECLOSED", "redis.connect", "the client was closed")
    end
    local due = settings.connect_timeout and now_of() + settings.connect_timeout or deadline
    ok, err = protected(conn, settings, deadline and min(due, deadline) or due)
    if ok then
      state.failures, state.not_before, state.last_error = 0, 0, nil
      state.connects = state.connects + 1
      return true
    end
    if is_final(err) then
      return nil, err
    end
    M.note_failure(state, settings, err)
  end
  return nil, err
end

return M
