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
local plan -- what was asked for: { limit =, exact =, logs =, tells =, raises = }; nil: nothing
local visitor -- of break_in: function(); false: not now; nil: there is none
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
  if plan and plan.raises then
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

--- What core.watchdog is to be told. A function hears of each in the place of the log.
local function plan_of(resolution, opts)
  local logs = opts.log
  if logs == nil then
    logs = opts.report == nil
  end
  return { limit = resolution, exact = opts.exact ~= false, logs = logs,
    tells = opts.report ~= nil, raises = opts.raise == true }
end

local SOON = 0.25 -- seconds, for who has nothing but a visitor

--- Tell core.watchdog what is wanted now; its code.
local function apply()
  local wanted = plan or { limit = SOON }
  if visitor == false or not (plan or visitor) then
    return core.watchdog(0, {})
  end
  return core.watchdog(wanted.limit, { exact = visitor ~= nil or wanted.exact,
    logs = wanted.logs, tells = wanted.tells, raises = visitor ~= nil or wanted.raises })
end

local function watch()
  local code = apply()
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
  listener, plan = nil, state and plan_of(resolution, opts) or nil
  if not state then
    apply()
    watch_jobs(nil)
    return true
  end
  core.on_stall(tell)
  core.on_stall_raise(in_culprit)
  listener = opts.report
  watch_jobs(opts.jobs, opts.log or opts.report == nil and opts.log ~= false)
  return watch()
end

-- -- For the debugger ---------------------------------------------------------

--- Have fn() called, in a hook, in whoever keeps the loop for long, again and again as long as it
-- does; also in compiled code. It may raise there. false: all stands still, and nobody is to be
-- told of; nil: no more. What the program itself has asked for comes back then. Does not park.
function M.break_in(fn)
  if visitor == nil and fn == nil then
    return
  elseif visitor == nil then
    local now = core.watchdog_state() -- the command's, or that of GREENLUA_WATCHDOG
    plan = now.limit and now or nil
  end
  visitor = fn
  core.on_stall_raise(in_culprit)
  apply()
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
  local limit = w.limit
  if visitor ~= nil then -- the debugger's own is not shown
    limit = plan and plan.limit
  end
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
