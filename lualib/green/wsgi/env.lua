--- The environment of a request: CGI keys, filled when they are first read.
--
-- A key that was never read costs nothing. Values are made from the request's
-- buffer, which is gone when the answer is complete: what a handler wants to
-- keep for later it must have read by then.
-- @module green.wsgi.env

local ffi = require "ffi"
local C = require "green.ffi.httpd"
local http1 = require "green.ffi.http1"
local addr = require "green.ffi.addr"
local new_input = require "green.wsgi.input"

local ffi_string = ffi.string
local find_cgi, join, unescape, cgi_key = http1.cgi, http1.join, http1.unescape, http1.cgi_key

local METHODS = {
  [1] = "GET", [2] = "HEAD", [3] = "POST", [4] = "PUT", [5] = "DELETE",
  [6] = "OPTIONS", [7] = "PATCH", [8] = "TRACE", [9] = "CONNECT",
}

local CONN = "green.conn" -- the key under which an env keeps its connection

local scratch, scratch_size = ffi.new("char[?]", 4096), 4096

local function scratch_for(n)
  if n > scratch_size then
    scratch, scratch_size = ffi.new("char[?]", n), n
  end
  return scratch
end

local fill = {} -- key -> function(conn, head, server, env)

function fill.REQUEST_METHOD(conn, head)
  return METHODS[head.method] or ffi_string(conn.text + head.method_off, head.method_len)
end

function fill.RAW_PATH_INFO(conn, head)
  return ffi_string(conn.text + head.path_off, head.path_len)
end

function fill.PATH_INFO(conn, head)
  local raw = conn.text + head.path_off
  if not head.path_escaped then
    return ffi_string(raw, head.path_len)
  end
  local out = scratch_for(head.path_len)
  return ffi_string(out, unescape(raw, head.path_len, out))
end

function fill.QUERY_STRING(conn, head)
  if head.has_query then
    return ffi_string(conn.text + head.query_off, head.query_len)
  end
end

function fill.REQUEST_URI(conn, head)
  return ffi_string(conn.text + head.target_off, head.target_len)
end

function fill.SERVER_PROTOCOL(_, head)
  return head.minor == 0 and "HTTP/1.0" or "HTTP/1.1"
end

function fill.SCRIPT_NAME()
  return ""
end

function fill.GATEWAY_INTERFACE()
  return "CGI/1.1"
end

function fill.SERVER_SOFTWARE(_, _, server)
  return server.software
end

function fill.SERVER_NAME(_, _, server)
  return server.name
end

function fill.SERVER_PORT(_, _, server)
  return server.port
end

local peer = ffi.new("green_addr")
local peer_text = ffi.new("char[160]")

--- Host and port of the peer as strings; "unix" and "" without one.
local function peer_of(conn)
  C.httpconn_peer(conn, peer)
  if peer.len == 0 then
    return "unix", ""
  end
  local n = addr.host(peer, peer_text, 160)
  return ffi_string(peer_text, math.max(n, 0)), tostring(addr.port(peer))
end

function fill.REMOTE_ADDR(conn, _, _, env)
  local host, port = peer_of(conn)
  env.REMOTE_PORT = port
  return host
end

function fill.REMOTE_PORT(conn, _, _, env)
  local host, port = peer_of(conn)
  env.REMOTE_ADDR = host
  return port
end

function fill.input(conn, _, server, env)
  return new_input(conn, env, server)
end

function fill.error(_, _, server)
  return server.errors
end

function fill.posthooks()
  return {}
end

--- Every header as it came: a list of { name, value }.
function fill.headers_raw(conn, head)
  local list, text = {}, conn.text
  for i = 0, head.nheaders - 1 do
    local h = head.headers[i]
    list[i + 1] = {
      ffi_string(text + h.name_off, h.name_len),
      ffi_string(text + h.value_off, h.value_len),
    }
  end
  return list
end

fill["wsgi.input"] = function(_, _, _, env) return env.input end
fill["wsgi.errors"] = fill.error
fill["wsgi.url_scheme"] = function(_, _, server) return server.scheme end
fill["wsgi.version"] = function() return { 1, 0 } end
fill["wsgi.multithread"] = function() return true end
fill["wsgi.multiprocess"] = function() return false end
fill["wsgi.run_once"] = function() return false end
fill["green.input"] = function(_, _, _, env) return env.input end
fill["green.posthooks"] = function(_, _, _, env) return env.posthooks end
fill["eventlet.input"] = fill["green.input"]
fill["eventlet.posthooks"] = fill["green.posthooks"]

--- HTTP_X_Y, CONTENT_TYPE and CONTENT_LENGTH: the header's value; a repeated
-- one's joined with ",".
local function header_value(conn, head, key)
  local i = find_cgi(head, conn.text, key, #key)
  if i < 0 then
    return nil
  end
  local h = head.headers[i]
  if http1.next(head, conn.text, i) < 0 then
    return ffi_string(conn.text + h.value_off, h.value_len)
  end
  local out = scratch_for(head.head_len)
  return ffi_string(out, join(head, conn.text, i, out, head.head_len))
end

local env_mt = { __name = "green.env" }

local function lookup(env, key)
  local conn = rawget(env, CONN)
  if not conn then
    return nil
  end
  local head = conn.head
  local filler = fill[key]
  if filler then
    return filler(conn, head, rawget(env, "green.server"), env)
  elseif type(key) == "string" then
    return header_value(conn, head, key)
  end
end

function env_mt.__index(env, key)
  local value = lookup(env, key)
  if value ~= nil then
    rawset(env, key, value)
  end
  return value
end

--- Read every key there is, for those who walk over an env with pairs.
-- @return the env
local function fill_all(env)
  local conn = rawget(env, CONN)
  if not conn then
    return env
  end
  for key in pairs(fill) do
    local _ = env[key]
  end
  local head = conn.head
  local out = scratch_for(65536)
  for i = 0, head.nheaders - 1 do
    local n = cgi_key(head, conn.text, i, out, 65536)
    if n > 0 then
      local _ = env[ffi_string(out, n)]
    end
  end
  return env
end

return { mt = env_mt, fill = fill, fill_all = fill_all, peer_of = peer_of, CONN = CONN }
