--- The requests that handlers of a server are at, for the status page. What clients send is
-- told only as far as options say.
-- @module green.status.requests

local core = require "green.core"
local json = require "green.args.json"
local keys = require "green.log.keys"

-- Scripts may put their own in their places.
local ipairs, pairs, setmetatable, sort, sub, tostring = ipairs, pairs, setmetatable, table.sort,
  string.sub, tostring

-- What lets somebody in who has read it is never told.
local is_secret, HIDDEN = keys.is_secret, keys.HIDDEN

local MOST = 50 -- requests of a server
local MOST_TEXT = 200 -- bytes

local M = {}

local function short(text)
  text = tostring(text or "")
  return #text > MOST_TEXT and sub(text, 1, MOST_TEXT) .. "..." or text
end

local function headers_of(env)
  local list = json.list {}
  for _, header in ipairs(env.headers_raw or {}) do
    local value = is_secret(header[1]) and HIDDEN or short(header[2])
    list[#list + 1] = { name = short(header[1]), value = value }
  end
  return list
end

local function of(server, conn, opts)
  local env = setmetatable({ ["green.connection"] = conn }, server.env_mt)
  return {
    age = core.conn_age(conn) or 0,
    method = short(env.REQUEST_METHOD),
    path = short(env.PATH_INFO),
    query = opts.queries and short(env.QUERY_STRING) or nil,
    peer = opts.peers and short(env.REMOTE_ADDR) or nil,
    headers = opts.headers and headers_of(env) or nil,
  }
end

local function by_age(a, b)
  return a.age > b.age
end

--- Connections whose requests are in hand, so many at most; and whether there are more.
local function conns_of(server)
  local list = {}
  for state in pairs(server.active) do
    local conn = state.conn
    if conn and core.conn_is_open(conn) then
      if #list == MOST then
        return list, true
      end
      list[#list + 1] = conn
    end
  end
  return list, false
end

--- Those in hand, the oldest first. Parks, in steps.
-- @tparam table opts `peers`, `queries`, `headers`: whether to tell of them
-- @tparam function pace of green.thread.pace
-- @return a list of tables; and whether there are more
function M.list(server, opts, pace)
  local list, conns, is_more = json.list {}, conns_of(server)
  for _, conn in ipairs(conns) do
    if core.conn_is_open(conn) then -- still
      list[#list + 1] = of(server, conn, opts)
    end
    pace()
  end
  sort(list, by_age)
  return list, is_more
end

return M
