--- Keys of CURVE, and Z85: 40 letters for 32 bytes.
-- @module green.zmq.key

local args = require "green.args"
local errors = require "green.error"

local ffi = require "ffi"
local digest = require "green.ffi.digest"
local key_api = require "green.ffi.zmq_key"
local z85_api = require "green.ffi.z85"

local format, tonumber, type = string.format, tonumber, type
local chars_t, size_t = ffi.typeof("char[?]"), ffi.typeof("size_t[1]")
local keys_t = ffi.typeof("green_zmq_keys")
local EINVAL = require("green.core").codes.EINVAL

local M = {}

--- What stands in a buffer, as a string; it may be a secret, which nobody finds there then.
local function taken(buffer, n, size)
  local text = ffi.string(buffer, n)
  digest.wipe(buffer, size)
  return text
end

-- -- Z85 ----------------------------------------------------------------------

--- Five letters for each four bytes. Does not park.
-- @tparam string bytes a multiple of 4 of them
-- @treturn string
function M.z85_encode(bytes)
  args.type(bytes, "string", "z85_encode", "bytes")
  if #bytes % 4 ~= 0 then
    args.misuse("z85_encode: bytes must be a multiple of 4, not %d", #bytes)
  end
  local n = #bytes / 4 * 5
  local buffer = chars_t(n)
  z85_api.encode(bytes, #bytes, buffer)
  return taken(buffer, n, n)
end

--- The bytes that letters of Z85 stand for. Does not park.
-- @tparam string text
-- @treturn string bytes; or nil, err: EINVAL, with the place in `err.at`
function M.z85_decode(text)
  args.type(text, "string", "z85_decode", "text")
  local buffer, at = chars_t(#text), size_t()
  local n = tonumber(z85_api.decode(text, #text, buffer, at))
  if n >= 0 then
    return taken(buffer, n, #text)
  end
  digest.wipe(buffer, #text)
  local place = tonumber(at[0]) + 1
  local how = place > #text and "its length is no multiple of 5" or format("wrong at byte %d",
    place)
  return nil, errors.new("EINVAL", "z85_decode", "not Z85: " .. how, { at = place })
end

-- -- Keys ---------------------------------------------------------------------

local function failed(status, where)
  return nil, errors.new(status, where, status == EINVAL
    and "not a key: 40 letters of Z85, or 32 bytes"
    or "this libzmq was built without CURVE")
end

--- A new key and its secret half. Does not park.
-- @treturn string the public key, in Z85
-- @treturn string the secret one. Or nil, err: EOPNOTSUPP (this libzmq has no CURVE)
function M.curve_keypair()
  local keys = keys_t()
  local status = key_api.make(keys)
  if status < 0 then
    return failed(status, "curve_keypair")
  end
  local public, secret = ffi.string(keys.key), ffi.string(keys.secret)
  key_api.wipe(keys)
  return public, secret
end

--- The public key of a secret one. Does not park.
-- @tparam string secret 40 letters of Z85, or 32 bytes
-- @treturn string in Z85; or nil, err: EINVAL, EOPNOTSUPP
function M.curve_public(secret)
  args.type(secret, "string", "curve_public", "secret")
  if #secret == 32 then
    secret = M.z85_encode(secret)
  end
  local keys = keys_t()
  ffi.copy(keys.secret, secret, math.min(#secret, 40))
  local status = #secret == 40 and key_api.derive(keys) or EINVAL
  local public = ffi.string(keys.key)
  key_api.wipe(keys)
  if status < 0 then
    return failed(status, "curve_public")
  end
  return public
end

--- The 40 letters of a key that is given as these, or as its 32 bytes; nil: it is none.
function M.letters(value)
  if type(value) ~= "string" then
    return nil
  elseif #value == 32 then
    return M.z85_encode(value)
  end
  return #value == 40 and M.z85_decode(value) and value or nil
end

return M
