--- Has a client of a backdoor gone, who says no more, or does it still read? Private to the
-- library.
--
-- `echo ... | nc -U PATH` ends what it says and waits for the answers: its stream looks as that
-- of one who has gone, to who reads. The system knows better, but tells nobody who waits: so it
-- is asked now and then, as long as a statement runs for such a client.
-- @module green.backdoor.gone

local core = require "green.core"
local sock = require "green.ffi.sock"

local pairs, type = pairs, type

local M = { LOOK = 0.5 } -- seconds between two looks

-- The system of a client that has gone in order answers for it on TCP, a minute long; then the
-- next of these finds nobody.
local ALIVE = { SO_KEEPALIVE = true, TCP_KEEPIDLE = 2, TCP_KEEPINTVL = 2, TCP_KEEPCNT = 5 }

local function is_socket(stream)
  local mt = type(stream) == "table" and core.class_of(stream)
  return mt and mt.__name == "green.socket"
end

--- It has said its last word. Does not park.
-- @param stream
function M.watch(stream)
  if is_socket(stream) then
    for name, value in pairs(ALIVE) do
      stream:setoption(name, value) -- an error on sockets that are not TCP's, which need none
    end
  end
end

--- Is nobody there any more? false where that cannot be known. Does not park.
-- @param stream
function M.is_gone(stream)
  return is_socket(stream) and sock.send(stream._s, "", 0) < 0
end

return M
