-- dns_ways.lua: how the name server of the specs misbehaves: a table of functions
-- (query, answer, client, argument) that return what to send instead, or nil.

local green = require "green"
local socket = require "green.socket"

local dns = dofile "examples/dns_server.lua"

local function u16(n)
  return string.char(math.floor(n / 256), n % 256)
end

local function with_rcode(query, rcode)
  return dns.message(dns.parse(query), rcode, 0, {}, {})
end

--- An answer of records in the zone's notation; the owner of each is its own.
local function with_records(query, lines, flags)
  local records = {}
  for name, node in pairs(dns.zones(lines)) do
    for _, record in ipairs(node) do
      records[#records + 1] = dns.record(name, record)
    end
  end
  return dns.message(dns.parse(query), 0, flags or 0, records, {})
end

local function text_of(name)
  local labels = {}
  while name ~= "\0" do
    labels[#labels + 1] = name:sub(2, name:byte() + 1)
    name = name:sub(name:byte() + 2)
  end
  return table.concat(labels, ".")
end

local ways = {}

--- No answer at all; by TCP the connection stays open.
function ways.silent()
  return nil
end

--- The answer, so many seconds later.
function ways.slow(_, answer, client, seconds)
  green.spawn_after(seconds, client.send, answer)
end

function ways.servfail(query) return with_rcode(query, 2) end
function ways.refused(query) return with_rcode(query, 5) end
function ways.notimp(query) return with_rcode(query, 4) end

--- FORMERR from a server that knows no EDNS, else the answer.
function ways.no_edns(query, answer)
  local q = dns.parse(query)
  if not q.size then return answer end
  q.size = nil
  return dns.message(q, 1, 0, {}, {})
end

function ways.wrong_id(_, answer)
  return u16((answer:byte(1) * 256 + answer:byte(2) + 1) % 65536) .. answer:sub(3)
end

--- The answer to another question, with the right id.
function ways.wrong_question(query, answer)
  local at = 13 -- the first label's length
  local byte = string.char((query:byte(at + 1) % 2 == 0) and 0x63 or 0x64)
  return answer:sub(1, at) .. byte .. answer:sub(at + 2)
end

--- The question in lower case, whatever it was.
function ways.lower_case(query, answer)
  local q = dns.parse(query)
  return answer:sub(1, 12) .. q.name:lower() .. answer:sub(13 + #q.name)
end

--- From another port than the one that was asked.
function ways.wrong_port(_, answer, client)
  if client.transport == "tcp" then return answer end
  local other = assert(socket.udp())
  assert(other:bind("127.0.0.1", 0))
  other:sendto(answer, client.address)
  other:close()
end

--- "Truncated" by UDP, the answer by TCP.
function ways.truncated(query, answer, client)
  if client.transport == "tcp" then return answer end
  return dns.message(dns.parse(query), 0, 0x0200, {}, {})
end

--- "Truncated" whatever the transport.
function ways.truncated_always(query)
  return dns.message(dns.parse(query), 0, 0x0200, {}, {})
end

--- Records that nobody asked for: an address for another name.
function ways.others(query, _, _, other)
  return with_records(query, ("%s A 192.0.2.66\n%s AAAA 2001:db8::66"):format(other or "evil.test",
    other or "evil.test"))
end

--- The answer, and with it records of other names.
function ways.more(query, answer, client, other)
  local extra = ways.others(query, answer, client, other)
  local q = dns.parse(query)
  local start = 13 + #q.question
  local count = answer:byte(8) + extra:byte(8)
  local body = extra:sub(start, q.size and -12 or -1) .. answer:sub(start)
  return answer:sub(1, 7) .. string.char(count) .. answer:sub(9, start - 1) .. body
end

--- A chain of n aliases to an address; without n one that is a circle.
function ways.chain(query, _, _, n)
  local name, lines = text_of(dns.parse(query).name), {}
  for i = 1, n or 2 do
    local target = (n or i < 2) and ("c%d.example"):format(i) or text_of(dns.parse(query).name)
    lines[i] = ("%s CNAME %s"):format(name, target)
    name = target
  end
  if n then
    lines[n + 1] = name .. " A 192.0.2.7\n" .. name .. " AAAA 2001:db8::7"
  end
  return with_records(query, lines)
end

--- An answer of about n bytes (4096), many addresses.
function ways.long(query, _, client, n)
  local q, records = dns.parse(query), {}
  for i = 1, math.ceil((n or 4096) / 16) do
    records[i] = dns.record("\192\12", { type = dns.types.A, ttl = 60,
      data = string.char(10, 0, math.floor(i / 256), i % 256) })
  end
  return dns.message(q, 0, 0, records, {}, client.transport == "udp" and (q.size or 512) or nil)
end

--- Half of the answer, then the end of the connection; by UDP half a message.
function ways.die(_, answer, client)
  local half = answer:sub(1, math.floor(#answer / 2))
  if client.transport == "udp" then return half end
  client.socket:write(u16(#answer), half)
  client.socket:close()
end

--- A length of TCP's, byte by byte, then the answer byte by byte.
function ways.bytes(_, answer, client)
  if client.transport == "udp" then return answer end
  for byte in (u16(#answer) .. answer):gmatch(".") do
    client.socket:write(byte)
    green.sleep(0)
  end
end

--- Bytes that are no message, with the right id.
function ways.garbage(query, _, _, text)
  return query:sub(1, 2) .. (text or "\255"):rep(40)
end

--- The bytes that are given, with the query's id.
function ways.raw(query, _, _, bytes)
  return query:sub(1, 2) .. bytes
end

return { ways = ways, text_of = text_of }
