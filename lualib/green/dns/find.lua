--- The addresses of a name that name servers have: both families at once, or IPv6's after
-- IPv4's (`single-request` of resolv.conf), names in turn.
--
-- What is found are spots (green.dns.spots).
-- @module green.dns.find

local askings = require "green.dns.asking"
local core = require "green.core"
local answers = require "green.dns.answer"
local spots = require "green.dns.spots"

local min, tonumber, type = math.min, tonumber, type

local ETIMEDOUT = core.codes.ETIMEDOUT
local A, AAAA = answers.types.A, answers.types.AAAA

-- Both families are asked for at the same moment, of the same server. When one has come
-- with addresses, the other has that many seconds more: it must not hide what is there.
local OTHER_FAMILY = 1

local M = {}

local question, is_done = askings.question, askings.is_done

--- Does it say for sure what there is?
local function is_sure(holder)
  local q = question(holder)
  return q.result == 0 and (q.rcode == 0 or q.rcode == 3)
end

-- -- Waiting ------------------------------------------------------------------

local function earliest(deadline, seconds)
  local due = core.now() + seconds
  return deadline and min(deadline, due) or due
end

local function is_late(deadline)
  return deadline ~= nil and core.now() >= deadline
end

--- Wait for two, but not long for one when the other has brought addresses. 0 or a negative
-- status. Parks.
local function wait_both(asking, one, other, deadline)
  local status = asking:either(one, other, deadline)
  if status < 0 then
    return status
  elseif not is_done(one) then
    one, other = other, one
  end
  if question(one).count == 0 then
    return asking:wait(other, deadline)
  end
  status = asking:wait(other, earliest(deadline, OTHER_FAMILY))
  return status == ETIMEDOUT and not is_late(deadline) and 0 or status
end

local function wait_for(asking, one, other, deadline)
  if one and other then
    return wait_both(asking, one, other, deadline)
  end
  return asking:wait(one or other, deadline)
end

-- -- One full name ------------------------------------------------------------

--- What a question has brought, or what is known that is a little too old: a holder in place
-- of this one.
function M.outcome(asking, stale, holder, name, kind)
  if not stale or is_done(holder) and is_sure(holder) then
    return holder
  end
  local old = asking:known(name, kind)
  if not old then
    return holder
  elseif core.now() < tonumber(question(old).till) * 1e-9 + stale then
    asking:leave(holder)
    return old
  end
  asking:leave(old)
  return holder
end
local outcome = M.outcome

--- What kept an answer away, for the error; nil: nothing did.
function M.failure(asking, holder, name, kind)
  if not holder or is_sure(holder) then
    return nil
  end
  local q = question(holder)
  local has_answer = q.result == 0
  return { kind = kind, name = name, server = asking:server_of(holder),
    rcode = has_answer and q.rcode or nil, status = q.result }
end
local failure = M.failure

--- Are there two families to be asked for, one after the other?
local function is_single(plan, family)
  return plan.single and not family and not plan.no_aaaa
end

--- Ask for both families or one, or with `single` for the first of both: holders, or nil, nil,
-- status. Does not park.
function M.begin(plan, asking, name, family)
  local six, four, status
  if family ~= "inet" and not (not family and (plan.no_aaaa or plan.single)) then
    six, status = asking:join(name, AAAA)
  end
  if family ~= "inet6" and not status then
    four, status = asking:join(name, A)
  end
  return six, four, status
end

--- With `single`, when the question for A is done: that for AAAA, unless there is none, or no
-- server has answered. nil, status. Does not park.
function M.go_on(plan, asking, name, family, four)
  if is_single(plan, family) and question(four).result == 0 then
    return asking:join(name, AAAA)
  end
end
local go_on = M.go_on

--- As begin, but with `single` both have begun. The fourth result: nobody is asked. Parks.
local function begin_all(plan, asking, name, family, deadline)
  local six, four, status = M.begin(plan, asking, name, family)
  local is_known = not status and (not six or is_done(six)) and (not four or is_done(four))
  if not status and is_single(plan, family) then
    status = asking:wait(four, deadline)
    if status == 0 then
      six, status = go_on(plan, asking, name, family, four)
    end
  end
  return six, four, status, is_known and (not six or is_done(six))
end

local function leave(asking, six, four)
  if six then
    asking:leave(six)
  end
  if four then
    asking:leave(four)
  end
end

--- Why there are no addresses.
local function nothing(asking, six, four, name)
  local failed = failure(asking, four, name, A) or failure(asking, six, name, AAAA)
  local entry = four and asking:entry(four, A) or six and asking:entry(six, AAAA) or nil
  return { failed = failed, entry = entry, rcode = entry and entry.rcode,
    kind = entry and entry.kind }
end

--- Ask for one whole name, of both families or one.
-- @treturn table spots, with `till` if nobody had to be asked; or nil, and: a
-- negative status (a wait that ended), or a table: `failed` (see failure), or `rcode` 3 (there
-- is no such name) or 0, and `entry`. Parks.
function M.full(plan, asking, name, family, deadline)
  local stale = plan.stale
  local six, four, status, is_known = begin_all(plan, asking, name, family, deadline)
  status = is_known and 0 or status or wait_for(asking, six, four, deadline)
  if status < 0 then
    leave(asking, six, four)
    return nil, status
  end
  six = six and outcome(asking, stale, six, name, AAAA)
  four = four and outcome(asking, stale, four, name, A)
  local found = spots.of_both(asking, six, four, is_known)
  local why = not found and nothing(asking, six, four, name) or nil
  leave(asking, six, four)
  return found, why
end
local full = M.full

--- What is told of several names: that one is there counts most, then that one is not
-- known for sure.
local function weight(why)
  if why.failed then
    return 1
  end
  return why.rcode == 0 and 2 or 0
end

--- Names in turn, as `names.candidates` says, until one has addresses. As `full`, for all
-- of them.
function M.any(plan, asking, list, family, deadline)
  local worst
  for i = 1, #list do
    local found, why = full(plan, asking, list[i], family, deadline)
    if found then
      found.canonical = found.canonical or list[i]
      return found
    elseif type(why) == "number" then
      return nil, why
    end
    why.name = list[i]
    if not worst or weight(why) > weight(worst) then
      worst = why
    end
    if why.failed and not why.failed.rcode then
      break -- nobody answers: the next name would wait as long
    end
  end
  return nil, worst
end

return M
