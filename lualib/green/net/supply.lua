--- Where a race (green.net.race) has its addresses from: methods of one.
-- @module green.net.supply

local core = require "green.core"

-- Scripts may put their own in their places.
local min, require = math.min, require

-- Seconds that a list of IPv4 waits for one of IPv6 (RFC 8305, 3).
local RESOLUTION_DELAY = 0.05

local methods = {}

local function earliest(deadline, due)
  return deadline and min(deadline, due) or due
end

--- The lookup has given a list, or nothing: no more, or not in time.
function methods:took(list, err)
  if list then
    self.addresses:add(list)
  end
  self.is_spent = self.lookup.done or not list and not err
end

--- Take what the lookup brings until then. As its take. Parks.
function methods:take(due)
  local list, err = self.lookup:take(due)
  self:took(list, err)
  return list, err
end

--- The first addresses. Those of IPv4 do not go before those of IPv6 that come a moment
-- later. true; nil, err. Parks.
function methods:take_first()
  local list, err = self:take(self.deadline)
  if not list then
    return nil, err or self.lookup.err
  end
  self.times.found = core.now()
  local addresses = self.addresses
  if addresses.turn == "inet" and addresses:count("inet6") == 0 and not self.is_spent then
    local more = self:take(earliest(self.deadline, core.now() + RESOLUTION_DELAY))
    if more and require("green.dns.spots").reaches("inet6") then
      addresses.turn = "inet6"
    end
  end
  return true
end

--- Addresses that have come meanwhile take part at once. Parks for a turn at most.
function methods:look_for_more()
  if not self.is_spent and not self.is_taking then
    self:take(core.now())
  end
end

return { methods = methods, earliest = earliest }
