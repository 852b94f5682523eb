--- Listeners whose connections speak TLS: what green.listen gives with `tls`.
--
-- accept does no handshake: the connection does it when it is first read from or written
-- to, or by its handshake(), in the green thread that does so. A client that says nothing
-- keeps nobody but that thread.
-- @module green.tls.listener

local args = require "green.args"
local class = require "green.args.class"
local contexts = require "green.tls.context"
local errors = require "green.error"
local show = require "green.args.show"
local tls_stream = require "green.tls.stream"

local pairs, setmetatable = pairs, setmetatable -- scripts may put their own there

local methods = {}
local mt = { __name = "green.tls.listener", __index = methods }

-- What the socket does.
for _, name in ipairs { "close", "sockname", "fileno", "gettimeout" } do
  methods[name] = function(self)
    local lower = self._below
    return lower[name](lower)
  end
end

function methods:settimeout(seconds)
  self._below:settimeout(seconds)
end

function methods:setoption(name, value)
  return self._below:setoption(name, value)
end

function methods:getoption(name)
  return self._below:getoption(name)
end

--- Wait until accept would not. As a socket's. Parks.
function methods:wait_readable(opts)
  return self._below:wait_readable(opts)
end

--- Take the next connection, which is yet to do its handshake. Parks while there is none.
-- @tparam[opt] table opts `timeout`
-- @return the connection and the peer's address; or nil, err as a socket's accept
function methods:accept(opts)
  local lower, address = self._below:accept(opts)
  if not lower then
    return nil, address
  end
  contexts.look_before(self._serving.context, lower)
  local conn = tls_stream.new(lower, self._serving.context, self._serving.timeout)
  if not conn then
    lower:close()
    return nil, errors.new("ENOMEM", "accept")
  end
  return conn, address
end

show.kind(mt, function(self)
  local host, port = self._below:sockname()
  return host and (port and ("%s:%d"):format(host, port) or host) or "closed"
end)
class.seal(mt)

local M = {}

--- A listener over one that listens; serving is what green.tls.serving made of options.
function M.new(lower, serving)
  return setmetatable({ _below = lower, _serving = serving }, mt)
end

function M.is(value)
  return class.is(value, mt)
end

--- For green.serve: a handler that is called when the handshake is done.
function M.handler(listener, handler)
  return listener._serving.greeted(handler)
end

--- The listener below, and options of an HTTP server that speaks its TLS.
function M.plain(listener, opts, where)
  local own = {}
  for name, value in pairs(opts or {}) do
    own[name] = value
  end
  if own.tls ~= nil then
    args.misuse("%s: tls must be left out: the listener has its own", where)
  end
  local serving = listener._serving
  if serving.limits then
    args.misuse("%s: the listener's tls has a timeout, which an HTTP server cannot heed: leave it "
      .. "out there, and give the server header_timeout", where)
  end
  own.tls = { context = serving.context, on_failure = serving.on_failure }
  return listener._below, own
end

return M
