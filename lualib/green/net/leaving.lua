--- How green.serve ends with its clients: they have the grace to finish, then they are
-- killed, and abandoned when they do not end by that.
-- @module green.net.leaving

local core = require "green.core"
local secure = require "green.net.secure"
local socket = require "green.socket"
local thread = require "green.thread"

local FORCE_AFTER = 5 -- seconds that a killed client has

--- Clients that have connected already: closing the listener would reset them. Those
-- are left there that have no room. Does not park.
-- @tparam function start start(conn, address)
local function take_waiting(state, listener, start)
  local is_ours = socket.is_socket(listener) or secure.has_tls(listener)
  while is_ours and state.running < state.limit do
    local conn, address = listener:accept({ timeout = 0 })
    if not conn then
      break
    end
    start(conn, address)
  end
end

--- Until no client is left, or the deadline has come, or somebody has no patience.
local function wait(state, deadline)
  state.is_full = true -- who goes tells us
  while state.running > 0 and not state.forced and core.now() < deadline do
    thread.stand(state.room, deadline)
  end
end

--- Wait for the clients as long as the grace says (seconds; false: as long as it
-- takes), then for their ends. Parks.
local function wait_for_clients(state, grace)
  wait(state, grace and core.now() + grace or math.huge)
  for client in pairs(state.clients) do
    client.thread:kill_soon({ force_after = FORCE_AFTER })
  end
  state.forced = false
  wait(state, math.huge)
end

return { take_waiting = take_waiting, wait_for_clients = wait_for_clients }
