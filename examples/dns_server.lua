-- A small DNS server: UDP, TCP, EDNS, the usual record types. It knows the zones of a
-- file, one record a line, and refuses to say anything of other names.
--
--   greenlua examples/dns_server.lua [PORT [FILE [ADDRESS]]]
--   then: dig @127.0.0.1 -p PORT www.example A
--
-- dns_server/zones.lua tells what stands in a file. Loaded by dofile it returns its
-- functions, for programs that want a server inside.

local green = require "green"
local socket = require "green.socket"

local FOLDER = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local known = dofile(FOLDER .. "/dns_server/zones.lua")

local types, zone_of = known.types, known.zone_of
local u8, u16, u32, get16 = known.u8, known.u16, known.u32, known.get16

local EXAMPLE = [[
example          SOA   ns.example root.example 1 3600 600 86400 60
example          NS    ns.example
example          MX    10 mail.example
example          TXT   "hello, world" "and more"
example          CAA   0 issue "ca.example"
www.example      A     192.0.2.1
www.example      AAAA  2001:db8::1
alias.example    CNAME www.example
_sip._tcp.example SRV  10 5 5060 www.example
]]

local NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 3, 4, 5, 16
local AA, TC = 0x0400, 0x0200
local IN = 1
local UDP_MOST = 1232 -- what every network carries in one piece

local M = { types = types, name = known.name, zones = known.zones }

-- -- Questions and answers ------------------------------------------------------

--- Take a query apart: a table, or nil if nobody could answer it.
function M.parse(query)
  local id, flags = get16(query, 1), get16(query, 3)
  if #query < 12 or flags >= 0x8000 then return nil end
  local q = { id = id, flags = flags, opcode = math.floor(flags / 2048) % 16, query = query }
  local at = 13
  while query:byte(at) and query:byte(at) > 0 and query:byte(at) < 64 do
    at = at + query:byte(at) + 1
  end
  q.type, q.class = get16(query, at + 1), get16(query, at + 3)
  if get16(query, 5) ~= 1 or query:byte(at) ~= 0 or not q.class then return q end
  q.name, q.question = query:sub(13, at), query:sub(13, at + 4)
  if query:sub(at + 5, at + 7) == "\0\0\41" and #query >= at + 15 then -- OPT
    q.size, q.version = math.max(512, get16(query, at + 8)), query:byte(at + 11)
  end
  return q
end

--- A record in a message, of an owner that is a packed name or a pointer.
function M.record(owner, record, ttl)
  return owner .. u16(record.type) .. u16(record.class or IN) .. u32(ttl or record.ttl)
    .. u16(#record.data) .. record.data
end

--- A whole message. `answers` and `authorities` are lists of records in bytes; what does
-- not go into `most` bytes is left out, and the message says so.
function M.message(q, rcode, flags, answers, authorities, most)
  local question = q.question or ""
  local opt = q.size and "\0" .. u16(types.OPT) .. u16(UDP_MOST) .. u8(math.floor(rcode / 16))
    .. ("\0"):rep(5) or ""
  local body = table.concat(answers) .. table.concat(authorities)
  if most and 12 + #question + #body + #opt > most then
    body, answers, authorities, flags = "", {}, {}, flags + TC
  end
  local recursion_desired = math.floor(q.flags / 256) % 2 * 256
  return u16(q.id) .. u16(0x8000 + q.opcode * 2048 + flags + recursion_desired + rcode % 16)
    .. u16(question ~= "" and 1 or 0) .. u16(#answers) .. u16(#authorities)
    .. u16(opt ~= "" and 1 or 0) .. question .. body .. opt
end

--- Follow the aliases of a name: the records on the way, and whether it is there.
local function collect(zones, q)
  local answers, owner, key, seen = {}, "\192\12", q.name:lower(), {}
  while key and not seen[key] and zone_of(zones, key) do
    seen[key] = true
    local alias
    if not zones[key] then return answers, key, false end
    for _, record in ipairs(zones[key]) do
      if record.type == q.type or q.type == types.ANY then
        answers[#answers + 1] = M.record(owner, record)
      elseif record.kind == "CNAME" then
        alias = record
      end
    end
    if not alias then return answers, key, true end
    answers[#answers + 1] = M.record(owner, alias)
    owner, key = alias.data, alias.data:lower()
  end
  return answers, nil, true
end

local function has(node, kind)
  for _, record in ipairs(node) do
    if record.type == kind or kind == types.ANY then return true end
  end
  return false
end

--- The answer to a query, both in bytes; `most`: how long it may be. nil: none.
function M.answer(zones, query, most)
  local q = M.parse(query)
  if not q then return nil end
  most = most and math.min(most, q.size or 512)
  if q.opcode ~= 0 then return M.message(q, NOTIMP, 0, {}, {}) end
  if not q.name then return M.message(q, FORMERR, 0, {}, {}) end
  if (q.version or 0) > 0 then return M.message(q, BADVERS, 0, {}, {}) end
  if q.class ~= IN or not zone_of(zones, q.name:lower()) then
    return M.message(q, REFUSED, 0, {}, {})
  end
  local answers, last, exists = collect(zones, q)
  local authorities = {}
  if last and not (exists and has(zones[last], q.type)) then
    local soa, owner = zone_of(zones, last)
    local minimum = get16(soa.data, #soa.data - 3) * 65536 + get16(soa.data, #soa.data - 1)
    authorities[1] = M.record(owner, soa, math.min(soa.ttl, minimum))
  end
  return M.message(q, exists and NOERROR or NXDOMAIN, AA, answers, authorities, most)
end

-- -- Serving --------------------------------------------------------------------

local function serve_udp(udp, respond)
  while true do
    local query, from = udp:recvfrom()
    if query then
      local client = { transport = "udp", address = from, socket = udp }
      function client.send(answer) return udp:sendto(answer, from) end
      local answer = respond(query, client)
      if answer then client.send(answer) end
    elseif from:is("ECLOSED") then
      return
    end
  end
end

local function serve_tcp(conn, respond)
  conn:settimeout(10)
  local client = { transport = "tcp", socket = conn }
  function client.send(answer) return conn:write(u16(#answer), answer) end
  while true do
    local length = conn:read(2)
    local query = length and #length == 2 and conn:read(get16(length, 1))
    if not query then return end
    local answer = respond(query, client)
    if answer and not client.send(answer) then return end
  end
end

--- Listen by UDP and TCP on one port and answer. `respond(query, client)` gives the bytes
-- of an answer, or nil and calls client.send later. Returns the port and a function that
-- stops it.
function M.serve(address, port, respond)
  local listener, udp
  repeat -- 0 means a port that is free for both
    if listener then listener:close() end
    listener = assert(green.listen(address, port))
    udp = assert(socket.udp(address:find(":", 1, true) and "inet6" or "inet"))
    local ok, err = udp:bind(address, select(2, listener:sockname()))
    if not ok then udp:close() end
    assert(ok or port == 0, err)
  until ok
  local server = green.spawn(green.serve, listener, function(conn)
    return serve_tcp(conn, respond)
  end)
  local answerer = green.spawn(serve_udp, udp, respond)
  return select(2, listener:sockname()), function()
    udp:close()
    listener:close()
    answerer:kill()
    server:kill()
  end
end

local function main(port, file, address)
  local text = EXAMPLE
  if file then
    local f = assert(io.open(file))
    text = f:read("*a")
    f:close()
  end
  local zones = M.zones(text)
  address = address or "127.0.0.1"
  port = M.serve(address, tonumber(port or 0), function(query, client)
    return M.answer(zones, query, client.transport == "udp" and UDP_MOST or nil)
  end)
  print(("dns_server: listening on %s:%d"):format(address, port))
  green.wait()
end

if arg and arg[0] and arg[0]:find("dns_server%.lua$") then
  main(unpack(arg))
end
return M
