--- The headers traceparent and tracestate (W3C Trace Context, Recommendation of 2021-11-23).
-- @module green.tracing.parent

-- Scripts may put their own in their places.
local tonumber, type = tonumber, type
local find, gmatch, match, sub = string.find, string.gmatch, string.match, string.sub
local concat = table.concat

local M = {}

local LENGTH = 55 -- of version 00
local MEMBERS, STATE_MOST, MEMBER_MOST = 32, 512, 128
local READ_MOST = 16384 -- bytes of a tracestate that are looked at

--- Is it an id of so many hexadecimal digits, not all 0?
function M.is_id(text, digits)
  return type(text) == "string" and #text == digits and find(text, "^[0-9a-f]+$") ~= nil
    and find(text, "[^0]") ~= nil
end

--- Take a traceparent apart: section 3.2. A version that is not known yet may have more behind
-- its flags; "ff" is none.
-- @treturn table `trace_id`, `span_id`, `sampled`; or nil, why not
function M.parse(text)
  if type(text) ~= "string" or #text < LENGTH then
    return nil, "too short"
  end
  local version, trace_id, span_id, flags, tail = match(text,
    "^([0-9a-f][0-9a-f])%-([0-9a-f]+)%-([0-9a-f]+)%-([0-9a-f][0-9a-f])(.*)$")
  if not version or #trace_id ~= 32 or #span_id ~= 16 then
    return nil, "no traceparent"
  elseif version == "ff" then
    return nil, "version ff"
  elseif version == "00" and tail ~= "" or tail ~= "" and sub(tail, 1, 1) ~= "-" then
    return nil, "more behind the flags"
  elseif not (M.is_id(trace_id, 32) and M.is_id(span_id, 16)) then
    return nil, "an id of zeros"
  end
  return { trace_id = trace_id, span_id = span_id,
    sampled = tonumber(flags, 16) % 2 == 1 }
end

--- A traceparent of version 00.
function M.format(trace_id, span_id, sampled)
  return "00-" .. trace_id .. "-" .. span_id .. (sampled and "-01" or "-00")
end

-- -- tracestate ---------------------------------------------------------------

--- section 3.3.1.3.1: a simple key, or one of a system with many tenants.
local function is_key(key)
  if #key > 256 then
    return false
  elseif find(key, "^[a-z][a-z0-9_%-*/]*$") then
    return true
  end
  local tenant, system = match(key, "^([a-z0-9][a-z0-9_%-*/]*)@([a-z][a-z0-9_%-*/]*)$")
  return tenant ~= nil and #tenant <= 241 and #system <= 14
end

--- section 3.3.1.3.2: printable ASCII without "," and "=", no blank at the end.
local function is_value(value)
  return #value <= 256 and find(value, "^[ -+--<>-~]*[!-+--<>-~]$") ~= nil
end

--- The members of a list; nil: it cannot be read.
local function members_of(text)
  local members, seen = {}, {}
  for part in gmatch(text .. ",", "([^,]*),") do
    part = match(part, "^[ \t]*(.-)[ \t]*$")
    if part ~= "" then
      local key, value = match(part, "^([^=]+)=(.*)$")
      if not key or seen[key] or not is_key(key) or not is_value(value) then
        return nil
      end
      seen[key] = true
      members[#members + 1] = part
    end
  end
  return #members <= MEMBERS and members or nil
end

--- What is passed on of a list that is too long: section 3.3.1.5. Long members go first, then
-- those at the end.
local function shortened(members)
  local size, kept = -1, {}
  for i = 1, #members do
    size = size + #members[i] + 1
  end
  for i = #members, 1, -1 do
    if size > STATE_MOST and #members[i] > MEMBER_MOST then
      size = size - #members[i] - 1
      members[i] = false
    end
  end
  for i = 1, #members do
    kept[#kept + 1] = members[i] or nil
  end
  while size > STATE_MOST do
    size = size - #kept[#kept] - 1
    kept[#kept] = nil
  end
  return kept
end

--- The tracestate to be passed on: checked, and 512 bytes at most. nil: there is none, or it
-- cannot be read, and is dropped as a whole.
function M.state(text)
  if type(text) ~= "string" or #text > READ_MOST then
    return nil
  end
  local members = members_of(text)
  local kept = members and concat(shortened(members), ",")
  return kept and kept ~= "" and kept or nil
end

-- -- baggage ------------------------------------------------------------------

local BAGGAGE_MOST, BAGGAGE_MEMBERS = 8192, 64

--- A baggage that is passed on as it is (W3C Baggage, 3.3): printable ASCII, bounded. nil: none.
function M.baggage(text)
  if type(text) ~= "string" or #text > BAGGAGE_MOST or not find(text, "^[ -~\t]+$") then
    return nil
  end
  local n = 0
  for part in gmatch(text, "[^,]+") do
    n = n + 1
    if n > BAGGAGE_MEMBERS or not find(part, "^[ \t]*[!#-'*+%-.^_`|~%w]+[ \t]*=") then
      return nil
    end
  end
  return n > 0 and text or nil
end

return M
