--- What a subscription listens to: the commands that change it, and what the server says to
-- them. Private to green.redis.
--
-- To a command about n names come n confirmations or one error, in the order of the commands:
-- those that are still without stand in a line, so that an error goes to whom it is for.
-- @module green.redis.changes

local args = require "green.args"
local command = require "green.redis.command"
local core = require "green.core"
local errors = require "green.error"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, ipairs, pairs, remove, select, type, unpack, upper, xpcall = error, ipairs, pairs,
  table.remove, select, type, unpack, string.upper, xpcall

local now_of, core_park, wake_all = core.now, core.park, core.wake_all

local M = {}

-- -- Names --------------------------------------------------------------------

--- What is listened to, or asked for: names by kind of command.
function M.none()
  return { subscribe = {}, psubscribe = {}, ssubscribe = {} }
end

--- A list of the names. Raises if one is none, or there are none.
function M.names(where, ...)
  local n = select("#", ...)
  if n == 0 then
    args.misuse("%s: the name of a channel is missing", where)
  end
  local names = { ... }
  for i = 1, n do
    if type(names[i]) ~= "string" then
      args.wrong(where, "name " .. i, "a string", names[i])
    end
  end
  return names
end

-- -- What the server says -----------------------------------------------------

--- The connection is a new one: nothing is owed any more, nothing confirmed.
function M.start_anew(self)
  self._line, self._heard = {}, M.none()
end

local function take_back(self, kind, names)
  for _, name in ipairs(names) do
    if not self._heard[kind][name] then
      self._wanted[kind][name] = nil
    end
  end
end

--- An answer has come that is no error. Does not park.
function M.answered(self)
  local first = self._line[1]
  if first then
    first.left = first.left - 1
    if first.left <= 0 then
      remove(self._line, 1)
    end
  end
end

--- An error has come. Does not park.
function M.refused(self, err)
  local first = remove(self._line, 1)
  if first then
    first.refusal = err
    take_back(self, first.kind, first.names)
    wake_all(self._changes)
  end
end

--- Is all confirmed that is wanted?
local function is_complete(self)
  for kind, names in pairs(self._wanted) do
    for name in pairs(names) do
      if not self._heard[kind][name] then
        return false
      end
    end
  end
  return true
end

--- A name is listened to, or is not any more. Does not park.
function M.confirm(self, kind, name, is_on)
  M.answered(self)
  if type(name) == "string" then
    self._heard[kind][name] = is_on or nil
  end
  if self._resuming and is_complete(self) then
    self._resuming, self._quick = false, 0
    wake_all(self._arrivals)
  end
  wake_all(self._changes)
end

-- -- Sending ------------------------------------------------------------------

--- Send bytes of commands to which so many answers come. true; nil, err. Parks.
-- @tparam table self
-- @tparam string bytes
-- @tparam table change `left`: the answers; `kind`, `names`: what is not wanted if it is refused
-- @tparam ?number deadline
-- @tparam string word
function M.write(self, bytes, change, deadline, word)
  local conn = self._conn
  local stream = conn.stream
  self._writing = stream
  self._line[#self._line + 1] = change
  local ok, done, err = xpcall(conn.send, thread.note_traceback, conn, bytes, 0, deadline, word)
  if self._writing == stream then
    self._writing = false
  end
  wake_all(self._changes)
  if not ok then -- half a command may have left
    conn:close()
    error(done, 0)
  end
  return done, err
end

--- Wait until something has changed. true; nil, err. Parks.
local function wait_change(self, deadline, word)
  local status = core_park(self._changes, deadline)
  if status ~= 0 then
    return thread.failed(status, word)
  elseif self._over then
    return nil, self._err or errors.new("ECLOSED", word)
  end
  return true
end

--- Send a command about names. While there is no connection nothing need be sent: the next one
-- begins with all that is wanted. What the server is to answer; nil, err. Parks.
local function send(self, word, kind, names, deadline)
  local bytes = command.encode(word, upper(word), unpack(names))
  local change = { left = #names, kind = kind, names = names, refusal = nil }
  while self._writing do
    local ok, err = wait_change(self, deadline, word)
    if not ok then
      return nil, err
    end
  end
  if self._is_greeted and self._conn.stream then
    local ok, err = M.write(self, bytes, change, deadline, word)
    if not ok and err.code == "ETIMEDOUT" then
      return nil, err
    end
  end
  return change
end

local function is_done(self, kind, is_on, names)
  local heard = self._heard[kind]
  for i = 1, #names do
    if (heard[names[i]] or false) ~= is_on then
      return false
    end
  end
  return true
end

--- Wait until the server has confirmed it. Messages are read meanwhile, however many. true; nil,
-- err. Parks.
local function confirmed(self, change, word, kind, is_on, names, deadline)
  while not is_done(self, kind, is_on, names) do
    if change.refusal then
      change.refusal.op = word
      return nil, change.refusal
    end
    wake_all(self._room)
    local ok, err = wait_change(self, deadline, word)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function counted(self, ok, ...)
  self._awaited = self._awaited - 1
  if not ok then
    error((...), 0)
  end
  return ...
end

-- -- Changes ------------------------------------------------------------------

--- Send a command about names and wait until the server has said so. true; nil, err. Parks.
-- @tparam string word the command
-- @tparam string kind of names
-- @tparam boolean is_on listen to them, or do not
-- @tparam table names
function M.change(self, word, kind, is_on, names)
  thread.checkpoint()
  if self._over then
    return nil, self._err or errors.new("ECLOSED", word)
  end
  local timeout = self._settings.timeout
  local deadline = timeout and now_of() + timeout or nil
  for _, name in ipairs(names) do
    self._wanted[kind][name] = is_on or nil
  end
  local change, err = send(self, word, kind, names, deadline)
  if not change then
    return nil, err
  end
  self._awaited = self._awaited + 1
  return counted(self, xpcall(confirmed, thread.note_traceback, self, change, word, kind, is_on,
    names, deadline))
end

--- Listen to further names. Parks.
function M.add(self, word, ...)
  local names = M.names(word, ...)
  local ok, err = M.change(self, word, word, true, names)
  if not ok then
    take_back(self, word, names)
  end
  return ok, err
end

--- Do not listen to these; no names stand for all, of which there may be none. Parks.
function M.remove(self, word, kind, ...)
  local names = {}
  if select("#", ...) > 0 then
    names = M.names(word, ...)
  else
    for name in pairs(self._wanted[kind]) do
      names[#names + 1] = name
    end
  end
  if #names == 0 then
    return true
  end
  return M.change(self, word, kind, false, names)
end

return M
