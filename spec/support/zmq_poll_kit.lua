-- Pairs of ZeroMQ sockets over inproc, and an `it` for specs that open some.

local clock = require "green.ffi.clock"
local green = require "green"
local testing = require "green.testing"
local zmq = require "green.zmq"

local M = {}

local n = 0
local opened = {}
local context -- of the spec that runs; nil: the process's

--- An endpoint that nobody else uses.
function M.endpoint()
  n = n + 1
  return ("inproc://pairs-%d"):format(n)
end

--- A socket that the spec's end closes.
function M.socket(kind, opts)
  local socket = assert((context or zmq.Context()):socket(kind, opts))
  opened[#opened + 1] = socket
  return socket
end

--- One that is bound, and one that is connected to it.
function M.pair(kind, other, opts, other_opts)
  local a, b, at = M.socket(kind, opts), M.socket(other, other_opts), M.endpoint()
  assert(a:bind(at))
  assert(b:connect(at))
  return a, b, at
end

local function close_all()
  for _, socket in ipairs(opened) do
    socket:close(0)
  end
  opened = {}
end

local function run(body)
  context = assert(zmq.Context {})
  local ok, err = pcall(body)
  close_all()
  assert(context:term(20))
  context = nil
  if not ok then
    error(err, 0)
  end
end

--- The same with the process's context. libzmq closes the descriptors of a socket in a thread
-- of its own, a little later.
local function run_shared(body)
  local before = testing.open_fds()
  local ok, err = pcall(body)
  close_all()
  testing.settle_io(function()
    return testing.open_fds() <= before
  end)
  if not ok then
    error(err, 0)
  end
end

--- For a spec file: an `it` on the real clock, and one that runs on every kind of loop. At a
-- spec's end the sockets of M.socket are closed, and then there is nothing left.
-- @tparam[opt] boolean is_shared use the process's context
function M.busted(is_shared)
  local env = getfenv(2)
  local keeper -- holds what the context has open
  if is_shared then
    env.setup(function()
      keeper = zmq.socket "PAIR"
    end)
    env.teardown(function()
      keeper:close(0)
    end)
  end
  local function it(title, body)
    env.it(title, function()
      testing.real(is_shared and run_shared or run, body)
    end)
  end
  local function each_hub(title, body)
    for _, name in ipairs { "epoll", "poll", "select" } do
      it(title .. ", on " .. name, function()
        local old = green.get_hub()
        assert(green.use_hub(name))
        local ok, err = pcall(body)
        assert(green.use_hub(old))
        if not ok then
          error(err, 0)
        end
      end)
    end
  end
  return it, each_hub
end

--- A send takes the news of a message away when libzmq has not looked for a millisecond: that
-- has passed, of libzmq's clock, which is the processor's, with no turn of the loop.
function M.let_libzmq_look()
  clock.rest(3000000)
end

--- The call has given nil, and an error with that code.
function M.fails(code, value, err)
  assert(value == nil, "it did not fail")
  assert(green.is_error(err, code), tostring(err))
end

--- Start fn(...) in a green thread, and let it come to where it waits.
function M.started(fn, ...)
  local thread = green.spawn(fn, ...)
  testing.settle_io()
  assert(not thread:dead(), "it does not wait")
  return thread
end

--- Was it killed?
function M.killed(thread)
  local ok, err = pcall(thread.wait, thread)
  assert(not ok and green.is_error(err, "ECANCELED"), tostring(err))
end

return M
