--- What specs of TLS do again and again: both handshakes at once, and what failures say.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"

local assert = require "luassert" -- as specs have it

local M = {}

--- A server's side in a green thread of its own; what it gave is waited for.
function M.serving(b, opts)
  return green.spawn(function()
    return tls.server(b, opts)
  end)
end

--- Both handshakes, over memory: the client's connection or nil, its error, the server's
-- results.
function M.both(client_opts, server_opts)
  local a, b = testing.stream_pair()
  local there = M.serving(b, server_opts)
  local client, err = tls.client(a, client_opts)
  return client, err, there:wait()
end

--- Is it an error of that code, whose words have that text (if there is one)?
function M.is_refused(err, code, text)
  assert.is_true(green.is_error(err, code), tostring(err))
  if text then
    assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  end
end

--- The same of what a call gave: nil and the error, which is returned.
function M.fails(code, text, value, err)
  assert.is_nil(value)
  M.is_refused(err, code, text)
  return err
end

--- Two connected sockets.
function M.tcp_pair()
  local l = assert(green.listen "127.0.0.1:0")
  local a = assert(green.connect("127.0.0.1", select(2, l:sockname())))
  local b = assert(l:accept())
  l:close()
  return a, b
end

return M
