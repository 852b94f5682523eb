--- How a connection comes to be: the socket, the proxy's part, TLS. Private to green.http.
--
-- One deadline holds for all of it. What the options say of TLS is looked at before anybody is
-- connected to.
-- @module green.http.open

local around = require "green.http.around"
local addr = require "green.socket.addr"
local core = require "green.core"
local connecting = require "green.net.connect"
local failure = require "green.http.failure"
local pool = require "green.http.pool"
local public = require "green.http.public"
local thread = require "green.thread"
local tunnel = require "green.http.tunnel"

-- Scripts may put their own in their places.
local error, min, xpcall = error, math.min, xpcall
local left = thread.left_for_step

local M = {}

-- -- Sockets ------------------------------------------------------------------

--- Which step a failed connect came to.
local function phase_of(err, times)
  return (times.found and not err.code:find("^EAI_")) and "connect" or "resolve"
end

--- Whether an address may be connected to is asked just before the connect to it, so it is
-- the one that is connected to, whatever the name means by then.
local function allow_of(settings)
  local allow = settings.allow
  return allow and function(raw)
    return public.check(allow, addr.of(raw))
  end or nil
end

--- A connected socket; nil, err, and the phase. Parks.
local function reach(req, host, port, deadline, times, allow)
  local stream, err
  if req.settings.unix then
    host, port = "unix:" .. req.settings.unix, nil
  end
  stream, err = connecting.reach(host, port, { deadline = deadline, times = times,
    allow = allow, resolver = req.settings.resolver or nil })
  if not stream then
    return nil, err, phase_of(err, times)
  end
  times.connected = core.now()
  return stream
end

--- A stream to the host of the request. nil, err. Parks.
local function reach_host(req, deadline, times)
  local target = req.target
  local stream, err, phase = reach(req, target.host, target.port, deadline, times,
    not req.settings.unix and allow_of(req.settings) or nil)
  if not stream then
    return failure.of(err, req, phase)
  end
  return stream
end

--- What came of a handshake over a stream, which is closed where that failed.
local function shaken(stream, client, err)
  if not client then
    stream:close()
  end
  return client, err
end

-- -- Proxies ------------------------------------------------------------------

--- nil, err. Parks.
local function reach_proxy(req, deadline, times)
  local proxy = req.proxy
  local shake, stream, err
  if proxy.scheme == "https" then
    shake, err = require("green.tls.endpoint").planned({ host = proxy.host }, "http: proxy")
    if not shake then
      return nil, err
    end
  end
  stream, err = reach(req, proxy.host, proxy.port, deadline, times)
  if stream and shake then
    return shaken(stream, shake(stream, left(deadline)))
  end
  return stream, err
end

--- Let the proxy of a stream connect to the host. What it has answered; nil, err. Parks.
local function ask_proxy(req, stream, deadline, asked)
  local proxy, target = req.proxy, req.target
  if proxy.scheme == "socks5" then
    return require("green.http.socks").open(stream, target.host, target.port, {
      user = proxy.user, password = proxy.password, timeout = left(deadline) })
  end
  return tunnel.open(stream, target.host, target.port, {
    headers = around.tunnel_headers(proxy, asked), timeout = left(deadline) })
end

--- The same, over a stream of its own, which is closed where that failed. nil, err, and
-- whether it may be asked again.
local function tunnel_once(req, deadline, times, asked)
  local stream, err = reach_proxy(req, deadline, times)
  if not stream or req.form then
    return stream, err
  end
  local ok, done
  ok, done, err = xpcall(ask_proxy, thread.note_traceback, req, stream, deadline, asked)
  if not (ok and done) then
    stream:close()
  end
  if not ok then
    error(done, 0)
  end
  local again = asked and around.is_tunnel_challenged(req.proxy, asked, done or err)
  return done and stream, err, again
end

--- A stream that leads to the host, or for plain HTTP to a proxy of HTTP. nil, err. Parks.
local function reach_by_proxy(req, deadline, times)
  local proxy, target = req.proxy, req.target
  local asked = proxy.scheme ~= "socks5" and not req.form and around.tunnel_asked(proxy,
    tunnel.target(target.host, target.port), req.url) or nil
  local stream, err, again
  repeat
    stream, err, again = tunnel_once(req, deadline, times, asked)
  until not again
  if not stream then
    return failure.of(err, req, "proxy")
  end
  return stream
end

-- -- All of it ----------------------------------------------------------------

--- The handshake that the request's options ask for; false: none. nil, err. Parks only if
-- the function of a key's password does.
local function planned(session, req)
  if req.target.scheme ~= "https" then
    return false
  end
  local shake, err = session._tls:planned(req)
  if not shake then
    return failure.of(err, req, "tls")
  end
  return shake
end

local function connect(session, conn, req, deadline)
  local shake, stream, err
  shake, err = planned(session, req)
  if shake == nil then
    return nil, err
  end
  local times = { found = false, connected = false }
  local by_proxy = req.proxy and not req.settings.unix
  stream, err = (by_proxy and reach_by_proxy or reach_host)(req, deadline, times)
  if stream and shake then
    stream, err = shaken(stream, shake(stream, left(deadline)))
    if not stream then
      return failure.of(err, req, "tls")
    end
  end
  if not stream then
    return nil, err
  end
  conn.times = times
  conn:open(stream)
  return true
end

--- Open a connection of the pool's. When that fails its place is free again. Parks.
-- @return true; or nil, err
function M.open(session, conn, req, due)
  local seconds = req.settings.connect
  local deadline = seconds and core.now() + seconds or nil -- false: no limit
  if due then
    deadline = deadline and min(deadline, due) or due
  end
  local ok, done, err = xpcall(connect, thread.note_traceback, session, conn, req, deadline)
  if not (ok and done) then
    pool.drop(conn)
  end
  if not ok then
    error(done, 0)
  end
  return done, err
end

return M
