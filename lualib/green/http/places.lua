--- The places that connections of a pool have: how many there may be, and who waits for one.
-- Private to green.http.
--
-- Who waits is served in order. A connection that nobody refers to any more gives its place
-- back when it is collected; so does a waiter who was given something and ends without
-- having run.
-- @module green.http.places

local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, getmetatable, newproxy, pcall = error, getmetatable, newproxy, pcall
local setmetatable, huge, remove = setmetatable, math.huge, table.remove

local word = require("green.ffi.fork").word() -- differs in a child from what it was
local core_park, wake, now_of, getpid = core.park, core.wake, core.now, core.getpid

local M = {}

-- -- Hunger -------------------------------------------------------------------

--- Only the total keeps those who wait for the origin from a place: it stands behind the
-- others of which that is true, once.
local function get_hungry(origin)
  local pool = origin.pool
  if not origin.is_hungry and origin.waiting > 0 and origin.count < pool.per_origin then
    origin.is_hungry = true
    pool.hungry[#pool.hungry + 1] = origin
  end
end

--- Nobody waits for it any more.
local function get_full(origin)
  local hungry = origin.pool.hungry
  for i = 1, origin.is_hungry and #hungry or 0 do
    if hungry[i] == origin then
      remove(hungry, i)
      break
    end
  end
  origin.is_hungry = false
end

-- -- Places -------------------------------------------------------------------

local serve_next -- who waits gets the place that is free

function M.has_room(origin)
  local pool = origin.pool
  return origin.count < pool.per_origin and pool.count < pool.total
end

function M.take_place(origin)
  origin.count = origin.count + 1
  origin.pool.count = origin.pool.count + 1
end

--- Forget an origin of which nothing is left.
local function tidy(origin)
  local origins = origin.pool.origins
  if origin.count == 0 and origin.waiting == 0 and origins[origin.key] == origin then
    origins[origin.key] = nil
  end
end

local function free_place(origin)
  origin.count = origin.count - 1
  origin.pool.count = origin.pool.count - 1
  if origin.pool.waiting > 0 then
    serve_next(origin)
  end
  tidy(origin)
end

--- The one who waits longest for this origin gets the place, or what there is. Was there
-- anybody?
function M.hand(origin, what)
  if origin.waiting == 0 then
    return false
  elseif wake(origin.queue, what) then
    origin.waiting = origin.waiting - 1
    origin.pool.waiting = origin.pool.waiting - 1
    if origin.waiting == 0 then
      get_full(origin)
    end
    return true
  end
  -- Those who were counted have ended without a word.
  origin.pool.waiting = origin.pool.waiting - origin.waiting
  origin.waiting = 0
  get_full(origin)
  return false
end

--- Is there an origin with a waiter whom the total keeps from a place? Those whose waiters have
-- ended without a word are forgotten.
function M.is_wanted(pool)
  local hungry = pool.hungry
  while hungry[1] and hungry[1].waiting == 0 do
    remove(hungry, 1)
  end
  return hungry[1] ~= nil
end

local function offer_place(origin)
  if origin.waiting == 0 or not M.has_room(origin) then
    return false
  end
  M.take_place(origin)
  if M.hand(origin, false) then
    return true
  end
  origin.count = origin.count - 1
  origin.pool.count = origin.pool.count - 1
  return false
end

function serve_next(origin)
  if offer_place(origin) then
    return
  end
  local hungry = origin.pool.hungry
  local i = 1
  while hungry[i] do
    local other = hungry[i]
    if other.waiting == 0 or M.has_room(other) then
      remove(hungry, i)
      other.is_hungry = false
      if offer_place(other) then
        get_hungry(other) -- behind the others
        return
      end
    else
      i = i + 1
    end
  end
end

-- -- Connections --------------------------------------------------------------

--- What the origin of a waiter is told who was given something and then ended.
local function lost(origin, _, conn)
  if conn then
    origin.pool.put(conn)
  elseif conn == false then
    free_place(origin)
  end
end

function M.origin_of(self, key)
  local origin = self.origins[key]
  if not origin then
    origin = { pool = self, key = key, count = 0, idle = {}, n = 0, waiting = 0,
      is_hungry = false, _lost = lost }
    origin.queue = core.waitq(origin)
    self.origins[key] = origin
  end
  return origin
end

local function collected(ticket)
  if ticket.live then
    ticket.live = false
    free_place(ticket.origin)
  end
end

local function make(origin)
  local ticket = { origin = origin, live = true }
  local guard = newproxy(true)
  local now = now_of()
  local conn = setmetatable({ origin = origin, ticket = ticket, guard = guard, stream = false,
    born = now, since = now, until_ = huge, used = 0, pid = origin.pool.pid, mark = word[0] },
    origin.pool.class)
  getmetatable(guard).__gc = function()
    pcall(collected, ticket)
  end
  return conn
end

--- A connection that is yet to be opened, for which a place was taken.
function M.new_conn(origin)
  local ok, conn = pcall(make, origin)
  if not ok then -- no memory
    free_place(origin)
    error(conn, 0)
  end
  return conn
end

--- Close a connection of another process: the number alone. Its peer must hear nothing.
function M.close_number(stream)
  while stream._below do
    stream = stream._below
  end
  stream:close()
end

--- The connection is over: close it and give its place back. Idempotent. Does not park.
function M.drop(conn)
  local ticket, stream = conn.ticket, conn.stream
  if stream and stream._below and conn.pid ~= getpid() then
    M.close_number(stream)
  elseif stream then
    stream:close()
  end
  if ticket.live then
    ticket.live = false
    free_place(ticket.origin)
  end
end

--- Its stream is somebody else's from here on; the place is free. Does not park.
function M.give_away(conn)
  local stream = conn.stream
  conn.stream = false
  M.drop(conn)
  return stream
end

-- -- Waiting ------------------------------------------------------------------

local function leave_line(self, origin)
  if origin.waiting > 0 then
    origin.waiting, self.waiting = origin.waiting - 1, self.waiting - 1
  end
  if origin.waiting == 0 then
    get_full(origin)
  end
  tidy(origin)
end

--- Wait for a connection, or for the place of one. nil, err: ETIMEDOUT, EBUSY (too many
-- wait), ECLOSED. Parks.
function M.stand_in_line(self, origin, deadline)
  if self.waiting >= self.most_waiting then
    return nil, errors.new("EBUSY", nil, ("%d requests wait for a connection already"):format(
      self.waiting))
  end
  core.waiter() -- raises where nobody can wait
  origin.waiting, self.waiting = origin.waiting + 1, self.waiting + 1
  get_hungry(origin)
  local status, conn = core_park(origin.queue, deadline)
  if status ~= 0 then
    leave_line(self, origin)
    return thread.failed(status)
  elseif conn == nil then
    return nil, errors.new("ECLOSED", nil, "the session was closed")
  end
  return conn or M.new_conn(origin)
end

return M
