--- Parts of multipart/form-data: what stands before each, and its body. Private to
-- green.http.multipart.
-- @module green.http.multipart_part

local args = require "green.args"
local bodies = require "green.http.body"
local errors = require "green.error"
local is_token = require("green.http.token").is
local options = require "green.args.options"

-- Scripts may put their own in their places.
local error, ipairs, open, setmetatable, type = error, ipairs, io.open, setmetatable, type
local format, min = string.format, math.min

local BLOCK = 65536 -- bytes of a file that are read at a time

-- -- Files --------------------------------------------------------------------

local file_methods = {}
local file_mt = { __index = file_methods }

local function cannot_open(path, why)
  return errors.new("EIO", "multipart", ("the file %s cannot be read: %s"):format(args.shown(path),
    why))
end

--- The next piece of a file, which is opened when it is its turn. It may have become longer
-- since its size was taken: that much is sent.
function file_methods:pull()
  if self.left == 0 then
    return self:stop()
  elseif not self.handle then
    local why
    self.handle, why = open(self.path, "rb")
    if not self.handle then
      error(cannot_open(self.path, why), 0)
    end
  end
  local text, why = self.handle:read(min(self.left, BLOCK))
  if not text then
    self:stop()
    error(cannot_open(self.path, why or "it has become shorter"), 0)
  end
  self.left = self.left - #text
  return text
end

function file_methods:stop()
  if self.handle then
    self.handle:close()
    self.handle = nil
  end
end

function file_methods:start()
  self:stop()
  self.left = self.size
  return true
end

--- A body of the file with that path. nil, err: ENOENT and the like.
local function of_path(path)
  local handle, why, code = open(path, "rb")
  local size = handle and handle:seek "end"
  local is_readable = size and handle:seek "set" and handle:read(0) ~= nil or size == 0
  if handle then
    handle:close()
  end
  if not size or not is_readable then
    local err = cannot_open(path, why or "it is no plain file")
    return nil, code and code > 0 and errors.new(-code, err.op, err.message) or err
  end
  local file = setmetatable({ path = path, size = size, left = size }, file_mt)
  return {
    length = size,
    pull = function() return file:pull() end,
    rewind = function() return file:start() end,
  }
end

-- -- Parts --------------------------------------------------------------------

local known = { name = true, value = true, file = true, filename = true, type = true,
  headers = true }

--- A text as it stands between quotes.
local function escaped(text)
  return (text:gsub('[\r\n"]', { ["\r"] = "%0D", ["\n"] = "%0A", ['"'] = "%22" }))
end

local function header_text(value, where, name)
  if args.type(value, "string", where, name):find "[%z\r\n]" then
    args.misuse("%s: %s must have no CR, LF and NUL", where, name)
  end
  return value
end

local function more_headers(part, where)
  local text = ""
  for i, pair in ipairs(args.list(part.headers or {}, where, "headers", "{ name, value }")) do
    args.type(pair, "table", where, "headers[" .. i .. "]")
    local name = args.type(pair[1], "string", where, "the name of headers[" .. i .. "]")
    if not is_token(name) then
      args.wrong(where, "the name of headers[" .. i .. "]", "a header's name", name)
    end
    text = text .. name .. ": " .. header_text(pair[2], where, "header " .. name) .. "\r\n"
  end
  return text
end

--- The name that the server is told; nil: none, it is no file.
local function filename_of(part, where)
  local filename = part.filename
  if filename == nil and part.file then
    filename = part.file:match "[^/]*$"
  end
  if filename ~= nil and args.type(filename, "string", where, "filename"):find "%z" then
    args.misuse("%s: filename must have no NUL", where)
  end
  return filename
end

--- What stands before a part's body.
local function head_of(part, where)
  local text = format('Content-Disposition: form-data; name="%s"',
    escaped(header_text(part.name, where, "name")))
  local filename, kind = filename_of(part, where), part.type
  if filename then
    text = text .. format('; filename="%s"', escaped(filename))
    kind = kind == nil and "application/octet-stream" or kind
  end
  if kind ~= nil then
    text = text .. "\r\nContent-Type: " .. header_text(kind, where, "type")
  end
  return text .. "\r\n" .. more_headers(part, where) .. "\r\n"
end

--- A part: what stands before it, and its body. Raises misuse. Does not park.
-- @param part what the user gave
-- @tparam number i which one it is
-- @tparam string where the function's name, for misuse
-- @treturn ?string nil, err: a file that cannot be read
-- @treturn table a body of green.http.body
local function read(part, i, where)
  where = format("%s: multipart[%d]", where, i)
  args.type(part, "table", where, "it")
  if type(part[1]) == "string" and #part == 2 then
    part = { name = part[1], value = part[2] }
  end
  options.check(part, known, where)
  if (part.value == nil) == (part.file == nil) then
    args.misuse("%s: it must have a value or a file, and not both", where)
  end
  local head = head_of(part, where)
  if part.file ~= nil then
    local body, err = of_path(args.type(part.file, "string", where, "file"))
    return body and head, body or err
  end
  return head, bodies.of(part.value, where)
end

return { read = read }
