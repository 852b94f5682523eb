--- green.listen: a socket that listens at an address.
-- @module green.net.listen

local core = require "green.core"
local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local place = require "green.net.place"
local resolve = require "green.socket.resolve"
local secure = require "green.net.secure"
local socket = require "green.socket"

local ffi = require "ffi"
local files = require "green.ffi.file"

local SOCKET = ffi.C.GREEN_FILE_SOCKET
local EADDRINUSE = core.codes.EADDRINUSE

--- A socket's file whose listener is gone? Whatever else has that name stays.
local function is_stale(path)
  if files.kind(path) ~= SOCKET then
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
  files.unlink(path)
  return listener:bind(target)
end

local MOST_MODE = tonumber("7777", 8)

local function check_mode(mode, where)
  if mode ~= nil and not (type(mode) == "number" and mode >= 0 and mode <= MOST_MODE
    and mode % 1 == 0) then
    args.wrong(where, "mode", 'a number such as tonumber("660", 8)', mode)
  end
end

local function check_options(opts, where)
  check_mode(opts.mode, where)
  place.check_family(opts.family, where)
  args.optional(opts.reuse_addr, "boolean", where, "reuse_addr")
  args.optional(opts.reuse_port, "boolean", where, "reuse_port")
  if opts.backlog ~= nil then
    args.integer(opts.backlog, 0, where, "backlog", 2 ^ 31 - 1)
  end
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
  local code = path and files.chmod(path, opts.mode) or 0
  if code < 0 then
    return nil, errors.new(code, "chmod")
  end
  return listener:listen(opts.backlog)
end

--- Where to listen: a green_addr. Parks for names.
local function find(target, port, opts, where)
  local spot, err = addr.read(target, port, where)
  if not spot or spot.raw then
    return spot and spot.raw, err
  end
  local list
  list, err = resolve.lookup(spot.host, spot.service, { family = opts.family, passive = true })
  return list and list[1], err
end

local listen_options =
  { backlog = true, reuse_port = true, reuse_addr = true, family = true, mode = true }

--- As listen, for a function of that name whose arguments these are.
local function listen_for(where, target, port, opts)
  port, opts = place.arguments(port, opts, listen_options, where)
  check_options(opts, where)
  local raw, err = find(target, port, opts, where)
  local what = "listen " .. addr.text(target, port) -- find has raised what no address is
  if not raw then
    return place.named(err, what)
  end
  local listener
  listener, err = place.socket(raw)
  if not listener then
    return place.named(err, what)
  end
  local ok
  ok, err = prepare(listener, raw, opts)
  if not ok then
    listener:close()
    return place.named(err, what)
  end
  return listener
end

local with_tls = { tls = true }
for name in pairs(listen_options) do
  with_tls[name] = true
end

--- listen(target[, port][, opts]): a listening socket. A port alone means every
-- IPv4 address of the machine (`family = "inet6"`: every address). The path of a
-- UNIX socket that nobody listens on any more is replaced. Parks only to look up
-- a name.
-- @param target see green.socket.addr
-- @param[opt] port 0: a free one, `sockname` tells
-- @tparam[opt] table opts `backlog` (1024), `reuse_addr` (true), `reuse_port`
-- (false: a second listener on the port is refused), `family`, and for UNIX paths
-- `mode`, the file's permissions; `tls`: options of green.tls.handler, and accept gives
-- TLS connections, which do their handshake when they are first used
-- @return the listener; or nil, err: EADDRINUSE, EACCES, EADDRNOTAVAIL, EINVAL,
-- EAI_*; with tls as green.tls.context
local function listen(target, port, opts)
  port, opts = place.arguments(port, opts, with_tls, "listen", secure.hint)
  local own, serving, err = secure.split(opts, "listen")
  if serving == false then
    return nil, err
  end
  local listener
  listener, err = listen_for("listen", target, port, own)
  if listener and serving then
    listener = secure.listener(listener, serving)
  end
  return listener, err
end

return { listen = listen, listen_for = listen_for }
