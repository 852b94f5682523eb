--- green.connect: a socket that is connected to an address; those of a name are tried in turn.
-- @module green.net.connect

local core = require "green.core"
local args = require "green.args"
local addr = require "green.socket.addr"
local errors = require "green.error"
local place = require "green.net.place"
local resolve = require "green.socket.resolve"
local socket_connect = require "green.socket.connect"
local thread = require "green.thread"

local connect_options = { timeout = true, bind = true, family = true, tls = true }

local function seconds_left(deadline)
  return deadline and math.max(0, deadline - core.now())
end

--- Where to connect to: a list of green_addr. Parks for names.
local function places(target, port, opts, deadline)
  local spot, err = addr.read(target, port, "connect")
  if not spot then
    return nil, err
  elseif spot.raw then
    return { spot.raw }
  end
  return resolve.lookup(spot.host, spot.service, {
    family = opts.family, timeout = seconds_left(deadline),
  })
end

local function bind_local(conn, where)
  if type(where) == "string" and not where:find("^unix:") then
    local spot = addr.read(where, 0, "connect")
    if spot and spot.raw then
      return conn:bind(where, 0)
    end
  end
  return conn:bind(where)
end

--- Connect a socket from where the options say. The socket; or nil, err. Parks.
local function attempt(conn, raw, opts, deadline)
  if opts.bind then
    local ok, err = bind_local(conn, opts.bind)
    if not ok then
      return nil, err
    end
  end
  local status = socket_connect.connect(conn, raw, deadline)
  if status < 0 then
    return nil, errors.new(status, "connect " .. addr.format(raw))
  end
  return conn
end

local function finish(conn, ok, connected, err)
  if not ok or not connected then
    conn:close()
  end
  if not ok then
    error(connected, 0)
  end
  return connected, err
end

local function try_each(list, opts, deadline)
  local failures = {}
  for i, raw in ipairs(list) do
    local conn, err = place.socket(raw)
    if conn then
      conn, err = finish(conn, xpcall(attempt, thread.note_traceback, conn, raw, opts, deadline))
    end
    if conn then
      return conn
    end
    failures[i] = err
    if deadline and core.now() >= deadline then
      break
    end
  end
  local last = failures[#failures]
  last.errors = failures
  return nil, last
end

local function check(opts)
  args.timeout(opts.timeout, "connect")
  if opts.bind ~= nil and type(opts.bind) ~= "string" and type(opts.bind) ~= "number"
    and not addr.is_address(opts.bind) then
    args.wrong("connect", "bind", "an address", opts.bind)
  end
  if opts.tls ~= nil and type(opts.tls) ~= "boolean" and type(opts.tls) ~= "table" then
    args.wrong("connect", "tls", "true or a table of options", opts.tls)
  end
  place.check_family(opts.family, "connect")
end

--- The same with TLS, for the host that was asked for. Parks.
local function secure(conn, target, port, opts, deadline)
  local endpoint = require "green.tls.endpoint"
  local own = { timeout = seconds_left(deadline) }
  for name, value in pairs(opts.tls == true and {} or endpoint.with_context(opts.tls)) do
    own[name] = value
  end
  if own.host == nil and own.verify ~= false then
    own.host = place.host(target, port)
  end
  return endpoint.client(conn, own, "connect: tls")
end

--- connect(target[, port][, opts]): a connected socket. All addresses of a name
-- are tried in turn. Parks.
-- @param target see green.socket.addr
-- @param[opt] port
-- @tparam[opt] table opts `timeout` in seconds for everything, `bind` our own
-- address ("192.0.2.1", or with a port), `family` "inet" or "inet6", `tls` true or
-- options of green.tls.client, whose `host` is the target's unless given
-- @return the connection; or nil, err: the last address's error (all stand in
-- `err.errors`), ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENOENT, ...; EAI_*; or of
-- green.tls.client
local function connect(target, port, opts)
  port, opts = place.arguments(port, opts, connect_options, "connect")
  check(opts)
  local deadline = thread.deadline(opts.timeout)
  local list, err = places(target, port, opts, deadline)
  if not list then
    return place.named(err, "connect " .. addr.text(target, port))
  end
  local conn
  conn, err = try_each(list, opts, deadline)
  if conn and opts.tls then
    return secure(conn, target, port, opts, deadline)
  end
  return conn, err
end

return { connect = connect }
