--- HTTP servers for WSAPI-shaped handlers.
--
-- A handler is `function(env) return status, headers, body end`. Connections
-- between requests hold no green thread; workers, which are green threads, take
-- requests as they are complete, so a handler may wait as it likes.
-- @module green.wsgi

local addr = require "green.socket.addr"
local args = require "green.args"
local class = require "green.args.class"
local env_module = require "green.wsgi.env"
local errors = require "green.error"
local net_listen = require "green.net.listen"
local mistakes = require "green.wsgi.mistakes"
local secure = require "green.net.secure"
local server_module = require "green.wsgi.server"
local stream_socket = require "green.socket.stream"
local unheard = require "green.error.unheard"

require "green" -- sets the library up for whoever requires this module alone

local M = {}

local WANTED = {
  ["wsgi.server"] = "no listener but nil: use assert(green.listen(...))",
  ["wsgi.new"] = "no listener and no address but nil: use assert(green.listen(...))",
}

--- green.listen takes host and port apart; here the second is the application.
local function is_port(app, where, opts)
  return type(where) == "string" and tonumber(app) ~= nil
    and (type(opts) == "function" or not where:find(":%d+$"))
end

local function check_arguments(where, app, opts, name)
  if where == nil and WANTED[name] then
    args.misuse("%s: %s", name, WANTED[name])
  elseif is_port(app, where, opts) then
    args.misuse('%s: the address is one string, "127.0.0.1:8080", and then comes the application',
      name)
  end
end

--- The listener, or one at that address; nil, err.
local function listen(where, opts, name, argument)
  if class.is(where, stream_socket.mt) then
    if not where:fileno() then
      return nil, errors.new("ECLOSED", "serve")
    end
    return where
  end
  local kind = type(where)
  if kind ~= "string" and kind ~= "number" and not addr.is_address(where) then
    args.wrong(name, argument, "what green.listen gave, or an address", where)
  end
  return net_listen.listen_for(name .. ": listen", where,
    type(opts) == "table" and opts.listen or nil)
end

local function make(where, app, opts, name, argument)
  check_arguments(where, app, opts, name)
  where, opts = secure.plain(where, opts, name)
  mistakes.install()
  local plan, err = server_module.plan(app, opts, name) -- before anybody can connect
  if not plan then
    return nil, err
  end
  local listener
  listener, err = listen(where, opts, name, argument)
  if not listener then
    return nil, err
  end
  local ok, server
  ok, server, err = pcall(server_module.new, listener, plan)
  if not (ok and server) and listener ~= where then
    listener:close()
  end
  if not ok then
    error(server, 0)
  end
  return server, err
end

--- A server that has not started: see green.wsgi.server for its methods. Parks
-- only to look up a name.
-- @param listener what green.listen returned, which is the server's from here on, or
-- an address for it
-- @param app a handler; a table with `run`; the name of a module or a file that
-- gives one
-- @tparam[opt] table opts see docs/modules/wsgi.md
-- @return the server; or nil, err as green.listen, or when a log's path cannot be
-- opened: ENOENT, EACCES, ...
function M.new(listener, app, opts)
  return make(listener, app, opts, "wsgi.new", "listener")
end

--- Serve HTTP on a listening socket until it is closed or the calling thread is
-- killed. Parks.
-- @param listener what green.listen returned
-- @param app as for new
-- @tparam[opt] table opts as for new
-- @return true; or nil, err: ECLOSED, or for a log as new
function M.server(listener, app, opts)
  local server, err = make(listener, app, opts, "wsgi.server", "listener")
  if not server then
    return nil, unheard.keep(err)
  end
  return server:serve_forever()
end

--- Listen at an address and serve. Parks.
-- @return true; or nil, err as new
function M.serve(address, app, opts)
  local server, err = make(address, app, opts, "wsgi.serve", "address")
  if not server then
    return nil, unheard.keep(err)
  end
  return server:serve_forever()
end

--- Take the connection of a request over, before anything of its answer has left:
-- what follows is between the handler and the client, and what the handler returns
-- means nothing to the server. Parks only while answers to earlier requests of a
-- client that does not read are still to be sent.
-- @param env of a request in hand; also as `env.take_over()`
-- @return a stream (green.socket; green.tls if the server speaks TLS) with what the client
-- has sent beyond the head; the handler closes it. nil, err: ECLOSED (the request is
-- over, or was taken over), EBUSY (a part of the answer has left), ETIMEDOUT, EPIPE, ...
function M.take_over(env)
  args.type(env, "table", "take_over", "env")
  local server = env["green.server"]
  if not server then
    return nil, errors.new("ECLOSED", "take over")
  end
  return server:take_over(env)
end

--- Read every key that an env can have, so that it can be walked over, or kept
-- when the request is over. Does not park.
-- @return the env
M.fill = env_module.fill_all

return M
