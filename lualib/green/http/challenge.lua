--- What a server says in WWW-Authenticate: its challenges (RFC 9110 11.6.1).
-- @module green.http.challenge

local errors = require "green.error"
local TOKEN = require("green.http.token").ONE

-- Scripts may put their own in their places.
local find, gsub, ipairs, sub = string.find, string.gsub, ipairs, string.sub

local TEXT_MOST = 8192 -- bytes of one header
local CHALLENGES_MOST, PARAMS_MOST = 16, 32

local TOKEN68 = "^[%w%-._~+/]+=*"

local M = {}

--- Where what a pattern finds there ends, and the text of it; nil: it is not there.
local function scan(text, at, pattern)
  local from, to = find(text, pattern, at)
  if from then
    return to + 1, sub(text, from, to)
  end
end

local function skip(text, at)
  return (find(text, "[^ \t]", at)) or #text + 1
end

--- Does an element of the list end there?
local function is_end(text, at)
  return at > #text or sub(text, at, at) == ","
end

-- -- Elements -----------------------------------------------------------------

--- A text in quotes: where it ends, and what it says.
local function read_quoted(text, at)
  local from = at + 1
  repeat
    at = find(text, '["\\]', at + 1)
    if not at then
      return nil
    end
    local is_escape = sub(text, at, at) == "\\"
    at = is_escape and at + 1 or at
  until not is_escape
  local value = gsub(sub(text, from, at - 1), "\\(.)", "%1")
  if find(value, "[%z\1-\8\10-\31\127]") then
    return nil
  end
  return at + 1, value
end

--- "name = value": where it ends, name and value; nil: there is none.
local function read_param(text, at)
  local behind, name = scan(text, at, TOKEN)
  if not behind then
    return nil
  end
  behind = skip(text, behind)
  if sub(text, behind, behind) ~= "=" then
    return nil
  end
  behind = skip(text, behind + 1)
  local value
  if sub(text, behind, behind) == '"' then
    behind, value = read_quoted(text, behind)
  else
    behind, value = scan(text, behind, TOKEN)
  end
  if not behind then
    return nil
  end
  behind = skip(text, behind)
  if is_end(text, behind) then
    return behind, name:lower(), value
  end
end

--- A scheme, perhaps with what proves something in one piece. Where it ends.
local function read_scheme(text, at)
  local behind, scheme = scan(text, at, TOKEN)
  if not behind then
    return nil
  end
  local challenge = { scheme = scheme:lower(), params = {} }
  local next_at = skip(text, behind)
  if is_end(text, next_at) then
    return next_at, challenge
  elseif next_at == behind then
    return nil
  elseif read_param(text, next_at) then
    return next_at, challenge
  end
  behind, challenge.token68 = scan(text, next_at, TOKEN68)
  behind = behind and skip(text, behind)
  if behind and is_end(text, behind) then
    return behind, challenge
  end
end

--- Put a parameter into a challenge; false: it is there, or there are too many.
local function add_param(challenge, name, value)
  if not challenge or challenge.token68 or challenge.params[name] then
    return false
  end
  challenge.params[name] = value
  challenge.count = (challenge.count or 0) + 1
  return challenge.count <= PARAMS_MOST
end

--- One element. Where it ends; nil: it is none.
local function read_element(text, at, list)
  local behind, name, value = read_param(text, at)
  if behind then
    return add_param(list[#list], name, value) and behind or nil
  end
  behind, list[#list + 1] = read_scheme(text, at)
  if not behind or #list > CHALLENGES_MOST then
    return nil
  elseif is_end(text, behind) then
    return behind
  end
  at, name, value = read_param(text, behind) -- the first one stands behind the scheme
  return add_param(list[#list], name, value) and at or nil
end

local function read(text, list)
  local at = 1
  if #text > TEXT_MOST then
    return false
  end
  while true do
    at = skip(text, at)
    if at > #text then
      return true
    elseif sub(text, at, at) == "," then
      at = at + 1
    else
      at = read_element(text, at, list)
      if not at then
        return false
      end
    end
  end
end

-- -- All ----------------------------------------------------------------------

--- Read challenges. Does not park.
-- @tparam {string,...} texts the values of the headers
-- @treturn {table,...} each with `scheme` (lower case), `params` (name in lower case -> value)
-- and perhaps `token68`; nil, err: EPROTO: one of the headers is not as the RFC says, or is
-- too long, or has too many
function M.parse(texts)
  local list = {}
  for _, text in ipairs(texts) do
    if not read(text, list) then
      return nil, errors.new("EPROTO", "WWW-Authenticate", "the server's challenge is malformed")
    end
  end
  for _, challenge in ipairs(list) do
    challenge.count = nil
  end
  return list
end

--- Read parameters that stand alone, as in Authentication-Info (RFC 7615). Does not park.
-- @tparam string text
-- @treturn ?table name in lower case -> value; nil: malformed
function M.params(text)
  local list = { { scheme = "", params = {} } }
  if read(text, list) and #list == 1 then
    return list[1].params
  end
end

return M
