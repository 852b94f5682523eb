--- Bytes as text: hexadecimal digits and base64. See green.digest.
-- @module green.digest.text

local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"

local ffi = require "ffi"
local base64_api = require "green.ffi.base64"
local hex_api = require "green.ffi.hex"

-- Scripts may put their own in their places.
local format, tonumber, type = string.format, tonumber, type

local URL, BARE = tonumber(ffi.C.GREEN_BASE64_URL), tonumber(ffi.C.GREEN_BASE64_BARE)
local chars_t, size_t = ffi.typeof("char[?]"), ffi.typeof("size_t[1]")

local M = {}

--- A string, which may be a secret: no message shows it.
function M.bytes_of(value, where, name)
  if type(value) ~= "string" then
    args.misuse("%s: %s must be a string, not %s", where, name,
      value == nil and "nil" or "a " .. type(value))
  end
  return value
end
local bytes_of = M.bytes_of

--- Two hexadecimal digits for each byte, in lower case. Does not park.
-- @tparam string bytes
-- @treturn string
function M.hex(bytes)
  bytes_of(bytes, "hex", "bytes")
  local buffer = chars_t(2 * #bytes)
  hex_api.encode(bytes, #bytes, buffer)
  return ffi.string(buffer, 2 * #bytes)
end

--- What a decoder has made of a text of n letters; or nil, err, which shows none of it.
local function decoded(count, buffer, at, n, where, what)
  if count >= 0 then
    return ffi.string(buffer, count)
  end
  local place = tonumber(at[0]) + 1
  local how = place > n and "it ends too early" or format("wrong at byte %d", place)
  return nil, errors.new("EINVAL", where, format("not %s: %s", what, how), { at = place })
end

--- The bytes that hexadecimal digits of either case stand for. Does not park.
-- @tparam string text
-- @treturn string bytes; or nil, err: EINVAL, with the place in `err.at`
function M.unhex(text)
  bytes_of(text, "unhex", "text")
  local buffer, at = chars_t(#text), size_t()
  return decoded(hex_api.decode(text, #text, buffer, at), buffer, at, #text, "unhex",
    "hexadecimal digits")
end

local of_base64 = { padding = true }

--- C's flags: padded is what holds where the options do not say.
local function flags_of(opts, padded, flags, where)
  local padding = options.check(opts, of_base64, where).padding
  if args.optional(padding, "boolean", where, "padding") ~= nil then
    padded = padding
  end
  return padded and flags or flags + BARE
end

local function encode(bytes, opts, padded, url, where)
  bytes_of(bytes, where, "bytes")
  local flags = flags_of(opts, padded, url, where)
  local buffer = chars_t(base64_api.size(#bytes, flags))
  return ffi.string(buffer, base64_api.encode(bytes, #bytes, flags, buffer))
end

local function decode(text, opts, padded, url, where)
  bytes_of(text, where, "text")
  local flags = flags_of(opts, padded, url, where)
  local buffer, at = chars_t(#text + 3), size_t()
  return decoded(base64_api.decode(text, #text, flags, buffer, at), buffer, at, #text, where,
    url == 0 and "base64" or "base64url")
end

--- Base64 (RFC 4648, section 4). Does not park.
-- @tparam string bytes
-- @tparam[opt] table opts `padding` false: without "=" at the end
-- @treturn string
function M.base64(bytes, opts)
  return encode(bytes, opts, true, 0, "base64")
end

--- The bytes that base64 stands for: strict, without line ends and the like. Does not park.
-- @tparam string text
-- @tparam[opt] table opts `padding` false: "=" at the end may be missing
-- @treturn string bytes; or nil, err: EINVAL, with the place in `err.at`
function M.unbase64(text, opts)
  return decode(text, opts, true, 0, "unbase64")
end

--- Base64 for URLs and tokens: "-" and "_", no padding (RFC 4648, section 5). Does not park.
-- @tparam string bytes
-- @tparam[opt] table opts `padding` true: with "=" at the end
-- @treturn string
function M.base64url(bytes, opts)
  return encode(bytes, opts, false, URL, "base64url")
end

--- The bytes that it stands for: padding may be there. Does not park.
-- @tparam string text
-- @tparam[opt] table opts `padding` true: "=" must not be missing
-- @treturn string bytes; or nil, err: EINVAL, with the place in `err.at`
function M.unbase64url(text, opts)
  return decode(text, opts, false, URL, "unbase64url")
end

return M
