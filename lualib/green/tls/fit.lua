--- Which options of a TLS context go together.
-- @module green.tls.fit

local args = require "green.args"
local belongs = require "green.tls.belongs"
local keys = require "green.tls.keys"
local options = require "green.args.options"

local ipairs, type = ipairs, type -- scripts may put their own there

local is_pem, kind_of = keys.is_pem, keys.kind_of

-- What only servers have.
local of_servers = { "names", "choose", "handshakes_in_pool", "ocsp", "tickets",
  "ticket_lifetime", "ticket_keys" }

-- What says in some functions that a context is for servers.
local named = { ["tls.context"] = "server", wrap_ssl = "server_side" }

local function check_kind(o, where)
  for _, name in ipairs(of_servers) do
    if o[name] ~= nil and not o.server then
      args.misuse("%s: %s must be left out where server is not true, not %s", where, name,
        name == "ticket_keys" and kind_of(o[name]) or args.shown(o[name]))
    end
  end
  if type(o.alpn) == "function" and not o.server then
    args.wrong(where, "alpn", "a list where server is not true", o.alpn)
  end
  if o.ticket_keys ~= nil and o.ticket_lifetime ~= nil then
    args.misuse("%s: ticket_lifetime must be left out where ticket_keys are given: they stay",
      where)
  end
end

-- What a server believes, or not, of certificates that it asks for.
local of_clients = { "ca", "ca_folder", "system_ca", "crl" }

--- Nobody is asked for a certificate where verify is left out.
local function check_asked(o, where)
  for _, name in ipairs(of_clients) do
    if o.server and o.verify == nil and o[name] ~= nil then
      args.misuse('%s: %s = %s is for certificates of clients, and no client is asked for one: '
        .. 'add verify = "demand" or verify = "ask" (verify = false: nobody is asked)', where,
        name, args.shown(o[name]))
    end
  end
end

--- Do they fit together? Raises misuse.
-- @tparam table known name -> true
local function check(o, known, where)
  options.check(o, known, where, belongs.hint)
  args.optional(o.server, "boolean", where, "server")
  check_kind(o, where)
  check_asked(o, where)
  if o.cert ~= nil and o.pkcs12 ~= nil then
    args.misuse("%s: pkcs12 must be left out where there is a cert", where)
  elseif o.cert ~= nil or o.pkcs12 ~= nil then
    return
  elseif o.key ~= nil then -- a secret, should it be a text
    local key = type(o.key) == "string" and is_pem(o.key) and "a PEM text" or args.shown(o.key)
    args.misuse("%s: key must be left out where there is no cert, not %s", where, key)
  elseif o.server and named[where] then
    args.misuse("%s: cert is missing: with %s = true it must be a path or a PEM text", where,
      named[where])
  elseif o.server then
    args.wrong(where, "cert", "a path or a PEM text", nil)
  end
end

return { check = check }
