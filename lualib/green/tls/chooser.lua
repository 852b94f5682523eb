--- The green thread in which the functions of a server's context choose for a connection
-- of its own. Private.
--
-- Whoever waits for the handshake may stop: its own time is over, or it is killed. The
-- functions go on meanwhile, and another may wait for them. They have the time of the
-- handshake, and end with the connection.
--
-- A job: `box` of the connection's codec; `weak.conn`, the connection, nil when nobody has
-- it any more; `context`; `due`: when the time is over; `queue` of who waits; `over`.
-- Fields of a connection: `_chooser`: its job, while that goes on; `_raised`: what the
-- functions have raised, in a table, until somebody takes it.
-- @module green.tls.chooser

local choice = require "green.tls.choice"
local core = require "green.core"
local exits = require "green.thread.exits"
local flow = require "green.tls.flow"
local thread = require "green.thread"

local C = require "green.ffi.tls"

-- Scripts may put their own in their places.
local error, getmetatable, newproxy, pcall, rawequal, setmetatable, xpcall =
  error, getmetatable, newproxy, pcall, rawequal, setmetatable, xpcall

local ETIMEDOUT = core.codes.ETIMEDOUT
local weak_mt = { __mode = "v" }

local M = {}

-- -- The job -------------------------------------------------------------------

--- Tell the client that is refused.
local function send_alert(conn)
  C.handshake(conn._box.p)
  flow.push(conn)
end

--- It is over, with an error or without: whoever waits goes on.
local function settle(job, err)
  local conn = job.weak.conn
  job.over = true
  if conn and conn._chooser == job then
    conn._chooser, conn._chooser_guard = nil, nil
    if err then
      conn._refusal = err
      conn._late = conn._late or conn._due and core.now() >= conn._due
      send_alert(conn)
    end
  end
  core.wake_all(job.queue)
end

--- Was this green thread killed by that error?
local function is_own_kill(err)
  return err ~= nil and rawequal(core.data(core.current()).kill_error, err)
end

--- The functions have raised: for who waits; or it is this green thread's.
local function fail(job, err)
  local conn = job.weak.conn
  if job.over or not conn then
    error(err, 0)
  end
  send_alert(conn)
  local is_heard = conn._driver and not is_own_kill(err)
  conn._raised = is_heard and { err } or nil
  settle(job)
  if not is_heard then
    error(err, 0)
  end
end

local function codec_of(job)
  if not job.over and job.box.p ~= nil then -- an empty box has a pointer, too
    return job.box.p
  end
end

local function run(job)
  local ok, done, err = xpcall(choice.make, thread.note_traceback, job.context, codec_of, job,
    job.due, "handshake")
  if not ok then
    fail(job, done)
  elseif not job.over then
    settle(job, not done and err or nil)
  end
end

--- Its green thread has ended, perhaps abandoned, as in the child of a fork.
local function leave(job)
  if not job.over then
    settle(job)
  end
end

local function kill(job)
  if job.thread ~= core.current() then
    job.thread:kill_soon()
  end
end

--- What ends the job when it is collected, with the connection that has it.
local function guard_of(job)
  local guard = newproxy(true)
  getmetatable(guard).__gc = function()
    pcall(kill, job)
  end
  return guard
end

local function start(conn, due)
  local job = { _exit = leave, box = conn._box, weak = setmetatable({ conn = conn }, weak_mt),
    context = conn._context, due = due or nil, queue = core.waitq(), over = false }
  local guard = guard_of(job)
  job.thread = exits.make(1, job, false, run, job)
  conn._chooser, conn._chooser_guard = job, guard
  core.start(job.thread)
  return job
end

-- -- For connections -----------------------------------------------------------

--- The time is over, and the functions go on.
local function expire(job)
  C.refuse(job.box.p, choice.NO_NAME)
  settle(job, choice.too_slow("handshake"))
  kill(job)
end

--- Have the functions asked, if they are not, and wait until they have said something. 0, or
-- a negative status, as core.park. Parks.
-- @tparam ?number deadline of who waits; the functions' own is the connection's, or this
function M.wait(conn, deadline)
  local job = conn._chooser or start(conn, conn._due or deadline)
  local status = core.park(job.queue, deadline)
  if status ~= ETIMEDOUT then
    return status
  elseif not job.over and job.due and core.now() >= job.due then
    expire(job)
  end
  return job.over and 0 or status
end

--- Raise what the functions have raised, once.
function M.raise(conn)
  local raised = conn._raised
  if raised then
    conn._raised = nil
    error(raised[1], 0)
  end
end

--- The connection is closed.
function M.stop(conn)
  local job = conn._chooser
  if job then
    conn._chooser, conn._chooser_guard = nil, nil
    job.over = true
    core.wake_all(job.queue)
    pcall(kill, job)
  end
end

return M
