--- The environment of a request: CGI keys, made when they are first read.
--
-- A key that was never read costs nothing. Values come from the request's
-- buffer, which is gone when the answer is complete: what is wanted later must
-- have been read by then (`wsgi.fill(env)` reads all).
-- @module green.wsgi.env

local args = require "green.args"
local core = require "green.core"
local exchange = require "green.wsgi.exchange"
local show = require "green.args.show"
local new_input = require "green.wsgi.input"

-- Scripts may put their own in their places.
local rawget, rawset, type = rawget, rawset, type

local conn_is_open = core.conn_is_open

local CONN = "green.connection" -- where an env keeps its connection

local fill = {} -- key -> function(conn, env, server), for what C does not know

local function constant(value)
  return function()
    return value
  end
end

local function alias(key)
  return function(_, env)
    return env[key]
  end
end

local function of_server(field)
  return function(_, _, server)
    return server[field]
  end
end

fill.SCRIPT_NAME = constant ""
fill.GATEWAY_INTERFACE = constant "CGI/1.1"
fill.SERVER_SOFTWARE = of_server "software"
fill.SERVER_NAME = of_server "name"
fill.SERVER_PORT = of_server "env_port"
fill.error = of_server "errors"
fill.APP_PATH = function(_, _, server) return server.options.app_path end
-- What TLS tells; a server without it has none of these.
for _, key in ipairs { "HTTPS", "SSL_PROTOCOL", "SSL_CIPHER", "SSL_TLS_SNI",
  "SSL_SESSION_RESUMED", "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN",
  "SSL_CLIENT_M_SERIAL", "SSL_CLIENT_V_START", "SSL_CLIENT_V_END", "SSL_CLIENT_CERT" } do
  fill[key] = function(conn, _, server)
    return server.tls and server.tls.value(key, conn) or nil
  end
end
fill["green.server"] = function(_, _, server) return server end

function fill.REMOTE_ADDR(conn, env)
  local host, port = core.conn_peer(conn)
  rawset(env, "REMOTE_PORT", port)
  return host
end

function fill.REMOTE_PORT(conn, env)
  local host, port = core.conn_peer(conn)
  rawset(env, "REMOTE_ADDR", host)
  return port
end

--- All its names have the same one.
local function input_of(conn, env, server)
  local input = rawget(env, "green.input")
  if input == nil then
    input = new_input(conn, server)
    if server.options.wsapi then
      input.length = input.length or 0
    end
    rawset(env, "green.input", input)
  end
  return input
end

-- Functions about the request, for handlers that know nothing of this module.

function fill.take_over(_, env, server)
  return function()
    return server:take_over(env)
  end
end

fill["green.give"] = function(_, env, server)
  return function(guest_of)
    return server:_give(env, guest_of)
  end
end

fill["green.set_idle"] = function(_, env, server)
  return function()
    server:set_idle(env)
  end
end

fill["green.gone"] = function(conn, _, server) return server:_gone(conn) end

function fill.posthooks()
  return {}
end

--- Every header as it came: a list of { name, value }.
function fill.headers_raw(conn)
  return core.conn_headers_raw(conn)
end

for _, name in ipairs { "input", "green.input", "wsgi.input", "eventlet.input" } do
  fill[name] = input_of
end
fill["green.take_over"] = alias "take_over"
fill["eventlet.set_idle"] = alias "green.set_idle"
fill["green.posthooks"] = alias "posthooks"
fill["eventlet.posthooks"] = alias "posthooks"
fill["wsgi.errors"] = of_server "errors"
fill["wsgi.url_scheme"] = of_server "scheme"
fill["wsgi.version"] = function() return { 1, 0 } end
fill["wsgi.multithread"] = constant(true)
fill["wsgi.multiprocess"] = constant(false)
fill["wsgi.run_once"] = constant(false)

local is_object = {} -- keys of what is no text, number or boolean
for _, key in ipairs { "error", "green.server", "take_over", "green.give", "green.set_idle",
  "green.gone", "posthooks", "headers_raw", "input", "green.input", "wsgi.input",
  "eventlet.input", "green.take_over", "eventlet.set_idle", "green.posthooks",
  "eventlet.posthooks", "wsgi.errors", "wsgi.version" } do
  is_object[key] = true
end

--- What is read is kept in env.
local function read_all(env, but)
  local conn = rawget(env, CONN)
  if not (conn and core.conn_is_open(conn)) then
    return env
  end
  local read
  for key in pairs(fill) do
    read = not but[key] and env[key]
  end
  for _, key in ipairs(core.conn_keys(conn)) do
    read = env[key]
  end
  return env, read
end

--- Read every key there is, for who walks over an env with pairs or keeps it.
-- Does not park.
-- @return the env
local function fill_all(env)
  args.type(env, "table", "fill", "env")
  return read_all(env, {})
end

--- The same, but for what is no text, number or boolean.
local function fill_values(env)
  return (read_all(env, is_object))
end

--- For WSAPI applications: what is missing reads as "".
local function or_empty(index)
  return function(env, key)
    local value = index(env, key)
    if value == nil and type(key) == "string" then
      value = ""
      rawset(env, key, value)
    end
    return value
  end
end

local function is_open(server, conn)
  if server.rest == 0 then
    return exchange.is_open(server.exchange, conn)
  end
  return conn_is_open(conn)
end

--- The __index of a server's envs. Compiled code need not leave for it.
local function index_of(server)
  local index = core.httpd_env_index(CONN)
  return function(env, key)
    local make = fill[key]
    if not make and server.rest > 0 then
      return index(env, key)
    end
    local conn = rawget(env, CONN)
    local value
    if type(key) ~= "string" or type(conn) ~= "number" then
      return nil
    elseif make then
      if not is_open(server, conn) then
        return nil
      end
      value = make(conn, env, server)
    else
      local is_known
      is_known, value = exchange.text(server, conn, key)
      if not is_known then
        return index(env, key)
      end
    end
    if value == nil then
      return nil
    end
    rawset(env, key, value)
    return value
  end
end

--- The metatable for the envs of a server.
local function metatable(server)
  local index = index_of(server)
  local mt = { __name = "green.env", __index = server.options.wsapi and or_empty(index) or index }
  return show.kind(mt, function(env)
    local method, path = env.REQUEST_METHOD, env.RAW_PATH_INFO or env.PATH_INFO
    return method and method ~= "" and method .. " " .. tostring(path) or "over"
  end)
end

return { metatable = metatable, fill_all = fill_all, fill_values = fill_values, CONN = CONN }
