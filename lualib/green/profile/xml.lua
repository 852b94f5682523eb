--- Any text as text in XML 1.0: names may be made by strangers. Private to green.profile.
-- @module green.profile.xml

local byte, find, gsub, sub = string.byte, string.find, string.gsub, string.sub

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- What UTF-8 has behind ASCII, without surrogates, U+FFFE and U+FFFF, and what is too long.
local FORMS = {
  "^[\194-\223][\128-\191]",
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\239[\128-\190][\128-\191]",
  "^\239\191[\128-\189]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

--- The end of the character at i; nil: it is none.
local function end_at(text, i)
  for n = 1, #FORMS do
    local _, last = find(text, FORMS[n], i)
    if last then
      return last
    end
  end
end

--- A run of bytes behind ASCII: those that are no characters become "?".
local function mend(run)
  local out, i = "", 1
  while i <= #run do
    local last = end_at(sub(run, i, i + 3), 1)
    out = out .. (last and sub(run, i, i + last - 1) or "?")
    i = i + (last or 1)
  end
  return out
end

local M = {}

--- The same in UTF-8, without control bytes.
function M.clean(text)
  return (gsub(gsub(text, "[%z\1-\31\127]", "?"), "[\128-\255]+", mend))
end

--- A clean text's first n bytes at most, and no part of a character.
function M.cut(text, n)
  while n > 0 and n < #text and find(sub(text, n + 1, n + 1), "[\128-\191]") do
    n = n - 1
  end
  return sub(text, 1, n)
end

--- A clean text as it stands in a file.
function M.escape(text)
  return (gsub(text, '[&<>"]', entities))
end

--- A number that a text always has.
function M.hash(text)
  local hash = 0
  for i = 1, #text do
    hash = (hash * 31 + byte(text, i)) % 65521
  end
  return hash
end

return M
