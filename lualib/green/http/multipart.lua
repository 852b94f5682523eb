--- Bodies of multipart/form-data (RFC 7578), as browsers write them (WHATWG HTML 4.10.21.8):
-- what forms with files send. Nothing is loaded: files are read as they are sent.
-- @module green.http.multipart

local args = require "green.args"
local digest = require "green.digest"
local options = require "green.args.options"
local part = require "green.http.multipart_part"

-- Scripts may put their own in their places.
local ipairs, pairs, tostring, type = ipairs, pairs, tostring, type

local TOGETHER = 65536 -- bytes of short texts that leave together

local M = {}

--- Append a text to a list of texts and bodies. Short ones go together.
local function append(segments, text)
  local last = segments[#segments]
  if type(last) == "string" and #last + #text <= TOGETHER then
    segments[#segments] = last .. text
  else
    segments[#segments + 1] = text
  end
end

--- How long all of them are; nil: nobody knows.
local function length_of(segments)
  local total = 0
  for _, segment in ipairs(segments) do
    local n = type(segment) == "string" and #segment or segment.length
    if not n then
      return nil
    end
    total = total + n
  end
  return total
end

local function can_rewind(segments)
  for _, segment in ipairs(segments) do
    if type(segment) ~= "string" and not segment.rewind then
      return false
    end
  end
  return true
end

--- A function that gives the pieces of all in turn, and one that begins anew.
local function reader(segments)
  local at = 1
  local function pull()
    local segment = segments[at]
    if type(segment) ~= "table" then
      at = at + 1
      return segment
    end
    local piece = segment.pull()
    if piece ~= nil then
      return piece
    end
    at = at + 1
    return pull()
  end
  return pull, function()
    at = 1
    for _, segment in ipairs(segments) do
      if type(segment) == "table" and not segment.rewind() then
        return nil
      end
    end
    return true
  end
end

--- A body of these segments which tells how far it is.
local function body_of(segments, progress)
  local total, sent = length_of(segments), 0
  local pull, rewind = reader(segments)
  return {
    length = total,
    pull = progress and function()
      local piece = pull()
      if type(piece) == "string" or type(piece) == "number" then
        sent = sent + #tostring(piece)
        progress(sent, total)
      end
      return piece
    end or pull,
    rewind = can_rewind(segments) and function()
      sent = 0
      return rewind()
    end or nil,
  }
end

--- What looks like no misspelt option is meant as the name of a part.
local function hint(name)
  return not options.nearest(name, { "progress" })
    and "parts stand in a list, each as { name, value }" or nil
end

--- The parts and what is said beside them. Raises misuse.
local function split(value, where)
  local parts, beside = {}, {}
  for key, one in pairs(args.type(value, "table", where, "multipart")) do
    if type(key) == "string" then
      beside[key] = one
    else
      parts[key] = one
    end
  end
  args.list(parts, where, "multipart", "parts")
  options.check(beside, { progress = true }, where .. ": multipart", hint)
  if beside.progress ~= nil then
    args.callable(beside.progress, where, "progress")
  end
  return parts, beside.progress
end

--- Make a body of parts. Does not park; sending it does what the parts' functions do.
-- @tparam table value a list of parts, and perhaps `progress`: progress(sent, total) is told
-- how many bytes have been taken (total is nil where nobody knows it). A part is
-- { name, value }, or a table with `name` and `value` (a string, a list of strings, a function
-- that gives pieces, a stream, a file of io's) or `file` (a path: its name is the filename), and
-- perhaps `filename`, `type` (Content-Type; application/octet-stream where there is a filename)
-- and `headers` (a list of { name, value }). CR, LF and NUL in a name raise; in a
-- filename CR and LF are written as browsers do
-- @tparam string where the function's name, for misuse
-- @treturn table a body of green.http.body; nil, err: ENOENT, EACCES, EIO (a file), ENOSYS (no
-- random bytes)
-- @treturn string its Content-Type
function M.body(value, where)
  local parts, progress = split(value, where)
  local random, err = digest.random(18)
  if not random then
    return nil, err
  end
  local boundary, segments = "greenlua-" .. digest.hex(random), {}
  for i, one in ipairs(parts) do
    local head, body = part.read(one, i, where)
    if not head then
      return nil, body
    end
    append(segments, "--" .. boundary .. "\r\n" .. head)
    if body.text then
      append(segments, body.text)
    else
      segments[#segments + 1] = body
    end
    append(segments, "\r\n")
  end
  append(segments, "--" .. boundary .. "--\r\n")
  local kind = "multipart/form-data; boundary=" .. boundary
  if #segments == 1 and not progress then
    return { text = segments[1] }, kind
  end
  return body_of(segments, progress), kind
end

return M
