--- What waits for a slow client to be read: a queue with a bound. Private to the library.
-- @module green.backdoor.outbox

local queue = require "green.queue"

local error, pcall, type = error, pcall, type

local PIECES = 64

local M = {}

function M.new()
  return queue.LightQueue(PIECES)
end

--- What prints where nobody can wait, as in a callback of string.gsub, goes beyond the bound.
local function put_beyond(out, piece)
  out:resize(nil)
  out:put_nowait(piece)
  out:resize(PIECES)
end

--- Parks while there is no room, and only then: printing is no checkpoint elsewhere either.
function M.put(out, piece)
  if out:put_nowait(piece) or out:is_shutdown() then
    return
  end
  local ok, err = pcall(out.put, out, piece)
  if not ok and type(err) == "string" then -- "cannot wait inside ..."
    put_beyond(out, piece)
  elseif not ok then
    error(err, 0)
  end
end

return M
