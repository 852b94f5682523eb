--- Logs: lines with a level, a text and fields, as JSON or for people to read, that never
-- stop the loop.
--
-- Each green thread has a context, fields that all its lines have and that the threads it
-- spawns begin with. What a line says can end no line, and tells a terminal nothing.
-- @module green.log

local args = require "green.args"
local carried = require "green.log.carried"
local carry = require "green.thread.carry"
local contexts = require "green.thread.context"
local core = require "green.core"
local ending = require "green.ending"
local levels = require "green.log.level"
local lines = require "green.log.line"
local loggers = require "green.log.logger"
local report = require "green.thread.report"
local trees = require "green.log.tree"

-- Scripts may put their own in their places.
local pairs, pcall, require, setmetatable, type = pairs, pcall, require, setmetatable, type
local format = string.format

local M = {}

-- -- The log of the program ---------------------------------------------------

local tree, root -- made at first use
local all = setmetatable({}, { __mode = "k" }) -- every log's root, for the program's end
local sent -- how the log is that a job's state has, where this is a native thread
local is_own = false -- was this one configured here?
local watched = 0 -- the process whose end is watched

local function flush_all()
  for logger in pairs(all) do
    pcall(logger.flush, logger, 2)
  end
end

--- Lines that wait when the program ends are written then; in a child of a fork, too.
local function watch()
  local me = core.getpid()
  if watched ~= me then
    watched = me
    ending.at_exit(flush_all)
  end
end

local function note(made)
  local logger = loggers.new(made, trees.at(made, ""))
  all[logger] = true
  made.root = logger -- which lives as long as the log
  return logger
end

--- What GREENLUA_LOG says; who has mistyped a level is told.
local function environment()
  local found, wrong = levels.parse(core.env("GREENLUA_LOG") or "")
  if wrong then
    core.complain(format('greenlua: GREENLUA_LOG: "%s" is no level (trace, debug, info, warn, '
      .. 'error, off), and no name=level\n', wrong))
  end
  return found
end

local function begin(made)
  tree = made
  root = note(made)
  carried.watch(made)
end

local function default()
  if not root then
    begin(assert(trees.new({}, "log", environment(), watch)))
    if sent then
      carried.set_up(tree, sent)
    end
  end
  return root
end

--- Change the log of the program. Does not park.
-- @tparam table opts see the page of green.log
-- @treturn boolean true; or nil, err: a file could not be opened, and nothing has changed
function M.configure(opts)
  args.type(opts, "table", "configure", "opts")
  if not root then
    local made, err = trees.new(opts, "configure", environment(), watch)
    if not made then
      return nil, err
    end
    begin(made)
  else
    local ok, err = trees.configure(tree, opts, "configure")
    if not ok then
      return nil, err
    end
  end
  is_own = true
  return true
end

--- A log of its own, beside the program's: with another file or format. Does not park.
-- @tparam[opt] table opts as for configure
-- @return its logger without a name; or nil, err: a file could not be opened
function M.new(opts)
  local made, err = trees.new(opts, "new", {}, watch)
  if not made then
    return nil, err
  end
  return note(made)
end

--- The logger of a name, such as "db" or "db.pool". Does not park.
-- @tparam[opt] string name none: the one without a name
function M.get(name)
  args.optional(name, "string", "get", "name")
  return name and name ~= "" and default():get(name) or default()
end

--- Write a line with the logger without a name. Does not park.
-- @function info
-- @param text
-- @tparam[opt] table fields
-- @treturn boolean whether it was written
for number = 1, 5 do
  local name = levels.names[number]
  M[name] = function(text, fields)
    if text == M then
      args.misuse("%s: text must be a string, not the module; call it with a dot, log.%s(...)",
        name, name)
    end
    local logger = root or default()
    return logger[name](logger, text, fields)
  end
end

--- As the methods of the logger without a name.
function M.flush(timeout) return default():flush(timeout) end

function M.level(level) return default():level(level) end

function M.reopen() return default():reopen() end

function M.stats() return default():stats() end

--- For a server's `log = require "green.log"`.
function M._sink() return default():_sink() end

-- -- Contexts -----------------------------------------------------------------

--- Give the running green thread, and the threads that it spawns from now on, fields that
-- all their lines have. Parks if fn does.
-- @tparam table fields
-- @param[opt] fn called with the arguments that follow; behind it the fields are as they were
-- @return what fn returns
function M.with(fields, fn, ...)
  args.type(fields, "table", "with", "fields")
  carry.use()
  local context = contexts.get()
  local added = contexts.added("log", lines.record(fields, context and context.log))
  if fn == nil then
    contexts.set(added)
    return
  end
  args.callable(fn, "with", "fn")
  return contexts.run(added, fn, ...)
end

--- The fields that the running green thread's lines have: a copy. Does not park.
-- @treturn table
function M.context()
  local context, fields = contexts.get(), {}
  for name, value in pairs(context and context.log and context.log.fields or {}) do
    fields[name] = value
  end
  return fields
end

-- -- Native threads -----------------------------------------------------------

carry.kind("log", { pack = carried.pack, unpack = carried.unpack, collect = carried.collect,
  apply = function(value)
    sent = value
    if root and not is_own then
      carried.set_up(tree, value)
    end
  end,
  deliver = function(value)
    default()
    carried.deliver(tree, value)
  end })

-- -- What others say ----------------------------------------------------------

local reports -- the logger that has them

local function tell_error(err, thread, trace)
  local data = core.peek(thread)
  local fields = { thread_name = data and data.name, spawned_at = core.site(thread),
    traceback = trace }
  local context = data and data.context
  local logger = context and context.log and reports:bind(context.log.fields) or reports
  logger:error(report.text_of(err), fields)
end

--- Have what the runtime has to say as lines of a logger: errors of green threads that nobody
-- waits for, deadlocks, and the like; not what blocks the loop, which is told while it does.
-- Does not park.
-- @param[opt] logger of green.log, default: the one without a name; false: back to stderr
function M.take_reports(logger)
  if logger == false then
    reports = nil
    report.on_error(nil)
    core.on_complain(require("green.patch.stdio.output").complain)
    return
  end
  logger = logger == nil and default() or logger
  local mt = type(logger) == "table" and core.class_of(logger)
  if mt ~= loggers.mt then
    args.wrong("take_reports", "logger", "a logger of green.log or false", logger)
  end
  reports = logger
  report.on_error(tell_error)
  core.on_complain(function(text)
    logger:_say("error", text)
    logger:flush(0)
  end)
end

return M
