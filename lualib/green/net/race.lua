--- Connecting to the first address of several that answers: "happy eyeballs" (RFC 8305).
--
-- The families take turns, beginning with that of the best address; the next attempt begins
-- when one fails, or when the last one has not come to an end after the attempt delay. As
-- long as one thing alone is waited for, the caller's thread waits for it; threads are
-- started only where there are several.
-- @module green.net.race

local core = require "green.core"
local addr = require "green.socket.addr"
local crowds = require "green.net.crowd"
local errors = require "green.error"
local exits = require "green.thread.exits"
local failures = require "green.net.failures"
local place = require "green.net.place"
local socket_connect = require "green.socket.connect"
local supply = require "green.net.supply"
local thread = require "green.thread"
local turns = require "green.net.turns"

-- Scripts may put their own in their places.
local error, ipairs, pairs, setmetatable, xpcall = error, ipairs, pairs, setmetatable, xpcall
local remove = table.remove

local EINPROGRESS, ETIMEDOUT = core.codes.EINPROGRESS, core.codes.ETIMEDOUT
local ECANCELED = core.codes.ECANCELED

local M = {}

local methods = {}
for name, method in pairs(supply.methods) do
  methods[name] = method
end
local mt = { __index = methods }

local earliest = supply.earliest

-- -- Attempts -----------------------------------------------------------------

--- An attempt has come to an end, with an error if there is a better one than the status.
function methods:land(attempt, status, err)
  for i, other in ipairs(self.flying) do
    if other == attempt then
      remove(self.flying, i)
    end
  end
  if status == 0 and not self.winner then
    self.winner = attempt.conn
    return
  end
  if attempt.conn then
    attempt.conn:close()
  end
  self.due = core.now()
  attempt.err = err or errors.new(status, "connect " .. addr.format(attempt.raw))
end

--- An attempt with a socket; nil: it has failed already. Parks if the function `allow` does.
function methods:open(raw)
  local attempt = { race = self, raw = raw }
  self.attempts[#self.attempts + 1] = attempt
  self.flying[#self.flying + 1] = attempt
  local ok, conn, err = true, nil, nil
  if self.allow then
    ok, err = self.allow(raw)
  end
  if ok then
    conn, err = place.socket(raw)
    attempt.conn, ok = conn, conn
  end
  if conn and self.bind then
    ok, err = self.bind(conn)
  end
  if ok then
    return attempt
  end
  self:land(attempt, nil, err)
end

--- Begin an attempt: it flies, or has landed. Parks as open.
function methods:start(raw)
  local attempt = self:open(raw)
  if not attempt then
    return
  end
  self.due = core.now() + self.delay
  local status = socket_connect.begin(attempt.conn, raw)
  if status ~= EINPROGRESS then
    self:land(attempt, status)
  end
end

--- The only address there is: nothing else is waited for. Parks.
function methods:start_only(raw)
  local attempt = self:open(raw)
  if attempt then
    self:land(attempt, socket_connect.connect(attempt.conn, raw, self.deadline))
  end
end

-- -- Waiting ------------------------------------------------------------------

local function wait_for_attempt(attempt)
  return socket_connect.finish(attempt.conn)
end

local function wait_for_lookup(self)
  return self.lookup:take(self.deadline)
end

local function attempt_ends(attempt, status)
  attempt.race:land(attempt, status or ECANCELED)
end

local function lookup_ends(self, list, err)
  self.is_taking = false
  self:took(list, err)
end

--- Start threads for what has none, and wait until one has ended. Parks.
function methods:wait_for_several(due, wants_lookup)
  self.crowd = self.crowd or crowds.new()
  for _, attempt in ipairs(self.flying) do
    if not attempt.is_helped then
      attempt.is_helped = true
      self.crowd:add(wait_for_attempt, attempt_ends, attempt)
    end
  end
  if wants_lookup and not self.is_taking then
    self.is_taking = true
    self.crowd:add(wait_for_lookup, lookup_ends, self)
  end
  self.crowd:wait(due)
end

--- Wait for an attempt's end, for addresses where there are none, or until the next attempt
-- is due. Parks.
function methods:wait()
  local has_address = self.addresses:count() > 0
  local wants_lookup = not has_address and not self.is_spent
  local due = has_address and earliest(self.deadline, self.due) or self.deadline
  local only = #self.flying == 1 and not self.flying[1].is_helped and self.flying[1]
  if self.is_taking or #self.flying > 1 or #self.flying == 1 and (wants_lookup or not only) then
    self:wait_for_several(due, wants_lookup)
  elseif not only then
    self:take(self.deadline)
  else
    local status = socket_connect.finish(only.conn, due)
    if status ~= ETIMEDOUT or not due or core.now() < due then
      self:land(only, status)
    end
  end
end

-- -- The race -----------------------------------------------------------------

function methods:is_late()
  return self.deadline ~= nil and core.now() >= self.deadline
end

--- Until somebody has won, or nobody is left. Parks.
function methods:run()
  local addresses, flying = self.addresses, self.flying
  if self.is_spent and addresses:count() == 1 then
    return self:start_only(addresses:next())
  end
  repeat
    if #self.attempts > 0 then
      self:look_for_more()
    end
    local may_start = #flying == 0 or core.now() >= self.due
    if may_start and addresses:count() > 0 then
      self:start(addresses:next())
    elseif #flying == 0 and self.is_spent then
      return
    else
      self:wait()
    end
  until self.winner or self:is_late()
end

--- nil, or why there was no address. Parks.
local function race(self)
  local ok, err = self:take_first()
  if ok then
    self:run()
  end
  return err
end

--- Nothing of it stays but the winner's socket.
function methods:close()
  for _, attempt in ipairs(self.flying) do
    if attempt.conn then
      attempt.conn:close()
    end
  end
  if self.crowd then
    self.crowd:close()
  end
  self.lookup:close()
end

--- It has raised, or the thread that raced was abandoned.
function methods:_exit()
  if self.winner then
    self.winner:close()
  end
  self:close()
end

--- Connect to one of the addresses that a lookup brings. Parks.
-- @param lookup of green.dns.apart; closed at the end
-- @tparam table opts `deadline`, `delay` (seconds between attempts), `bind` (a function that
-- is given each socket: true; or nil, err), `allow` (one that is given each green_addr just
-- before it is connected to: true; or nil, err), `times` (a table whose field `found` is set
-- when the first addresses are there)
-- @return the socket; or nil, err (`op` is not set), and its address if there was one alone
function M.connect(lookup, opts)
  local self = setmetatable({
    lookup = lookup, deadline = opts.deadline, delay = opts.delay, bind = opts.bind,
    allow = opts.allow, times = opts.times or {},
    addresses = turns.new(), flying = {}, attempts = {}, due = 0,
  }, mt)
  exits.hold(self)
  local ok, err = xpcall(race, thread.note_traceback, self)
  exits.release(self)
  if not ok then
    self:_exit()
    error(err, 0)
  end
  self:close()
  if self.winner then
    return self.winner
  elseif #self.attempts == 0 then
    return nil, err
  end
  return failures.of(self.attempts, self:is_late())
end

return M
