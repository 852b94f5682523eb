--- The files that say how names are looked up: hosts, resolv.conf, nsswitch.conf, services.
--
-- A file is read when it is first asked for and whenever it has changed; nobody looks for
-- that more than once a second. One that is not there is an empty one.
-- @module green.dns.files

local core = require "green.core"

local ffi = require "ffi"
local env = require "green.ffi.env"
local files = require "green.ffi.file"
local hosts = require "green.ffi.hosts"
local nsswitch = require "green.ffi.nsswitch"
local resolv = require "green.ffi.resolv"

local tonumber = tonumber
local open = io.open

local M = {}

M.EVERY = 1 -- seconds between two looks

--- The value of a variable of the environment, or nil.
function M.env(name)
  local value = env.env(name)
  return value ~= nil and ffi.string(value) or nil
end

function M.text(path)
  local file = open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text or ""
end

-- -- Watching -----------------------------------------------------------------

local stamp = ffi.new("green_stamp")

--- What a file is in, for `has_changed`.
function M.watch(path)
  return { path = path, looked = -1, changed = -1, size = -1, number = -1 }
end

--- Has it changed since the last call that said so, or is this the first one?
function M.has_changed(watched, now)
  if now - watched.looked < M.EVERY and now >= watched.looked and watched.looked >= 0 then
    return false
  end
  watched.looked = now
  files.stamp(watched.path, stamp)
  local changed, size, number = tonumber(stamp.changed), tonumber(stamp.size),
    tonumber(stamp.number)
  if changed == watched.changed and size == watched.size and number == watched.number then
    return false
  end
  watched.changed, watched.size, watched.number = changed, size, number
  return true
end

-- -- Hosts --------------------------------------------------------------------

--- A table of a hosts file, which must be looked at by `fresh_hosts` before each use.
-- @return nil, code: ENOMEM, ECLOSED
function M.hosts(path)
  local object, code = core.object("hosts")
  if not object then
    return nil, code
  end
  return { object = object, watched = M.watch(path) }
end

--- The green_hosts of such a table, read anew if its file has changed. The second result
-- tells that. Out of memory: what was there before stays.
function M.fresh_hosts(table, now)
  local is_new = M.has_changed(table.watched, now)
  if is_new then
    local text = M.text(table.watched.path)
    hosts.load(table.object, text, #text)
  end
  return table.object, is_new
end

-- -- resolv.conf and nsswitch.conf --------------------------------------------

--- The domain that this machine's name is in, or nil.
local function own_domain()
  return M.text("/proc/sys/kernel/hostname"):match("^[^%.\n]+%.([^\n]+)")
end

local function search_of(conf)
  local list = {}
  for i = 1, conf.nsearch do
    list[i] = ffi.string(conf.text + conf.search[i - 1])
  end
  if not conf.has_search then
    list[1] = own_domain()
  end
  return list
end

local function servers_of(conf)
  local list = {}
  for i = 1, conf.nservers do
    list[i] = ffi.new("green_addr", conf.servers[i - 1])
  end
  return list
end

--- What a resolv.conf says, and the environment over it: `servers` (green_addr), `search`
-- (names), `ndots`, `timeout`, `tries`, `rotate`, `tcp`, `single`, `no_aaaa`, `trust_ad`.
function M.resolv(path)
  local conf, text = ffi.new("green_resolv"), M.text(path)
  resolv.init(conf)
  resolv.read(conf, text, #text)
  local options, domain = M.env("RES_OPTIONS"), M.env("LOCALDOMAIN")
  if options then
    resolv.options(conf, options, #options)
  end
  if domain then
    resolv.search(conf, domain, #domain)
  end
  return { servers = servers_of(conf), search = search_of(conf), ndots = conf.ndots,
    timeout = conf.timeout, tries = conf.attempts, rotate = conf.rotate, tcp = conf.use_vc,
    single = conf.single_request, no_aaaa = conf.no_aaaa, trust_ad = conf.trust_ad }
end

--- Whom nsswitch.conf says names are asked of: fields of green_nsswitch.
function M.nsswitch(path)
  local switch, text = ffi.new("green_nsswitch"), M.text(path)
  nsswitch.read(switch, text, #text)
  return switch
end

-- -- Services -----------------------------------------------------------------

local services = { watched = M.watch("/etc/services") }

local function read_services(text)
  local ports, names = { tcp = {}, udp = {} }, { tcp = {}, udp = {} }
  for line in text:gmatch("[^\r\n]+") do
    local name, port, protocol, aliases = line:gsub("#.*", "")
      :match("^%s*(%S+)%s+(%d+)/(%l+)(.*)")
    local of = ports[protocol]
    if of then
      port = tonumber(port)
      names[protocol][port] = names[protocol][port] or name
      for word in (name .. " " .. aliases):gmatch("%S+") do
        of[word] = of[word] or port
      end
    end
  end
  services.ports, services.names = ports, names
end

local function fresh_services()
  if M.has_changed(services.watched, core.now()) then
    read_services(M.text(services.watched.path))
  end
end

--- The port of a service's name, or nil.
function M.port(name, protocol)
  fresh_services()
  return services.ports[protocol][name]
end

--- The name of the service at a port, or nil.
function M.service(port, protocol)
  fresh_services()
  return services.names[protocol][port]
end

-- -- Own name -----------------------------------------------------------------

--- Is that this machine's own name? Other names for it are the system's matter.
function M.is_own(name)
  return name == M.text("/proc/sys/kernel/hostname"):gsub("\n$", ""):lower()
end

return M
