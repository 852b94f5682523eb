-- What the specs of green.zmq share: contexts that end with their spec.

local green = require "green"
local zmq = require "green.zmq"

local assert = require "luassert"

local M = {}

function M.fails(code, value, err)
  assert.is_nil(value)
  assert.is_true(green.is_error(err, code), tostring(err))
  return err
end

--- fn(ctx) with a context of its own, which has ended behind it.
function M.with(fn)
  return function()
    local ctx = assert(zmq.Context {})
    local ok, err = pcall(fn, ctx)
    for s in pairs(ctx._sockets) do
      s:close(0)
    end
    assert(ctx:term(10))
    if not ok then
      error(err, 0)
    end
  end
end

local n = 0

--- An endpoint that nobody else has, of that transport.
function M.endpoint(transport)
  n = n + 1
  if transport == "tcp" then
    return "tcp://127.0.0.1:*"
  elseif transport == "ipc" then
    return ("ipc:///tmp/green-zmq-%d-%d"):format(require("green.core").getpid(), n)
  end
  return "inproc://spec-" .. n
end

--- Two sockets, the first bound, the second connected to it.
function M.pair(ctx, a, b, transport, opts)
  a = assert(ctx:socket(a, opts))
  assert(a:bind(M.endpoint(transport)))
  b = assert(ctx:socket(b, opts))
  assert(b:connect(a.last_endpoint))
  return a, b
end

return M
