--- A jar of cookies, as RFC 6265bis has it.
--
-- A jar takes what servers set, and gives what each request has to bring. It believes
-- nothing that a browser would not: a cookie for a whole public suffix ("com", "co.uk"), for
-- somebody else's domain, or marked secure by an answer that was not.
-- @module green.http.cookies

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local one = require "green.http.cookie"
local options = require "green.args.options"
local rules = require "green.http.cookie_rules"
local is_url = require("green.url.object").is
local show = require "green.args.show"
local stores = require "green.http.cookie_store"
local url = require "green.url"

-- Scripts may put their own in their places.
local ipairs, setmetatable, type = ipairs, setmetatable, type
local concat, sort, time = table.concat, table.sort, os.time

local MOST = 3000 -- cookies in all
local MOST_OF_DOMAIN = 50

local methods = {}
local mt = { __name = "green.http.cookies", __index = methods }

-- -- Where --------------------------------------------------------------------

local SECURE = { https = true, wss = true }

--- What of a URL counts: its host, path, and whether it is secure. nil, err: it is none.
local function place_of(value, where)
  local parsed, err = value, nil
  if type(value) == "string" then
    parsed, err = url.parse(value)
  elseif not is_url(value) then
    args.wrong(where, "target", "a URL or the text of one", value)
  end
  if not parsed then
    return nil, err
  end
  return {
    host = parsed.host or "",
    path = parsed.path:find("^/") and parsed.path or "/",
    secure = SECURE[parsed.scheme] or false,
  }
end

-- -- Storing ------------------------------------------------------------------

local function texts_of(value, where)
  if type(value) == "string" then
    return { value }
  end
  args.list(value, where, "texts", "strings")
  for i, text in ipairs(value) do
    args.type(text, "string", where, "text " .. i)
  end
  return value
end

--- Take what an answer sets (RFC 6265bis 5.7). What is no cookie, or not for that host, is
-- passed over; one that has expired takes away the one it names. Does not park.
-- @param target the URL of the request, or its text
-- @tparam string|{string,...} texts values of the answer's Set-Cookie headers
-- @treturn number how many were taken; nil, err: EINVAL (no URL)
function methods:store(target, texts)
  local place, err = place_of(target, "store")
  texts = texts_of(texts, "store")
  if not place then
    return nil, err
  end
  local now, taken = self._now(), 0
  for _, text in ipairs(texts) do
    local cookie = one.parse(text, now)
    if cookie and rules.accept(self._store, cookie, place) then
      cookie.created = now
      self._store:put(cookie, now)
      taken = taken + 1
    end
  end
  return taken
end

-- -- Giving -------------------------------------------------------------------

--- Longer paths go first, then what was there before.
local function goes_before(a, b)
  if #a.path ~= #b.path then
    return #a.path > #b.path
  end
  return a.order < b.order
end

local function is_for(cookie, place, now)
  return (not cookie.host_only or cookie.domain == place.host)
    and (place.secure or not cookie.secure)
    and one.path_matches(place.path, cookie.path) and not stores.is_expired(cookie, now)
end

--- The cookies for a place, in the order in which they are sent. The host's own are
-- found under its name, others under each name that it is below of.
local function find(self, place, now)
  local found, domain, domains = {}, place.host, self._store:domains()
  while domain do
    for _, cookie in ipairs(domains[domain] or {}) do
      if is_for(cookie, place, now) and one.domain_matches(place.host, domain) then
        found[#found + 1] = cookie
      end
    end
    domain = domain:match("^[^.]*%.(.+)$")
  end
  sort(found, goes_before)
  return found
end

--- What a request has to bring (RFC 6265bis 5.8.3). Does not park.
-- @param target the URL of the request, or its text
-- @treturn ?string the value of its Cookie header; nil: none; nil, err: EINVAL (no URL)
function methods:header(target)
  local place, err = place_of(target, "header")
  if not place then
    return nil, err
  end
  local texts, found = {}, find(self, place, self._now())
  for i, cookie in ipairs(found) do
    texts[i] = one.text(cookie)
    self._store:use(cookie)
  end
  return texts[1] and concat(texts, "; ") or nil
end

--- The cookies in the jar. Does not park.
-- @param[opt] target a URL or its text: only those that a request for it brings
-- @treturn {table,...} of each its `name`, `value`, `domain`, `path`, `host_only` (not for
-- what is below the domain), `secure`, `http_only`, `same_site` ("Strict", "Lax", "None" or
-- nil), `created` and `expires` (seconds since 1970; nil: with the session). Changing
-- them changes nothing in the jar. nil, err: EINVAL (no URL)
function methods:list(target)
  local found, err
  if target ~= nil then
    found, err = place_of(target, "list")
    if not found then
      return nil, err
    end
    found = find(self, found, self._now())
  else
    found = self._store:all(self._now())
  end
  for i, cookie in ipairs(found) do
    found[i] = one.copy(cookie)
  end
  return found
end

local clear_options = { domain = true, path = true, name = true, session = true }

--- Take cookies out: those that fit all that is said. Does not park.
-- @tparam[opt] table opts `name`, `path`, `domain` (and all below it), `session` (true: only
-- those without an expiry). Nothing said: all of them.
-- @treturn number how many
function methods:clear(opts)
  opts = options.check(opts, clear_options, "clear")
  for _, name in ipairs { "domain", "path", "name" } do
    args.optional(opts[name], "string", "clear", name)
  end
  args.optional(opts.session, "boolean", "clear", "session")
  local domain = opts.domain and opts.domain:lower():gsub("^%.", "")
  return self._store:sweep(-math.huge, function(cookie)
    return (not domain or one.domain_matches(cookie.domain, domain))
      and (not opts.path or cookie.path == opts.path)
      and (not opts.name or cookie.name == opts.name)
      and not (opts.session and cookie.expires)
  end)
end

-- -- Saving -------------------------------------------------------------------

--- Everything in the jar as a plain table, for a file or a database. It holds what lets
-- others in: keep it as a password is kept. Does not park.
-- @treturn {table,...} as list gives
function methods:export()
  return self:list()
end

--- Put in what export gave; all, or nothing if one of them cannot be a cookie. What has
-- expired since is left out. Does not park.
-- @tparam {table,...} saved
-- @return true; or nil, err: EINVAL, with `index`, which one it is
function methods:import(saved)
  args.list(saved, "import", "saved", "cookies")
  for i, cookie in ipairs(saved) do
    local fault = one.fault(cookie)
    if fault then
      return nil, errors.new("EINVAL", "import", ("cookie %d: %s"):format(i, fault), { index = i })
    end
  end
  local now = self._now()
  for _, cookie in ipairs(saved) do
    local created = cookie.created
    local copy = one.copy(cookie)
    self._store:put(copy, now)
    copy.created = created
  end
  return true
end

-- -- Jars ---------------------------------------------------------------------

show.kind(mt, function(self)
  return ("%d"):format(self._store:count())
end)
class.seal(mt)

local known = { max = true, max_domain = true }

--- An empty jar. Does not park.
-- @tparam[opt] table opts `max` cookies in all (3000), `max_domain` of one domain (50). When
-- there are more, those that have expired go, then those not used for longest.
-- @treturn green.http.cookies
local function new(opts)
  opts = options.check(opts, known, "cookies")
  local most = opts.max == nil and MOST or args.integer(opts.max, 1, "cookies", "max")
  local most_of_domain = opts.max_domain == nil and MOST_OF_DOMAIN
    or args.integer(opts.max_domain, 1, "cookies", "max_domain")
  return setmetatable({ _store = stores.new(most, most_of_domain), _now = time }, mt)
end

--- Is it a jar?
local function is_jar(value)
  return class.is(value, mt)
end

return { new = new, is = is_jar }
