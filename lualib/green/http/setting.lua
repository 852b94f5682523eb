--- How one option of sessions and requests is read: each of them has a function here, which puts
-- what it stands for among the settings. Private to green.http.options.
--
-- reader(own, value, where): raises misuse.
-- @module green.http.setting

local args = require "green.args"
local core = require "green.core"
local options = require "green.args.options"

local pairs, type = pairs, type -- scripts may put their own there

-- Seconds, where nobody has said another number.
local TIMEOUTS = { connect = 10, first = 30, between = 30, pool = 60 }

local function seconds(value, where, name)
  if value ~= false then
    args.number(value, 0, where, name)
  end
  return value
end

--- A table of the user's own, and no object.
local function table_of(value, where, name)
  if type(value) ~= "table" or core.class_of(value) then
    args.wrong(where, name, "a table", value)
  end
  return value
end

--- timeout: a number for all of it, false for none, or a table of the parts.
local function read_timeout(own, value, where)
  if type(value) == "number" then
    own.total = args.timeout(value, where)
    return
  elseif value == false then
    value = { connect = false, first = false, between = false, pool = false, total = false }
  elseif type(value) ~= "table" or core.class_of(value) then
    args.wrong(where, "timeout", "a number of seconds, a table of them or false", value)
  end
  for name in pairs(value) do
    if not TIMEOUTS[name] and name ~= "total" then
      options.unknown("timeout", name, { "connect", "first", "between", "pool", "total" }, where)
    end
    own[name] = seconds(value[name], where, "timeout." .. name)
  end
end

local function read_redirects(own, value, where)
  if type(value) == "table" and not core.class_of(value) then
    options.check(value, { most = true, to_http = true }, where .. ": redirects")
    own.redirects = value.most == nil and 10 or args.count(value.most, 0, where, "redirects.most")
    own.to_http = args.optional(value.to_http, "boolean", where, "redirects.to_http") or false
  elseif type(value) == "boolean" then
    own.redirects = value and 10 or 0
  elseif type(value) ~= "number" then
    args.wrong(where, "redirects", "a number, true, false or a table", value)
  else
    own.redirects = args.count(value, 0, where, "redirects")
  end
end

local hook_names = { before = true, after = true, on_redirect = true }

local function read_hooks(own, value, where)
  table_of(value, where, "hooks")
  for name in pairs(options.check(value, hook_names, where .. ": hooks")) do
    args.callable(value[name], where, "hooks." .. name)
  end
  own.hooks = value
end

local readers = {
  timeout = read_timeout,
  redirects = read_redirects,
  hooks = read_hooks,
}

function readers.retries(own, value, where)
  if type(value) ~= "boolean" and type(value) ~= "number" and (type(value) ~= "table"
    or core.class_of(value)) then
    args.wrong(where, "retries", "true, false, a number of tries or a table", value)
  end
  if type(value) == "number" then
    args.count(value, 0, where, "retries")
  end
  own.retries = value and require("green.http.retry").policy(value, where) or false
end

function readers.max_head(own, value, where)
  own.max_head = args.size(value, 128, where, "max_head")
end

function readers.max_body(own, value, where)
  own.max_body = args.count(value, 0, where, "max_body")
end

function readers.decompress(own, value, where)
  own.decompress = args.type(value, "boolean", where, "decompress")
end

function readers.trailers(own, value, where)
  own.trailers = args.type(value, "boolean", where, "trailers")
end

function readers.unix(own, value, where)
  own.unix = args.type(value, "string", where, "unix")
end

function readers.proxy(own, value, where)
  own.proxy = require("green.http.proxy").option(value, where)
end

function readers.trace(own, value, where)
  own.trace = args.callable(value, where, "trace")
end

function readers.allow(own, value, where)
  own.allow = require("green.http.public").option(value, where)
end

function readers.resolver(own, value, where)
  require("green.net.place").resolver(value, where)
  own.resolver = value
end

--- As it is now, whatever the caller does with it.
local function copy(value)
  if type(value) ~= "table" or core.class_of(value) then
    return value
  end
  local own = {}
  for key, one in pairs(value) do
    own[key] = copy(one)
  end
  return own
end

function readers.tls(own, value, where)
  if value ~= true and not (type(value) == "table" and core.class_of(value)
    and require("green.tls.context").is(value)) then
    table_of(value, where, "tls")
  end
  own.tls = type(value) == "table" and core.class_of(value) and { context = value } or copy(value)
end

return { readers = readers, table = table_of, TIMEOUTS = TIMEOUTS }
