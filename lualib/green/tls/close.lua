--- How TLS connections end: primitives of their streams. Private.
--
-- The last word (close_notify) may find the stream below full, after a write that filled
-- it. Without that word the peer would take the connection for cut off, so a green thread
-- waits until it has left.
-- @module green.tls.close

local boxes = require "green.tls.box"
local chooser = require "green.tls.chooser"
local core = require "green.core"
local flow = require "green.tls.flow"
local sessions = require "green.tls.sessions"
local stream = require "green.stream"
local thread = require "green.thread"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.tls"

local ipairs, pcall = ipairs, pcall -- scripts may put their own there

local EAGAIN, ECLOSED, ENOBUFS = core.codes.EAGAIN, core.codes.ECLOSED, core.codes.ENOBUFS
local READ, WRITE = stream.READ, stream.WRITE
local PATIENCE = 10 -- seconds that the last word may take

local box, unbox = boxes.kind("green_tls *", C.free)
local own = {}

--- What is below a connection that has nothing below it any more.
local gone = { _in = ffi.new("green_buf") }
for _, name in ipairs { "_fill", "_send", "_wait" } do
  gone[name] = function()
    return ECLOSED
  end
end

function gone._shutdown()
  return 0
end

function gone._close() end

-- -- The last word ------------------------------------------------------------

local function drop(job)
  unbox(job._box)
  job._below:_close()
end

local function push(job)
  return job._box.p == nil and ECLOSED or flow.push(job)
end

--- Until all has left; then what was put off. A job has `_box` and `_below` of its
-- connection; `ends`: they are its own, for that one was closed; `over`: it sees to nothing
-- any more.
local function see_off(job)
  local deadline = core.now() + PATIENCE
  local status = push(job) -- there may be room already
  while status == EAGAIN and job._below:_wait(WRITE, deadline) == 0 do
    status = push(job)
  end
  job.over = true
  if job.ends then
    drop(job)
  elseif status == 0 then
    job._below:_shutdown(WRITE)
  end
end

--- Say the last word. Is something of it left, for a job that is under way? nil: there was
-- no room for it yet.
local function say(self)
  if self._box.p == nil or self._ended then
    return self._farewell ~= nil and not self._farewell.over
  end
  flow.push(self) -- that makes room
  local is_clean = C.is_done(self._box.p) and flow.unsent(self) == 0
  if C.close(self._box.p) == ENOBUFS then
    return nil
  end
  self._ended = true
  if flow.push(self) ~= EAGAIN or not is_clean then
    return false
  end
  local job = { _box = self._box, _below = self._below, ends = false, over = false }
  self._farewell = pcall(thread.spawn, see_off, job) and job or nil
  return self._farewell ~= nil
end

-- -- Primitives ---------------------------------------------------------------

function own:_shutdown(mode)
  if self._box.p == nil then
    return 0
  end
  local left = mode ~= READ and say(self)
  if left == nil then
    return EAGAIN
  elseif left then
    mode = mode - WRITE
  end
  if mode ~= WRITE and mode ~= 0 then
    self._read_shut = true
  end
  return mode == 0 and 0 or self._below:_shutdown(mode)
end

--- The codec and the stream below are the job's from here on; who reads is woken.
local function leave_to(job, self)
  job.ends = true
  self._box, self._below = box(nil), gone
  job._below:_shutdown(READ)
end

function own:_close()
  chooser.stop(self)
  local job = self._farewell
  if self._box.p ~= nil then
    if self._sessions and C.is_done(self._box.p) then
      sessions.keep(self)
    end
    job = say(self) and self._farewell
    if not job then
      unbox(self._box)
    end
  end
  buf_api.reset(self._in)
  if job and self._box.p ~= nil then
    leave_to(job, self)
  else
    self._below:_close()
  end
  if self._others then
    core.wake_all(self._others)
  end
end

--- Be closed, without the stream below, which is returned. All has left: a job that has
-- not noticed yet must not see to that stream.
function own:_give_up()
  local lower = self._below
  self._below, self._farewell = gone, nil
  self:_close()
  return lower
end

return { methods = own, box = box, gone = gone }
