--- Listening, connecting, and serving each client in a green thread of its own.
-- @module green.server

local core = require "green.core"
local addr = require "green.addr"
local base = require "green.socket.base"
local errors = require "green.error"
local options = require "green.options"
local resolve = require "green.resolve"
local socket = require "green.socket"
local stream_socket = require "green.socket.stream"
local thread = require "green.thread"

local ffi = require "ffi"

ffi.cdef [[
int green_server_open(const char *path, int flags) __asm__("open");
int green_server_close(int fd) __asm__("close");
int green_server_unlink(const char *path) __asm__("unlink");
int green_server_chmod(const char *path, uint32_t mode) __asm__("chmod");
]]
local C = ffi.C

local STREAM = 1
local ENXIO = 6
local O_NONBLOCK_CLOEXEC = 0x80800
local EADDRINUSE = core.codes.EADDRINUSE
local BACKOFF_FIRST, BACKOFF_MOST = 0.01, 1

local M = {}

--- The two or three arguments of listen and connect: port may be left out.
local function arguments(port, opts, known, where)
  if type(port) == "table" then
    port, opts = nil, port
  end
  return port, options.check(opts, known, where, 3)
end

local function new_socket(raw)
  return base.open(addr.families[addr.of(raw).family], STREAM, stream_socket.mt, "socket")
end

-- -- Listening ----------------------------------------------------------------

--- A socket's file whose listener is gone? Opening a socket says ENXIO, whatever
-- else has that name stays.
local function is_stale(path)
  local fd = C.green_server_open(path, O_NONBLOCK_CLOEXEC)
  local errno = ffi.errno()
  if fd >= 0 then
    C.green_server_close(fd)
  end
  if fd >= 0 or errno ~= ENXIO then
    return false
  end
  local probe = socket.unix()
  local _, err = probe:connect(path, { timeout = 0 })
  probe:close()
  return err ~= nil and err:is("ECONNREFUSED")
end

local function bind(listener, raw)
  local target = addr.of(raw)
  local ok, err = listener:bind(target)
  local path = target.path
  if ok or err.number ~= EADDRINUSE or not path or path:byte() == 0 or not is_stale(path) then
    return ok, err
  end
  C.green_server_unlink(path)
  return listener:bind(target)
end

--- What stands between a new socket and a listener.
local function prepare(listener, raw, opts)
  for option, name in pairs({ reuse_addr = "SO_REUSEADDR", reuse_port = "SO_REUSEPORT" }) do
    if opts[option] ~= nil then
      local ok, err = listener:setoption(name, opts[option])
      if not ok then
        return nil, err
      end
    end
  end
  local ok, err = bind(listener, raw)
  if not ok then
    return nil, err
  end
  local path = opts.mode and addr.of(raw).path
  if path and C.green_server_chmod(path, opts.mode) < 0 then
    return nil, errors.new(-ffi.errno(), "chmod")
  end
  return listener:listen(opts.backlog)
end

--- Where to listen: a green_addr. Parks for names.
local function place(target, port, opts)
  local spot, err = addr.read(target, port, "listen")
  if not spot or spot.raw then
    return spot and spot.raw, err
  end
  local list
  list, err = resolve.lookup(spot.host, spot.service, { family = opts.family, passive = true })
  return list and list[1], err
end

local function named(err, what)
  err.op = what
  return nil, err
end

local listen_options =
  { backlog = true, reuse_port = true, reuse_addr = true, family = true, mode = true }

--- listen(target[, port][, opts]): a listening socket. A port alone means every
-- IPv4 address of the machine (`family = "inet6"`: every address). The path of a
-- UNIX socket that nobody listens on any more is replaced. Parks only to look up
-- a name.
-- @param target, port see green.addr; port 0: a free one, `sockname` tells
-- @tparam[opt] table opts `backlog` (1024), `reuse_addr` (true), `reuse_port`
-- (false: a second listener on the port is refused), `family`, and for UNIX paths
-- `mode`, the file's permissions
-- @return the listener; or nil, err: EADDRINUSE, EACCES, EADDRNOTAVAIL, EINVAL,
-- EAI_*
function M.listen(target, port, opts)
  port, opts = arguments(port, opts, listen_options, "listen")
  local what = "listen " .. addr.text(target, port)
  local raw, err = place(target, port, opts)
  if not raw then
    return named(err, what)
  end
  local listener
  listener, err = new_socket(raw)
  if not listener then
    return named(err, what)
  end
  local ok
  ok, err = prepare(listener, raw, opts)
  if not ok then
    listener:close()
    return named(err, what)
  end
  return listener
end

-- -- Connecting ---------------------------------------------------------------

local connect_options = { timeout = true, bind = true, family = true }

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

--- Connect a socket, or close it.
local function attempt(conn, raw, opts, deadline)
  local ok, err = true, nil
  if opts.bind then
    ok, err = bind_local(conn, opts.bind)
  end
  if ok then
    local status = base.connect(conn, raw, deadline)
    if status == 0 then
      return conn
    end
    err = errors.new(status, "connect " .. addr.format(raw))
  end
  conn:close()
  return nil, err
end

local function try_each(list, opts, deadline)
  local failures = {}
  for i, raw in ipairs(list) do
    local conn, err = new_socket(raw)
    if conn then
      conn, err = attempt(conn, raw, opts, deadline)
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

--- connect(target[, port][, opts]): a connected socket. All addresses of a name
-- are tried in turn. Parks.
-- @param target, port see green.addr
-- @tparam[opt] table opts `timeout` in seconds for everything, `bind` our own
-- address ("192.0.2.1", or with a port), `family` "inet" or "inet6"
-- @return the connection; or nil, err: the last address's error (all stand in
-- `err.errors`), ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENOENT, ...; or EAI_*
function M.connect(target, port, opts)
  port, opts = arguments(port, opts, connect_options, "connect")
  if opts.timeout ~= nil then
    options.number(opts.timeout, 0, "connect", "timeout")
  end
  local deadline = thread.deadline(opts.timeout)
  local list, err = places(target, port, opts, deadline)
  if not list then
    return named(err, "connect " .. addr.text(target, port))
  end
  return try_each(list, opts, deadline)
end

-- -- Serving ------------------------------------------------------------------

--- Raise this in a handler to end serve: `error(green.StopServe)`.
M.StopServe = setmetatable({}, {
  __name = "green.StopServe",
  __tostring = function()
    return "StopServe"
  end,
})

local shortages = { EMFILE = true, ENFILE = true, ENOBUFS = true, ENOMEM = true }

--- Serve one client. An error of the handler's ends this thread, which reports it.
local function serve_client(state, handler, conn, address)
  local ok, err = xpcall(handler, thread.note_traceback, conn, address)
  conn:close()
  state.running = state.running - 1
  if not ok and rawequal(err, M.StopServe) then
    state.stopped = true
    core.wake_thread(state.thread, core.codes.EINTR)
  elseif state.is_full then
    core.wake(state.room)
  end
  if not ok and not rawequal(err, M.StopServe) then
    error(err, 0)
  end
end

--- Wait until one of the clients has gone. Parks.
local function wait_for_room(state)
  state.is_full = true
  while state.running >= state.limit and not state.stopped do
    thread.stand(state.room)
  end
  state.is_full = false
end

--- Take the next client when there is room for one: the connection and its
-- address; or nil, err. Parks.
local function next_client(state, listener)
  if state.running >= state.limit then
    wait_for_room(state)
  end
  if not state.stopped then
    return listener:accept()
  end
end

--- Accept until there is a reason not to: true, or nil, err. Parks.
local function accept_all(state, listener, handler)
  local pause = BACKOFF_FIRST
  while true do
    local conn, address = next_client(state, listener)
    if state.stopped then
      if conn then
        conn:close()
      end
      return true
    elseif conn then
      pause = BACKOFF_FIRST
      state.running = state.running + 1
      thread.spawn_n(serve_client, state, handler, conn, address)
    elseif shortages[address.code] then
      thread.sleep(pause)
      pause = math.min(2 * pause, BACKOFF_MOST)
    elseif address:is("ECLOSED") then
      return true
    else
      return nil, address
    end
  end
end

local serve_options = { concurrency = true }

--- Call handler(conn, address) in a green thread for each client that connects.
-- The connection is closed when the handler returns or raises; an error is
-- reported (green.on_error) and ends nothing but its client. When the process is
-- out of descriptors, serve waits a little and goes on. Parks.
-- @param listener what green.listen gave, or anything with its `accept`
-- @tparam function handler
-- @tparam[opt] table opts `concurrency` how many clients at a time (1000); the
-- others wait in the listener's queue
-- @return true when the listener was closed or a handler raised green.StopServe
-- (clients that are being served go on); or nil, err
function M.serve(listener, handler, opts)
  opts = options.check(opts, serve_options, "serve")
  local limit = options.number(opts.concurrency or 1000, 1, "serve", "concurrency")
  local state = {
    thread = thread.current(),
    limit = limit,
    running = 0,
    is_full = false,
    stopped = false,
    room = core.waitq(),
  }
  return accept_all(state, listener, handler)
end

return M
