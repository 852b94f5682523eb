--- Guests of an HTTP server: what has taken connections of its over and looks after them
-- itself, as green.websocket does. A stop asks them to end, and waits for them.
--
-- A guest has the methods `leave()` (begin to end what it has), `count()` (connections that
-- it has), `throw_out(force_after)` (end them at once) and `has(thread)` (does that serve one of
-- them?); none parks. It calls `stop.look` of the
-- server when one has gone. What it gets them by is `takeover.give`.
-- @module green.wsgi.guests

-- Scripts may put their own in their places.
local pairs = pairs

local M = {}

--- Ask all to end. Does not park.
function M.leave(server)
  for guest in pairs(server.guests) do
    guest:leave()
  end
end

--- Connections that they have now. Does not park.
function M.count(server)
  local n = 0
  for guest in pairs(server.guests) do
    n = n + guest:count()
  end
  return n
end

--- Has any a connection still? Does not park.
function M.are_there(server)
  return M.count(server) > 0
end

--- They have had their time; what still runs after force_after seconds is abandoned. Does not
-- park.
function M.throw_out(server, force_after)
  for guest in pairs(server.guests) do
    guest:throw_out(force_after)
  end
end

--- Is that green thread one of theirs?
function M.have(server, thread)
  for guest in pairs(server.guests) do
    if guest:has(thread) then
      return true
    end
  end
  return false
end

return M
