-- What the DNS server knows: records as text, one a line, and as bytes of messages.
--
-- A line is: NAME [TTL] TYPE DATA. Names are whole, without a dot at the end; ";" begins
-- a comment; blanks in quotes are kept. A zone is a SOA record and all names below its.

local M = {}

M.types = {
  A = 1, NS = 2, CNAME = 5, SOA = 6, PTR = 12, MX = 15, TXT = 16, AAAA = 28, SRV = 33,
  NAPTR = 35, OPT = 41, TLSA = 52, ANY = 255, CAA = 257,
}

-- -- Bytes ----------------------------------------------------------------------

local function u8(n)
  return string.char(n % 256)
end

local function u16(n)
  return string.char(math.floor(n / 256) % 256, n % 256)
end

local function u32(n)
  return u16(math.floor(n / 65536)) .. u16(n)
end

local function get16(s, at)
  local high, low = s:byte(at, at + 1)
  return low and high * 256 + low
end

--- A name as it stands in a message. A backslash takes the meaning from a dot; "\065"
-- is a byte.
function M.name(text)
  if text == "." then return "\0" end
  local out = {}
  text = text:gsub("\\(%d%d%d)", function(n) return "\\" .. string.char(n) end)
  for label in (text:gsub("\\%.", "\1") .. "."):gmatch("([^.]*)%.") do
    label = label:gsub("\1", "."):gsub("\\(.)", "%1")
    if label ~= "" then out[#out + 1] = u8(#label) .. label end
  end
  return table.concat(out) .. "\0"
end

local function string_of(text)
  assert(#text < 256, "a string of more than 255 bytes")
  return u8(#text) .. text
end

local function ip4(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return string.char(assert(a, text .. " is no IPv4 address"), b, c, d)
end

local function words16(text)
  return (text:gsub("%x+:?", function(word) return u16(tonumber(word:match("%x+"), 16)) end))
end

local function ip6(text)
  local left, right = text:match("^([%x:]-)::([%x:]*)$")
  left, right = words16(left or text), words16(right or "")
  local whole = left .. ("\0"):rep(16 - #left - #right) .. right
  assert(#whole == 16, text .. " is no IPv6 address")
  return whole
end

--- What the words behind the type are in a message, by type.
local data = {
  A = ip4,
  AAAA = ip6,
  NS = M.name, CNAME = M.name, PTR = M.name,
  MX = function(n, host) return u16(n) .. M.name(host) end,
  SRV = function(n, weight, port, host)
    return u16(n) .. u16(weight) .. u16(port) .. M.name(host)
  end,
  CAA = function(flags, tag, value) return u8(flags) .. string_of(tag) .. value end,
  TLSA = function(usage, selector, matching, hex)
    return u8(usage) .. u8(selector) .. u8(matching)
      .. hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
  end,
  NAPTR = function(order, n, flags, services, pattern, host)
    return u16(order) .. u16(n) .. string_of(flags) .. string_of(services)
      .. string_of(pattern) .. M.name(host)
  end,
  SOA = function(server, mailbox, ...)
    local numbers = { ... }
    for i = 1, 5 do numbers[i] = u32(assert(numbers[i], "SOA wants five numbers")) end
    return M.name(server) .. M.name(mailbox) .. table.concat(numbers)
  end,
  TXT = function(...)
    local strings = { ... }
    for i, s in ipairs(strings) do strings[i] = string_of(s) end
    return table.concat(strings)
  end,
}

-- -- Zones ----------------------------------------------------------------------

--- The words of a line, those in quotes without them, up to a ";".
local function words_of(line)
  local words, at = {}, 1
  while true do
    local _, stop, word = line:find('^%s*"([^"]*)"', at)
    if not stop then _, stop, word = line:find('^%s*([^%s;"]+)', at) end
    if not stop then return words end
    words[#words + 1], at = word, stop + 1
  end
end

--- Add a record, of which each part is text: { name, ttl, type, ... }
local function add(zones, words)
  local name = table.remove(words, 1)
  local ttl = tonumber(words[1]) and tonumber(table.remove(words, 1)) or 300
  local kind = table.remove(words, 1)
  local encode = data[kind] or error("unknown type " .. tostring(kind))
  local key = M.name(name):lower()
  local node = zones[key] or {}
  zones[key] = node
  node[#node + 1] = { kind = kind, type = M.types[kind], ttl = ttl, data = encode(unpack(words)) }
  while key ~= "\0" do -- names above exist, too
    key = key:sub(key:byte() + 2)
    zones[key] = zones[key] or {}
  end
end

--- Zones from text or from a list of lines.
function M.zones(text)
  local zones, number = {}, 0
  if type(text) == "table" then text = table.concat(text, "\n") end
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    local words = words_of(line)
    local ok, err = pcall(words[1] and add or type, zones, words)
    if not ok then
      error(("line %d: %s"):format(number, (err:gsub("^[^:]*:%d+: ", ""))), 0)
    end
  end
  return zones
end

--- The SOA record of the zone that a name is in, and the zone's name.
function M.zone_of(zones, key)
  while true do
    for _, record in ipairs(zones[key] or {}) do
      if record.kind == "SOA" then return record, key end
    end
    if key == "\0" then return nil end
    key = key:sub(key:byte() + 2)
  end
end

M.u8, M.u16, M.u32, M.get16 = u8, u16, u32, get16

return M
