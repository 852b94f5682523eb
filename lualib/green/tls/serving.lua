--- Servers of many TLS connections: what green.listen, green.serve and tls.handler make of
-- their options, under the name of the function that was called.
-- @module green.tls.serving

local args = require "green.args"
local belongs = require "green.tls.belongs"
local contexts = require "green.tls.context"
local endpoint = require "green.tls.endpoint"
local options = require "green.args.options"
local tls_stream = require "green.tls.stream"

local error, pairs = error, pairs -- scripts may put their own there

local HANDSHAKE = 10 -- seconds, for servers that are told nothing else

local M = {}

local of_handler = { on_failure = true }
for name in pairs(endpoint.of_server) do
  of_handler[name] = true
end
of_handler.buffered = nil

--- What a server's options say of all its connections, for a listener: `context`,
-- `timeout` and `limits`: was one given; `on_failure`; and `greeted(handler)`, a handler for
-- connections that are yet to do their handshake. name is what opts are in messages. nil,
-- err: as tls.context. Does not park.
function M.new(opts, where, name)
  local own, given = {}, endpoint.with_context(opts)
  for key, value in pairs(options.check(given, of_handler, where, belongs.hint)) do
    own[key] = value
  end
  if own.cert == nil and own.pkcs12 == nil and own.context == nil then
    args.misuse("%s must be a table with a cert or a context, not %s", name, args.shown(opts))
  end
  args.timeout(own.timeout, where)
  if own.on_failure ~= nil then
    args.callable(own.on_failure, where, "on_failure")
  end
  local failed, timeout, is_limited = own.on_failure, own.timeout or HANDSHAKE, own.timeout ~= nil
  own.on_failure, own.timeout = nil, nil
  local context, err = endpoint.context_of(own, true, where)
  if not context then
    return nil, err
  end
  local function greeted(handler)
    return function(conn, address)
      local ok, why = conn:handshake()
      if ok then
        handler(conn, address)
      elseif failed then
        failed(why, address)
      end
    end
  end
  return { context = context, timeout = timeout, greeted = greeted, on_failure = failed,
    limits = is_limited }
end

local function served(handler, conn, address)
  local ok, err = endpoint.protected(handler, conn, address)
  conn:close()
  if not ok then
    error(err, 0)
  end
end

--- See green.tls.handler. name as for serving. Does not park.
function M.handler(opts, handler, where, name)
  args.callable(handler, where, "handler")
  local serving, err = M.new(opts, where, name)
  if not serving then
    return nil, err
  end
  local greeted = serving.greeted(handler)
  return function(lower, address)
    contexts.look_before(serving.context, lower)
    local conn = tls_stream.new(lower, serving.context, serving.timeout)
    if conn then
      served(greeted, conn, address)
    end
  end
end

return M
