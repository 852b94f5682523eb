--- ZeroMQ: sockets that carry whole messages, for green threads.
--
-- libzmq 4.2 or later is opened when this module is required; where it is absent that fails, and
-- the message names Debian's package. Failures of calls are nil, err.
-- @module green.zmq

local auth = require "green.zmq.auth"
local certificates = require "green.zmq.certificate"
local contexts = require "green.zmq.context"
local keys = require "green.zmq.key"
local poller = require "green.zmq.poller"
local proxies = require "green.zmq.proxy"
local sockets = require "green.zmq.socket"
local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"

local ffi = require "ffi"
local api = require "green.ffi.zmq_ctx"

if api.load() ~= 0 then
  error(ffi.string(api.why()), 0)
end

local M = {}
for name, number in pairs(sockets.types) do
  M[name] = number
end
M.curve_keypair, M.curve_public = keys.curve_keypair, keys.curve_public
M.z85_encode, M.z85_decode = keys.z85_encode, keys.z85_decode
M.load_certificate = certificates.load_certificate
M.load_certificates = certificates.load_certificates
M.create_certificates = certificates.create_certificates

M.Poller = poller.Poller
M.proxy, M.proxy_steerable = proxies.proxy, proxies.proxy_steerable

--- For configure_curve of authenticators: all keys.
M.CURVE_ALLOW_ANY = auth.ANY

local default, made_in -- and the process it is of

--- A context: the threads that do the I/O. Without options the process's, which all runtimes of
-- the process share. Does not park.
-- @tparam[opt] table opts one of its own, with `io_threads` (1), `max_sockets` (1023), `max_msgsz`,
-- `ipv6` (false); `ending`: seconds that its end waits for messages (1)
-- @return the context (green.zmq.context); or nil, err: ENOMEM, EINVAL
function M.Context(opts)
  if opts ~= nil then
    return contexts.new(opts)
  end
  local err
  if not default or default.closed or made_in ~= core.getpid() then
    default, err = contexts.new()
    made_in = core.getpid()
  end
  return default, err
end

--- A socket of the process's context. As a context's method. Does not park.
-- @param kind zmq.REQ, or "REQ"
-- @tparam[opt] table opts
-- @return the socket (green.zmq.socket); or nil, err
function M.socket(kind, opts)
  local context, err = M.Context()
  if not context then
    return nil, err
  end
  return context:socket(kind, opts)
end

--- An authenticator for the sockets of a context, at work: see docs/modules/zmq_auth.md. Make it
-- before they are bound. Does not park.
-- @tparam[opt] green.zmq.context context the process's, if nothing is said
-- @tparam[opt] table opts `timeout`: seconds for a decision (5), `most`: decisions that may be
-- under way at the same time (100), `log`: a function that is told each one
-- @return the authenticator (green.zmq.auth); or nil, err: EBUSY (the context has one), EADDRINUSE
-- (somebody else has), EMFILE, ETERM, ECLOSED
function M.auth(context, opts)
  if context == nil then
    local err
    context, err = M.Context()
    if not context then
      return nil, err
    end
  elseif not class.is(context, contexts.mt) then
    args.wrong("auth", "context", "a ZeroMQ context", context)
  end
  return auth.new(context, opts)
end

--- Is it one of these sockets? Does not park.
function M.is_socket(value)
  return class.is(value, sockets.mt)
end

--- libzmq's version. Does not park.
-- @treturn string "4.3.4"
-- @treturn number major
-- @treturn number minor
-- @treturn number patch
function M.version()
  local n = ffi.new("int32_t[3]")
  api.version(n)
  return ("%d.%d.%d"):format(n[0], n[1], n[2]), n[0], n[1], n[2]
end

--- Can libzmq do that? Does not park.
-- @tparam string capability "curve", "ipc", "pgm", "tipc", "norm", "gssapi", "draft"
-- @treturn boolean
function M.has(capability)
  args.type(capability, "string", "has", "capability")
  return api.has(capability) ~= 0
end

return M
