--- Bodies of requests: what users give, and how it is sent. Private to green.http.
--
-- A body is a table with `text`; or with `pull`, a function that gives the next piece or
-- nil, `length` if that is known, and `rewind` if it can be sent again. That of a file has
-- `file` and `at`, where in it the next piece begins.
-- @module green.http.body

local args = require "green.args"
local core = require "green.core"
local streams = require "green.stream"

-- Scripts may put their own in their places.
local error, format, io_type, tostring, type = error, string.format, io.type, tostring, type
local concat, min = table.concat, math.min

local ETIMEDOUT = core.codes.ETIMEDOUT
local BLOCK = 65536 -- read at a time from files and streams
local FILE_BLOCK = 262144 -- sent of a file before others have their turn
local TOGETHER = 16384 -- bodies up to that leave with their head
local LAST_CHUNK = "0\r\n\r\n"

local M = { TOGETHER = TOGETHER }

-- -- What users give ------------------------------------------------------------

--- A file whose length cannot be known: pipes, devices, and what seems to be empty, as files
-- below /proc do, and has bytes.
local function of_any_file(file, start)
  return {
    pull = function() return file:read(BLOCK) end,
    rewind = start and function() return file:seek("set", start) end,
  }
end

--- Pieces of a file of io's, from where it stands. It is never asked for more than it had.
local function of_file(file)
  local start = file:seek()
  local size = start and file:seek("end")
  if not size then
    return of_any_file(file)
  end
  file:seek("set", start)
  if size == 0 and file:read(0) then
    return of_any_file(file, start)
  end
  local body = { file = file, at = start, length = size - start }
  function body.pull()
    local left = size - body.at
    local text = left > 0 and file:read(min(left, BLOCK))
    body.at = body.at + (text and #text or 0)
    return text or nil
  end
  function body.rewind()
    body.at = start
    return file:seek("set", start)
  end
  return body
end

local function of_reader(reader)
  local is_stream = streams.is_stream(reader)
  return { pull = function()
    local text, err
    if is_stream then
      text, err = reader:read_some(BLOCK)
    else
      text, err = reader:read(BLOCK)
    end
    if text == nil and err then
      error(err, 0)
    end
    return text ~= "" and text or nil
  end }
end

local function of_list(list, where)
  for i = 1, #args.list(list, where, "body", "strings and numbers") do
    local kind = type(list[i])
    if kind ~= "string" and kind ~= "number" then
      args.wrong(where, "body[" .. i .. "]", "a string or a number", list[i])
    end
  end
  return { text = concat(list) }
end

local function is_reader(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata" and core.class_of(value) ~= nil
    and type(core.class_of(value).__index) == "table") and type(value.read) == "function"
end

--- The body that a user's value stands for. Raises misuse. Does not park.
function M.of(value, where)
  local kind = type(value)
  if kind == "string" then
    return { text = value }
  elseif kind == "number" then
    return { text = tostring(value) }
  elseif kind == "function" then
    return { pull = value }
  elseif io_type(value) == "file" then
    return of_file(value)
  elseif io_type(value) == "closed file" then
    args.misuse("%s: body must be an open file, not %s: it was closed", where, args.shown(value))
  elseif is_reader(value) then
    return of_reader(value)
  elseif kind == "table" and not core.class_of(value) then
    return of_list(value, where)
  elseif args.is_callable(value) then
    return { pull = value }
  end
  args.wrong(where, "body", "a string, a list of strings, a function, a stream or a file", value)
end

--- Can it be sent again, having been sent?
function M.can_repeat(body)
  return not body or body.text ~= nil or body.rewind ~= nil
end

--- Make it ready to be sent again. false: it cannot be.
function M.rewind(body)
  if not body or body.text then
    return true
  end
  return body.rewind ~= nil and body.rewind() ~= nil
end

-- -- Sending ------------------------------------------------------------------

local function next_piece(body)
  local piece = body.pull()
  while piece == "" do
    piece = body.pull()
  end
  if piece == nil then
    return nil
  elseif type(piece) == "number" then
    return tostring(piece)
  elseif type(piece) ~= "string" then
    error(format("a piece of the body must be a string, not a %s", type(piece)), 0)
  end
  return piece
end

local function wrong_length(body, n)
  error(format("the body has %s bytes than its length of %.0f", n > body.length and "more"
    or "fewer", body.length), 0)
end

local function chunk(piece)
  return format("%x\r\n%s\r\n", #piece, piece)
end

--- What is sent of a body that is this text.
function M.framed(body, text)
  if body.length then
    return text
  end
  return (text == "" and "" or chunk(text)) .. LAST_CHUNK
end

--- What is wrong between two pieces. As send. Parks.
local function in_time(conn, due)
  if due and core.now() >= due then
    return ETIMEDOUT
  end
  conn:check()
  return 0
end

local function between(conn, due)
  return conn:has_answer() and 1 or in_time(conn, due)
end

--- Send pieces from there on. Parks.
local function send_pieces(conn, body, total, send, between_two, seconds, due)
  local length = body.length
  while true do
    local piece = next_piece(body)
    if not piece then
      break
    end
    total = total + #piece
    if length and total > length then
      wrong_length(body, total)
    end
    local status = send(conn, length and piece or chunk(piece), seconds, due)
    status = status == 0 and between_two(conn, due) or status
    if status ~= 0 then
      return status
    end
  end
  if length and total < length then
    wrong_length(body, total)
  end
  return length and 0 or send(conn, LAST_CHUNK, seconds, due)
end

--- Send a file past us. As send; nil: the rest cannot be sent so, and is to be read. Parks.
local function send_file(conn, body, seconds, due)
  local first = body.at
  local stop = first + body.length
  while body.at < stop do
    local status, n = conn:send_file(body.file, body.at, min(stop - body.at, FILE_BLOCK),
      seconds, due)
    if not status then
      body.file:seek("set", body.at)
      return nil
    elseif n == 0 then
      wrong_length(body, body.at - first)
    end
    body.at = body.at + (n or 0)
    status = status == 0 and between(conn, due) or status
    if status ~= 0 then
      return status
    end
  end
  body.file:seek("set", stop) -- where it would stand after being read
  return 0
end

--- Send the body. 0; 1: the answer has begun, and the rest was not sent; or a negative
-- status. Raises what its function raises. Parks.
function M.send(conn, body, seconds, due)
  if body.text then
    return conn:send_body(body.text, seconds, due)
  end
  local total = 0
  if body.file and conn.sock then
    local first = body.at
    local status = send_file(conn, body, seconds, due)
    if status then
      return status
    end
    total = body.at - first
  end
  return send_pieces(conn, body, total, conn.send_body, between, seconds, due)
end

--- The same of one that is made piece by piece, for who does not look at answers. Parks.
function M.send_pieces(conn, body, seconds, due)
  return send_pieces(conn, body, 0, conn.send, in_time, seconds, due)
end

return M
