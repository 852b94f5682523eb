--- Questions for records of one type.
-- @module green.dns.query

local core = require "green.core"
local answers = require "green.dns.answer"
local args = require "green.args"
local errors = require "green.error"
local find = require "green.dns.find"
local lookups = require "green.dns.lookup"
local names = require "green.dns.names"
local options = require "green.args.options"
local plans = require "green.dns.plan"
local records = require "green.dns.records"
local resolve = require "green.socket.resolve"
local thread = require "green.thread"

local upper, type, tostring = string.upper, type, tostring

local M = {}

local PTR = answers.types.PTR
local known = { timeout = true }

local function kind_of(value, where)
  if type(value) == "number" then
    return args.integer(value, 1, where, "type", 65535)
  end
  args.type(value, "string", where, "type")
  local kind = answers.types[upper(value)]
  if not kind then
    options.unknown("type", value, answers.types, where)
  end
  return kind
end

--- The error for an answer without records.
local function none(entry, name, kind, op)
  local extra = { name = name, type = answers.type_names[kind] or kind, server = entry.server,
    rcode = answers.rcode(entry.rcode), soa = records.soa(entry) }
  local why = entry.rcode == 0 and "the name has no such records" or nil
  return nil, errors.new("EAI_NONAME", op, why, extra)
end

--- An entry of a name and type, whatever it says. Parks.
-- @return nil, err
function M.entry(plan, name, kind, deadline, op)
  plans.refresh(plan)
  local asking, err = plans.ready(plan, op)
  if not asking then
    return nil, err
  end
  core.waiter() -- where that raises, nothing is asked
  local holder, status = asking:join(name, kind)
  status = holder and asking:wait(holder, deadline) or status
  if status < 0 then
    if holder then
      asking:leave(holder)
    end
    return thread.failed(status, op)
  end
  holder = find.outcome(asking, plan.stale, holder, name, kind)
  local entry, failed = asking:entry(holder, kind), find.failure(asking, holder, name, kind)
  asking:leave(holder)
  if failed then
    return lookups.failed({ failed = failed }, op)
  end
  return entry
end

--- See green.dns.query. Parks.
function M.query(plan, host, told, opts)
  args.type(host, "string", "query", "name")
  local kind = kind_of(told, "query")
  opts = options.check(opts, known, "query")
  args.timeout(opts.timeout, "query")
  thread.checkpoint()
  local op = "query " .. (host == "" and '""' or host) .. " " .. tostring(told)
  local name, why = names.plain(host)
  if kind == PTR and resolve.is_number(host) then
    name, why = nil, "names of addresses are asked for by getnameinfo"
  end
  if not name then
    return nil, errors.new("EINVAL", op, why)
  end
  local entry, err = M.entry(plan, name, kind, thread.deadline(opts.timeout), op)
  if not entry then
    if err:is("EINVAL") or err:is("ENAMETOOLONG") then
      err = errors.new("EINVAL", op, "that can be no name of DNS")
    end
    return nil, err
  elseif entry.count == 0 then
    return none(entry, name, kind, op)
  end
  return records.list(entry)
end

return M
