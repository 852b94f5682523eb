--- Calls of the file system, made by native threads: how green threads wait for them.
--
-- A job is a call that was begun, with what came of it. Private to green.fs.
-- @module green.fs.job

local core = require "green.core"
local errors = require "green.error"
local natives = require "green.tpool.natives"
local thread = require "green.thread"

local ffi = require "ffi"
local api = require "green.ffi.disk"
local desc_api = require "green.ffi.desc"

local tonumber, gsub, format, byte = tonumber, string.gsub, string.format, string.byte
local park, QUEUE = core.park, core.QUEUE
local checkpoint, waiter = thread.checkpoint, core.waiter
local EAGAIN, ECANCELED, EBUSY = core.codes.EAGAIN, core.codes.ECANCELED, core.codes.EBUSY
local C = ffi.C
local MORE = tonumber(C.GREEN_DISK_MORE)
local BENEATH = tonumber(C.GREEN_DISK_BENEATH)
local ANYWHERE = {}

local M = { BENEATH = BENEATH, MORE = MORE }

-- -- The pool -----------------------------------------------------------------

local pool -- core's object; older than every job, so that it is finalized behind them
local pool_t, disk_t = ffi.typeof("green_tpool **"), ffi.typeof("green_disk **")

--- The threads that make the calls. nil, err: ENOMEM; ECLOSED: the runtime ends.
local function get_pool()
  if not pool then
    local object, code = core.object("tpool")
    if not object then
      return nil, errors.new(code, "native pool")
    end
    pool = natives.add(object, "fs")
  end
  local p = ffi.cast(pool_t, pool)[0]
  if p == nil then
    return nil, errors.new("ECLOSED", "native pool")
  end
  return p
end
M.pool = get_pool

-- -- Jobs ---------------------------------------------------------------------

local spare, SPARE_MOST = {}, 16

--- A job that does nothing yet: `p[0]` for the FFI. nil, err.
function M.new()
  local n = #spare
  local job = spare[n]
  if job then
    spare[n] = nil
    return job
  end
  local p, err = get_pool()
  if not p then
    return nil, err
  end
  local object, code = core.object("disk")
  if not object then
    return nil, errors.new(code, "file system call")
  end
  local at = ffi.cast(disk_t, object) -- there is NULL when it was closed
  return { object = object, p = at, queue = api.waiters(at[0]) }
end

--- Not needed any more. One that is at work finishes, and what it has opened is closed.
function M.drop(job)
  core.release(job.object)
end

--- The same of one that has its result, which the next call may use.
function M.done(job)
  if #spare < SPARE_MOST and api.size(job.p[0]) <= 65536 then
    spare[#spare + 1] = job
  else
    core.release(job.object)
  end
end

local call = ffi.new("green_disk_call")

--- Begin a call. 0 or a negative status. Does not park.
-- @tparam table place `at`: where paths begin, `beneath`; {} for the program's own
-- @tparam table c the fields of a green_disk_call, and `path`, `to`, `data`
function M.begin(job, place, op, c)
  local at, file = place.at, c.file
  call.op, call.how = op, c.how or 0
  if place.beneath then
    call.how = call.how + BENEATH
  end
  call.flags, call.mode = c.flags or 0, c.mode or 0
  call.offset, call.size = c.offset or 0, c.size or 0
  call.at, call.file = at and at.desc, file and file.desc
  local p = get_pool()
  if not p then
    return ECANCELED
  end
  return api.start(job.p[0], p, call, c.path, c.to, c.data)
end

--- Has it a result?
function M.result(job)
  return tonumber(api.result(job.p[0]))
end

--- Wait until it has one. 0 or the status of park. Parks.
function M.wait(job, deadline)
  while api.result(job.p[0]) == EAGAIN do
    local status = park(job.queue, deadline, QUEUE)
    if status ~= 0 then
      return status
    end
  end
  return 0
end

-- -- Errors -------------------------------------------------------------------

--- A path that may stand in a line of a log.
local function printable(path)
  return (gsub(path, "[%c\127]", function(c)
    return format("\\%03d", byte(c))
  end))
end
M.printable = printable

local texts = { [EBUSY] = "device or resource busy" } -- the library's is of green threads
local OUTSIDE = "the path leads out of the root"

--- The error of a call: "open /x/y: no such file or directory (ENOENT)", with `path`; and
-- with `to` where it is of two.
function M.failure(status, op, path, escaped, to)
  local text = escaped and OUTSIDE or texts[status]
  if status == ECANCELED then
    text = "given up by a fork, or it could not begin"
  end
  local what = path and op .. " " .. printable(path) or op
  return nil, errors.new(status, to and what .. " to " .. printable(to) or what, text,
    { path = path, to = to, outside = escaped or nil })
end

--- A job's error, as failure gives it. What it tells by its bytes, if it does, is where below
-- the path it failed.
function M.failed(job, n, op, path, tells, to)
  local escaped = api.escaped(job.p[0]) == 1
  local size = tells and tonumber(api.size(job.p[0])) or 0
  if size > 0 then
    path = gsub(path, "/+$", "") .. "/" .. ffi.string(api.data(job.p[0]), size)
  end
  M.done(job)
  return M.failure(n, op, path, escaped, to)
end

-- -- A call from beginning to end ---------------------------------------------

--- Calls that are made again until they are through.
local repeated = {
  [tonumber(C.GREEN_DISK_REMOVE)] = true,
  [tonumber(C.GREEN_DISK_COPY)] = true,
}

--- The result of a job that was begun. A thread that is killed, or whose time is up, leaves
-- the job behind, and hears why.
local function finish(job, op, deadline, name)
  while true do
    local status = M.wait(job, deadline)
    if status ~= 0 then
      M.drop(job)
      thread.failed(status, name)
      return status
    end
    local n = M.result(job)
    if n ~= MORE or not repeated[op] then
      return n
    end
    n = api.again(job.p[0], get_pool())
    if n < 0 then
      return n
    end
    checkpoint()
  end
end

--- Make a call. Parks.
-- @tparam ?table place as for begin; nil: the program's own
-- @tparam number op
-- @tparam string name what is being done, for the error
-- @tparam table c as for begin
-- @return the result, at least 0, and the job, which is to be given back by done; or nil, err
function M.run(place, op, name, c)
  checkpoint()
  waiter() -- where that raises, nothing is begun
  local job, err = M.new()
  if not job then
    return nil, err
  end
  local status = M.begin(job, place or ANYWHERE, op, c)
  local n = status < 0 and status or finish(job, op, nil, name)
  if n < 0 then
    return M.failed(job, n, name, c.shown or c.path, c.tells, c.two and c.to)
  end
  return n, job
end

--- The same of a call that has nothing to tell: true; or nil, err.
function M.act(place, op, name, c)
  local n, job = M.run(place, op, name, c)
  if not n then
    return nil, job
  end
  M.done(job)
  return true
end

--- The bytes that a call gives; nil, err.
function M.text(place, op, name, c)
  local n, job = M.run(place, op, name, c)
  if not n then
    return nil, job
  end
  return M.take_text(job)
end

--- The bytes of a job, which is given back.
function M.take_text(job)
  local size = tonumber(api.size(job.p[0]))
  local text = size > 0 and ffi.string(api.data(job.p[0]), size) or ""
  M.done(job)
  return text
end

--- The descriptor that a job has opened, closed when nobody uses it any more; nil: none.
function M.take_desc(job)
  local d = api.take(job.p[0])
  if d == nil then
    return nil
  end
  return M.hold(d)
end

--- A holder of a green_desc, which lets go when it is collected.
function M.hold(d)
  local holder = ffi.gc(ffi.new("green_desc_holder"), desc_api.let_go)
  holder.desc = d
  return holder
end

--- Close one now: jobs that are at it finish first.
function M.close_desc(desc)
  desc_api.let_go(desc)
end

return M
