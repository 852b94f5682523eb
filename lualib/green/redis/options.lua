--- What redis.connect is given: URLs and options as settings. Private to green.redis.
-- @module green.redis.options

local args = require "green.args"
local options = require "green.args.options"
local urls = require "green.url"
local errors = require "green.error"
local secure = require "green.redis.secure"

-- Scripts may put their own in their places.
local find, gsub, ipairs, match, pairs, tonumber, type = string.find, string.gsub, ipairs,
  string.match, pairs, tonumber, type

local PORT = 6379
local MB = 2 ^ 20

local M = {}

-- Name -> default, least, most.
local numbers = {
  connect_timeout = { 5, 0 }, idle_timeout = { 300, 0 }, backoff = { 0.05, 0 },
  max_backoff = { 2, 0 },
}
local counts = {
  db = { 0, 0, 2 ^ 31 - 1 }, port = { PORT, 1, 65535 }, max_size = { 10, 1, 2 ^ 20 },
  max_blocking = { 100, 1, 2 ^ 20 }, max_waiting = { 1000, 0, 2 ^ 31 - 1 },
  tries = { 3, 1, 2 ^ 31 - 1 },
  max_bulk = { 512 * MB, 1, 2 ^ 31 - 1 }, max_elements = { 2 ^ 24, 1, 2 ^ 30 },
  max_reply = { 2 ^ 30, 1, 2 ^ 31 - 1 },
}
local texts = { host = true, unix = true, username = true, password = true, name = true }

local known = { open = true, tls = true, protocol = true, timeout = true }
for _, set in pairs { numbers, counts, texts } do
  for name in pairs(set) do
    known[name] = true
  end
end

-- -- URLs ---------------------------------------------------------------------

local function bad_url(where, message)
  return nil, errors.new("EINVAL", where, message)
end

--- The number of a database. true; nil, err.
local function read_db(text, into, where)
  local number = match(text, "^%d+$") and tonumber(text)
  if not number or number > counts.db[3] then
    return bad_url(where, "the database in the URL must be a number, not " .. args.shown(text))
  end
  into.db = number
  return true
end

--- What the query of a URL says. true; nil, err.
local function read_query(u, into, where)
  local query, err = urls.parse_query(u.query or "")
  if not query then
    return nil, err
  end
  for i = 1, #query do
    local name, value = query[i][1], query[i][2]
    if name == "db" then
      local ok
      ok, err = read_db(value, into, where)
      if not ok then
        return nil, err
      end
    elseif name == "protocol" then
      if value ~= "2" and value ~= "3" then
        return bad_url(where, "the protocol in the URL must be 2 or 3, not " .. args.shown(value))
      end
      into.protocol = tonumber(value)
    elseif name == "name" and find(value, "[%c ]") then
      return bad_url(where, "the name in the URL must be without blanks")
    elseif texts[name] and name ~= "host" and name ~= "unix" then
      into[name] = value
    else
      return bad_url(where, "unknown parameter '" .. name .. "' in the URL")
    end
  end
  return true
end

--- What of the URL says where the server is. true; nil, err.
local function read_place(u, into, where)
  if u.scheme == "unix" or u.scheme == "redis+unix" then
    local path, err = urls.unescape(u.path)
    into.unix = path
    if path == "" then
      return bad_url(where, "the URL has no path of a socket")
    end
    return path and true, err
  elseif u.scheme ~= "redis" and u.scheme ~= "rediss" then
    return bad_url(where, "the scheme must be redis, rediss or unix, as in redis://host:6379, not "
      .. u.scheme)
  end
  local host = u.host
  if host and host ~= "" then
    into.host = host
  end
  if u.port == 0 then
    return bad_url(where, "the port in the URL must be from 1 to 65535, not 0")
  end
  into.port, into.tls = u.port, u.scheme == "rediss" or nil
  if u.path ~= "" and u.path ~= "/" then
    return read_db(u.path:sub(2), into, where)
  end
  return true
end

--- The options that a URL stands for. nil, err: EINVAL.
local function of_url(text, where)
  local u, err = urls.parse(text)
  if not u then
    return bad_url(where, (gsub(err.message, "http://", "redis://")))
  end
  local into = {}
  local ok
  ok, err = read_place(u, into, where)
  if ok then
    ok, err = read_query(u, into, where)
  end
  if not ok then
    return nil, err
  end
  into.username, into.password = u.user ~= "" and u.user or into.username,
    u.password or into.password
  return into
end

-- -- Options ------------------------------------------------------------------

local function check_numbers(given, where, settings)
  for name, rule in pairs(numbers) do
    local value = given[name]
    if value == nil then
      settings[name] = rule[1]
    else
      settings[name] = args.number(value, rule[2], where, name)
    end
  end
  for name, rule in pairs(counts) do
    local value = given[name]
    if value == nil then
      settings[name] = rule[1]
    else
      settings[name] = args.integer(value, rule[2], where, name, rule[3])
    end
  end
end

local function check_kinds(given, where, settings)
  for name in pairs(texts) do
    settings[name] = args.optional(given[name], "string", where, name)
  end
  settings.password = settings.password or settings.username and "" -- a user who needs none
  if settings.name and find(settings.name, "[%c ]") then
    args.wrong(where, "name", "without blanks", settings.name)
  end
  if given.open ~= nil then
    settings.open = args.callable(given.open, where, "open")
  end
  secure.check(given.tls, where)
  local protocol = given.protocol
  if protocol ~= nil and protocol ~= 2 and protocol ~= 3 then
    args.wrong(where, "protocol", "2 or 3", protocol)
  end
  settings.protocol = protocol or 3
end

--- A timeout in seconds: false is none. Raises for all else.
function M.timeout(value, where)
  return value ~= false and args.number(value, 0, where, "timeout")
end

local DEFAULT_TIMEOUT = 5

--- The settings that a URL and options make. nil, err: EINVAL, a URL that is none; as
-- green.tls.context. Raises for wrong options. Parks only if the function of a password of
-- green.tls does.
-- @tparam string|table target
-- @tparam ?table opts
-- @tparam string where
function M.read(target, opts, where)
  local given = target
  if type(target) == "string" then
    local err
    given, err = of_url(target, where)
    if not given then
      return nil, err
    end
  elseif target == nil then
    given = {}
  elseif type(target) ~= "table" then
    args.wrong(where, "target", "a URL or a table of options", target)
  end
  local all = {}
  options.check(opts, known, where)
  for _, part in ipairs { given, opts or {} } do
    for name, value in pairs(options.check(part, known, where)) do
      all[name] = value
    end
  end
  local settings = {}
  check_numbers(all, where, settings)
  check_kinds(all, where, settings)
  settings.host = settings.host or "127.0.0.1"
  settings.timeout = all.timeout == nil and DEFAULT_TIMEOUT or M.timeout(all.timeout, where)
  settings.limits = { max_bulk = settings.max_bulk, max_elements = settings.max_elements,
    max_reply = settings.max_reply }
  local err
  settings.shake, err = secure.plan(all.tls, settings.host, where)
  if settings.shake == nil then
    return nil, err
  end
  return settings
end

return M
