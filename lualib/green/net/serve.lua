--- green.serve: accepts clients and calls a handler for each, in a green thread of its own.
-- @module green.net.serve

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local exits = require "green.thread.exits"
local leaving = require "green.net.leaving"
local options = require "green.args.options"
local secure = require "green.net.secure"
local signals = require "green.net.signals"
local thread = require "green.thread"
local unheard = require "green.error.unheard"

local CONCURRENCY = 1000
local BACKOFF_FIRST, BACKOFF_MOST = 0.01, 1
local GRACE = 30 -- seconds for clients when a signal ends serve
local SILENCE = 60 -- seconds until the same shortage is told again

--- Raise this in a handler to end serve: `error(green.StopServe)`.
local StopServe = setmetatable({}, {
  __name = "green.StopServe",
  __tostring = function()
    return "green.StopServe"
  end,
})

-- -- Clients ------------------------------------------------------------------

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
  state.clients[client] = nil
  state.running = state.running - 1
  if state.is_full then
    core.wake(state.room)
  end
  client.conn:close() -- last: what another's accept has given may raise
end

local function start_client(state, handler, conn, address)
  local client = { _exit = client_ends, state = state, conn = conn, thread = false }
  state.clients[client] = true
  local ok, t = pcall(exits.make, 1, client, false, serve_client, state, handler, conn, address)
  if not ok then -- no memory
    state.clients[client] = nil
    error(t, 0)
  end
  client.thread = t
  state.running = state.running + 1
  core.start(t)
end

-- -- Accepting ----------------------------------------------------------------

local function place_of(listener)
  local ok, host, port = pcall(function() return listener:sockname() end)
  return ok and host and " " .. tostring(host) .. (port and ":" .. tostring(port) or "") or ""
end

--- Tell on stderr what keeps clients waiting, now and then.
local function tell(state, listener, what)
  local now = core.now()
  if now >= (state.told[what] or -math.huge) + SILENCE then
    state.told[what] = now
    core.complain(("greenlua: serve%s: %s: others wait\n"):format(place_of(listener), what))
  end
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
    tell(state, listener, ("%d clients at a time (concurrency)"):format(state.limit))
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
    if state.stopped and not (conn and state.leaves) then
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
      tell(state, listener, tostring(address))
      thread.sleep(pause)
      pause = math.min(2 * pause, BACKOFF_MOST)
    elseif address:is("ECLOSED") then
      return true
    else
      return nil, address
    end
  end
end

-- -- The end ------------------------------------------------------------------

--- A signal has come: the first ends serving, one more the patience with clients.
-- Returns whether it was the first.
local function on_signal(state)
  if state.stopped then
    state.forced = true
    core.wake_all(state.room)
    return false
  end
  state.stopped, state.leaves = true, true
  core.wake_thread(state.thread, core.codes.EINTR)
  return true
end

--- Accept until there is a reason not to, then see to the clients that there are.
local function serve_all(state, listener, handler, grace)
  local ok, err = accept_all(state, listener, handler)
  if state.leaves then
    leaving.take_waiting(state, listener, function(conn, address)
      start_client(state, handler, conn, address)
    end)
    listener:close()
  end
  if ok and grace ~= nil then
    leaving.wait_for_clients(state, grace)
  end
  return ok, err
end

local function stop_watching(held)
  if held.unwatch then
    held.unwatch()
  end
end

--- The same, ended by signals. Whatever ends it, they do again what they did before.
local function serve_with_signals(state, listener, handler, grace)
  core.waiter() -- where that raises, no signal is handled
  local held = { _exit = stop_watching, unwatch = false }
  exits.hold(held)
  local ok, result, err = xpcall(function()
    held.unwatch = signals.watch(function()
      return on_signal(state)
    end)
    return serve_all(state, listener, handler, grace)
  end, thread.note_traceback)
  exits.release(held)
  stop_watching(held)
  if not ok then
    error(result, 0)
  end
  return result, err
end

-- -- The public side ----------------------------------------------------------

local serve_options = { concurrency = true, signals = true, grace = true, tls = true }

local function check_arguments(listener, handler, opts)
  opts = options.check(opts, serve_options, "serve", secure.hint)
  if listener == nil then
    args.misuse("serve: no listener but nil: use assert(green.listen(...))")
  elseif type(listener) ~= "table" or not args.is_callable(listener.accept) then
    args.wrong("serve", "listener", "what green.listen gave", listener)
  end
  args.callable(handler, "serve", "handler")
  args.optional(opts.signals, "boolean", "serve", "signals")
  if opts.grace then
    args.number(opts.grace, 0, "serve", "grace")
  end
  if opts.concurrency ~= nil then
    args.count(opts.concurrency, 1, "serve", "concurrency")
  end
  secure.check(listener, opts, "serve")
  return opts
end

--- Call handler(conn, address) in a green thread for each client that connects.
-- The connection is closed when the handler returns or raises; an error is
-- reported (green.on_error) and ends nothing but its client. When the process is
-- out of descriptors, serve says so on stderr, waits a little and goes on. Parks.
-- @param listener what green.listen gave, or anything with its `accept`
-- @tparam function handler
-- @tparam[opt] table opts `concurrency` how many clients at a time (1000); the
-- others wait in the listener's queue. `signals` (false): SIGINT and SIGTERM end
-- serving: the listener is closed, and the clients have the `grace` to finish, until
-- another signal comes; then they are killed. `grace` (seconds; 30 with signals, else
-- nil: nobody waits for them; false: no limit) is also for when serving ends otherwise.
-- `tls`: options of green.tls.server, with which each client's connection is a TLS one;
-- one whose handshake fails has no handler called. A listener that has `tls` itself does
-- the same without this
-- @return true when the listener was closed, a handler raised green.StopServe, or a
-- signal came; without a grace clients that are being served go on. Or nil, err
local function serve(listener, handler, opts)
  opts = check_arguments(listener, handler, opts)
  local limit = opts.concurrency == nil and CONCURRENCY or opts.concurrency
  local state = {
    thread = core.current(),
    limit = limit,
    running = 0,
    clients = {}, -- a set
    is_full = false,
    stopped = false, -- no more are accepted,
    leaves = false, -- because a signal has come;
    forced = false, -- and another
    room = core.waitq(),
    told = {}, -- shortage -> when
  }
  local why
  handler, why = secure.handler(listener, handler, opts, "serve")
  if not handler then
    unheard.keep(why)
    return nil, why
  end
  local grace, how = opts.grace, serve_all
  if opts.signals then
    how = serve_with_signals
    if grace == nil then
      grace = GRACE
    end
  end
  local ok, err = how(state, listener, handler, grace)
  if not ok and errors.is_error(err) then
    unheard.keep(err)
  end
  return ok, err
end

return { serve = serve, StopServe = StopServe }
