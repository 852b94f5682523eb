--- The light form of WebSocket handlers: a connection that waits has no green thread; each
-- message is given to a worker, a green thread that takes whatever message is next.
--
-- As with green.wsgi, a worker goes on with another message only if no script has got hold
-- of its thread meanwhile.
-- @module green.websocket.light

local core = require "green.core"
local ended = require "green.websocket.ended"
local errors = require "green.error"
local sets = require "green.websocket.set"
local states = require "green.wsgi.state"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, min, pcall, xpcall = error, math.min, pcall, xpcall

local ws_next, ws_finish, core_park = core.ws_next, core.ws_finish, core.park
local note_traceback, turn = thread.note_traceback, thread.turn
local QUEUE, ECANCELED, ETIMEDOUT = core.QUEUE, core.codes.ECANCELED, core.codes.ETIMEDOUT
local MESSAGE, CLOSED, DRAINED = 1, 2, 3 -- green_ws.found
local FAILED = 1011
local AGAIN = 0.1 -- seconds until it is tried again, without memory
local IDLE = 10 -- seconds until a worker that is not needed ends

local at = sets.at

local M = {}

--- A function of the script's has raised: the peer is told that, the script's log why.
local function failed(set, handle, err)
  core.ws_close(set.pointer, handle, FAILED, "")
  if not errors.is_error(err, "ECANCELED") then
    thread.report(err, core.current(), "(in a handler of websockets)")
  end
end

local function call(set, handle, fn, ...)
  if not fn then
    return
  end
  local ok, err = xpcall(fn, note_traceback, ...)
  if not ok then
    failed(set, handle, err)
  end
end

--- The connection has ended: the handler hears of it, and it is gone. Parks if that does.
local function close(set, handle, ws)
  if ws then
    ended.note(ws)
    call(set, handle, set.handlers.close, ws, ws.close_code, ws.close_reason)
  end
  set:free(handle)
end

local function deal(set, handle, found, text, binary)
  local ws, handlers = at(set, handle), set.handlers
  if found == MESSAGE then
    local ok, err = xpcall(handlers.message, note_traceback, ws, text, binary)
    if not ok then
      failed(set, handle, err)
    end
  elseif found == CLOSED then
    close(set, handle, ws)
  elseif found == DRAINED then
    call(set, handle, handlers.drain, ws)
  end
end

--- Deal with what there is. Returns whether this worker is to be one no more.
local function serve(set, state, is_first)
  local pointer = set.pointer
  local handle, found, text, binary = ws_next(pointer, is_first)
  while handle do
    state.conn, state.is_last = handle, found == CLOSED
    deal(set, handle, found, text, binary)
    if turn.touched ~= 0 then
      states.unwind(state) -- locks that the handler has not released
      core.reset()
    end
    state.conn = false
    if found == CLOSED then
      handle, found, text, binary = ws_next(pointer)
    else
      handle, found, text, binary = ws_finish(pointer, handle)
    end
  end
  return found == true
end

--- Wait until there may be something to do. Returns whether this worker was wanted.
local function wait(set)
  local deadline = set.workers > 1 and core.now() + IDLE or nil
  local status = core_park(set.queue, deadline, QUEUE)
  if status == ECANCELED then
    thread.raise()
  end
  return status == 0
end

local function work(set, state)
  local is_wanted, is_first = true, true
  while is_wanted and not serve(set, state, is_first) and not set:is_over() do
    is_wanted, is_first = wait(set), false
  end
end

--- Another worker tells the handler of the end; where it was just told, nobody does again.
local function pass_end(set, handle, is_last)
  local ws = set:at(handle)
  core.ws_abort(set.pointer, handle)
  if ws then
    ended.note(ws)
  end
  if is_last or not set.handlers.close then
    set:free(handle)
  else
    core.ws_finish_open(set.pointer, handle)
  end
end

--- A worker has ended in whatever way: a message in its hands was the last of its connection.
local function worker_ends(state)
  local set, handle = state.server, state.conn
  set.workers = set.workers - 1
  set.crew[state] = nil
  set.c.full = false
  if handle then
    pass_end(set, handle, state.is_last)
  end
end

local function run(set, state)
  local ok, err = pcall(work, set, state)
  if not ok and not errors.is_error(err, "ECANCELED") then
    error(err, 0)
  end
end

local function spawn_worker(set)
  local state = states.new(set)
  state.is_last = false -- was its connection's end what it was told?
  local t = core.make(1, false, run, set, state)
  local ok, err = pcall(states.attach, state, t, worker_ends)
  if not ok then -- no memory
    core.drop(t)
    error(err, 0)
  end
  set.workers, set.crew[state] = set.workers + 1, true
  core.start(t)
end

local function spawn_workers(set, n)
  for _ = 1, n do
    spawn_worker(set)
  end
end

--- Makes workers when connections have something to tell and nobody is free for them.
local function spawner(set)
  local c, most = set.c, set.options.max_handlers
  local status = 0
  while status == 0 and not set:is_over() do
    local ok, err = pcall(spawn_workers, set, min(c.wanted, most - set.workers))
    if not ok then
      thread.report(err, core.current(), "(no worker for websockets)")
    end
    c.full = set.workers >= most
    status = core_park(set.shortage, not ok and core.now() + AGAIN or nil, QUEUE)
    status = status == ETIMEDOUT and 0 or status
  end
  set.is_served = false
end

--- Have workers made for a set, until its servers have stopped. Does not park.
function M.start(set)
  if not set.is_served then
    set.is_served = true
    core.spawn_n(spawner, set)
  end
end

return M
