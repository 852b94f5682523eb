--- green.connect: a socket that is connected to an address, or to the first of a name's that
-- answers.
-- @module green.net.connect

local core = require "green.core"
local args = require "green.args"
local addr = require "green.socket.addr"
local errors = require "green.error"
local place = require "green.net.place"
local race = require "green.net.race"
local secure = require "green.net.secure"
local socket_connect = require "green.socket.connect"
local thread = require "green.thread"

local error, require, xpcall = error, require, xpcall -- scripts may put their own there

local ATTEMPT_DELAY = 0.25 -- seconds; what RFC 8305 recommends
local ATTEMPT_DELAY_LEAST = 0.01 -- and what it allows

local connect_options =
  { timeout = true, bind = true, family = true, tls = true, attempt_delay = true, resolver = true }

local function bind_local(conn, where)
  if type(where) == "string" and not where:find("^unix:") then
    local spot = addr.read(where, 0, "connect")
    if spot and spot.raw then
      return conn:bind(where, 0)
    end
  end
  return conn:bind(where)
end

-- -- One address --------------------------------------------------------------

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

local function to_address(raw, opts, deadline)
  local ok, conn, err = true, nil, nil
  if opts.allow then
    ok, err = opts.allow(raw)
  end
  if ok then
    conn, err = place.socket(raw)
  end
  if conn then
    local connected
    ok, connected, err = xpcall(attempt, thread.note_traceback, conn, raw, opts, deadline)
    if ok and connected then
      return conn
    end
    conn:close()
    if not ok then
      error(connected, 0)
    end
  end
  err.errors = { err }
  return nil, err
end

-- -- The addresses of a name --------------------------------------------------

--- The socket; or nil, err, and the address that it is of, if it is of one. Parks.
local function to_name(spot, opts, deadline)
  local named, whose = place.resolver(opts.resolver, "connect")
  local lookup, err = require("green.dns.apart").start(spot.host, spot.service,
    { family = opts.family, resolver = named, whose = whose })
  if not lookup then
    return nil, err
  end
  return race.connect(lookup, {
    deadline = deadline, delay = opts.attempt_delay or ATTEMPT_DELAY,
    bind = opts.bind and function(conn)
      return bind_local(conn, opts.bind)
    end,
    allow = opts.allow, times = opts.times,
  })
end

--- Where to: an address, or a name to be asked for. Parks.
local function connect_to(target, port, opts, deadline)
  local spot, err = addr.read(target, port, "connect")
  local conn, raw
  if spot and spot.raw then
    if opts.times then
      opts.times.found = core.now()
    end
    return to_address(spot.raw, opts, deadline)
  elseif spot then
    conn, err, raw = to_name(spot, opts, deadline)
  end
  if not conn and not raw then
    return place.named(err, "connect " .. addr.text(target, port))
  end
  return conn, err
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
  if opts.attempt_delay ~= nil then
    args.number(opts.attempt_delay, ATTEMPT_DELAY_LEAST, "connect", "attempt_delay")
  end
  place.check_family(opts.family, "connect")
  place.resolver(opts.resolver, "connect")
end

--- As connect, for a module that has checked the options. Parks.
-- @param target see green.socket.addr
-- @param port
-- @tparam table opts those of connect but `timeout` and `tls`; `deadline`; `allow` and `times`
-- as green.net.race
-- @return the connection; or nil, err
local function reach(target, port, opts)
  return connect_to(target, port, opts, opts.deadline)
end

--- What the option tls says, for the host that is asked for: looked at before anybody is
-- connected to. A function(conn, seconds) that does the handshake; or nil, err. Parks only if
-- the function of a password does.
local function handshake_of(target, port, opts)
  local endpoint = require "green.tls.endpoint"
  local own = {}
  for name, value in pairs(opts.tls == true and {} or endpoint.with_context(opts.tls)) do
    own[name] = value
  end
  if own.host == nil and own.verify ~= false then
    own.host = place.host(target, port)
  end
  return endpoint.planned(own, "connect: tls")
end

--- connect(target[, port][, opts]): a connected socket. The addresses of a name are tried
-- as RFC 8305 says ("happy eyeballs"): IPv6 and IPv4 in turn, the next one when an attempt has
-- failed or has not ended after `attempt_delay`; the first that answers is taken and the others
-- are closed. Parks.
-- @param target see green.socket.addr
-- @param[opt] port
-- @tparam[opt] table opts `timeout` in seconds for everything, `bind` our own
-- address ("192.0.2.1", or with a port), `family` "inet" or "inet6", `attempt_delay` in
-- seconds (0.25; 0.01 at least), `resolver` of green.dns.resolver, or "system" or "dns" as of
-- green.dns.getaddrinfo, `tls` true or options of green.tls.client, whose `host` is the
-- target's unless given
-- @return the connection; or nil, err: the code is that of the last address, or ETIMEDOUT
-- (`err.errors` has an error for each that was tried, `err.message` names them), ECONNREFUSED,
-- EHOSTUNREACH, ENOENT, ...; EAI_*; or of green.tls.client
local function connect(target, port, opts)
  port, opts = place.arguments(port, opts, connect_options, "connect", secure.hint)
  check(opts)
  local deadline = thread.deadline(opts.timeout)
  local shake, conn, err
  if opts.tls then
    shake, err = handshake_of(target, port, opts)
    if not shake then
      return nil, err
    end
  end
  conn, err = connect_to(target, port, opts, deadline)
  if conn and shake then
    return shake(conn, thread.left_for_step(deadline))
  end
  return conn, err
end

return { connect = connect, reach = reach }
