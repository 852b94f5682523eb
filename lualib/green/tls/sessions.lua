--- Sessions of TLS clients, kept for their next connections.
--
-- Each is good for one kind of connection: the same host, port, verification, authorities
-- and client certificate. It is used once: with TLS 1.3 whoever sees the same ticket twice
-- knows that it is the same client; one of TLS 1.2 comes back with its connection. A child
-- of a fork begins without any.
-- @module green.tls.sessions

local boxes = require "green.tls.box"
local core = require "green.core"

local ffi = require "ffi"
local C = require "green.ffi.tls"

-- Scripts may put their own in their places.
local ipairs, pairs, tonumber, tostring, type = ipairs, pairs, tonumber, tostring, type
local remove = table.remove

local M = { most = 1000 } -- sessions that are kept, or a few less; specs set it

local EACH = 8 -- of one kind: for connections made at once

local box, unbox = boxes.kind("green_tls_session *", C.session_free)
local key = ffi.new("uint8_t[?]", ffi.C.GREEN_TLS_SESSION_KEY)

-- Two halves: what is used moves to the young one. When that is full the old one goes.
local young, old, count = {}, {}, 0
local pid -- of the process that they are of

--- Forget all. Does not park.
function M.clear()
  young, old, count = {}, {}, 0
  pid = core.getpid()
end

local function check_process()
  if pid ~= core.getpid() then
    M.clear()
  end
end

--- All of one kind, the newest last; in the young half from now on.
local function list_of(name)
  local list = young[name] or old[name] or {}
  if not young[name] and #list > 0 then
    count = count + #list
    old[name] = nil
    young[name] = list
  end
  return list
end

local function make_room()
  if count >= M.most / 2 - EACH then
    young, old, count = {}, young, 0
  end
end

--- The newest of that kind that is not too old; it is the caller's. nil: none.
local function take(name)
  local list = list_of(name)
  while #list > 0 do
    local one = remove(list)
    count = count - 1
    if #list == 0 then
      young[name] = nil
    end
    if core.now() < one.until_ then
      return one.box
    end
    unbox(one.box)
  end
end

local function put(name, session)
  local list = list_of(name)
  if #list >= EACH then
    unbox(remove(list, 1).box)
    count = count - 1
  end
  make_room()
  list = list_of(name)
  local seconds = tonumber(C.session_lifetime(session.p))
  list[#list + 1] = { box = session, until_ = core.now() + seconds }
  young[name] = list
  count = count + 1
end

-- -- Connections --------------------------------------------------------------

--- Where the connection leads to: the port, the host being in the key, or the address
-- where nobody has said one; or the path of a UNIX socket. In memory: nowhere.
local function place_of(conn)
  if type(conn.peername) ~= "function" then
    return ""
  end
  local host, port = conn:peername()
  if not host then
    return "" -- it is connected no more
  elseif port and conn._host then
    return tostring(port)
  end
  return port and host .. " " .. port or host
end

--- Let a connection that is yet to do its handshake go on with a session, if there is one, and
-- keep what it brings. Does not park.
function M.offer(conn)
  local tls = conn._box.p
  check_process()
  if C.session_key(tls, key) < 0 then
    return
  end
  local name = ffi.string(key, ffi.sizeof(key)) .. place_of(conn)
  conn._sessions = name
  local session = take(name)
  if session then
    C.session_use(tls, session.p)
    unbox(session) -- the connection has a reference
  end
end

--- Keep the session that a connection has by now, if it has one: after what is read first
-- (with TLS 1.3 it comes with that), or before it is closed. Does not park.
function M.keep(conn)
  local tls = conn._box.p
  local p = C.failure(tls) == nil and C.session_get(tls) or nil
  if p == nil then
    return
  end
  check_process()
  put(conn._sessions, box(p))
  conn._sessions = false
end

--- How many are kept, for specs.
function M.size()
  local n = 0
  for _, half in ipairs { young, old } do
    for _, list in pairs(half) do
      n = n + #list
    end
  end
  return n
end

return M
