--- A client of Redis: RESP2 and RESP3, over TCP, UNIX sockets, TLS or any stream.
--
-- A client may be used by any number of green threads: a command has a connection for
-- itself, and who finds none free waits in line. Failures are nil, err; null is nil alone, and
-- redis.null inside of lists and maps.
-- @module green.redis

local client = require "green.redis.client"
local conns = require "green.redis.conn"
local options = require "green.redis.options"
local supply = require "green.redis.supply"
local core = require "green.core"

local M = {
  --- What stands for null inside of lists, maps and the results of pipelines.
  null = conns.null,
}

--- A client that connects when it is first used. Parks only where `tls` has a function for a key's
-- password.
-- @tparam[opt] string|table target "redis://user:password@host:6379/db", "rediss://..." for TLS,
-- "unix:///path?db=1"; or a table of options
-- @tparam[opt] table opts `host` ("127.0.0.1"), `port` (6379), `unix` path, or `open`, a function
-- that returns a connected stream; `tls` true, options of green.tls.client or a context;
-- `username`, `password`, `db`, `name` of each connection; `protocol` 3 (2 where the server has no
-- other) or 2; `connect_timeout` (5) and `timeout` of a command (5; false: none) in seconds;
-- `max_size` connections (10), `max_blocking` further ones for commands that wait in the server
-- (100), `max_waiting` threads in line (1000); `idle_timeout` seconds after which a connection is
-- not used again (300); `tries` to connect (3), `backoff` (0.05) and `max_backoff` (2) seconds
-- between them; `max_bulk` (512 MB), `max_elements` (2^24), `max_reply` (1 GB) of what is received
-- @treturn green.redis or nil, err: EINVAL, the URL is none; what green.tls.context gives
function M.client(target, opts)
  local settings, err = options.read(target, opts, "redis.client")
  if not settings then
    return nil, err
  end
  return client.new(settings)
end

local function open(conn, state, deadline)
  local ok, err = supply.ready(conn, state, deadline)
  return ok, not ok and err or nil
end

--- The same, with a connection that works. Parks.
-- @tparam[opt] string|table target as redis.client
-- @tparam[opt] table opts as redis.client
-- @treturn green.redis or nil, err: EINVAL; what green.connect and green.tls.client give; EREDIS:
-- the server refuses us (`err.kind` "WRONGPASS", "NOAUTH", ...)
function M.connect(target, opts)
  local settings, err = options.read(target, opts, "redis.connect")
  if not settings then
    return nil, err
  end
  local self = client.new(settings)
  local deadline = settings.timeout and core.now() + settings.timeout or nil
  local ok
  ok, err = supply.use(self._state, self._state.pool, deadline, "redis.connect", open)
  if not ok then
    self:close()
    return nil, err
  end
  return self
end

return M
