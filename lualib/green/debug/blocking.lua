--- Which green thread keeps the loop, for how long, and where: the blocking detector.
--
-- C looks (vm/stall.c), and writes to standard error while it lasts; here are its options,
-- the function that hears of it afterwards, the raise in the culprit, and the numbers.
-- @module green.debug.blocking

local core = require "green.core"
local args = require "green.args"
local checkpoint = require "green.thread.checkpoint"
local errors = require "green.error"
local options = require "green.args.options"
local text_of = require "green.debug.stall_text"

-- Scripts may put their own in their places; and the raise runs in the middle of them.
local format, ipairs, setmetatable = string.format, ipairs, setmetatable

local WHERE = "hub_blocking_detection"
local RESOLUTION = 1 -- second
local LEAST, MOST = 0.001, 86400
local JOB_LEAST = 0.01

local M = {}

local listener -- function(stall)
local does_raise -- `raise` was asked for
local visitor -- function(), of break_in
local is_hidden -- nobody but it has asked for the detector
local jobs -- green.debug.jobs, once it is asked for
local known = { report = true, raise = true, exact = true, log = true, jobs = true }

-- -- What C calls -------------------------------------------------------------

--- It runs in a green thread of its own.
local function tell(stall)
  if listener then
    listener(stall)
  end
end

local raised = setmetatable({}, { __mode = "k" }) -- thread -> what it is to raise for good

--- Raise in the running thread, which blocks: from a scope that stays open until its end, so
-- that each wait raises it again.
local function raise()
  local thread = core.current()
  if not raised[thread] then
    local text = format("the green thread blocked the loop for longer than %g s",
      core.watchdog_state().limit or 0)
    raised[thread] = errors.new("ETIMEDOUT", nil, core.placed(text), { is_stall = true })
    core.scope_fire(core.scope_push(core.CANCEL, nil, raised[thread]))
  end
  checkpoint.raise()
end

local function in_culprit()
  if visitor then
    visitor()
  end
  if does_raise then
    raise()
  end
end

-- -- Options ------------------------------------------------------------------

local function check_resolution(resolution)
  if resolution == nil then
    return RESOLUTION
  end
  args.number(resolution, LEAST, WHERE, "resolution")
  if resolution > MOST then
    args.wrong(WHERE, "resolution", "a number of at most 86400", resolution)
  end
  return resolution
end

local function check_options(opts)
  opts = options.check(opts, known, WHERE)
  if opts.jobs ~= nil then
    args.number(opts.jobs, JOB_LEAST, WHERE, "jobs")
    if opts.jobs > MOST then
      args.wrong(WHERE, "jobs", "a number of at most 86400", opts.jobs)
    end
  end
  args.optional(opts.raise, "boolean", WHERE, "raise")
  args.optional(opts.exact, "boolean", WHERE, "exact")
  args.optional(opts.log, "boolean", WHERE, "log")
  if opts.report ~= nil then
    args.callable(opts.report, WHERE, "report")
  end
  return opts
end

--- What core.watchdog is told. A function hears of each in the place of the log.
local function plan_of(opts)
  local logs = opts.log
  if logs == nil then
    logs = opts.report == nil
  end
  return { exact = opts.exact ~= false, logs = logs, tells = opts.report ~= nil,
    raises = does_raise or visitor ~= nil }
end

local function watch(resolution, opts)
  local code = core.watchdog(resolution, plan_of(opts))
  if code == core.codes.EBUSY then
    return true, "another runtime of this process has LuaJIT's profiler: who blocks and for how "
      .. "long is told, but not where"
  elseif code ~= 0 then
    return nil, errors.new(code, WHERE)
  end
  return true
end

local function job_teller(logs)
  return function(stall)
    if logs then
      core.complain("greenlua: " .. M.format_stall(stall) .. "\n")
    end
    tell(stall)
  end
end

--- Nothing is loaded for it where nobody asks.
local function watch_jobs(seconds, logs)
  if seconds or jobs then
    jobs = require "green.debug.jobs"
    jobs.watch(seconds, job_teller(logs))
  end
end

--- Report green threads that keep the loop for longer than a resolution, or stop that. Does
-- not park.
-- @tparam boolean state
-- @tparam[opt=1] number resolution seconds, from 0.001 on
-- @tparam[opt] table opts `report` a function that is called with each stall, in a green thread
-- of its own, when it is over; it replaces the lines on standard error, unless `log` is true.
-- `jobs` seconds, from 0.01 on: report jobs in native threads, too, that are at work for longer.
-- `raise` true: raise ETIMEDOUT in the culprit, too, and at each of its waits from then on.
-- `exact` false: lines of compiled code only from the first stall on that did not show its own
-- @return true; true and a text, where another runtime of the process has the profiler, and
-- lines are not known; or nil, err: ENOMEM
function M.hub_blocking_detection(state, resolution, opts)
  args.type(state, "boolean", WHERE, "state")
  resolution = check_resolution(resolution)
  opts = check_options(opts)
  listener, does_raise, is_hidden = nil, state and opts.raise == true, false
  if not state then
    core.watchdog(0, {})
    watch_jobs(nil)
    M.break_in(visitor)
    return true
  end
  core.on_stall(tell)
  core.on_stall_raise(in_culprit)
  listener = opts.report
  watch_jobs(opts.jobs, opts.log or opts.report == nil and opts.log ~= false)
  return watch(resolution, opts)
end

-- -- For the debugger ---------------------------------------------------------

local SOON = 0.25 -- seconds

--- Have fn() called, in a hook, in whoever keeps the loop for long, again and again as long as it
-- does; also in compiled code. nil: no more. It may raise there. Does not park.
function M.break_in(fn)
  local now = core.watchdog_state()
  visitor = fn
  core.on_stall_raise(in_culprit)
  if now.limit and not is_hidden then
    core.watchdog(now.limit, { exact = fn ~= nil or now.exact, logs = now.logs,
      tells = now.tells, raises = fn ~= nil or now.raises })
  else
    is_hidden = fn ~= nil
    core.watchdog(fn and SOON or 0, { exact = true, raises = true })
  end
end

-- -- Numbers ------------------------------------------------------------------

local function histogram(buckets, limit)
  local rows = {}
  for i, n in ipairs(buckets) do
    rows[i] = { below = i < #buckets and limit * 2 ^ i or nil, count = n }
  end
  return rows
end

--- What was seen since the detector was turned on first. Does not park.
-- @treturn table `is_on`; `resolution`; `count` of stalls that have ended, `total` and `longest`
-- seconds of them; `histogram` a list of { below = seconds, count = n }, the last without a below
function M.blocking_stats()
  local w = core.watchdog_state()
  local limit = not is_hidden and w.limit or nil
  return {
    is_on = limit ~= nil,
    resolution = limit,
    count = w.count,
    total = w.total,
    longest = w.longest,
    histogram = histogram(w.buckets, w.limit or RESOLUTION),
  }
end

--- A stall as a text of several lines, as the log has it.
-- @tparam table stall as report gets it
function M.format_stall(stall)
  args.type(stall, "table", "format_stall", "stall")
  args.optional(stall.seconds, "number", "format_stall", "stall.seconds")
  return text_of(stall)
end

return M
