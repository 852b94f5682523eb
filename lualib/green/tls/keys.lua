--- The keys of a TLS context: those of its certificates, and those of its tickets.
-- @module green.tls.keys

local args = require "green.args"
local options = require "green.args.options"

local ffi = require "ffi"
local C = require "green.ffi.tls_ctx"

-- Scripts may put their own in their places.
local concat, ipairs, tonumber, type = table.concat, ipairs, tonumber, type

local TICKET_KEY = tonumber(ffi.C.GREEN_TLS_TICKET_KEY) -- bytes

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

--- What a value is, where it may be a secret that no message shows: "a string".
local function kind_of(value)
  return value == nil and "nil" or "a " .. type(value)
end

-- -- Certificates of our own ---------------------------------------------------

--- The password of a key: a text, or what a function says, which is called when the key
-- is encrypted. Parks if that does.
-- @return the password or nil; or false, err
local function password_of(o, where, is_locked)
  local password = o.password
  if password == nil or type(password) == "string" then
    return password ~= nil and text_of(password, where, "password") or nil
  elseif type(password) ~= "function" then
    args.misuse("%s: password must be a string or a function, not %s", where, kind_of(password))
  elseif not is_locked then
    return nil
  end
  local text, err = password()
  if text == nil and err ~= nil then
    return false, err
  elseif type(text) ~= "string" then
    args.misuse("%s: what the function password returns must be a string, not %s", where,
      kind_of(text))
  end
  return text_of(text, where, "password")
end

local function add_ocsp(c, o, where)
  return o.ocsp ~= nil and C.tls_key_ocsp(c, text_of(o.ocsp, where, "ocsp")) or 0
end

local function add_cert(c, o, where)
  local cert = text_of(o.cert, where, "cert")
  local key = o.key ~= nil and text_of(o.key, where, "key") or cert
  local password, err = password_of(o, where, C.tls_key_locked(key, not is_pem(key)))
  if password == false then
    return 0, err
  elseif is_pem(cert) ~= is_pem(key) then
    args.misuse("%s: cert and key must both be paths, or both PEM texts", where)
  end
  local add = is_pem(cert) and C.tls_key_pem or C.tls_key_files
  local code = add(c, cert, key, password)
  return code < 0 and code or add_ocsp(c, o, where)
end

local of_cert = { cert = true, key = true, password = true, ocsp = true }

--- One in the options, or a list of such tables.
local function add_certs(c, o, where)
  if type(o.cert) ~= "table" then
    return add_cert(c, o, where)
  end
  for i, one in ipairs(args.list(o.cert, where, "cert", "tables")) do
    local name = "cert[" .. i .. "]"
    if type(one) ~= "table" then -- a text may have a key in it
      args.misuse("%s: %s must be a table, not %s", where, name, kind_of(one))
    end
    options.check(one, of_cert, where .. ": " .. name)
    local code, err = add_cert(c, one, where)
    if code < 0 or err ~= nil then
      return code, err
    end
  end
  return 0
end

local function add_pkcs12(c, o, where)
  local path = text_of(o.pkcs12, where, "pkcs12")
  local password, err = password_of(o, where, true)
  if password == false then
    return 0, err
  end
  local code = C.tls_key_pkcs12(c, path, password)
  return code < 0 and code or add_ocsp(c, o, where)
end

-- -- Tickets ------------------------------------------------------------------

-- The keys are secrets: no message shows them.
local function set_ticket_keys(c, o, where)
  local keys = o.ticket_keys
  if type(keys) == "string" then
    return C.tls_ticket_file(c, text_of(keys, where, "ticket_keys"))
  end
  args.list(keys, where, "ticket_keys", "keys, or a path")
  for i, key in ipairs(keys) do
    if type(key) ~= "string" or #key ~= TICKET_KEY then
      args.misuse("%s: ticket_keys[%d] must be a string of %d bytes", where, i, TICKET_KEY)
    end
  end
  if #keys == 0 then
    args.misuse("%s: ticket_keys must be a list of at least one key", where)
  end
  return C.tls_ticket_set(c, concat(keys), #keys)
end

return {
  is_pem = is_pem,
  text_of = text_of,
  kind_of = kind_of,
  add_certs = add_certs,
  add_pkcs12 = add_pkcs12,
  set_ticket_keys = set_ticket_keys,
}
