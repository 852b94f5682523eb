--- How a resolver looks names up at this moment: from its options, and for what they leave
-- open from the system's files, which may change.
--
-- A plan has `asking` (green.dns.asking; made when first needed), `search`, `ndots`, `single`,
-- `no_aaaa`, `stale`, `switch` (nsswitch.conf; nil for servers of one's own), `hosts` (a table,
-- or nil) and `till`: until when nobody looks whether a file has changed.
-- @module green.dns.plan

local core = require "green.core"
local addr = require "green.socket.addr"
local asking = require "green.dns.asking"
local caches = require "green.dns.cache"
local files = require "green.dns.files"

local byte = string.byte

local M = {}

local CACHED = 2048 -- names of each family, unless an option says otherwise
local EDNS = 1232 -- bytes: what no network cuts into pieces

M.RESOLV, M.NSSWITCH, M.HOSTS = "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts"

-- -- Settings -----------------------------------------------------------------

--- Where nobody says whom to ask, it is this machine (resolv.conf(5)).
local function own_server()
  return { addr.ip("127.0.0.1", 53) }
end

local LOOPBACK = ("\0"):rep(15) .. "\1"

--- Are all of them on this machine?
local function are_own(servers)
  for i = 1, #servers do
    local bytes = addr.bytes(servers[i])
    if byte(bytes) ~= 127 and bytes ~= LOOPBACK then
      return false
    end
  end
  return true
end

local function either(value, default)
  if value == nil then
    return default
  end
  return value
end

local function settings_of(opts, conf)
  local servers = opts.servers or conf.servers
  servers = #servers > 0 and servers or own_server()
  local edns = either(opts.edns, EDNS)
  return {
    servers = servers, search = opts.search or conf.search, ndots = opts.ndots or conf.ndots,
    timeout = opts.timeout or conf.timeout, tries = opts.tries or conf.tries,
    rotate = either(opts.rotate, conf.rotate), tcp = either(opts.tcp, conf.tcp),
    edns = edns == true and EDNS or edns or 0, no_aaaa = conf.no_aaaa,
    single = either(opts.single_request, conf.single),
    trusts = either(opts.trust_ad, conf.trust_ad or are_own(servers)),
    known = either(opts.cache, CACHED) or 0,
  }
end

--- What counts where no file does.
local none = { servers = {}, search = {}, ndots = 1, timeout = 5, tries = 2, rotate = false,
  tcp = false, single = false, no_aaaa = false, trust_ad = false }

--- Is systemd-resolved asked anyway, which knows what its service for the system knows?
local function is_stub(servers)
  local first = addr.format(servers[1])
  return first == "127.0.0.53:53" or first == "127.0.0.54:53"
end

--- A new plan; what is cached and under way goes with the old one.
local function renew(self, opts)
  local conf = opts.servers and none or files.resolv(self.resolv.path)
  local settings = settings_of(opts, conf)
  self.settings = settings
  self.search, self.ndots, self.no_aaaa = settings.search, settings.ndots, settings.no_aaaa
  self.single = settings.single
  self.stale, self.is_stub = opts.stale, is_stub(settings.servers)
  self.asking = nil
end

-- -- Plans --------------------------------------------------------------------

--- A plan for options that were checked: `servers` a list of green_addr, `hosts` a path or
-- false, the others as dns.resolver has them.
function M.new(opts)
  local self = { opts = opts, till = -1,
    resolv = files.watch(opts.resolv or M.RESOLV),
    nsswitch = not opts.servers and files.watch(M.NSSWITCH) or nil }
  self.hosts_path = either(opts.hosts, M.HOSTS)
  return self
end

local function refresh_hosts(self, now)
  if not self.hosts_path then
    return false
  end
  self.hosts_table = self.hosts_table or files.hosts(self.hosts_path)
  if not self.hosts_table then
    return false
  end
  local is_new
  self.hosts, is_new = files.fresh_hosts(self.hosts_table, now)
  return is_new
end

--- Look whether files have changed, at most once a second. Does not park.
function M.refresh(self)
  local now = self.asking and self.asking:now() or -1
  now = now >= 0 and now or core.now()
  if now < self.till and now >= self.till - files.EVERY then
    return
  end
  local opts = self.opts
  local is_new = refresh_hosts(self, now)
  local is_changed = not opts.servers and files.has_changed(self.resolv, now)
  if is_changed or not self.settings then
    renew(self, opts)
    is_new = true
  end
  if self.nsswitch and files.has_changed(self.nsswitch, now) then
    self.switch = files.nsswitch(self.nsswitch.path)
    is_new = true
  end
  if is_new or not self.any then
    self.any, self.inet, self.inet6 = caches.new(1024), caches.new(1024), caches.new(1024)
  end
  self.till = now + files.EVERY
end

--- Make sure that name servers can be asked.
-- @return nil, err: ENOLIBRARY, ENOMEM, ECLOSED
function M.ready(self, op)
  if not self.asking then
    local made, err = asking.new(self.settings.servers, self.settings, op)
    if not made then
      return nil, err
    end
    self.asking = made
  end
  return self.asking
end

--- Forget what is known of names.
function M.forget(self)
  self.till = -1
  self.any, self.inet, self.inet6 = nil, nil, nil
  if self.settings then
    renew(self, self.opts)
  end
end

return M
