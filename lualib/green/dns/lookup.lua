--- From a host as a user gives it to spots (green.dns.spots): who has to be asked for it.
-- @module green.dns.lookup

local core = require "green.core"
local addr = require "green.socket.addr"
local answers = require "green.dns.answer"
local errors = require "green.error"
local files = require "green.dns.files"
local find = require "green.dns.find"
local names = require "green.dns.names"
local found = require "green.dns.spots"
local plans = require "green.dns.plan"
local resolve = require "green.socket.resolve"
local thread = require "green.thread"

local format, min, type = string.format, math.min, type
local op = resolve.op

local M = {}

-- -- Errors -------------------------------------------------------------------

local function words_of(status)
  local _, text = core.errtext(status)
  return text
end

--- Why name servers gave no answer: a sentence.
local function told(failed)
  local server = failed.server and ", " .. failed.server .. "," or ""
  if failed.rcode then
    return format("the last name server that was asked%s says %s", server,
      answers.rcode(failed.rcode))
  elseif failed.status == core.codes.EPROTO then
    return format("the last name server that was asked%s sent what is no answer", server)
  end
  return format("no name server could be asked; the last one%s: %s", failed.server
    and " was " .. failed.server or "", words_of(failed.status or core.codes.ETIMEDOUT))
end

--- The error for what find says instead of spots.
function M.failed(why, tried)
  if type(why) == "number" then
    return thread.failed(why, tried)
  end
  local failed = why.failed
  if failed then
    local kind = answers.type_names[failed.kind]
    local cause = failed.status and failed.status < 0 and errors.names[failed.status] or nil
    return nil, errors.new("EAI_AGAIN", tried, told(failed), { name = failed.name, type = kind,
      server = failed.server, cause = cause,
      rcode = failed.rcode and answers.rcode(failed.rcode) or nil })
  end
  local entry = why.entry
  return nil, errors.new(why.rcode == 3 and "EAI_NONAME" or "EAI_FAMILY", tried, nil, {
    name = why.name, type = answers.type_names[why.kind], server = entry.server,
    rcode = answers.rcode(why.rcode) })
end

-- -- Whom to ask --------------------------------------------------------------

--- Is that a name that only the system knows how to look up (nsswitch.conf)?
function M.is_systems(plan, name, flags)
  local switch = plan.switch
  if not switch or not switch.has_hosts then
    return false
  elseif not switch.dns or switch.other or switch.dns_first then
    return true
  elseif names.is_local(flags) and (switch.mdns or switch.resolve) then
    return true
  elseif switch.resolve and not plan.is_stub then
    return true
  end
  return switch.myhostname and files.is_own(name)
end

--- Do name servers come before the hosts file? Then the system knows what to do.
local function is_dns_first(plan)
  local switch = plan.switch
  return switch and switch.has_hosts and switch.dns_first
end

local SYSTEM = {} -- stands for "ask the system"
M.SYSTEM = SYSTEM

--- Spots that need no question; nil: ask name servers for the name, which is the second
-- result, with whether it is whole as the third; nil, SYSTEM; or nil, false, err.
function M.at_once(plan, host, family, service)
  local name, flags = names.read(host)
  if not name then
    local is_number = flags == names.NO_NUMBER
    return nil, false, errors.new(is_number and "EINVAL" or "EAI_NONAME", op(host, service),
      is_number and addr.NO_NUMBER or flags)
  elseif names.is_localhost(flags) then
    return found.localhost(family)
  end
  local spots = plan.hosts and not is_dns_first(plan) and found.in_hosts(plan.hosts, name, family)
  if spots and #spots == 0 then
    return nil, false, errors.new("EAI_FAMILY", op(host, service), nil, { name = name })
  elseif spots then
    return spots
  elseif names.is_nowhere(flags) then
    return nil, false, errors.new("EAI_NONAME", op(host, service), nil, { name = name,
      rcode = "NXDOMAIN" })
  elseif M.is_systems(plan, name, flags) then
    return nil, SYSTEM
  elseif family == "inet6" and plan.no_aaaa then
    return nil, false, errors.new("EAI_FAMILY", op(host, service),
      "resolv.conf says no-aaaa: nobody is asked for IPv6", { name = name })
  end
  return nil, name, names.is_whole(flags)
end

--- Names in turn that are asked of name servers.
function M.candidates(plan, name, is_whole)
  return names.candidates(name, is_whole, plan.search, plan.ndots)
end

--- What name servers are asked by. Where c-ares is not there, the system looks names up, but
-- not for who has told whom to ask.
-- @return nil, SYSTEM; nil, err
function M.ready(plan, tried)
  local asking, err = plans.ready(plan, tried)
  if not asking and err:is("ENOLIBRARY") and not plan.opts.servers then
    return nil, SYSTEM
  end
  return asking, err
end

--- Ask for all names in turn. As find.full. Parks.
local function ask(plan, asking, name, is_whole, family, deadline)
  if not is_whole and #plan.search > 0 then
    return find.any(plan, asking, M.candidates(plan, name, is_whole), family, deadline)
  end
  local list, why = find.full(plan, asking, name, family, deadline)
  if not list and type(why) == "table" then
    why.name = name
  end
  return list, why
end

--- The spots of a host; service: for errors. Its errors are those of getaddrinfo. Parks.
-- @return spots; nil, SYSTEM; nil, err
function M.spots(plan, host, service, family, deadline)
  plans.refresh(plan)
  local front = plan[family or "any"]
  local spots, name, extra = M.at_once(plan, host, family, service)
  if spots then
    spots.till = plan.till
    front:put(host, spots)
    return spots
  elseif name == SYSTEM then
    return nil, SYSTEM
  elseif not name then
    return nil, extra
  end
  local asking = plan.asking
  if not asking then
    local made, err = M.ready(plan, op(host, service))
    if not made then
      return nil, err
    end
    asking = made
  end
  core.waiter() -- where that raises, nothing is asked
  local list, why = ask(plan, asking, name, extra, family, deadline)
  if not list then
    return M.failed(why, op(host, service))
  end
  if not list.canonical and name ~= host then
    list.canonical = name
  end
  if list.till then -- else it may never be wanted again
    list.till = min(plan.till, list.till)
    front:put(host, list)
  end
  return list
end

return M
