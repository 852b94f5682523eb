--- What TLS connections have in common, from the options that users give.
-- @module green.tls.context

local args = require "green.args"
local boxes = require "green.tls.box"
local class = require "green.args.class"
local errors = require "green.error"
local options = require "green.args.options"
local show = require "green.args.show"

local ffi = require "ffi"
local lib = require "green.ffi.tls_lib"
local C = require "green.ffi.tls_ctx"

-- Scripts may put their own in their places.
local getmetatable, ipairs, pairs, setmetatable, tonumber, type =
  getmetatable, ipairs, pairs, setmetatable, tonumber, type

local G = ffi.C
local box = boxes.kind("green_tls_ctx *", C.free)
local mt = { __name = "green.tls.context", __index = {} }

local VERSIONS = { ["1.0"] = "GREEN_TLS_1_0", ["1.1"] = "GREEN_TLS_1_1",
  ["1.2"] = "GREEN_TLS_1_2", ["1.3"] = "GREEN_TLS_1_3" }

-- What to believe when options.verify says so.
local VERIFY = { [true] = "GREEN_TLS_VERIFY_DEMAND", [false] = "GREEN_TLS_VERIFY_NONE",
  demand = "GREEN_TLS_VERIFY_DEMAND", ask = "GREEN_TLS_VERIFY_ASK" }

-- -- Options ------------------------------------------------------------------

local function is_pem(text)
  return text:find("-----BEGIN", 1, true) ~= nil
end

local function text_of(value, where, name)
  args.type(value, "string", where, name)
  if value:find("%z") then
    args.misuse("%s: %s must not hold a NUL", where, name)
  end
  return value
end

--- One text, or a list of them.
local function texts(value, where, name)
  if type(value) == "string" then
    return { text_of(value, where, name) }
  end
  args.list(value, where, name, "strings")
  for i, one in ipairs(value) do
    text_of(one, where, name .. "[" .. i .. "]")
  end
  return value
end

local function add_cert(c, o, where)
  local cert = text_of(o.cert, where, "cert")
  local key = o.key ~= nil and text_of(o.key, where, "key") or nil
  local password = o.password ~= nil and text_of(o.password, where, "password") or nil
  if is_pem(cert) then
    return C.tls_key_pem(c, cert, key or cert, password)
  end
  return C.tls_key_files(c, cert, key, password)
end

--- Certificates of our own: one in the options, or a list of such tables.
local function add_certs(c, o, where)
  if type(o.cert) ~= "table" then
    return add_cert(c, o, where)
  end
  for i, one in ipairs(o.cert) do
    args.type(one, "table", where, "cert[" .. i .. "]")
    local code = add_cert(c, one, where)
    if code < 0 then
      return code
    end
  end
  return 0
end

local function each(fn)
  return function(c, o, where, name)
    for _, text in ipairs(texts(o[name], where, name)) do
      local code = fn(c, text)
      if code < 0 then
        return code
      end
    end
    return 0
  end
end

local add_alpn = each(function(c, text) return C.add_alpn(c, text) end)

local function text_option(set)
  return function(c, o, where, name)
    return C[set](c, text_of(o[name], where, name))
  end
end

local function number_option(set, max)
  return function(c, o, where, name)
    return C[set](c, args.integer(o[name], 0, where, name, max))
  end
end

local function flag_option(set)
  return function(c, o, where, name)
    return C[set](c, args.type(o[name], "boolean", where, name))
  end
end

local function version_of(value, unset, where, name)
  if value == nil then
    return unset
  elseif VERSIONS[value] == nil then
    args.wrong(where, name, '"1.0", "1.1", "1.2" or "1.3"', value)
  end
  return tonumber(G[VERSIONS[value]])
end

local function set_versions(c, o, where)
  return C.set_versions(c, version_of(o.min_version, G.GREEN_TLS_1_2, where, "min_version"),
    version_of(o.max_version, 0, where, "max_version"))
end

local function set_verify(c, o, where)
  if VERIFY[o.verify] == nil then
    args.wrong(where, "verify", 'true, false, "ask" or "demand"', o.verify)
  end
  return C.set_verify(c, G[VERIFY[o.verify]])
end

local function is_context(value)
  return type(value) == "table" and getmetatable(value) == mt
end

local function add_names(c, o, where)
  args.type(o.names, "table", where, "names")
  for name, other in pairs(o.names) do
    text_of(name, where, "a name of names")
    if not is_context(other) or not other.server then
      args.wrong(where, "names." .. name, "a context of a server's", other)
    end
    local code = C.add_name(c, name, other._box.p)
    if code < 0 then
      return code
    end
  end
  return 0
end

-- In the order in which they are told: what names files comes before what they are for.
local steps = {
  { "cert", add_certs },
  { "pkcs12", function(c, o, where)
    local password = o.password ~= nil and text_of(o.password, where, "password") or nil
    return C.tls_key_pkcs12(c, text_of(o.pkcs12, where, "pkcs12"), password)
  end },
  { "ca", each(function(c, text)
    return is_pem(text) and C.tls_trust_pem(c, text) or C.tls_trust_file(c, text)
  end) },
  { "ca_folder", each(function(c, text) return C.tls_trust_folder(c, text) end) },
  { "system_ca", function(c, o, where)
    return args.type(o.system_ca, "boolean", where, "system_ca") and C.tls_trust_system(c) or 0
  end },
  { "crl", each(function(c, text) return C.tls_trust_revoked(c, text) end) },
  { "verify", set_verify },
  { "depth", number_option("set_depth", 100) },
  { "partial_chain", flag_option "set_partial_chain" },
  { "min_version", set_versions },
  { "max_version", set_versions },
  { "ciphers", text_option "set_ciphers" },
  { "ciphersuites", text_option "set_ciphersuites" },
  { "groups", text_option "set_groups" },
  { "alpn", function(c, o, where, name)
    return type(o.alpn) == "function" and C.set_asks(c, true) or add_alpn(c, o, where, name)
  end },
  { "choose", function(c, o, where)
    args.callable(o.choose, where, "choose")
    return C.set_asks(c, true)
  end },
  { "handshakes_in_pool", function(c, o, where, name)
    local always = args.type(o[name], "boolean", where, name)
    return C.set_pool(c, always and G.GREEN_TLS_POOL_ALWAYS or G.GREEN_TLS_POOL_NEVER)
  end },
  { "names", add_names },
  { "tickets", number_option("set_tickets", 10) },
}

-- Options that only a server's context has.
local of_servers = { "names", "choose", "handshakes_in_pool" }

local known = { server = true, key = true, password = true }
for _, step in ipairs(steps) do
  known[step[1]] = true
end

-- -- Contexts -----------------------------------------------------------------

local function failure(c, code)
  local err = C.error(c)
  local text = err ~= nil and err.code == code and ffi.string(err.text)
  return nil, errors.new(code, "tls.context", text or nil)
end

local function tell(c, o, where)
  if o.server then
    C.set_pool(c, G.GREEN_TLS_POOL_SLOW)
  end
  for _, step in ipairs(steps) do
    local name, fn = step[1], step[2]
    local code = o[name] ~= nil and fn(c, o, where, name) or 0
    if code < 0 then
      return code
    end
  end
  return C.seal(c)
end

-- What says in some functions that a context is for servers.
local named = { ["tls.context"] = "server", wrap_ssl = "server_side" }

local function check_side(o, where)
  for _, name in ipairs(of_servers) do
    if o[name] ~= nil and not o.server then
      args.wrong(where, name, "left out where server is not true", o[name])
    end
  end
  if type(o.alpn) == "function" and not o.server then
    args.wrong(where, "alpn", "a list where server is not true", o.alpn)
  end
end

--- The functions that a server's handshakes wait for.
local function asks_of(o)
  return { choose = o.choose, alpn = type(o.alpn) == "function" and o.alpn or nil }
end

local function check(o, where)
  options.check(o, known, where)
  args.optional(o.server, "boolean", where, "server")
  check_side(o, where)
  if o.cert ~= nil or o.pkcs12 ~= nil then
    return
  elseif o.key ~= nil then -- a secret, should it be a text
    local key = type(o.key) == "string" and is_pem(o.key) and "a PEM text" or args.shown(o.key)
    args.misuse("%s: key must be left out where there is no cert, not %s", where, key)
  elseif o.server and named[where] then
    args.wrong(where, named[where], "left out where there is no cert", true)
  elseif o.server then
    args.wrong(where, "cert", "a path or a PEM text", nil)
  end
end

--- See green.tls.context. `where` is the function's name in messages.
local function new(o, where)
  check(o, where)
  local why = ffi.new("green_tls_error")
  local code = lib.tls_load(why)
  if code < 0 then
    return nil, errors.new(code, where, ffi.string(why.text))
  end
  local boxed = box(C.new(o.server or false))
  local c = boxed.p
  if c == nil then
    return nil, errors.new("ENOMEM", where)
  end
  code = tell(c, o, where)
  if code < 0 then
    return failure(c, code)
  end
  return setmetatable({ _box = boxed, server = o.server or false, verify = o.verify,
    _asks = asks_of(o) }, mt)
end

show.kind(mt, function(self)
  return self.server and "server" or "client"
end)
class.seal(mt)

return { new = new, is = is_context, known = known, is_pem = is_pem }
