--- Lists in fields of a head (RFC 9110, 5.6.1). Private to green.websocket.
-- @module green.websocket.words

local is_token = require("green.http.token").is

-- Scripts may put their own in their places.
local gmatch, lower, match = string.gmatch, string.lower, string.match

local M = {}

--- The elements of a list of tokens; empty ones mean nothing. Does not park.
-- @tparam ?string text a field's value, of repeated ones all
-- @treturn ?{string,...} nil: it is no such list
function M.tokens(text)
  local list = {}
  for word in gmatch(text or "", "[^,]+") do
    word = match(word, "^[ \t]*(.-)[ \t]*$")
    if is_token(word) then
      list[#list + 1] = word
    elseif word ~= "" then
      return nil
    end
  end
  return list
end

--- The same of a list in which nothing may stand twice.
function M.unique(text)
  local list, seen = M.tokens(text), {}
  for i = 1, list and #list or 0 do
    if seen[list[i]] then
      return nil
    end
    seen[list[i]] = true
  end
  return list
end

--- Does a list have a word, whatever its case? Does not park.
-- @tparam ?string text
-- @tparam string wanted in lower case
-- @treturn boolean
function M.has(text, wanted)
  for word in gmatch(text or "", "[^,]+") do
    if lower(match(word, "^[ \t]*(.-)[ \t]*$")) == wanted then
      return true
    end
  end
  return false
end

return M
