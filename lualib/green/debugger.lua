--- A debugger for editors: speaks the Debug Adapter Protocol. While the program stands at a
-- breakpoint nothing of it runs.
--
-- `greenlua --debug script.lua` is the usual way to it.
-- @module green.debugger

local core = require "green.core"
local args = require "green.args"
local digest = require "green.digest"
local ending = require "green.ending"
local errors = require "green.error"
local net = require "green.server"
local options = require "green.args.options"
local output = require "green.patch.stdio.output"
local sessions = require "green.debugger.session"
local stops = require "green.debugger.stops"
local wire = require "green.debugger.wire"

local ffi = require "ffi"
local halt = require "green.ffi.halt"

local format = string.format
local io, require, type = io, require, type

local OP = "debugger"

local M = {}

local session -- the one of this program, or nil

-- -- Wires --------------------------------------------------------------------

--- Standard input and output; what the script prints goes to the client as events.
local function on_stdio()
  local fds = ffi.new "int[2]"
  local status = halt.take_stdio(fds)
  if status < 0 then
    return nil, errors.new(status, OP)
  end
  return wire.new(fds[0], fds[1])
end

--- The first client that connects and speaks the protocol. Parks until it is there.
local function on_listener(listener)
  local conn, err = listener:accept()
  listener:close()
  if not conn then
    return nil, err
  end
  local fd
  fd, err = conn:detach()
  if not fd then
    return nil, err
  end
  return wire.new(fd, fd)
end

local function tell_place(place)
  io.stderr:write("greenlua: debugger: waits at ", place, "\n")
end

local function listen_at_path(path)
  local listener, err = net.listen("unix:" .. path, { mode = 384 }) -- 0600
  if listener then
    tell_place(path)
  end
  return listener, err
end

local function listen_at_port(opts)
  local listener, err = net.listen("127.0.0.1", opts.port)
  if listener then
    local _, port = listener:sockname()
    tell_place(format("127.0.0.1:%d, secret %s", port, opts.secret))
  end
  return listener, err
end

local function wire_of(opts)
  if opts.stdio then
    return on_stdio()
  end
  local listener, err
  if opts.path then
    listener, err = listen_at_path(opts.path)
  else
    listener, err = listen_at_port(opts)
  end
  if not listener then
    return nil, err
  end
  return on_listener(listener)
end

-- -- The public side ----------------------------------------------------------

local known = { stdio = true, path = true, port = true, secret = true }

local function check(opts)
  opts = options.check(opts, known, "debugger.start")
  args.optional(opts.stdio, "boolean", "debugger.start", "stdio")
  args.optional(opts.path, "string", "debugger.start", "path")
  args.optional(opts.secret, "string", "debugger.start", "secret")
  if opts.port ~= nil then
    args.count(opts.port, 0, "debugger.start", "port")
  end
  if (opts.stdio and 1 or 0) + (opts.path and 1 or 0) + (opts.port and 1 or 0) > 1 then
    args.misuse("debugger.start: stdio, path and port: one of them")
  elseif opts.secret and not opts.port then
    args.wrong("debugger.start", "secret", "nil where there is no port", opts.secret)
  end
  return { stdio = not opts.path and not opts.port, path = opts.path, port = opts.port,
    secret = opts.port and (opts.secret or digest.hex(digest.random(16))) }
end

--- What the program prints goes to the client; what a child of a fork does, to standard output.
-- Of what goes to standard error the client is told, too: few show what is there.
local function divert_output(made)
  made.on_detach = function()
    output.divert_all(nil)
    output.listen(nil)
  end
  output.listen(function(text)
    if made:is_mine() then
      made:output(text, "stderr")
    end
  end)
  output.divert_all(function(text)
    if made:is_mine() then
      return made:output(text, "stdout")
    end
    made:detach()
    io.stdout:write(text)
  end)
end

--- Wait for a client, and until it has set its breakpoints; from there on they stop the
-- program. One client at a time, and one at all by stdio. Parks, then stops the loop.
-- @tparam[opt] table opts
--
-- - `stdio`: the client is at standard input and output (true without the others)
-- - `path`: of a UNIX socket to listen at, which a line on standard error tells
-- - `port`: of 127.0.0.1, 0: any; a line on standard error says which, and the secret
-- - `secret` (32 random digits): what the client's launch or attach request must have as
-- `secret`, at a port
-- @return true; or nil, err: EALREADY: there is one; ENOENT: cjson is not installed; EPROTO: the
-- client speaks another protocol, or has gone; EACCES: it has not the secret; those of
-- green.listen
function M.start(opts)
  opts = check(opts)
  core.waiter() -- raises in a finalizer: at the end of a state cjson would go before its objects
  require "green" -- its print, its coroutines
  if session and not session.is_over then
    return nil, errors.new("EALREADY", OP)
  end
  local found, err = wire_of(opts)
  if not found then
    return nil, type(err) == "string" and errors.new("ENOENT", OP, err) or err
  end
  local made = sessions.new(found, opts.secret, digest.equal)
  if not made:configure() then
    return nil, errors.new(made.is_refused and "EACCES" or "EPROTO", OP,
      made.why or made.is_refused and "wrong secret" or "the client has gone")
  end
  session = made
  if opts.stdio then
    divert_output(made)
  end
  ending.at_exit(function() made:finish() end)
  made:start()
  return true
end

--- Stop at the next line of this green thread, as at a breakpoint, if a client is there. Does not
-- park.
function M.stop_here()
  if session and not session.is_over then
    stops.go("in", core.current(), "pause")
  end
end

return M
