-- What a message to the chat may have in it, and how often one may come.

local green = require "green"
local websocket = require "green.websocket"

local MOST = { name = 40, topic = 60, text = 4000, words = 100, key = 40, since = 60 } -- bytes
local LINE_ENDS = { text = true } -- may have some
-- What a connection may do: at once, and a second. For other ops "all" is enough.
local RATES = { all = { 60, 20 }, say = { 10, 2 }, search = { 5, 1 }, join = { 12, 2 },
  typing = { 3, 1 } }

-- Characters that show nothing, or turn a line round: in no name.
local HIDDEN = { "\226\128[\139-\143\168-\174]", "\226\129[\160-\175]", "\239\187\191",
  "\194[\128-\159]" }

local function is_clean(text, may_have_lines)
  local controls = may_have_lines and "[%z\1-\8\11-\31\127]" or "[%z\1-\31\127]"
  return not text:find(controls) and websocket.frame(text) ~= nil
end

--- A field of a form as it may be; or nil, and what is wrong.
local function field(form, name)
  local text = form:get(name) or ""
  if name ~= "text" then
    text = text:match "^%s*(.-)%s*$"
  end
  if not text:find "%S" then
    return nil, name .. " is missing"
  elseif #text > MOST[name] then
    return nil, ("%s is longer than %d bytes"):format(name, MOST[name])
  elseif not is_clean(text, LINE_ENDS[name]) then
    return nil, name .. " has bytes that are no text"
  end
  for _, pattern in ipairs(name == "text" and {} or HIDDEN) do
    if text:find(pattern) then
      return nil, name .. " has characters that nobody sees"
    end
  end
  return text
end

--- Several fields: a table; or nil, and what is wrong with the first that is not as it may be.
local function fields(form, ...)
  local found = {}
  for _, name in ipairs { ... } do
    local text, problem = field(form, name)
    if not text then
      return nil, problem
    end
    found[name] = text
  end
  return found
end

--- May it do that now? A bucket that fills again.
-- @tparam table data its field `buckets` is ours
local function may(data, what)
  local rate, buckets, now = RATES[what], data.buckets, green.now()
  if not rate then
    return true
  end
  local bucket = buckets[what] or { left = rate[1], at = now }
  buckets[what] = bucket
  bucket.left = math.min(rate[1], bucket.left + (now - bucket.at) * rate[2])
  bucket.at = now
  if bucket.left < 1 then
    return false
  end
  bucket.left = bucket.left - 1
  return true
end

return { field = field, fields = fields, may = may }
