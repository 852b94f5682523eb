--- The options of a TLS context: what they may be, and how C is told.
-- @module green.tls.options

local args = require "green.args"
local errors = require "green.error"
local fit = require "green.tls.fit"
local keylog = require "green.tls.keylog"
local keys = require "green.tls.keys"

local ffi = require "ffi"
local C = require "green.ffi.tls_ctx"

-- Scripts may put their own in their places.
local getmetatable, ipairs, pairs, tonumber, type = getmetatable, ipairs, pairs, tonumber, type

local G = ffi.C
local is_pem, text_of = keys.is_pem, keys.text_of

local VERSIONS = { ["1.0"] = "GREEN_TLS_1_0", ["1.1"] = "GREEN_TLS_1_1",
  ["1.2"] = "GREEN_TLS_1_2", ["1.3"] = "GREEN_TLS_1_3" }

-- What to believe when options.verify says so.
local VERIFY = { [true] = "GREEN_TLS_VERIFY_DEMAND", [false] = "GREEN_TLS_VERIFY_NONE",
  demand = "GREEN_TLS_VERIFY_DEMAND", ask = "GREEN_TLS_VERIFY_ASK" }

-- -- What is told one by one --------------------------------------------------

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
  elseif type(o.verify) == "string" and not o.server then
    args.wrong(where, "verify", "true or false for a client", o.verify)
  end
  return C.set_verify(c, G[VERIFY[o.verify]])
end

--- Functions of contexts that others have among their names are not called: who has them may
-- ask by its own.
local function check_functions(name, other, where)
  for _, fn in ipairs { "choose", "alpn" } do
    if other._asks[fn] then
      args.misuse("%s: names[%q] has a function '%s', which would not be called: give it to the "
        .. "context with these names", where, name, fn)
    end
  end
end

local function add_names(c, o, where, _, is_context)
  args.type(o.names, "table", where, "names")
  for name, other in pairs(o.names) do
    text_of(name, where, "a name of names")
    if not is_context(other) or not other.server then
      args.misuse("%s: names[%q] must be what tls.context gave with server = true, not %s", where,
        name, args.shown(other))
    end
    check_functions(name, other, where)
    local code = C.add_name(c, name, other._box.p)
    if code < 0 then
      return code
    end
  end
  return 0
end

local add_alpn = each(function(c, text) return C.add_alpn(c, text) end)

local function set_alpn(c, o, where, name)
  return type(o.alpn) == "function" and C.set_asks(c, true) or add_alpn(c, o, where, name)
end

local function set_choose(c, o, where)
  args.callable(o.choose, where, "choose")
  C.set_chooses(c, true)
  return C.set_asks(c, true)
end

local function set_pool(c, o, where, name)
  local always = args.type(o[name], "boolean", where, name)
  return C.set_pool(c, always and G.GREEN_TLS_POOL_ALWAYS or G.GREEN_TLS_POOL_NEVER)
end

local function open_keylog(c, o, where)
  local path = text_of(o.keylog, where, "keylog")
  local code = C.open_keylog(c, path)
  if code == 0 then
    keylog.tell(path)
  end
  return code
end

local function check_reload(_, o, where)
  if o.reload ~= "on_change" then
    args.wrong(where, "reload", '"on_change"', o.reload)
  end
  return 0
end

-- In the order in which they are told: what names files comes before what they are for.
local steps = {
  { "cert", keys.add_certs },
  { "pkcs12", keys.add_pkcs12 },
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
  { "alpn", set_alpn },
  { "choose", set_choose },
  { "handshakes_in_pool", set_pool },
  { "names", add_names },
  { "tickets", number_option("set_tickets", 10) },
  { "ticket_lifetime", number_option("set_ticket_lifetime", 2 ^ 31) },
  { "ticket_keys", keys.set_ticket_keys },
  { "pins", each(function(c, text) return C.add_pin(c, text) end) },
  { "keylog", open_keylog },
  { "reload", check_reload },
}

local known = { server = true, key = true, password = true, ocsp = true }
for _, step in ipairs(steps) do
  known[step[1]] = true
end

-- -- All of them --------------------------------------------------------------

--- Do they fit together? Raises misuse.
local function check(o, where)
  fit.check(o, known, where)
end

--- The functions that a server's handshakes wait for.
local function asks_of(o)
  return { choose = o.choose, alpn = type(o.alpn) == "function" and o.alpn or nil }
end

--- As they are now, whatever the caller does with the tables: they are read again at a
-- reload. Objects stay themselves.
local function copy(o)
  local own = {}
  for name, value in pairs(o) do
    own[name] = type(value) == "table" and getmetatable(value) == nil and copy(value) or value
  end
  return own
end

--- What C says of the failure.
local function failure(c, code)
  local err = C.error(c)
  local text = err ~= nil and err.code == code and ffi.string(err.text)
  return errors.new(code, "tls.context", text or nil)
end

--- Tell C's context, and seal it. Raises misuse, and what a password's function
-- raises; parks if that does.
-- @tparam function is_context
-- @return true; or nil, err
local function tell(c, o, where, is_context)
  if o.server then
    C.set_pool(c, G.GREEN_TLS_POOL_SLOW)
  end
  for _, step in ipairs(steps) do
    local name, fn = step[1], step[2]
    if o[name] ~= nil then
      local code, err = fn(c, o, where, name, is_context)
      if err ~= nil then
        return nil, err
      elseif code < 0 then
        return nil, failure(c, code)
      end
    end
  end
  local code = C.seal(c)
  if code < 0 then
    return nil, failure(c, code)
  end
  return true
end

return { check = check, copy = copy, tell = tell, known = known, is_pem = is_pem,
  asks_of = asks_of }
