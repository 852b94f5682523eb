--- The pools of native threads of this state, for who looks at them: green.status,
-- green.metrics. Some are green.tpool's, others the library's own.
-- @module green.tpool.natives

local ffi = require "ffi"
local api = require "green.ffi.tpool"

local pairs, setmetatable, sort, tonumber = pairs, setmetatable, table.sort, tonumber

local pool_t, stats_t = ffi.typeof("green_tpool **"), ffi.typeof("green_tpool_stats")

local M = {}

local names = setmetatable({}, { __mode = "k" }) -- core.object's "tpool" -> what it is for

--- A pool has been made. Does not park.
-- @param object of core.object
-- @tparam string name what it is for
-- @return the object
function M.add(object, name)
  names[object] = name
  return object
end

--- What C says of a pool; nil: it is closed.
local function look(object)
  local p = ffi.cast(pool_t, object)[0]
  if p == nil then
    return nil
  end
  local s = stats_t()
  api.stats_get(p, s)
  return s
end

local fields = { "threads", "idle", "queued", "pending", "at_work", "lost", "done" }

local function by_name(a, b)
  return a.name < b.name
end

--- What there is of each name: the sums of pools of one name, sorted. Pools without threads of
-- their own share theirs, and each of them tells of all. Does not park.
-- @return a list of { name, threads, idle, queued, pending, at_work, lost, done }
function M.stats()
  local list, found = {}, {}
  for object, name in pairs(names) do
    local s = look(object)
    if s then
      local sum = found[name]
      if not sum then
        sum = { name = name }
        found[name], list[#list + 1] = sum, sum
      end
      for _, field in pairs(fields) do
        sum[field] = (sum[field] or 0) + tonumber(s[field])
      end
    end
  end
  sort(list, by_name)
  return list
end

return M
