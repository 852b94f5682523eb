--- What a request has said, kept as long as its connection: small, and a table like the
-- handler's env once somebody looks at it.
--
-- The requests of a server have nearly the same keys, and some values in common. These stand
-- once, in a shape: the list of the other keys, with the common values in `common`. A
-- connection has a list: its shape, then its own values.
-- @module green.websocket.env

local env_module = require "green.wsgi.env"
local new_table = require "table.new"

-- Scripts may put their own in their places.
local concat, pairs, rawget, setmetatable, tostring, type = table.concat, pairs, rawget,
  setmetatable, tostring, type

local CONN = env_module.CONN
local is_kept = { string = true, number = true, boolean = true }

local is_common = { APP_PATH = true, GATEWAY_INTERFACE = true, REQUEST_METHOD = true,
  SCRIPT_NAME = true, SERVER_NAME = true, SERVER_PORT = true, SERVER_PROTOCOL = true,
  SERVER_SOFTWARE = true, ["wsgi.multiprocess"] = true, ["wsgi.multithread"] = true,
  ["wsgi.run_once"] = true, ["wsgi.url_scheme"] = true }

local shapes = setmetatable({}, { __mode = "v" }) -- what is in it, as a text -> a shape

local M = {}

--- The shape of this env alone, and what is in it as a text.
local function shape_of(env)
  local shape, common, parts, n = {}, {}, {}, 0
  for key, value in pairs(env) do
    if is_kept[type(value)] and key ~= CONN then
      n = n + 1
      parts[n] = tostring(key)
      if is_common[key] then
        common[key] = value
        parts[n] = key .. "=" .. tostring(value)
      else
        shape[#shape + 1] = key
      end
    end
  end
  shape.common, shape.size = common, n
  return shape, concat(parts, "\0")
end

--- Do two shapes say the same? Their texts may without that.
local function is_same(a, b)
  if a.size ~= b.size or #a ~= #b then
    return false
  end
  for i = 1, #a do
    if a[i] ~= b[i] then
      return false
    end
  end
  for key, value in pairs(a.common) do
    if b.common[key] ~= value then
      return false
    end
  end
  return true
end

--- What an env says, without what is about answering its request. Does not park.
-- @tparam table env of green.wsgi
-- @treturn table for `open`
function M.pack(env)
  local shape, text = shape_of(env_module.fill_values(env))
  local known = shapes[text]
  if known and is_same(known, shape) then
    shape = known
  else
    shapes[text] = shape
  end
  local packed = new_table(1 + #shape, 0)
  packed[1] = shape
  for i = 1, #shape do
    packed[1 + i] = rawget(env, shape[i])
  end
  return packed
end

--- The env again, a table of its own. Does not park.
function M.open(packed)
  local shape = packed[1]
  local env = new_table(0, shape.size)
  for key, value in pairs(shape.common) do
    env[key] = value
  end
  for i = 1, #shape do
    env[shape[i]] = packed[1 + i]
  end
  return env
end

return M
