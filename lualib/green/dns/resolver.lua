--- Resolvers: objects that look names up their own way.
-- @module green.dns.resolver

local addr = require "green.socket.addr"
local addrinfo = require "green.dns.addrinfo"
local args = require "green.args"
local class = require "green.args.class"
local nameinfo = require "green.dns.nameinfo"
local names = require "green.dns.names"
local options = require "green.args.options"
local plans = require "green.dns.plan"
local queries = require "green.dns.query"
local show = require "green.args.show"

local concat, ipairs, setmetatable, type_of = table.concat, ipairs, setmetatable, type

local methods = {}
local mt = { __name = "green.dns.resolver", __index = methods }

--- As green.dns.getaddrinfo. Parks for names.
function methods:getaddrinfo(host, service, opts)
  return addrinfo.getaddrinfo(self._plan, host, service, opts)
end

--- As green.dns.getnameinfo. Parks.
function methods:getnameinfo(address, opts)
  return nameinfo.getnameinfo(self._plan, address, opts)
end

--- As green.dns.gethostbyname. Parks for names.
function methods:gethostbyname(name)
  return addrinfo.gethostbyname(self._plan, name)
end

--- As green.dns.query. Parks.
function methods:query(name, type, opts)
  return queries.query(self._plan, name, type, opts)
end

--- Forget what is known of names, and read the files anew at the next lookup. Does not park.
function methods:clear()
  plans.forget(self._plan)
end

--- Whom it asks, in order: a list of `{ address = "192.0.2.1:53", down = false }`; down: it did
-- not answer lately, and is asked last. Does not park.
-- @return nil, err: ENOLIBRARY, ENOMEM, ECLOSED
function methods:servers()
  plans.refresh(self._plan)
  local asking, err = plans.ready(self._plan, "servers")
  if not asking then
    return nil, err
  end
  return asking:servers()
end

show.kind(mt, function(self)
  local plan, list = self._plan, {}
  for i, raw in ipairs(plan.opts.servers or plan.settings and plan.settings.servers or {}) do
    list[i] = addr.format(raw)
  end
  return concat(list, ", ")
end)

-- -- Options ------------------------------------------------------------------

local known = { servers = true, timeout = true, tries = true, search = true, ndots = true,
  rotate = true, tcp = true, edns = true, cache = true, hosts = true, stale = true,
  single_request = true, trust_ad = true }

local SERVERS_MOST = 16

--- A green_addr of what stands for a server.
local function server(value, where)
  local raw
  if type_of(value) == "string" then
    raw = addr.ip(value, 53)
    if not raw then
      local spot = addr.read(value, nil, where)
      raw = spot and spot.raw
    end
  elseif addr.is_address(value) then
    raw = addr.raw(value)
  end
  local family = raw and addr.of(raw).family
  if family ~= "inet" and family ~= "inet6" then
    args.wrong(where, "each of servers", 'an address such as "192.0.2.1" or "[2001:db8::1]:53"',
      value)
  end
  return raw
end

local function servers(list, where)
  args.list(list, where, "servers", "addresses")
  if #list < 1 or #list > SERVERS_MOST then
    args.misuse("%s: servers must be a list of 1 to %d addresses, not of %d: %s", where,
      SERVERS_MOST, #list, args.shown(list))
  end
  local raws = {}
  for i, value in ipairs(list) do
    raws[i] = server(value, where)
  end
  return raws
end

local function search(list, where)
  args.list(list, where, "search", "domains")
  for _, domain in ipairs(list) do
    args.type(domain, "string", where, "each of search")
    if not names.is_domain(domain) then
      args.wrong(where, "each of search", 'a domain such as "example.org"', domain)
    end
  end
  return list
end

local function optional_count(value, least, most, where, name)
  if value ~= nil then
    args.integer(value, least, where, name, most)
  end
end

local function check_edns(value, where)
  if value ~= nil and type_of(value) ~= "boolean" then
    args.integer(value, 512, where, "edns", 4096)
  end
end

local function check(opts, where)
  opts = options.check(opts, known, where)
  if opts.timeout ~= nil and (type_of(opts.timeout) ~= "number"
    or not (opts.timeout > 0 and opts.timeout <= 3600)) then
    args.wrong(where, "timeout", "a number of seconds above 0, at most 3600", opts.timeout)
  end
  optional_count(opts.tries, 1, 100, where, "tries")
  optional_count(opts.ndots, 0, 15, where, "ndots")
  args.optional(opts.rotate, "boolean", where, "rotate")
  args.optional(opts.tcp, "boolean", where, "tcp")
  args.optional(opts.single_request, "boolean", where, "single_request")
  args.optional(opts.trust_ad, "boolean", where, "trust_ad")
  check_edns(opts.edns, where)
  if opts.cache ~= nil and opts.cache ~= false then
    args.integer(opts.cache, 0, where, "cache", 10000000)
  end
  if opts.hosts ~= nil and opts.hosts ~= false then
    args.type(opts.hosts, "string", where, "hosts")
  end
  if opts.stale ~= nil then
    args.number(opts.stale, 0, where, "stale")
  end
  return opts
end

--- See green.dns.resolver.
local function new(opts, where)
  opts = check(opts, where)
  local own = {}
  for name in pairs(known) do
    own[name] = opts[name]
  end
  own.servers = opts.servers and servers(opts.servers, where)
  own.search = opts.search and search(opts.search, where)
  return setmetatable({ _plan = plans.new(own) }, mt)
end

--- The one of all who have none of their own.
local function of(plan)
  return setmetatable({ _plan = plan }, mt)
end

class.seal(mt)

--- The plan of a resolver; nil: it is none.
local function plan_of(value)
  return class.is(value, mt) and value._plan or nil
end

return { new = new, of = of, plan_of = plan_of }
