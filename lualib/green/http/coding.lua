--- Content codings of HTTP (RFC 9110, section 8.4), undone as a body comes in.
--
-- A decoder gives pieces of at most 64 KB, however much a little input becomes:
--
--    local piece, err = decoder:feed(chunk)
--    while piece and piece ~= "" do -- "": it wants the next chunk
--      use(piece)
--      piece, err = decoder:more()
--    end
--
-- and behind the last chunk the same with `decoder:finish()` in both places. Nothing here
-- parks. A decoder that failed, finished or was closed has given its memory back (40 KB to 16 MB
-- of C's, which the collector does not see: close one that is not wanted to its end).
-- @module green.http.coding

local core = require "green.core"
local errors = require "green.error"

local ffi = require "ffi"
local C = require "green.ffi.coding"

-- Scripts may put their own in their places.
local format, huge, ipairs, min = string.format, math.huge, ipairs, math.min
local setmetatable, tonumber = setmetatable, tonumber

local PIECE = 65536 -- bytes given out at once
local DEPTH = 5 -- codings on top of each other
local SLACK = 65536 -- bytes before a ratio counts, and that a form in between may have more
local BETWEEN = 2 ^ 26 -- bytes of such a form, which give nothing out and hold up the loop

local coding_t, bytes_t = ffi.typeof("green_coding"), ffi.typeof("uint8_t[?]")
local text_t = ffi.typeof("const uint8_t *")

local offered = {
  { "gzip", tonumber(ffi.C.GREEN_CODING_GZIP) },
  { "deflate", tonumber(ffi.C.GREEN_CODING_DEFLATE) },
  { "br", tonumber(ffi.C.GREEN_CODING_BR) },
}

local M = {}

--- What to say in Accept-Encoding: "gzip, deflate, br", or less where a library is missing.
-- Does not park.
-- @treturn string or nil: none can be undone
function M.accept()
  local list
  for _, one in ipairs(offered) do
    if C.missing(one[2]) == nil then
      list = list and list .. ", " .. one[1] or one[1]
    end
  end
  return list
end

-- -- Ends ---------------------------------------------------------------------

local function close(self)
  for i = 1, self._n do
    C.deinit(self[i].c)
  end
  self._text = nil
end

--- It has failed for good: nil, err.
local function fail(self, code, stage, message, limit)
  close(self)
  self._err = errors.new(code, "decode " .. stage.name, message,
    { coding = stage.name, limit = limit })
  return nil, self._err
end

local messages = {
  EPROTO = "the body is broken: %s",
  EEOF = "the body ended too early",
}

--- The same for an error of C's.
local function fail_by(self, code, stage)
  local name = core.errtext(code)
  local reason = stage.c.reason ~= nil and ffi.string(stage.c.reason) or nil
  return fail(self, name, stage, messages[name] and format(messages[name], reason) or reason)
end

-- -- Stages -------------------------------------------------------------------

-- A stage undoes one coding. Its input is the text that was fed, or what the stage before it
-- has in its buffer `out`: `left` bytes at `from + at`. While it fills its room it may have
-- more to give without any input.

--- true; or nil, err: a stage has given too much.
local function check_size(self, stage)
  local most, ratio = stage.most, self._ratio
  if stage.total > most then
    return fail(self, "ETOOBIG", stage, format("the body is longer than %.0f bytes when decoded",
      most), most)
  elseif stage.total > ratio * (self._fed - self[1].left) + SLACK then
    return fail(self, "ETOOBIG", stage, format("the body becomes more than %g times as long",
      ratio), ratio)
  end
  return true
end

--- Let a stage work once. How many bytes are in its buffer; nil, err.
local function run(self, stage)
  local room = min(PIECE, stage.most - stage.total + 1)
  local n = C.run(stage.c, stage.from + stage.at, stage.left, stage.out, room)
  local used = stage.c.used
  stage.at, stage.left, stage.is_full = stage.at + used, stage.left - used, n == room
  if n < 0 then
    return fail_by(self, n, stage)
  end
  stage.total = stage.total + n
  local ok, err = check_size(self, stage)
  return ok and n, err
end

--- Fill the buffer of stage i, with what the stages before it give. How many bytes, 0: all
-- input is used; nil, err.
local function pull(self, i)
  local stage, before = self[i], self[i - 1]
  while true do
    if stage.left > 0 or stage.is_full then
      local n, err = run(self, stage)
      if n ~= 0 then
        return n, err
      end
    elseif not before then
      return 0
    else
      local n, err = pull(self, i - 1)
      if not n or n == 0 then
        return n, err
      end
      stage.from, stage.at, stage.left = before.out, 0, n
    end
  end
end

-- -- Decoders -----------------------------------------------------------------

local methods = {}
local mt = { __index = methods }

--- The next piece of what was fed, up to 64 KB; "": it needs more input. Does not park.
-- @treturn string; or nil, err: EPROTO (not what it says, or broken, or followed by
-- something else), ETOOBIG (`err.limit`), ENOMEM, ECLOSED (it was finished)
function methods:more()
  if self._err then
    return nil, self._err
  end
  local n, err = pull(self, self._n)
  if not n then
    return nil, err
  end
  return n > 0 and ffi.string(self[self._n].out, n) or ""
end

--- Put in the next bytes of the body. Does not park.
-- @tparam string text may be empty
-- @treturn string as `more`
function methods:feed(text)
  if self._err then
    return nil, self._err
  end
  local first = self[1]
  if first.left > 0 then
    text = self._text:sub(first.at + 1) .. text
    self._fed = self._fed - first.left
  end
  self._text = text -- C reads it
  first.from, first.at, first.left = ffi.cast(text_t, text), 0, #text
  self._fed = self._fed + #text
  return methods.more(self)
end

--- The body has ended: the pieces that are left, then "" if it was complete. A body without
-- a single byte is, whatever it is said to be. Does not park.
-- @treturn string as `more`; nil, err also: EEOF (it ended too early)
function methods:finish()
  local piece, err = methods.more(self)
  if piece ~= "" then
    return piece, err
  end
  for i = 1, self._fed > 0 and self._n or 0 do
    local code = C.eof(self[i].c)
    if code < 0 then
      return fail_by(self, code, self[i])
    end
  end
  close(self)
  self._err = errors.new("ECLOSED", "decode " .. self[1].name)
  return ""
end

--- Give up: its memory is given back. Idempotent. Does not park.
function methods:close()
  if not self._err then
    close(self)
    self._err = errors.new("ECLOSED", "decode " .. self[1].name)
  end
end

-- -- Making -------------------------------------------------------------------

local function stage_of(name, most)
  local kind = C.find(name, #name)
  if kind < 0 then
    return nil, errors.new("EOPNOTSUPP", "decode", format("the content coding %s is not known",
      core.shown(name)), { coding = name })
  end
  local c = ffi.gc(coding_t(), C.deinit)
  local code = C.init(c, kind)
  local stage = { c = c, name = name, out = bytes_t(PIECE), at = 0, left = 0, total = 0,
    most = most, is_full = false }
  if code < 0 then
    return fail_by({ _n = 0 }, code, stage)
  end
  return stage
end

--- The codings in a field's value, in the order in which they were applied.
local function names_of(value)
  local names = {}
  for name in value:gmatch("[^,]+") do
    name = name:match("^[ \t]*(.-)[ \t]*$"):lower()
    if name ~= "" and name ~= "identity" then
      names[#names + 1] = name
    end
  end
  return names
end

--- A decoder for a body, see above. Does not park.
-- @tparam string value of Content-Encoding: "gzip", "deflate", "br", or several of them in
-- the order in which they were applied, at most 5
-- @tparam[opt] number max_bytes how long the body may be when decoded; nil: any
-- @tparam[opt] number max_ratio how many times longer than what came in, beyond 64 KB
-- @return the decoder; nil: nothing is to be undone; or nil, err: EOPNOTSUPP (no such coding),
-- ENOLIBRARY (the message names the package), ETOOBIG (too many codings), ENOMEM
function M.decoder(value, max_bytes, max_ratio)
  local names = names_of(value)
  local n = #names
  if n == 0 then
    return nil
  elseif n > DEPTH then
    return nil, errors.new("ETOOBIG", "decode", format("the body is coded %d times, %d are undone",
      n, DEPTH), { limit = DEPTH })
  end
  local self = setmetatable({ _n = 0, _fed = 0, _ratio = max_ratio or huge }, mt)
  local most = max_bytes or huge
  for i = 1, n do
    local stage, err = stage_of(names[n + 1 - i], i == n and most or min(most, BETWEEN) + SLACK)
    if not stage then
      close(self)
      return nil, err
    end
    self[i], self._n = stage, i
  end
  return self
end

return M
