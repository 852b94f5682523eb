--- Patterns of topics, as Redis has them: `*` any bytes, `?` one byte, `[a-z]` one of
-- these, `[^a-z]` one of the others, `\` takes the byte behind it as it is.
--
-- A pattern is taken apart once. Matching takes no more steps than bytes of the pattern
-- times bytes of the topic, whatever they are. What is odd in a pattern (a `[` without
-- its end, a range turned round) means what it means to Redis.
-- @module green.pubsub.glob

local byte, min, max = string.byte, math.min, math.max

local STAR, ANY = "star", "any"
local BACKSLASH, CARET, MINUS, OPEN, CLOSE = byte "\\", byte "^", byte "-", byte "[", byte "]"

local M = {}

--- One element of a class from `at` on; returns where the next one begins.
local function add_element(set, pattern, at)
  local left, first = #pattern - at + 1, byte(pattern, at)
  if first == BACKSLASH and left >= 2 then
    set[byte(pattern, at + 1)] = true
    return at + 2
  elseif left >= 3 and byte(pattern, at + 1) == MINUS then
    local last = byte(pattern, at + 2)
    for value = min(first, last), max(first, last) do
      set[value] = true
    end
    return at + 3
  end
  set[first] = true
  return at + 1
end

--- The class whose `[` stands at `at`, and where what follows begins.
local function class_at(pattern, at)
  local set, i = {}, at + 1
  local is_not = byte(pattern, i) == CARET
  if is_not then
    i = i + 1
  end
  while i <= #pattern and byte(pattern, i) ~= CLOSE do
    i = add_element(set, pattern, i)
  end
  local class = {}
  for value = 0, 255 do
    class[value] = (set[value] or false) ~= is_not
  end
  return class, i + 1
end

local function token_at(pattern, at)
  local value = byte(pattern, at)
  if value == byte "*" then
    return STAR, at + 1
  elseif value == byte "?" then
    return ANY, at + 1
  elseif value == OPEN then
    return class_at(pattern, at)
  elseif value == BACKSLASH and at < #pattern then
    return byte(pattern, at + 1), at + 2
  end
  return value, at + 1
end

--- Take a pattern apart. Does not park.
-- @tparam string pattern
-- @treturn table for M.matches
function M.compile(pattern)
  local tokens, at, n = {}, 1, 0
  while at <= #pattern do
    local token
    token, at = token_at(pattern, at)
    if token ~= STAR or tokens[n] ~= STAR then
      n = n + 1
      tokens[n] = token
    end
  end
  tokens.n = n
  return tokens
end

local function takes(token, value)
  return token == value or token == ANY or type(token) == "table" and token[value]
end

--- Does a pattern that was taken apart match all of a text? Does not park.
function M.matches(tokens, text)
  local at, i, star, mark = 1, 1, nil, nil
  while i <= #text do
    local token = tokens[at]
    if token == STAR then
      star, mark, at = at, i, at + 1
    elseif token and takes(token, byte(text, i)) then
      at, i = at + 1, i + 1
    elseif star then -- the last star takes a byte more
      mark = mark + 1
      at, i = star + 1, mark
    else
      return false
    end
  end
  if tokens[at] == STAR then
    at = at + 1
  end
  return at > tokens.n
end

--- What all texts begin with that a pattern, taken apart, matches.
function M.prefix(tokens)
  local n = 0
  while type(tokens[n + 1]) == "number" do
    n = n + 1
  end
  return string.char(unpack(tokens, 1, n))
end

--- The pattern that matches a text and nothing else.
function M.literal(text)
  return (text:gsub("[%*%?%[%]\\]", "\\%0"))
end

return M
