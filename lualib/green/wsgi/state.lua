--- The state of a worker of an HTTP server, and which green thread it is.
--
-- Nothing that a handler can reach (its env's server, locals of its callers) leads to
-- its thread: a state does not either, but for this module.
-- @module green.wsgi.state

local exits = require "green.thread.exits"

-- Scripts may put their own in their places.
local pairs = pairs

local M = {}

local records = {} -- state -> the record of its end in green.thread.exits

--- The state of a worker that is yet to have a thread. Fields are false, never nil: the
-- table keeps its shape, and compiled code knows where each of them is.
function M.new(server)
  return {
    server = server,
    conn = false, -- the connection in hand
    failure = false, -- { error = }: how that ended
    unlogged = false, -- its request has no line in the log yet
    taken = false, -- the handler has taken its connection over
    guest = false, -- a guest has that connection, and ends it when the server stops
    idle = false, -- the handler does not hold up a stop
    due = false, -- killed by a stop: when it will be abandoned
  }
end

local function ends(record)
  records[record.state] = nil
  record.ends(record.state)
end

--- Tie a state to its green thread: fn(state) is called at its end. What it raises has
-- been told already.
function M.attach(state, thread, fn)
  local record = { _exit = ends, state = state, thread = thread, ends = fn }
  exits.attach(thread, record, true)
  records[state] = record
end

--- The worker has ended, and its green thread goes on.
function M.leave(state)
  local record = records[state]
  if record and exits.release(record) then
    ends(record)
  end
end

--- The green thread of a worker that has not ended.
function M.thread_of(state)
  return records[state].thread
end

--- Give back what its handler still holds. Does not park.
function M.unwind(state)
  local record = records[state]
  exits.unwind(record.thread, record)
end

--- The worker that has this connection in hand; nil: its request is over.
function M.of(server, conn)
  for state in pairs(server.active) do
    if state.conn == conn then
      return state
    end
  end
end

return M
