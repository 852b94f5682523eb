--- Hash functions, HMAC, base64, hexadecimal digits, random bytes.
--
-- All take and give strings of bytes. Nothing here parks: a long text is digested while
-- the other threads stand still, about a second for a gigabyte. Texts and keys may be
-- secrets, so no message shows them.
-- @module green.digest

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local options = require "green.args.options"
local show = require "green.args.show"
local texts = require "green.digest.text"

local ffi = require "ffi"
local C = require "green.ffi.digest"
local random_api = require "green.ffi.random"

-- Scripts may put their own in their places.
local setmetatable, tonumber = setmetatable, tonumber
local bytes_of = texts.bytes_of

local RANDOM_MOST = 2 ^ 20 -- bytes at once: the loop stands still meanwhile

local kinds = {
  md5 = tonumber(ffi.C.GREEN_MD5),
  sha1 = tonumber(ffi.C.GREEN_SHA1),
  sha224 = tonumber(ffi.C.GREEN_SHA224),
  sha256 = tonumber(ffi.C.GREEN_SHA256),
  sha384 = tonumber(ffi.C.GREEN_SHA384),
  sha512 = tonumber(ffi.C.GREEN_SHA512),
}

local digest_t, hmac_t = ffi.typeof("green_digest"), ffi.typeof("green_hmac")
local bytes_t = ffi.typeof("uint8_t[?]")

-- Filled and read without anything in between that may run a finalizer, which might use
-- them, too. Nothing is allocated there; to name a function of C would be enough.
local hash_of, hmac_init, hmac_update, hmac_final = C.of, C.hmac_init, C.hmac_update, C.hmac_final
local init, update, final, equal = C.init, C.update, C.final, C.equal
local out = ffi.new("uint8_t[?]", ffi.C.GREEN_DIGEST_MOST)
local hmac = hmac_t()

local sizes = {} -- number of a kind -> bytes of its digests
for _, number in pairs(kinds) do
  sizes[number] = tonumber(C.size(number))
end

local M = {}

-- -- Arguments ----------------------------------------------------------------

local function kind_of(value, where)
  local kind = kinds[value]
  if not kind then
    args.type(value, "string", where, "kind")
    options.unknown("kind", value, kinds, where)
  end
  return kind
end

-- -- At once ------------------------------------------------------------------

local function hash(kind, text, where)
  bytes_of(text, where, "text")
  hash_of(kind, text, #text, out)
  return ffi.string(out, sizes[kind])
end

--- MD5 (RFC 1321): for old protocols only. Does not park.
-- @tparam string text
-- @treturn string 16 bytes
function M.md5(text)
  return hash(kinds.md5, text, "md5")
end

--- SHA-1 (FIPS 180-4): for old protocols only. Does not park.
-- @tparam string text
-- @treturn string 20 bytes
function M.sha1(text)
  return hash(kinds.sha1, text, "sha1")
end

--- SHA-224 (FIPS 180-4). Does not park.
-- @tparam string text
-- @treturn string 28 bytes
function M.sha224(text)
  return hash(kinds.sha224, text, "sha224")
end

--- SHA-256 (FIPS 180-4). Does not park.
-- @tparam string text
-- @treturn string 32 bytes
function M.sha256(text)
  return hash(kinds.sha256, text, "sha256")
end

--- SHA-384 (FIPS 180-4). Does not park.
-- @tparam string text
-- @treturn string 48 bytes
function M.sha384(text)
  return hash(kinds.sha384, text, "sha384")
end

--- SHA-512 (FIPS 180-4). Does not park.
-- @tparam string text
-- @treturn string 64 bytes
function M.sha512(text)
  return hash(kinds.sha512, text, "sha512")
end

--- HMAC (RFC 2104): who knows the key can tell that a text is from somebody who knows it,
-- too. Compare with `equal`. Does not park.
-- @tparam string kind "sha256", or another of "md5", "sha1", "sha224", "sha384", "sha512"
-- @tparam string key of any length
-- @tparam string text
-- @treturn string as many bytes as the kind's digest
function M.hmac(kind, key, text)
  local number = kind_of(kind, "hmac")
  bytes_of(key, "hmac", "key")
  bytes_of(text, "hmac", "text")
  hmac_init(hmac, number, key, #key)
  hmac_update(hmac, text, #text)
  hmac_final(hmac, out)
  return ffi.string(out, sizes[number])
end

--- Are two strings the same? Takes as long whatever is in them (their lengths may be
-- seen), so a stranger who tries signatures learns nothing from the time. Does not park.
-- @tparam string a
-- @tparam string b
-- @treturn boolean
function M.equal(a, b)
  bytes_of(a, "equal", "a")
  bytes_of(b, "equal", "b")
  return #a == #b and equal(a, b, #a)
end

-- -- In pieces ----------------------------------------------------------------

local methods = {}
local mt = { __name = "green.digest", __index = methods }

local function object(kind, number, state, is_hmac)
  return setmetatable({ kind = kind, _number = number, _state = state, _hmac = is_hmac }, mt)
end

local of_new = { key = true }

--- Begin a digest of a text that comes in pieces. Its field `kind` is the name; see
-- update, bytes, hex, copy. Does not park.
-- @tparam string kind "md5", "sha1", "sha224", "sha256", "sha384", "sha512"
-- @tparam[opt] table opts `key`: make it an HMAC with this key
-- @return the digest
function M.new(kind, opts)
  local number = kind_of(kind, "new")
  local key = options.check(opts, of_new, "new").key
  if key == nil then
    local state = digest_t()
    init(state, number)
    return object(kind, number, state, false)
  end
  bytes_of(key, "new", "key")
  local state = hmac_t()
  hmac_init(state, number, key, #key)
  return object(kind, number, state, true)
end

--- Append a piece. Does not park.
-- @tparam string text
-- @return the digest itself
function methods:update(text)
  bytes_of(text, "update", "text")
  local append = self._hmac and hmac_update or update
  append(self._state, text, #text)
  return self
end

--- A digest that goes on from here on its own. Does not park.
function methods:copy()
  local state = self._hmac and hmac_t() or digest_t()
  ffi.copy(state, self._state, ffi.sizeof(state))
  return object(self.kind, self._number, state, self._hmac)
end

--- The digest of all that came so far; more may follow. Does not park.
-- @treturn string bytes
function methods:bytes()
  local finish = self._hmac and hmac_final or final
  finish(methods.copy(self)._state, out)
  return ffi.string(out, sizes[self._number])
end

--- The same as hexadecimal digits. Does not park.
-- @treturn string
function methods:hex()
  return texts.hex(methods.bytes(self))
end

show.kind(mt, function(self)
  return self._hmac and "hmac " .. self.kind or self.kind
end)
class.seal(mt)

-- -- As text ------------------------------------------------------------------

M.hex, M.unhex = texts.hex, texts.unhex
M.base64, M.unbase64 = texts.base64, texts.unbase64
M.base64url, M.unbase64url = texts.base64url, texts.unbase64url

-- -- Random bytes -------------------------------------------------------------

--- Bytes that nobody can guess, of the kernel: for keys and tokens. A child of a fork has
-- others than its parent. Does not park.
-- @tparam int n 0 to 1,048,576
-- @treturn string n bytes; or nil, err: ENOSYS (the kernel has none)
function M.random(n)
  args.integer(n, 0, "random", "n", RANDOM_MOST)
  local buffer = bytes_t(n)
  local code = random_api.fill(buffer, n)
  if code < 0 then
    return nil, errors.new(code, "random")
  end
  return ffi.string(buffer, n)
end

return M
