--- Values that each green thread has for itself.
-- @module green.locals

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local show = require "green.args.show"

local core_data, core_peek, current = core.data, core.peek, core.current

local MAKER = {} -- the proxy's one field: how its values begin
local weak_keys = { __mode = "k" }

local M = {}

--- Fill fresh values. An init function may use the proxy already.
local function begin(values, init, given)
  if type(init) == "function" then
    init(values, unpack(given, 1, given.n))
    return
  end
  for k, v in pairs(init or {}) do
    values[k] = v
  end
end

local function values_of(proxy)
  local t = current()
  local data = core_peek(t)
  local all = data and data.locals
  local values = all and all[proxy]
  if values then
    return values
  end
  data = core_data(t)
  all = data.locals or setmetatable({}, weak_keys)
  data.locals, all[proxy] = all, {}
  local maker = rawget(proxy, MAKER)
  local ok, err = pcall(begin, all[proxy], maker.init, maker.given)
  if not ok then
    all[proxy] = nil
    error(err, 0)
  end
  return all[proxy]
end

local local_mt = { __name = "green.local" }

function local_mt:__index(name)
  return values_of(self)[name]
end

function local_mt:__newindex(name, value)
  values_of(self)[name] = value
end

show.kind(local_mt, function(self)
  local data = core_peek(current())
  local values = data and data.locals and data.locals[self]
  local n = 0
  for _ in pairs(values or {}) do
    n = n + 1
  end
  return ("%d fields in this green thread"):format(n)
end)

--- The values of the running green thread as a plain table, for pairs. May park
-- if the init function does, the first time.
function M.values(proxy)
  if not class.is(proxy, local_mt) then
    args.wrong("values", "proxy", "what thread_local gave", proxy)
  end
  return values_of(proxy)
end

--- A table whose fields are the running green thread's own; they go with the
-- thread. Does not park.
-- @param[opt] init a table: the fields that every thread begins with (a shallow
-- copy); or a function(values, ...), called in each thread when it first uses
-- the table
-- @param ... arguments for that function
function M.new(init, ...)
  local kind = type(init)
  if init ~= nil and kind ~= "table" and kind ~= "function" then
    args.wrong("thread_local", "init", "a table or a function", init)
  end
  local maker = { init = init, given = { n = select("#", ...), ... } }
  return setmetatable({ [MAKER] = maker }, local_mt)
end

M.thread_local = M.new

return M
