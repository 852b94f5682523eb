--- UTF-8 as WHATWG's decoder reads it: what is none becomes U+FFFD.
-- @module green.http.utf8

-- Scripts may put their own in their places.
local byte, concat, sub = string.byte, table.concat, string.sub

local REPLACEMENT = "\239\191\189"

--- The first byte: how many follow, and the range of the first of these; nil: it begins
-- nothing. What would be too long, a surrogate or above U+10FFFF is kept out by the range.
local function sequence(first)
  if first >= 0xC2 and first <= 0xDF then
    return 1, 0x80, 0xBF
  elseif first >= 0xE0 and first <= 0xEF then
    return 2, first == 0xE0 and 0xA0 or 0x80, first == 0xED and 0x9F or 0xBF
  elseif first >= 0xF0 and first <= 0xF4 then
    return 3, first == 0xF0 and 0x90 or 0x80, first == 0xF4 and 0x8F or 0xBF
  end
end

--- How many bytes at that place are one character, or belong to one that is cut short;
-- and whether it is a whole one.
local function scan(text, at)
  local first = byte(text, at)
  if first < 0x80 then
    return 1, true
  end
  local follow, least, most = sequence(first)
  if not follow then
    return 1, false
  end
  for i = 1, follow do
    local b = byte(text, at + i)
    if not b or b < least or b > most then
      return i, false
    end
    least, most = 0x80, 0xBF
  end
  return follow + 1, true
end

--- The text with U+FFFD for each part that is no UTF-8. Does not park.
-- @tparam string text
-- @treturn string
local function scrub(text)
  local from = text:find("[\128-\255]")
  if not from then
    return text
  end
  local pieces, kept, at = {}, 1, from
  while at <= #text do
    local n, is_whole = scan(text, at)
    if not is_whole then
      pieces[#pieces + 1] = sub(text, kept, at - 1)
      pieces[#pieces + 1] = REPLACEMENT
      kept = at + n
    end
    at = at + n
  end
  pieces[#pieces + 1] = sub(text, kept)
  return concat(pieces)
end

return { scrub = scrub }
