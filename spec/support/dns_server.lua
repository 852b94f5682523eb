--- examples/dns_server.lua inside a spec, with ways to misbehave. It answers in green
-- threads of the spec's own runtime, on a free port of 127.0.0.1.
--
--   local server = dns_server.start(zones)     text, lines, or nothing: KNOWN
--   server.port
--   server:misbehave("slow.example", "silent") until server:behave("slow.example");
--                                              "*" means every name
--   server:count("www.example", "AAAA", "udp") queries so far; nil: any
--   server:stop()
--
-- A misbehaviour is a name in dns_ways.lua, with an argument, or function(query, answer, client)
-- that returns what to send instead, or nil.
local dns = dofile "examples/dns_server.lua"
local misbehaving = dofile "spec/support/dns_ways.lua"

local text_of, ways = misbehaving.text_of, misbehaving.ways

local M = { dns = dns, text_of = text_of }

--- What a server without zones of its own knows.
M.KNOWN = [[
example           SOA   ns.example root.example 1 3600 600 86400 60
example           NS    ns.example
example           MX    10 mail.example
example           TXT   "hello, world" "" "and more"
example           CAA   0 issue "ca.example"
example           NAPTR 100 10 u E2U+sip "!^.*$!sip:info@example!" .
www.example   60  A     192.0.2.1
www.example   60  AAAA  2001:db8::1
both.example      A     192.0.2.2
both.example      A     192.0.2.3
four.example      A     192.0.2.4
six.example       AAAA  2001:db8::6
here.example      A     127.0.0.1
here.example      AAAA  ::1
alias.example 30  CNAME www.example
far.example       CNAME alias.example
nowhere.example   CNAME nobody.example
_sip._tcp.example SRV   10 5 5060 www.example
_443._tcp.www.example TLSA 3 1 1 0123456789abcdef
2.2.0.192.in-addr.arpa SOA ns.example root.example 1 3600 600 86400 60
1.2.0.192.in-addr.arpa SOA ns.example root.example 1 3600 600 86400 60
1.2.0.192.in-addr.arpa PTR www.example
]]

-- -- Server ---------------------------------------------------------------------

local server = {}
server.__index = server

--- Misbehave for a name ("*": all), by a way above or a function, until told to behave.
function server:misbehave(name, way, argument)
  local fn = ways[way] or way
  assert(type(fn) == "function", "no way to misbehave: " .. tostring(way))
  self.ways[name:lower()] = function(query, answer, client)
    return fn(query, answer, client, argument)
  end
end

function server:behave(name)
  self.ways[name:lower()] = nil
end

local names = {}
for name, number in pairs(dns.types) do
  names[number] = name
end

--- How many queries there were for a name, of a type, by a transport; nil: any.
function server:count(name, kind, transport)
  local n = 0
  for _, q in ipairs(self.queries) do
    if (not name or q.name == name:lower()) and (not kind or q.type == kind)
      and (not transport or q.transport == transport) then
      n = n + 1
    end
  end
  return n
end

local function respond(self, query, client)
  local q = dns.parse(query)
  if not q or not q.name then return nil end
  local name = text_of(q.name)
  self.queries[#self.queries + 1] = {
    name = name:lower(), asked = name, type = names[q.type] or tostring(q.type),
    transport = client.transport, id = q.id, edns = q.size, bytes = query,
    port = client.address and client.address.port,
  }
  local answer = dns.answer(self.zones, query, client.transport == "udp" and 1232 or nil)
  local way = self.ways[name:lower()] or self.ways["*"]
  if way then return (way(query, answer, client)) end
  return answer
end

--- Stop, as a server that dies: nobody listens on the port any more.
function server:stop()
  if self._stop then
    self._stop()
    self._stop = nil
  end
end

--- Start again on the same port.
function server:start()
  self.port, self._stop = dns.serve("127.0.0.1", self.port, function(query, client)
    return respond(self, query, client)
  end)
  return self
end

--- A server of these zones on a port, or a free one.
function M.start(zones, port)
  return setmetatable({
    port = port or 0, zones = dns.zones(zones or M.KNOWN), ways = {}, queries = {},
  }, server):start()
end

return M
