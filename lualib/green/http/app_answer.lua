--- What a handler in this process answers: what a server would write to a connection, as text
-- for a response. Private to green.http.
--
-- It is the outlet of the handler's env (green.wsgi.outlet): what start_response writes comes
-- here, and what the handler returns comes behind it. Mistakes are raised, as servers log them.
-- @module green.http.app_answer

local bodies = require "green.wsgi.body"
local core = require "green.core"
local mistakes = require "green.wsgi.mistakes"

local ffi = require "ffi"
local write_api = require "green.ffi.http_write"

-- Scripts may put their own in their places.
local error, io_type, ipairs, pairs = error, io.type, ipairs, pairs
local setmetatable, tonumber, tostring, type = setmetatable, tonumber, tostring, type
local concat, format, sort = table.concat, string.format, table.sort

local WITHOUT_BODY = { [204] = true, [205] = true, [304] = true }

local methods = {}
local mt = { __index = methods }

-- -- Heads --------------------------------------------------------------------

--- Names and values in the order in which they are shown.
local function pairs_of(given)
  local list = {}
  for name, value in pairs(given) do
    if type(name) ~= "number" then
      list[#list + 1] = { name, value }
    end
  end
  sort(list, function(a, b) return a[1] < b[1] end)
  for _, pair in ipairs(given) do
    list[#list + 1] = pair
  end
  return list
end

--- Begin with a head. Raises a mistake.
-- @tparam ?number length of the body, where that is known; else it comes in pieces
function methods:begin(status, headers, length)
  local mistake = mistakes.head(status, headers)
  if mistake then
    error(mistakes.new(mistake), 0)
  end
  local number, reason = tostring(status):match("^(%d%d%d) ?(.*)$")
  self.status = tonumber(number)
  self.is_bare = self.is_bare or WITHOUT_BODY[self.status] or false
  if reason == "" then
    reason = ffi.string(write_api.reason(self.status))
  end
  self.lines = { format("HTTP/1.1 %s %s", number, reason) }
  self:add_fields(headers or {})
  self:add_length(length)
end

--- Put the handler's fields into the head.
function methods:add_fields(headers)
  for _, pair in ipairs(pairs_of(headers)) do
    local name, values = pair[1], type(pair[2]) == "table" and pair[2] or { pair[2] }
    for _, value in ipairs(values) do
      self.lines[#self.lines + 1] = name .. ": " .. tostring(value)
      if name:lower() == "content-length" then
        self.length = tonumber(value)
      end
    end
  end
end

--- Say how long the body is, where the handler has not.
function methods:add_length(length)
  if not self.is_bare and length and self.length and length ~= self.length then
    bodies.bad("the body's length differs from its Content-Length")
  elseif self.length or WITHOUT_BODY[self.status] then
    return
  end
  self.lines[#self.lines + 1] = length and "Content-Length: " .. length
    or "Transfer-Encoding: chunked"
end

--- The text of the head, as it would have come over a connection.
function methods:head()
  return concat(self.lines, "\r\n") .. "\r\n\r\n"
end

-- -- Bodies -------------------------------------------------------------------

--- The handler is never done with by anybody else.
function methods:is_open()
  return true
end

function methods:has_no_body()
  return self.is_bare
end

function methods:room()
  return self.length and self.length - self.count
end

--- Keep a piece for the response. Raises a mistake.
function methods:put(piece)
  piece = bodies.text_of(piece)
  self.count = self.count + #piece
  if self.length and self.count > self.length then
    bodies.bad("the body is longer than its Content-Length")
  end
  if not self.is_bare then
    self.pieces[#self.pieces + 1] = piece
  end
end

--- There are no further ones. Raises a mistake.
function methods:finish()
  if not self.is_bare and self.length and self.count < self.length then
    bodies.bad("the body is shorter than its Content-Length")
  end
end

--- The body is a text that is there.
local function put_whole(self, status, headers, text)
  self:begin(status, headers, #text)
  self:put(text)
end

--- Begin with the head for a file: as long as the handler says, else as what is left of it.
function methods:begin_file(status, headers, file)
  self:begin(status, headers)
  local _, size = core.file_rest(file)
  if size and not self.length then
    self.length, self.lines[#self.lines] = size, "Content-Length: " .. format("%.0f", size)
  end
end

--- What the handler has returned. The first piece is made before the head is, as servers do it.
-- Raises mistakes, and what the body raises.
function methods:returned(status, headers, body, why)
  local kind = type(body)
  if body == nil and type(why) == "string" then
    error(mistakes.missing(why), 0)
  elseif body == nil or kind == "string" then
    return put_whole(self, status, headers, body or "")
  end
  kind = bodies.kind_of(body)
  if kind == "list" then
    return put_whole(self, status, headers, bodies.text_of_list(body))
  elseif io_type(body) == "closed file" then
    bodies.bad("the body is a closed file")
  end
  local next_piece = bodies.each_piece(body, function() return self:room() end)
  if kind == "file" then
    self:begin_file(status, headers, body)
  end
  local first = next_piece()
  if kind ~= "file" then
    self:begin(status, headers)
  end
  if first ~= nil then
    self:put(first)
  end
  self.next_piece = not self.is_bare and first ~= nil and next_piece
end

--- The next bytes for the response; nil: there are no more. Raises mistakes, and what the body
-- raises.
function methods:take()
  local at = self.taken + 1
  while not self.pieces[at] and self.next_piece do
    local piece = self.next_piece()
    if piece == nil then
      self.next_piece = false
      self:finish()
    elseif piece ~= "" then
      self.pieces, at, self.taken = {}, 1, 0
      self:put(piece)
    end
  end
  self.taken = at
  return self.pieces[at]
end

local M = {}

--- The answer to a request with that method.
function M.new(method)
  return setmetatable({ is_bare = method == "HEAD", pieces = {}, taken = 0, count = 0,
    next_piece = false }, mt)
end

return M
