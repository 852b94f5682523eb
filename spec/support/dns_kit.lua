-- dns_kit.lua: what specs of lookups share.

local assert = require "luassert"
local addr = require "green.socket.addr"
local askings = require "green.dns.asking"
local core = require "green.core"
local dns = require "green.dns"
local green = require "green"
local plans = require "green.dns.plan"
local resolve = require "green.socket.resolve"
local servers = dofile "spec/support/dns_server.lua"

local M = { servers = servers }

--- A server with these zones, and a resolver that asks it alone.
function M.pair(zones, opts)
  local server = servers.start(zones)
  return server, M.resolver(server, opts)
end

function M.resolver(server, opts)
  local own = { servers = { "127.0.0.1:" .. server.port }, hosts = false, timeout = 5, tries = 2 }
  for name, value in pairs(opts or {}) do
    own[name] = value
  end
  return dns.resolver(own)
end

--- Call fn(server, resolver, ...) with a pair, and stop the server whatever happens.
function M.with(zones, opts, fn)
  local server, resolver = M.pair(zones, opts)
  local ok, err = pcall(fn, server, resolver)
  server:stop()
  assert(ok, err)
end

--- The same, but what green.resolve and green.connect use by themselves asks that server.
function M.with_default(zones, opts, fn)
  local server = servers.start(zones)
  local plan = resolve.plan()
  local before = plan.opts
  plan.opts = { servers = { addr.ip("127.0.0.1", server.port) }, timeout = 5, tries = 2,
    search = {}, hosts = false }
  plan.hosts_path, plan.hosts = false, nil
  for name, value in pairs(opts or {}) do
    plan.opts[name] = value
  end
  plans.forget(plan)
  local ok, err = pcall(fn, server)
  server:stop()
  plan.opts, plan.hosts_path = before, plans.HOSTS
  plans.forget(plan)
  assert(ok, err)
end

--- "192.0.2.1 2001:db8::1" of a list of addresses.
function M.hosts(list, err)
  assert(list, tostring(err))
  local texts = {}
  for i, address in ipairs(list) do
    texts[i] = address.host
  end
  return table.concat(texts, " ")
end

--- A thread that is in the middle of fn(...), and a function that says when the server was
-- asked for something.
function M.caught(server, fn, ...)
  local before = #server.queries
  local t = green.spawn(fn, ...)
  while #server.queries == before and not t:dead() do
    green.sleep(0)
  end
  return t
end

--- Wait until something holds.
function M.wait_until(fn)
  while not fn() do
    green.sleep(0.001)
  end
end

--- What a resolver has under way.
function M.numbers(resolver)
  local asking = resolver._plan.asking
  return asking and asking:numbers() or { out = 0, waiting = 0, channels = 0, sent = 0 }
end

--- The green_question that a resolver keeps of a name and type: its till and done_at can be
-- set, in nanoseconds of core.now().
function M.known(resolver, name, kind)
  local asking = resolver._plan.asking
  local holder = asking:known(name, kind)
  local q = askings.question(holder)
  asking:leave(holder)
  return q
end

function M.waits()
  return core.stats().waits
end

return M
