--- Which requests are tried again, and when.
--
-- `delay` decides alone by what it is told; waiting and sending are the client's. The waits
-- grow twofold up to a cap, and each is a random part of that ("full jitter"), so that
-- clients which failed together do not come back together. What a server says in Retry-After
-- (RFC 9110 10.2.3) is the least that is waited.
-- @module green.http.retry

local args = require "green.args"
local class = require "green.args.class"
local date = require "green.http.date"
local errors = require "green.error"
local jitter = require "green.net.jitter"
local options = require "green.args.options"
local show = require "green.args.show"
local verbs = require "green.http.method"

-- Scripts may put their own in their places.
local ipairs, pairs, setmetatable, tonumber, type = ipairs, pairs, setmetatable, tonumber, type
local max, min, time = math.max, math.min, os.time

local M = {}

-- What says that another time may do better.
local STATUSES = { 429, 502, 503, 504 }

-- Failures of the network and of names that may be other ones the next time.
local PASSING = {}
for _, name in ipairs { "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT",
  "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EAI_AGAIN", "EEOF",
  "ETLSTRUNCATED" } do
  PASSING[name] = true
end

-- -- Budgets ------------------------------------------------------------------

local budget_methods = {}
local budget_mt = { __name = "green.http.retry_budget", __index = budget_methods }

--- Note a request that went well: it earns a part of a further try. Does not park.
function budget_methods:earn()
  self._left = min(self._most, self._left + self._ratio)
end

--- Take a try from the budget. Does not park.
-- @treturn boolean false: it is used up, and nothing is taken
function budget_methods:take()
  if self._left < 1 then
    return false
  end
  self._left = self._left - 1
  return true
end

--- How many tries are left. Does not park.
function budget_methods:left()
  return self._left
end

show.kind(budget_mt, function(self)
  return ("%.3g of %d left"):format(self._left, self._most)
end)
class.seal(budget_mt)

local budget_options = { tries = true, ratio = true }

--- A budget that many requests share: when everything fails, tries again would only add to
-- the load that makes it fail. Does not park.
-- @tparam[opt] table opts `tries` there are at first and at most (10), `ratio` of a try that
-- each request that went well gives back (0.1)
-- @treturn green.http.retry_budget
function M.budget(opts)
  opts = options.check(opts, budget_options, "retry_budget")
  local tries = opts.tries == nil and 10 or args.integer(opts.tries, 1, "retry_budget", "tries")
  local ratio = opts.ratio == nil and 0.1 or args.number(opts.ratio, 0, "retry_budget", "ratio")
  return setmetatable({ _most = tries, _left = tries, _ratio = ratio }, budget_mt)
end

-- -- Policies -----------------------------------------------------------------

local function set_of(list, default, kind, where, name)
  local set = {}
  for i, value in ipairs(list == nil and default or args.list(list, where, name)) do
    set[args.type(value, kind, where, ("%s[%d]"):format(name, i))] = true
  end
  return set
end

local numbers = { base = 0.5, cap = 30, max_wait = 60 }
local known = { tries = true, statuses = true, methods = true, budget = true, random = true }
for name in pairs(numbers) do
  known[name] = true
end

--- Check the option `retries` of a request, and make a policy of it. Does not park.
-- @param value false or nil: nothing is tried again; true: as below; a number of tries; or a
-- table: `tries` after the first (3), `base` seconds that the first wait is at most (0.5),
-- `cap` seconds that any is at most (30), `max_wait`: a server that wants us to wait longer
-- than that many seconds is not asked again (60), `statuses` (429, 502, 503, 504), `methods`
-- (those that are idempotent), `budget` as `budget` makes it, `random` a function that
-- gives numbers from 0 to 1 (the kernel's)
-- @tparam string where the function's name, for misuse
-- @treturn ?table nil: nothing is tried again
function M.policy(value, where)
  if value == nil or value == false then
    return nil
  elseif value == true then
    value = {}
  elseif type(value) == "number" then
    value = { tries = args.count(value, 0, where, "retries") }
  elseif type(value) ~= "table" then
    args.wrong(where, "retries", "true, false, a number of tries or a table", value)
  end
  options.check(value, known, where .. ": retries")
  local policy = {
    tries = value.tries == nil and 3 or args.count(value.tries, 0, where, "retries.tries"),
    statuses = set_of(value.statuses, STATUSES, "number", where, "retries.statuses"),
    methods = set_of(value.methods, verbs.IDEMPOTENT, "string", where, "retries.methods"),
    budget = value.budget,
    random = value.random == nil and jitter.fraction
      or args.callable(value.random, where, "retries.random"),
  }
  if policy.budget ~= nil and not class.is(policy.budget, budget_mt) then
    args.wrong(where, "retries.budget", "what http.retry_budget gave", policy.budget)
  end
  for name, default in pairs(numbers) do
    policy[name] = value[name] == nil and default
      or args.number(value[name], 0, where, "retries." .. name)
  end
  return policy
end

-- -- Deciding -----------------------------------------------------------------

--- What a Retry-After header says, in seconds from now. Does not park.
-- @tparam ?string text
-- @tparam[opt] number now seconds since 1970
-- @treturn ?number at least 0; nil: it says nothing
function M.after(text, now)
  if type(text) ~= "string" or #text > 64 then
    return nil
  elseif text:find("^%d+$") then
    return tonumber(text)
  end
  now = now or time()
  local moment = date.parse(text, now)
  return moment and max(0, moment - now) or nil
end

--- May it be sent twice? Yes where nothing of it can have had an effect, or a second
-- sending has no other effect than the first.
local function may_repeat(what, policy)
  return what.resendable ~= false and (what.unsent or policy.methods[what.method]) or false
end

local function has_failed(what, policy)
  local err = what.err
  if err ~= nil then
    return errors.is_error(err) and PASSING[err.code] or false
  end
  return policy.statuses[what.status] or false
end

--- How long to wait before a request is sent again. It takes a try from the policy's
-- budget; nothing else is changed. Does not park.
-- @tparam number attempt how often it was sent: 1 after the first time
-- @tparam table what `method`, and `status` and `retry_after` (the header's text) of the
-- answer or `err`, why there is none; `unsent` true: no byte of it was sent, so any method
-- may be tried again; `resendable` false: its body cannot be had again
-- @tparam ?table policy of `policy`
-- @treturn ?number seconds; nil: it is not sent again
function M.delay(attempt, what, policy)
  if not policy or attempt > policy.tries or not has_failed(what, policy)
    or not may_repeat(what, policy) then
    return nil
  end
  local told = what.err == nil and M.after(what.retry_after) or 0
  if told > policy.max_wait or policy.budget and not policy.budget:take() then
    return nil
  end
  -- Beyond 2 ^ 64 nothing grows that has a cap.
  local most = min(policy.cap, policy.base * 2 ^ min(attempt - 1, 64))
  return told + most * policy.random()
end

return M
