--- What a server's functions say to a client's hello: which context it gets, and which
-- protocol. The handshake waits meanwhile, and nobody else.
-- @module green.tls.choice

local args = require "green.args"
local contexts = require "green.tls.context"
local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"
local timeout = require "green.timeout"

local ffi = require "ffi"
local C = require "green.ffi.tls"

-- Scripts may put their own in their places.
local error, tonumber, type, xpcall = error, tonumber, type, xpcall

local G = ffi.C
local ECLOSED = core.codes.ECLOSED
local NO_NAME, NO_PROTOCOL = G.GREEN_TLS_NO_NAME, G.GREEN_TLS_NO_PROTOCOL

local SLOW = "timed out: the function 'choose' or 'alpn' took longer than a handshake may"

local out = ffi.new("green_tls_hello")

--- The protocols that the client has, the ones it prefers first.
local function protocols(p, n)
  local list, i = {}, 0
  while i < n and i + 1 + p[i] <= n do
    list[#list + 1] = ffi.string(p + i + 1, p[i])
    i = i + 1 + p[i]
  end
  return list
end

--- What the functions are told; nil: the handshake does not wait for them.
local function hello_of(codec)
  if C.get_hello(codec, out) < 0 then
    return nil -- out has what another codec had, which may be gone
  end
  return {
    server_name = out.name ~= nil and ffi.string(out.name) or nil,
    alpn = protocols(out.alpn, tonumber(out.alpn_len)),
  }
end

local function wrong(name, wanted, value)
  error(("tls: the function '%s' must return %s, not %s"):format(name, wanted,
    args.shown(value)), 0)
end

local function check_protocol(name, value)
  if value ~= nil and (type(value) ~= "string" or value == "" or value:find("%z")) then
    wrong(name, "the name of a protocol", value)
  end
  return value
end

--- A function's first result; false, err: it refuses, or has failed.
local function call(fn, hello)
  local value, more = fn(hello)
  if value == nil and errors.is_error(more) then
    return false, more
  end
  return value, more
end

--- What `choose` said: the context or nil, a protocol or nil; or false, err.
local function context_for(fn, hello)
  local context, more = call(fn, hello)
  if context == false then
    return false, more
  elseif context ~= nil and not (contexts.is(context) and context.server) then
    wrong("choose", "a server's context, nil or false", context)
  end
  return context, check_protocol("choose", more)
end

--- What `alpn` said: a protocol or nil; or false, err.
local function protocol_for(fn, hello)
  local name, err = call(fn, hello)
  if name == false then
    return false, err
  end
  return check_protocol("alpn", name)
end

--- Call both. Returns context, protocol; or nil, nil, alert, err.
local function ask(server, hello)
  local context, alpn = nil, nil
  if server.choose then
    context, alpn = context_for(server.choose, hello)
    if context == false then
      return nil, nil, NO_NAME, alpn
    end
  end
  if server.alpn and alpn == nil then
    local name, err = protocol_for(server.alpn, hello)
    if name == false then
      return nil, nil, NO_PROTOCOL, err
    end
    alpn = name
  end
  return context, alpn
end

--- The same within the time that is left. Returns whether that was enough first.
local function ask_in_time(server, hello, deadline)
  local seconds = thread.left(deadline)
  return timeout.timeout(seconds, function()
    return true, ask(server, hello)
  end)
end

local function tell(codec, context, alpn, alert)
  if alert then
    return C.refuse(codec, alert)
  end
  return C.choose(codec, context and context._box.p, alpn)
end

local function too_slow(op)
  return errors.new("ETIMEDOUT", op, SLOW)
end

--- Let a context's functions choose for a codec whose handshake waits for that, and tell
-- it. What they raise is raised, and the client is refused: green_tls_handshake makes the
-- alert. Parks if they do.
-- @tparam table context the server's
-- @tparam function codec_of codec_of(owner) gives it, nil: it was closed. A function that has
-- the owner in itself would do, but code compiled for that would keep the owner for ever
-- @param owner
-- @tparam ?number deadline
-- @return true; or nil, err: what they returned, ETIMEDOUT, ECLOSED
local function make(context, codec_of, owner, deadline, op)
  local hello = hello_of(codec_of(owner))
  if not hello then -- it went to the native pool, which has been closed since
    return nil, errors.new(ECLOSED, op)
  end
  local ok, in_time, chosen, alpn, alert, err = xpcall(ask_in_time, thread.note_traceback,
    context._asks, hello, deadline)
  local tls = codec_of(owner)
  if not ok or not in_time then
    chosen, alpn, alert, err = nil, nil, NO_NAME, nil
  end
  local status = tls and tell(tls, chosen, alpn, alert) or ECLOSED
  if not ok then
    error(in_time, 0)
  elseif not in_time then
    return nil, too_slow(op)
  elseif status < 0 then
    return nil, errors.new(status, op)
  elseif errors.is_error(err) then
    return nil, err
  end
  return true
end

return { make = make, too_slow = too_slow, NO_NAME = NO_NAME }
