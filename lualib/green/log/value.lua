--- Values of a log's fields that are no strings and numbers: tables as JSON, bounded, without
-- what must not be seen; all else as texts.
-- @module green.log.value

local core = require "green.core"
local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.logtext"
local keys_module = require "green.log.keys"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local floor, next, rawget, tonumber, type = math.floor, next, rawget, tonumber, type
local format, match, gsub, sub = string.format, string.match, string.gsub, string.sub
local istype = ffi.istype

local class_of, text_of = core.class_of, report.text_of
local append, HIDDEN, learn = buf_api.append, keys_module.HIDDEN, keys_module.learn
local JSON = tonumber(ffi.C.GREEN_LOGTEXT_JSON)
local LINE_MOST = 1000 -- values in one field
local SPOILED = 1 -- as the most bytes that a buffer may hold

-- Bytes of a buffer that a line is put together in: more than a line may have (1 MiB), as room
-- is asked for as if each byte would be escaped.
local M = { MOST = 4194304 }

--- What cannot be appended spoils the line: nothing more is, and the line is lost (line.lua).
local function spoil(b)
  b.max = SPOILED
end
M.spoil = spoil

local function put(b, text)
  if append(b, text, #text) < 0 then
    spoil(b)
  end
end
M.put = put

--- Is there no use in appending more?
local function is_spoiled(b)
  return b.max == SPOILED
end
M.is_spoiled = is_spoiled

--- A text that is not too long, or its beginning.
local function cut(text, most)
  if #text <= most then
    return text
  end
  return gsub(sub(text, 1, most), "[\194-\244][\128-\191]*$", "") .. format("... (%d bytes)", #text)
end
M.cut = cut

local function put_text(b, tree, head, text, form)
  text = cut(text, tree.max_text)
  if C.text(b, head, #head, text, #text, form) < 0 then
    spoil(b)
  end
end
M.put_text = put_text

local function put_number(b, head, value, form)
  if C.number(b, head, #head, value, form) < 0 then
    spoil(b)
  end
end
M.put_number = put_number

--- Digits of a cdata integer; nil: it is none.
local function whole(value)
  if istype("int64_t", value) or istype("uint64_t", value) then
    return match(text_of(value), "^-?%d+")
  end
end

--- The length of a table that is a list; nil: it is none. As many fields as are shown are
-- looked at.
local function list_length(t, most)
  local n, seen = #t, 0
  for key in next, t do
    if type(key) ~= "number" or key < 1 or key > n or floor(key) ~= key then
      return nil
    end
    seen = seen + 1
    if seen > most then
      break
    end
  end
  return n > 0 and n or nil
end

local put_any

local function put_list(w, t, n, depth)
  local b, most = w.b, w.tree.max_items
  put(b, "[")
  for i = 1, n <= most and n or most do
    put_any(w, i == 1 and "" or ",", rawget(t, i), depth)
  end
  if n > most then
    put(b, format(',"(%.0f more)"', n - most))
  end
  put(b, "]")
end

local function put_object(w, t, depth)
  local b, keys, n = w.b, w.tree.keys, 0
  put(b, "{")
  for name, value in next, t do
    if not keys.inner[name] then
      learn(keys, name)
    end
    local head = keys.inner[name]
    head = n == 0 and sub(head, 2) or head
    n = n + 1
    if n > w.tree.max_items then
      put(b, ',"(more)":true')
      break
    elseif keys.hidden[name] then
      put_text(b, w.tree, head, HIDDEN, JSON)
    else
      put_any(w, head, value, depth)
    end
  end
  put(b, "}")
end

local function put_table(w, head, t, depth)
  local b = w.b
  if w.open[t] then
    return put_text(b, w.tree, head, "(cycle)", JSON)
  elseif depth >= w.tree.depth then
    return put_text(b, w.tree, head, "(deeper)", JSON)
  end
  put(b, head)
  w.open[t] = true
  local n = list_length(t, w.tree.max_items)
  if n then
    put_list(w, t, n, depth + 1)
  else
    put_object(w, t, depth + 1)
  end
  w.open[t] = nil
end

--- Is it shown by its fields? Objects that have a text of their own are shown by that.
local function is_plain_table(value)
  local mt = type(value) == "table" and class_of(value)
  return type(value) == "table" and not (mt and rawget(mt, "__tostring"))
end

function put_any(w, head, value, depth, form)
  local b, kind = w.b, type(value)
  w.left = w.left - 1
  if is_spoiled(b) then
    return
  elseif w.left < 0 then
    return put_text(b, w.tree, head, "(more)", JSON)
  elseif kind == "number" then
    return put_number(b, head, value, form or JSON)
  elseif kind == "boolean" or kind == "nil" then
    return put(b, head .. (value == nil and "null" or value and "true" or "false"))
  elseif is_plain_table(value) then
    return put_table(w, head, value, depth)
  end
  local digits = kind == "cdata" and whole(value)
  if digits then
    return put(b, head .. digits)
  end
  put_text(b, w.tree, head, kind == "string" and value or text_of(value), form or JSON)
end

--- Append a head and a value. Does not park, but where an object's `__tostring` does.
function M.put_value(b, tree, head, value, form)
  put_any({ b = b, tree = tree, open = {}, left = LINE_MOST }, head, value, 0, form)
end

return M
