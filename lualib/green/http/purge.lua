--- Connections of a pool that are kept and of no more use. Private to green.http.pool.
-- @module green.http.purge

local places = require "green.http.places"

local pairs, drop = pairs, places.drop -- scripts may put their own there

local PURGE = 5 -- seconds between looks for connections that are too old

local M = {}

--- May a connection that was kept be used? One of which something came meanwhile may not.
function M.is_good(self, conn, now)
  return now - conn.since < self.idle_timeout and now - conn.born < self.max_age
    and now < conn.until_ and conn:is_quiet()
end

--- Take the connections of an origin that are too old.
local function purge_origin(self, origin, now)
  local idle, kept = origin.idle, 0
  local gone = {}
  for i = 1, origin.n do
    local conn = idle[i]
    idle[i] = nil
    if M.is_good(self, conn, now) then
      kept = kept + 1
      idle[kept] = conn
    else
      gone[#gone + 1] = conn
    end
  end
  self.idle = self.idle - #gone
  origin.n = kept
  return gone
end

--- Close connections that are kept and are too old, or were ended by their peers. Does not
-- park.
function M.purge(self, now)
  self.purge_at = now + PURGE
  local gone = {}
  for _, origin in pairs(self.origins) do
    if origin.n > 0 then
      gone[#gone + 1] = purge_origin(self, origin, now)
    end
  end
  for i = 1, #gone do
    for k = 1, #gone[i] do
      drop(gone[i][k])
    end
  end
end

return M
