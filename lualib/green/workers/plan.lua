--- What workers are to be: how many, what they run, and with which options. Private to
-- green.workers.
-- @module green.workers.plan

local core = require "green.core"
local args = require "green.args"
local options = require "green.args.options"

local MOST = 1024 -- workers

local M = {}

local known = { args = true, listen = true, reuse_port = true, restart = true, signals = true }

local names = { ["arg[1]"] = "app", ["arg[2]"] = "args" }

--- Raise for what cannot cross to another thread, and say where it stands.
local function check_crossing(app, values)
  local problem = core.crosses(app, values)
  if problem then
    args.misuse("workers: %s", (problem:gsub("arg%[%d%]", names)))
  end
end

--- The options of workers, checked. Raises.
function M.check(n, app, opts)
  args.integer(n, 1, "workers", "n", MOST)
  if type(app) ~= "string" and type(app) ~= "function" then
    args.wrong("workers", "app", "a module's name or a function", app)
  end
  opts = options.check(opts, known, "workers")
  args.optional(opts.reuse_port, "boolean", "workers", "reuse_port")
  args.optional(opts.signals, "boolean", "workers", "signals")
  if opts.restart then
    args.number(opts.restart, 0, "workers", "restart")
  end
  check_crossing(app, opts.args)
  return opts
end

--- The name of what they run; of a function where it was written.
function M.name_of(app)
  local info = type(app) == "function" and debug.getinfo(app, "S")
  return info and ("%s:%d"):format(info.short_src, info.linedefined) or app
end

return M
