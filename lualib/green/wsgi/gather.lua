--- Long bodies of a known length: pieces are put where the string will have them, and are no
-- strings themselves.
-- @module green.wsgi.gather

local core = require "green.core"
local exchange = require "green.wsgi.exchange"

-- Scripts may put their own in their places.
local min = math.min

local gather, gather_add, gather_text = core.gather, core.gather_add, core.gather_text
local conn_gather = core.conn_gather

local M = {}

--- Room for a body of which this is the first piece. Does not park.
-- @param input green.wsgi.input's
-- @tparam string first
-- @tparam number want bytes at most
-- @return the room, and how much is to come; nil: it is short, or nobody knows
function M.open(input, first, want)
  local length = input.conn and exchange.length(input.server, input.conn)
  local n = length and min(length, want)
  local room = n and n >= #first and gather(n)
  if not room then
    return nil
  end
  gather_add(room, first)
  return room, n - #first
end

--- The rest of it. Parks as next_piece.
-- @param input
-- @param room
-- @tparam number left
-- @tparam function next_piece(input, get, max) as green.wsgi.input's
-- @return the string; or nil, err
function M.read(input, room, left, next_piece)
  local function get(conn, max)
    return conn_gather(conn, room, max)
  end
  local is_last = false
  while left > 0 and not is_last do
    local n, err, last = next_piece(input, get, left)
    if err then
      return nil, err
    end
    left, is_last = left - (n or 0), last or not n
  end
  return gather_text(room)
end

return M
