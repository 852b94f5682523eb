--- The option `tls` of green.listen and green.serve, and listeners with it. Nothing of TLS
-- is loaded where nobody gives it.
-- @module green.net.secure

local args = require "green.args"

local M = {}

--- The module of listeners with TLS, if this is one.
local function listeners_of(listener)
  local listeners = package.loaded["green.tls.listener"]
  return listeners and listeners.is(listener) and listeners or nil
end

--- What to say of an unknown option of a call that has the option tls, or nil.
function M.hint(name)
  return require("green.tls.belongs").hint_of_tls(name)
end

--- Has the listener TLS itself?
function M.has_tls(listener)
  return listeners_of(listener) ~= nil
end

--- The options of listen without `tls`; and what they say of TLS, or nil, or false, err.
function M.split(opts, where)
  local own = {}
  for name, value in pairs(opts) do
    own[name] = value
  end
  own.tls = nil
  if not opts.tls then
    return own
  end
  args.type(opts.tls, "table", where, "tls")
  local name = where .. ": tls"
  local serving, err = require("green.tls.serving").new(opts.tls, name, name)
  return own, serving or false, err
end

--- A listener whose connections speak TLS, over one that listens.
function M.listener(lower, serving)
  return require("green.tls.listener").new(lower, serving)
end

--- The socket of a listener with TLS, and an HTTP server's options with that TLS; others as
-- they are.
function M.plain(listener, opts, where)
  local listeners = listeners_of(listener)
  if listeners then
    return listeners.plain(listener, opts, where)
  end
  return listener, opts
end

--- For the arguments of serve.
function M.check(listener, opts, where)
  if opts.tls then
    args.type(opts.tls, "table", where, "tls")
  end
  if opts.tls and M.has_tls(listener) then
    args.misuse("%s: tls must be left out: the listener has its own", where)
  end
end

--- serve's handler where clients speak TLS, by the listener or the option.
-- @return the handler; or nil, err as green.tls.context
function M.handler(listener, handler, opts, where)
  local listeners = listeners_of(listener)
  if listeners then
    return listeners.handler(listener, handler)
  elseif opts.tls then
    local name = where .. ": tls"
    return require("green.tls.serving").handler(opts.tls, handler, name, name)
  end
  return handler
end

return M
