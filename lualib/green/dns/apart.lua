--- The addresses of a name as they come, for "happy eyeballs" (RFC 8305): A and AAAA are asked
-- for at once, and whoever connects may begin with the family that is there first.
--
--     local apart = require "green.dns.apart"
--     local lookup, err = apart.start(host, service, { family = nil })  -- does not park
--     local list, err = lookup:take(deadline)                           -- parks
--     lookup:close()                                                    -- whenever it is enough
--
-- `take` gives a list of green_addr with their ports, best first (RFC 6724): of one family
-- that has just come, or of both where nobody had to be asked (numbers, the hosts file,
-- localhost) and where the system looks names up. Call it again for the other family; `nil`
-- alone: there is no more. `nil, err`: ETIMEDOUT, the deadline (absolute, on core.now(); nil:
-- none) has passed, and the lookup goes on: call it again, or close it. When `take` has given
-- no list at all before it gives nil, `lookup.err` says why, an error as green.resolve gives;
-- otherwise it is nil. A kill raises in `take`, and leaves nothing behind but what `close`
-- ends; collected without that, its questions end by themselves.
--
-- RFC 8305's delays are the caller's: after a list of IPv4, `take(core.now() + 0.05)` waits
-- for IPv6 as long as its "resolution delay"; while an attempt to connect is under way,
-- another green thread may wait in `take`.
-- @module green.dns.apart

local core = require "green.core"
local answers = require "green.dns.answer"
local askings = require "green.dns.asking"
local find = require "green.dns.find"
local found = require "green.dns.spots"
local lookups = require "green.dns.lookup"
local plans = require "green.dns.plan"
local class = require "green.args.class"
local resolve = require "green.socket.resolve"
local show = require "green.args.show"
local thread = require "green.thread"

local ipairs, setmetatable = ipairs, setmetatable

local A, AAAA = answers.types.A, answers.types.AAAA
local is_done = askings.is_done

local methods = {}
local mt = show.kind({ __name = "green.dns.apart", __index = methods }, function(self)
  return self.op
end)

local function raws(spots, port)
  local list = {}
  for i = 1, #spots do
    list[i] = resolve.raw(spots[i], port)
  end
  return list
end

-- -- One name of those in turn ------------------------------------------------

--- Begin with the next name. nil, err; nil: there is none.
local function advance(self)
  self.at = self.at + 1
  local name = self.names[self.at]
  if not name then
    return nil
  end
  local status
  self.f6, self.f4, status = find.begin(self.plan, self.plan.asking, name, self.family)
  if status then
    self:close()
    return lookups.failed(status, self.op)
  end
  return true
end

--- A is done, and AAAA may be asked for then.
local function go_on(self)
  local name = self.names[self.at]
  local six, status = find.go_on(self.plan, self.plan.asking, name, self.family, self.f4)
  self.f6 = six or self.f6
  self.why = status and { kind = AAAA, name = name, status = status } or self.why
end

--- A question is done: the spots that it has brought, or nil. It is left.
local function land(self, field, kind)
  local plan, name = self.plan, self.names[self.at]
  local asking = plan.asking
  if kind == A then
    go_on(self)
  end
  local holder = find.outcome(asking, plan.stale, self[field], name, kind)
  self[field] = nil
  self.why = find.failure(asking, holder, name, kind) or self.why
  local six, four = kind == AAAA and holder or nil, kind == A and holder or nil
  local spots = found.of_both(asking, six, four)
  if not spots then
    self.last = asking:entry(holder, kind) or self.last
  end
  asking:leave(holder)
  return spots
end

--- Take in what is there of the present name. A list, or nil.
local function collect(self)
  local spots
  if self.f6 and is_done(self.f6) then
    spots = land(self, "f6", AAAA)
  end
  if not spots and self.f4 and is_done(self.f4) then
    spots = land(self, "f4", A)
  end
  return spots
end

--- Wait until there is more. 0 or a negative status. Parks.
local function wait(self, deadline)
  local asking, one, other = self.plan.asking, self.f6, self.f4
  if one and other then
    return asking:either(one, other, deadline)
  end
  return asking:wait(one or other, deadline)
end

local function is_open(self)
  return self.f6 or self.f4
end

--- Why there is nothing.
local function explain(self)
  local last = self.last
  local _, err = lookups.failed({ failed = self.why, entry = last, rcode = last and last.rcode,
    name = self.names[#self.names], kind = last and last.kind }, self.op)
  return err
end

--- The next list of those that are asked for. Parks.
local function take_asked(self, deadline)
  while true do
    while is_open(self) do
      local spots = collect(self)
      if spots then
        self.given = true
        return raws(spots, self.port)
      elseif is_open(self) then
        local status = wait(self, deadline)
        if status < 0 then
          return thread.failed(status, self.op)
        end
      end
    end
    local silent = self.why and not self.why.rcode
    local is_next, err = nil, nil
    if not self.given and not silent then
      is_next, err = advance(self)
    end
    if not is_next then
      self.done = true
      self.err = not self.given and (err or explain(self)) or nil
      return nil
    end
  end
end

-- -- Lookups ------------------------------------------------------------------

--- More addresses: see above. Parks.
function methods:take(deadline)
  thread.checkpoint()
  if self.done then
    return nil
  elseif self.names then
    core.waiter() -- where that raises, nothing has been asked in vain
    return take_asked(self, deadline)
  elseif self.spots then
    self.done = true
    return raws(self.spots, self.port)
  end
  local list, err = resolve.ask_system(self.host, self.opts, self.port, deadline, self.op)
  if not list and err:is("ETIMEDOUT") then
    return nil, err
  end
  self.done, self.err = true, err
  return list
end

--- No more is wanted; questions that nobody else waits for end. Does not park. Idempotent.
function methods:close()
  for _, field in ipairs { "f6", "f4" } do
    local flight = self[field]
    self[field] = nil
    if flight then
      self.plan.asking:leave(flight)
    end
  end
  self.done = true
end

--- Begin to look a host up. Does not park.
-- @tparam ?string host
-- @param service a port, the name of a service, or nil
-- @tparam table opts `family`, `type`, `passive`, `resolver` as green.resolve, checked; `whose`:
-- the plan of a resolver of one's own
-- @return the lookup; or nil, err: what is known at once
local function start(host, service, opts)
  local spots, port, err = resolve.at_once(host, service, opts, opts.whose)
  local self = setmetatable({ port = port, opts = opts, family = opts.family, at = 0,
    op = resolve.op(host, service), host = host }, mt)
  if err then
    return nil, err
  elseif spots then
    self.spots = spots
    return self
  end
  local plan = resolve.plan()
  plan = opts.whose or plan
  local name, is_whole
  if opts.whose or not resolve.is_systems(opts) then
    plans.refresh(plan)
    spots, name, is_whole = lookups.at_once(plan, host, opts.family, service)
    if spots then
      self.spots = spots
      return self
    elseif name == false then
      return nil, is_whole
    end
  end
  if not name or name == lookups.SYSTEM then
    return self
  end
  local asking
  asking, err = lookups.ready(plan, self.op)
  if err == lookups.SYSTEM then
    return self
  elseif not asking then
    return nil, err
  end
  -- The plan's parts of now: it may get others.
  self.plan = { asking = asking, stale = plan.stale, no_aaaa = plan.no_aaaa,
    single = plan.single }
  self.names = lookups.candidates(plan, name, is_whole)
  local ok
  ok, err = advance(self)
  return ok and self, err
end

class.seal(mt)

return { start = start }
