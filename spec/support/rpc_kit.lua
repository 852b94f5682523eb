-- What the specs of green.zmq.rpc share: a broker, a worker and a client of it, that end with the
-- test.

local assert = require "luassert"
local green = require "green"
local rpc = require "green.zmq.rpc"
local zmq = require "green.zmq"

local M = {}

--- A body of a test, with a context of its own, that has ended behind it.
function M.alone(body)
  return function()
    M.context = assert(zmq.Context {})
    local ok, err = pcall(body)
    if not ok then
      for s in pairs(M.context._sockets) do
        s:close(0) -- else the wait for what they have still to send hides the error
      end
    end
    local ended, why = M.context:term(10)
    M.context = nil
    if not ok then
      error(err, 0)
    end
    assert(ended, why)
  end
end

local WAIT = 30 -- seconds that something may take at most

--- Wait until a condition holds.
function M.eventually(holds, what)
  local stop = green.now() + WAIT
  while not holds() do
    assert.is_true(green.now() < stop, what or "it never happened")
    green.sleep(0.002)
  end
end

function M.pack(...)
  return { n = select("#", ...), ... }
end

--- A broker on a free port.
function M.broker(opts)
  opts = opts or {}
  opts.bind, opts.context = opts.bind or "tcp://127.0.0.1:*", M.context
  return assert(rpc.broker(opts):start())
end

--- A worker of a broker; its service is "s".
function M.worker(broker, opts)
  opts.broker, opts.service = opts.broker or broker.endpoint, opts.service or "s"
  opts.context = M.context
  return assert(rpc.worker(opts):start())
end

function M.client(broker, opts)
  opts = opts or {}
  opts.context = M.context
  return rpc.client(broker.endpoint, opts)
end

--- End clients, brokers and workers.
function M.close(...)
  for i = 1, select("#", ...) do
    local one = select(i, ...)
    local stop = one.stop or one.close
    stop(one)
  end
end

--- Call test(client, broker, worker) with three that belong together.
function M.with(worker_opts, test, broker_opts, client_opts)
  local broker = M.broker(broker_opts)
  local worker = M.worker(broker, worker_opts)
  local client = M.client(broker, client_opts)
  test(client, broker, worker)
  M.close(client, worker, broker)
end

return M
