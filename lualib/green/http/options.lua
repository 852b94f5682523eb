--- The options of sessions and requests: what they may be. Private to green.http.
-- @module green.http.options

local args = require "green.args"
local hints = require "green.http.hints"
local options = require "green.args.options"
local setting = require "green.http.setting"

-- Scripts may put their own in their places.
local ipairs, pairs, type = ipairs, pairs, type

local readers, TIMEOUTS = setting.readers, setting.TIMEOUTS

local M = { table = setting.table }

local LIMITS = { per_origin = 64, total = 1024, waiting = 10000, idle_timeout = 60,
  max_age = 3600 }

-- What sessions know, and requests for themselves.
local shared = {}
for _, name in ipairs { "headers", "params", "auth", "cookies", "timeout", "redirects",
  "retries", "proxy", "tls", "unix", "max_head", "max_body", "allow", "hooks", "trace",
  "decompress", "resolver", "trailers" } do
  shared[name] = true
end

local function known_with(names)
  local known = {}
  for name in pairs(shared) do
    known[name] = true
  end
  for _, name in ipairs(names) do
    known[name] = true
  end
  return known
end

local of_session = known_with { "base_url", "app", "pool" }
local of_request = known_with { "body", "json", "form", "multipart", "expect_continue", "stream",
  "upgrade" }

--- What a request goes by that says nothing of its own.
local defaults = {
  connect = TIMEOUTS.connect,
  first = TIMEOUTS.first,
  between = TIMEOUTS.between,
  pool = TIMEOUTS.pool,
  total = false,
  redirects = 10,
  to_http = false,
  hooks = false,
  retries = false,
  max_head = 65536,
  max_body = false,
  decompress = true,
  trailers = false,
  unix = false,
  proxy = false,
  trace = false,
  allow = false,
  resolver = false,
  tls = false,
}

--- Whom allow is not asked about raises: it would look safe.
local function check_allow(own, where)
  if not own.allow then
    return
  elseif own.unix then
    args.misuse("%s: allow cannot be asked about a UNIX socket: leave unix out, or say "
      .. "allow = false", where)
  elseif own.proxy and own.proxy:is_blind() then
    args.misuse("%s: allow cannot be asked behind a proxy, which chooses the address itself: say "
      .. "proxy = false; or proxy = { all = ..., trusted = true } if it keeps strangers from your "
      .. "own addresses", where)
  end
end

--- Settings with what the options say.
local function settings_of(opts, base, where)
  local own = {}
  for name in pairs(defaults) do
    own[name] = base[name]
  end
  for name, read in pairs(readers) do
    if opts[name] ~= nil then
      read(own, opts[name], where)
    end
  end
  check_allow(own, where)
  return own
end

--- The settings of a session, and the limits of its pool. Raises misuse.
function M.of_session(opts, where)
  opts = options.check(opts, of_session, where, hints.for_session)
  local limits = {}
  for name, value in pairs(LIMITS) do
    limits[name] = value
  end
  if opts.pool ~= nil then
    M.table(opts.pool, where, "pool")
  end
  for name, value in pairs(options.check(opts.pool, LIMITS, where .. ": pool")) do
    limits[name] = args.number(value, name == "waiting" and 0 or 1e-9, where, "pool." .. name)
  end
  return opts, settings_of(opts, defaults, where), limits
end

--- The options of events: names of their own beside those of a request. Raises misuse.
function M.check_events(opts, own, base)
  local known, request = known_with(own), {}
  for name in pairs(of_request) do
    known[name] = true
  end
  for name, value in pairs(options.check(opts, known, "events", hints.for_request)) do
    request[name] = of_request[name] and value or nil
  end
  M.of_request(request, base, "events")
end

--- Parts of a query.
function M.check_params(value, where)
  if value ~= nil and type(value) ~= "string" then
    M.table(value, where, "params")
  elseif value then
    require("green.http.target").check_line(value, where, "params")
  end
  return value
end

--- The settings of a request: the session's, unless it has some of its own.
function M.of_request(opts, base, where)
  opts = options.check(opts, of_request, where, hints.for_request)
  for name in pairs(readers) do
    if opts[name] ~= nil then
      return opts, settings_of(opts, base, where)
    end
  end
  return opts, base
end

return M
