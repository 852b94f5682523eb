--- Bodies of answers: what a handler may return as one, and the pieces of it.
-- @module green.wsgi.body

local args = require "green.args"
local mistakes = require "green.wsgi.mistakes"

-- Scripts may put their own in their places.
local error, pcall, tostring, type = error, pcall, tostring, type
local concat, format, io_type, min = table.concat, string.format, io.type, math.min

local is_callable = args.is_callable

local BLOCK = 65536 -- read at a time

local M = { BLOCK = BLOCK }

--- Raise a mistake of the handler's.
function M.bad(what, ...)
  error(mistakes.new(format(what, ...)), 0)
end
local bad = M.bad

--- The text of a piece. Raises what is none.
function M.text_of(piece)
  local kind = type(piece)
  if kind == "number" then
    return tostring(piece)
  elseif kind ~= "string" then
    bad("a piece of the body must be a string, not a %s", kind)
  end
  return piece
end

--- All of a list. Raises what is none.
function M.text_of_list(list)
  local ok, text = pcall(concat, list)
  local mistake = not ok and mistakes.list(list) or text == "" and mistakes.record(list)
  if mistake then
    bad("%s", mistake)
  end
  return text
end

--- What a body is that is no string: "iterator", "file" (of io), "reader" or "list". Raises
-- what is none.
function M.kind_of(body)
  local kind = type(body)
  if is_callable(body) then
    return "iterator"
  elseif io_type(body) then
    return "file"
  elseif kind == "table" then
    return type(body.read) == "function" and "reader" or "list"
  end
  bad("the body must be a string, a list of strings, a function or a file, not a %s", kind)
end

--- The pieces of what has a read method: a function.
-- @param reader
-- @tparam ?function room of a file of io's no more is read than that says, when its answer has
-- begun: it may have no end
function M.pieces_of(reader, room)
  local is_bounded = room and io_type(reader)
  if not io_type(reader) and type(reader.read_some) == "function" then
    return function() -- a stream: its read is for just so many bytes
      local text, err = reader:read_some(BLOCK)
      if err then
        error(err, 0)
      end
      return text
    end
  end
  return function()
    local n = is_bounded and room() or BLOCK
    if n == 0 then
      return nil
    end
    local text, err = reader:read(min(n, BLOCK))
    if text == nil and err and io_type(reader) then
      bad("the file of the body cannot be read: %s", err)
    elseif text == nil and err then
      error(err, 0)
    end
    return text ~= "" and text or nil
  end
end

--- The pieces of a body of any kind, or of a string: a function. room: as for pieces_of.
function M.each_piece(body, room)
  local kind = type(body)
  local i = 0
  if body == nil or kind == "string" or kind == "number" then
    body = { body }
  else
    kind = M.kind_of(body)
  end
  if kind == "iterator" then
    return body
  elseif kind == "file" or kind == "reader" then
    return M.pieces_of(body, room)
  end
  return function()
    i = i + 1
    return body[i]
  end
end

--- Call the body's close, if it has one.
function M.close(body)
  local kind = type(body)
  if (kind == "table" or kind == "userdata") and io_type(body) ~= "closed file" then
    local close = body.close
    if close then
      close(body)
    end
  end
end

return M
