--- The methods of responses that read their body. Private to green.http, but for the methods.
-- @module green.http.content

local args = require "green.args"
local errors = require "green.error"
local json = require "green.http.json"
local reading = require "green.http.reading"
local save = require("green.http.save").save

-- Scripts may put their own in their places.
local error, pcall, tostring = error, pcall, tostring
local find, format, sub = string.find, string.format, string.sub

local TEXT_MOST = 64 * 1024 * 1024 -- what is read into memory, unasked
local LINE_MOST = 65536
local BLOCK = 65536

local methods = {}

local function closed(self, op)
  if self._closed then
    return nil, reading.closed(self, op)
  end
end

--- What is read into memory at most.
local function most_of(self)
  return self._req.settings.max_body or TEXT_MOST
end

--- The body, or what was not taken of it yet; the same again when asked again. Parks.
-- @treturn string "" if there is none; nil, err: ETOOBIG (more than max_body bytes, 64 MB
-- unless told), EEOF, ECONNRESET, EPROTO, ETIMEDOUT, ECLOSED
function methods:text()
  local text = self._text
  if text then
    return text
  elseif not self._conn and not self._decoder and not self._failed and not self._closed then
    text = self._kept or ""
    self._kept = false
  else
    local none, err = closed(self, "text")
    if err then
      return none, err
    end
    local req = self._req
    local was_taken = req.is_taken
    text, err = reading.all(self, most_of(self))
    if not text then
      return nil, err
    elseif req.is_forwarded then
      req.is_taken = was_taken -- all of it is here
    end
  end
  self._text = text
  return text
end

--- The body as the value that its JSON stands for. Parks.
-- @return the value (cjson.null for null); or nil, err: EPROTO (it is no JSON), ENOLIBRARY
-- (lua-cjson is not installed), and as text
function methods:json()
  local cjson, err = json.library()
  if not cjson then
    return nil, err
  end
  local text
  text, err = self:text()
  if not text then
    return nil, err
  end
  local ok, value = pcall(cjson.decode, text)
  if not ok then
    return nil, errors.new("EPROTO", "json", "the body is no JSON: " .. tostring(value),
      { url = self.url })
  end
  return value
end

--- Up to n bytes of the body: fewer only at its end. Parks.
-- @tparam[opt] number n left out: all the rest
-- @treturn ?string nil at the end; nil, err: as text
function methods:read(n)
  if n ~= nil then
    n = args.size(n, 1, "read", "n")
  end
  local none, err = closed(self, "read")
  if err then
    return none, err
  elseif n == nil then
    local text
    text, err = reading.all(self, most_of(self))
    return text ~= "" and text or nil, err
  end
  local pieces, total = {}, 0
  while total < n do
    local text
    text, err = reading.next(self)
    if err then
      return nil, err
    elseif not text then
      break
    end
    pieces[#pieces + 1] = text
    total = total + #text
  end
  local all = table.concat(pieces)
  if total > n then
    self._kept = sub(all, n + 1)
    all = sub(all, 1, n)
  end
  return all ~= "" and all or nil
end

--- What has come of the body, at least a byte, at most so many. Parks.
-- @tparam[opt=65536] number most
-- @treturn ?string nil at the end; nil, err: as text
function methods:read_some(most)
  most = most == nil and BLOCK or args.size(most, 1, "read_some", "most")
  local text, err = closed(self, "read_some")
  if not err then
    text, err = reading.next(self)
  end
  if text and #text > most then
    self._kept = sub(text, most + 1)
    text = sub(text, 1, most)
  end
  return text, err
end

local function or_raise(value, err)
  if err then
    error(err, 0)
  end
  return value
end

--- For a loop over the body in pieces as they come. The loop parks, and raises errors.
-- @tparam[opt=65536] number most bytes of a piece
function methods:chunks(most)
  if most ~= nil then
    args.size(most, 1, "chunks", "most")
  end
  return function()
    return or_raise(self:read_some(most))
  end
end

--- One line, without its end.
local function next_line(self, most)
  local text = ""
  while true do
    local at = find(text, "\n", 1, true)
    if at then
      self._kept = at < #text and sub(text, at + 1)
      local last = sub(text, at - 1, at - 1) == "\r" and at > 1 and at - 2 or at - 1
      return sub(text, 1, last)
    elseif #text > most then
      return nil, errors.new("ETOOBIG", "lines", format("a line has more than %d bytes", most))
    end
    local more, err = reading.next(self)
    if err then
      return nil, err
    elseif not more then
      return text ~= "" and text or nil
    end
    text = text .. more
  end
end

--- For a loop over the lines of the body, without LF or CRLF. The loop parks, and raises
-- errors.
-- @tparam[opt=65536] number most bytes of a line
function methods:lines(most)
  most = most == nil and LINE_MOST or args.size(most, 1, "lines", "most")
  return function()
    or_raise(closed(self, "lines"))
    return or_raise(next_line(self, most))
  end
end

--- Put the body, or what was not taken of it, into a file. Writing to a file may stop
-- everything for a moment, as any of io's functions. Parks.
-- @tparam string path of the file, which is made or written over
-- @tparam[opt] table opts `resume` true: what the file has stays if the server says that it is
-- the beginning of the same (by ETag or Last-Modified), and only the rest is asked for
-- @return true; or nil, err: ENOENT, EACCES, ENOSPC, ... of the file; EHTTPSTATUS; as text
function methods:save(path, opts)
  local none, err = closed(self, "save")
  if err then
    return none, err
  end
  return save(self, path, opts)
end

return { methods = methods }
