-- Lookups of 10,000 names that are not known yet, 256 at a time, of a server at port arg[1];
-- and of names that are. Prints as floor_dns.c, and mb (growth of resident memory by 10,000
-- names), cached_ns and hosts_ns.
local dns = require "green.dns"
local green = require "green"

local NAMES, OUT, KNOWN = 10000, 256, 1000000
local server = { "127.0.0.1:" .. arg[1] }

local function resolver()
  return dns.resolver { servers = server, hosts = false }
end

local function resident()
  local pages = io.open("/proc/self/statm"):read("*a"):match("^%d+ (%d+)")
  return pages * 4096 / 2 ^ 20
end

local function run(r, opts)
  local at, threads = 0, {}
  local function work()
    while at < NAMES do
      local name = "n" .. at .. ".example.test"
      at = at + 1
      assert(r:getaddrinfo(name, 80, opts))
    end
  end
  for i = 1, OUT do threads[i] = green.spawn(work) end
  for i = 1, OUT do threads[i]:wait() end
end

local function measure(name, opts)
  local r = resolver()
  local wall, cpu = green.now(), os.clock()
  run(r, opts)
  cpu, wall = os.clock() - cpu, green.now() - wall
  io.write(("%s_ns=%.0f %s_s=%.4f "):format(name, cpu / NAMES * 1e9, name, wall))
end

local function known(name, host, r)
  local function some(n)
    for _ = 1, n do assert(r:getaddrinfo(host, 80)) end
  end
  some(10000)
  local cpu = os.clock()
  some(KNOWN)
  io.write(("%s_ns=%.1f "):format(name, (os.clock() - cpu) / KNOWN * 1e9))
end

local before = resident()
run(resolver(), { family = "inet" }) -- the warm-up
io.write(("mb=%.2f "):format(resident() - before))
measure("a", { family = "inet" })
measure("both", nil)
known("cached", "n1.example.test", resolver())
local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write("192.0.2.1 some.host\n")
file:close()
known("hosts", "some.host", dns.resolver { servers = server, hosts = path })
os.remove(path)
print()
