--- Lines of a log: put together in a buffer of C, and handed to the log's channel.
-- @module green.log.line

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.logtext"
local contexts = require "green.thread.context"
local keys_module = require "green.log.keys"
local values = require "green.log.value"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local next, pairs, sort, type = next, pairs, table.sort, type
local gsub, find = string.gsub, string.find

local now = C.now
local put, put_text, put_number, put_value =
  values.put, values.put_text, values.put_number, values.put_value
local is_spoiled = values.is_spoiled
local own, learn, HIDDEN, text_of = contexts.own, keys_module.learn, keys_module.HIDDEN,
  report.text_of
local JSON = tonumber(ffi.C.GREEN_LOGTEXT_JSON)
local SHOWN = tonumber(ffi.C.GREEN_LOGTEXT_SHOWN)
local VALUE = tonumber(ffi.C.GREEN_LOGTEXT_VALUE)
local KEEP = 65536 -- bytes of a buffer that is used again
local MORE = "(more)" -- the field that says that there were others

local M = {}

-- A line is put together in a buffer that nobody else has meanwhile: the __tostring of a
-- value may log, too, or raise.
local spare

local function take_buffer()
  local b = spare
  spare = nil
  if not b then
    b = ffi.gc(ffi.new("green_buf"), buf_api.reset)
  end
  b.head, b.tail, b.max = 0, 0, values.MOST
  return b
end

local function give_buffer(b)
  if b.cap > KEEP then
    buf_api.reset(b)
  end
  spare = b
end

-- -- Fields -------------------------------------------------------------------

--- A text with several lines, as a traceback is, under the line it belongs to: where people
-- read. Each of its lines is set in, so none can pass for one of the log.
local function put_block(b, tree, head, text)
  put(b, head)
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    put_text(b, tree, "\n    ", (gsub(line, "\t", "  ")), SHOWN)
  end
end

local function put_field(b, tree, name, value)
  local keys = tree.keys
  local is_json = tree.is_json
  local head = (is_json and keys.json or keys.shown)[name]
  if not head then
    learn(keys, name)
    head = (is_json and keys.json or keys.shown)[name]
  end
  local form, kind = is_json and JSON or VALUE, type(value)
  if keys.hidden[name] then
    put_text(b, tree, head, HIDDEN, form)
  elseif kind == "string" then
    put_text(b, tree, head, value, form)
  elseif kind == "number" then
    put_number(b, head, value, form)
  else
    put_value(b, tree, head, value, form)
  end
end

--- In JSON in any order; where people read by name, and what has several lines at last.
local function put_sorted(b, tree, fields)
  local names, texts, block, is_more = {}, {}, nil, false
  for name, value in next, fields do
    if name == "traceback" and type(value) == "string" and find(value, "\n") then
      block = name
    elseif #names < tree.max_items then
      names[#names + 1] = name
      texts[name] = type(name) == "string" and name or text_of(name)
    else
      is_more = true
    end
  end
  sort(names, function(a, c) return texts[a] < texts[c] end)
  for i = 1, #names do
    put_field(b, tree, names[i], fields[names[i]])
  end
  if is_more then
    put_field(b, tree, MORE, true)
  end
  return block
end

--- The next field, and the name of the one behind it. Fields of one line are put without a
-- loop: the loop of whoever writes lines, a server's worker, is not compiled around another.
local function put_next(b, tree, fields, name, value)
  if name == nil then
    return nil
  end
  put_field(b, tree, name, value)
  return next(fields, name)
end

--- Those behind the first n.
local function put_rest_of(b, tree, fields, n, name, value)
  while name ~= nil and n < tree.max_items and not is_spoiled(b) do
    name, value = put_next(b, tree, fields, name, value)
    n = n + 1
  end
  if name ~= nil then
    put_field(b, tree, MORE, true)
  end
end

local function put_fields(b, tree, fields)
  if not tree.is_json then
    return put_sorted(b, tree, fields)
  end
  local name, value = next(fields)
  name, value = put_next(b, tree, fields, name, value)
  name, value = put_next(b, tree, fields, name, value)
  name, value = put_next(b, tree, fields, name, value)
  name, value = put_next(b, tree, fields, name, value)
  name, value = put_next(b, tree, fields, name, value)
  name, value = put_next(b, tree, fields, name, value)
  if name ~= nil then
    put_rest_of(b, tree, fields, 6, name, value)
  end
  return nil
end

-- -- What many lines have -----------------------------------------------------

--- Fields that are kept: of a logger, of a context. They are written once for each log.
-- @tparam table fields
-- @tparam ?table upon the record whose fields these are added to
function M.record(fields, upon)
  local all = {}
  for name, value in pairs(upon and upon.fields or {}) do
    all[name] = value
  end
  for name, value in next, fields do
    all[name] = value
  end
  return { fields = all, keys = false, text = false }
end

local function text_of_record(record, tree)
  local b = take_buffer()
  put_fields(b, tree, record.fields)
  local text = not is_spoiled(b) and ffi.string(b.data, b.tail) or ""
  give_buffer(b)
  record.keys, record.text = tree.keys, text
  return text
end

local function overlaps(fields, other)
  for name in next, other do
    if fields[name] ~= nil then
      return true
    end
  end
  return false
end

--- Those of a record that do not stand in what comes behind it.
local function put_rest(b, tree, fields, above, given)
  local rest = {}
  for name, value in next, fields do
    if not (above and above.fields[name] ~= nil or given and given[name] ~= nil) then
      rest[name] = value
    end
  end
  put_fields(b, tree, rest)
end

local function put_record(b, tree, record, above, given)
  local fields = record.fields
  if above and overlaps(fields, above.fields) or given and overlaps(fields, given) then
    return put_rest(b, tree, fields, above, given)
  end
  put(b, record.keys == tree.keys and record.text or text_of_record(record, tree))
end

--- The running thread's name, its fields, its span.
local function put_context(b, tree, data, above, given)
  local context, is_json = data.context, tree.is_json
  if data.name then
    put_text(b, tree, is_json and ',"thread":' or " thread=", data.name, is_json and JSON or VALUE)
  end
  local span = context and context.span
  if span and span.trace_id then
    put(b, is_json and ',"trace_id":"' .. span.trace_id .. '","span_id":"' .. span.span_id .. '"'
      or " trace_id=" .. span.trace_id .. " span_id=" .. span.span_id)
  end
  if context and context.log then
    put_record(b, tree, context.log, above, given)
  end
end

-- -- Lines --------------------------------------------------------------------

local function put_message(b, tree, text)
  if type(text) ~= "string" then
    text = text_of(text)
  end
  put_text(b, tree, "", text, tree.is_json and JSON or SHOWN)
end

--- Write a line. Does not park.
-- @tparam table tree the log
-- @tparam string head what stands between the time and the message
-- @param text
-- @tparam ?table fields
-- @tparam ?table bound a record
-- @tparam number left_out lines that were left out before this one
-- @return whether it was taken
function M.write(tree, head, text, fields, bound, left_out)
  local b, is_json = take_buffer(), tree.is_json
  local begin = is_json and '{"time":"' or ""
  if now(b, begin, #begin, is_json and 6 or 3) < 0 then
    values.spoil(b)
  end
  put(b, head)
  put_message(b, tree, text)
  local data, block = own(), nil
  if data then
    put_context(b, tree, data, bound, fields)
  end
  if bound then
    put_record(b, tree, bound, nil, fields)
  end
  if fields then
    block = put_fields(b, tree, fields)
  end
  if left_out > 0 then
    put_number(b, is_json and ',"left_out":' or " left_out=", left_out, VALUE)
  end
  if is_json then
    put(b, "}")
  elseif block then
    put_block(b, tree, "", fields[block])
  end
  local is_whole = not is_spoiled(b)
  if is_whole then
    tree.channel:add(b.data, b.tail)
  end
  give_buffer(b)
  return is_whole
end

return M
