--- green.serve.
-- @module green.server.serve

local core = require "green.core"
local check = require "green.check"
local exits = require "green.thread.exits"
local options = require "green.options"
local thread = require "green.thread"

local CONCURRENCY = 1000
local BACKOFF_FIRST, BACKOFF_MOST = 0.01, 1

--- Raise this in a handler to end serve: `error(green.StopServe)`.
local StopServe = setmetatable({}, {
  __name = "green.StopServe",
  __tostring = function()
    return "green.StopServe"
  end,
})

local shortages = { EMFILE = true, ENFILE = true, ENOBUFS = true, ENOMEM = true }

--- Serve one client. An error of the handler's ends this thread, which reports it.
local function serve_client(state, handler, conn, address)
  local ok, err = xpcall(handler, thread.note_traceback, conn, address)
  if not ok and rawequal(err, StopServe) then
    state.stopped = true
    core.wake_thread(state.thread, core.codes.EINTR)
  elseif not ok then
    error(err, 0)
  end
end

--- The client's green thread has ended, in whatever way.
local function client_ends(client)
  local state = client.state
  client.conn:close()
  state.running = state.running - 1
  if state.is_full then
    core.wake(state.room)
  end
end

local function start_client(state, handler, conn, address)
  local client = { _exit = client_ends, state = state, conn = conn }
  local t = exits.make(1, client, false, serve_client, state, handler, conn, address)
  state.running = state.running + 1
  core.start(t)
end

--- Wait until one of the clients has gone. Parks.
local function wait_for_room(state)
  state.is_full = true
  while state.running >= state.limit and not state.stopped do
    thread.stand(state.room)
  end
  state.is_full = false
end

--- Take the next client when there is room for one: the connection and its
-- address; or nil, err. Parks.
local function next_client(state, listener)
  if state.running >= state.limit then
    wait_for_room(state)
  end
  if not state.stopped then
    return listener:accept()
  end
end

--- Accept until there is a reason not to: true, or nil, err. Parks.
local function accept_all(state, listener, handler)
  local pause = BACKOFF_FIRST
  while true do
    local conn, address = next_client(state, listener)
    if state.stopped then
      if conn then
        conn:close()
      end
      return true
    elseif conn then
      pause = BACKOFF_FIRST
      if not pcall(start_client, state, handler, conn, address) then -- no memory
        conn:close()
        thread.sleep(pause)
      end
    elseif shortages[address.code] then
      thread.sleep(pause)
      pause = math.min(2 * pause, BACKOFF_MOST)
    elseif address:is("ECLOSED") then
      return true
    else
      return nil, address
    end
  end
end

local serve_options = { concurrency = true }

--- Call handler(conn, address) in a green thread for each client that connects.
-- The connection is closed when the handler returns or raises; an error is
-- reported (green.on_error) and ends nothing but its client. When the process is
-- out of descriptors, serve waits a little and goes on. Parks.
-- @param listener what green.listen gave, or anything with its `accept`
-- @tparam function handler
-- @tparam[opt] table opts `concurrency` how many clients at a time (1000); the
-- others wait in the listener's queue
-- @return true when the listener was closed or a handler raised green.StopServe
-- (clients that are being served go on); or nil, err
local function serve(listener, handler, opts)
  opts = options.check(opts, serve_options, "serve")
  if listener == nil then
    check.misuse("serve: no listener but nil: use assert(green.listen(...))")
  elseif type(listener) ~= "table" or not check.is_callable(listener.accept) then
    check.wrong("serve", "listener", "what green.listen gave", listener)
  end
  check.callable(handler, "serve", "handler")
  local limit = opts.concurrency
  limit = limit == nil and CONCURRENCY or check.count(limit, 1, "serve", "concurrency")
  local state = {
    thread = thread.current(),
    limit = limit,
    running = 0,
    is_full = false,
    stopped = false,
    room = core.waitq(),
  }
  return accept_all(state, listener, handler)
end

return { serve = serve, StopServe = StopServe }
