--- URLs from their parts.
-- @module green.url.build

local args = require "green.args"
local escape = require "green.url.escape"
local object = require "green.url.object"
local options = require "green.args.options"
local query = require "green.url.query"
local read = require "green.url.read"
local errors = require "green.error"

-- Scripts may put their own in their places.
local concat, format, ipairs, lower, pairs, type = table.concat, string.format, ipairs,
  string.lower, pairs, type

local FLAGS = read.RELATIVE

local M = {}

-- What a URL's own fields are, and what stands for one of them.
local known = { scheme = true, userinfo = true, user = true, password = true, host = true,
  port = true, path = true, segments = true, query = true, fragment = true, authority = true,
  origin = true, unicode_host = true }

local texts = { "scheme", "userinfo", "user", "password", "host", "path", "fragment" }

--- Secrets are shown by their type alone.
local function check(parts, where)
  options.check(parts, known, where)
  for _, name in ipairs(texts) do
    local value = parts[name]
    if value ~= nil and type(value) ~= "string" then
      args.wrong(where, name, "a string", value)
    end
  end
  if parts.authority ~= nil and not parts.host then -- it is in the fields of a URL
    args.misuse("%s: authority is made of userinfo, host and port: give these", where)
  end
  if parts.port ~= nil then
    args.integer(parts.port, 0, where, "port", 65535)
  end
end

local function userinfo_of(parts)
  if parts.userinfo or not (parts.user or parts.password) then
    return parts.userinfo
  end
  local user = escape.escape(parts.user or "")
  return parts.password and user .. ":" .. escape.escape(parts.password) or user
end

local function path_of(parts, where)
  if not parts.segments then
    return parts.path or ""
  end
  local list = {}
  for i, segment in ipairs(args.list(parts.segments, where, "segments", "strings")) do
    list[i] = escape.escape(args.type(segment, "string", where, "segments"))
  end
  return "/" .. concat(list, "/")
end

local function query_of(parts, where)
  if type(parts.query) == "table" then
    return query.write(parts.query)
  end
  return args.optional(parts.query, "string", where, "query")
end

--- The parts as they stand in the text.
local function plan(parts, where)
  check(parts, where)
  local u = {
    scheme = parts.scheme,
    userinfo = userinfo_of(parts),
    port = parts.port,
    path = path_of(parts, where),
    query = query_of(parts, where),
    fragment = parts.fragment,
  }
  if parts.host then
    u.authority = (u.userinfo and u.userinfo .. "@" or "") .. object.host_text(parts.host)
      .. (u.port and ":" .. u.port or "")
  end
  return u
end

local compared = { "scheme", "userinfo", "port", "path", "query", "fragment" }

--- The part that would be read otherwise than it was given; nil: none.
local function changed(wanted, u)
  for _, name in ipairs(compared) do
    local value = wanted[name]
    if name == "scheme" and value then
      value = lower(value)
    end
    if u[name] ~= value then
      return name
    end
  end
end

--- The URL of parts; see green.url.build.
function M.build(parts, where)
  local wanted = plan(parts, where)
  local u, err = read.read(object.compose(wanted, wanted.authority), FLAGS, where)
  if not u then
    return nil, err
  end
  local name = changed(wanted, u)
  if name or u.host and not parts.host then
    return nil, errors.new("EINVAL", where,
      format("the parts do not fit together: the %s would be read as something else",
        name or "path"))
  end
  return u
end

--- A copy with other parts: false takes one away. Does not park.
-- @tparam table changes as url.build's parts
-- @return the URL; or nil, err: EINVAL
function object.methods:with(changes)
  args.type(changes, "table", "with", "changes")
  options.check(changes, known, "with")
  local parts = {}
  for name in pairs(known) do
    parts[name] = self[name]
  end
  if changes.user ~= nil or changes.password ~= nil then
    parts.userinfo = nil
    parts.password = nil
  end
  if changes.userinfo ~= nil then
    parts.user, parts.password = nil, nil
  end
  for name, value in pairs(changes) do
    parts[name] = value or nil
  end
  return M.build(parts, "with")
end

return M
