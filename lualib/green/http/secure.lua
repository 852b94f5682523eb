--- TLS of a session: contexts for its options, made when they are first needed. Private to
-- green.http.
--
-- Two requests share connections only if all their TLS options are the same; so options
-- have a name, the same for the same options.
-- @module green.http.secure


-- Scripts may put their own in their places.
local getmetatable, pairs, setmetatable, tostring, type = getmetatable, pairs, setmetatable,
  tostring, type
local concat, format, sort = table.concat, string.format, table.sort

local KEPT = 100 -- options that are remembered: more are those of a program that makes its own
-- for each request, and their contexts are large

local M = {}
local methods = {}
local mt = { __index = methods }

-- Of a connection, not of the context.
local of_connection = { host = true, sessions = true }

--- A text that is the same for the same options. It holds secrets and is shown to nobody.
local function text_of(value)
  if type(value) ~= "table" or getmetatable(value) then
    return type(value) == "string" and format("%q", value)
      or type(value) .. ":" .. (type(value) == "table" and format("%p", value) or tostring(value))
  end
  local parts = {}
  for key, one in pairs(value) do
    parts[#parts + 1] = text_of(key) .. "=" .. text_of(one)
  end
  sort(parts)
  return "{" .. concat(parts, ",") .. "}"
end

local none = {}

--- What the options of these settings are called, and their context when there is one.
local function entry_of(self, settings)
  local entry = self.by_settings[settings]
  if entry then
    return entry
  end
  local given = settings.tls
  if not given or given == true then
    given = none
  end
  local text = text_of(given)
  entry = self.by_text[text]
  if not entry then
    if self.count % KEPT == 0 then
      self.by_text = {}
    end
    self.count = self.count + 1
    entry = { name = "tls" .. self.count, given = given }
    self.by_text[text] = entry
  end
  self.by_settings[settings] = entry
  return entry
end

--- The name of the options in the settings.
function methods:name(settings)
  return entry_of(self, settings).name
end

local function new_context(given)
  local tls = require "green.tls"
  local own = {}
  if given.context then
    return given.context
  end
  for name, value in pairs(given) do
    if not of_connection[name] then
      own[name] = value
    end
  end
  return tls.context(own)
end

--- What makes TLS with the host of the request of a stream: a function(stream, seconds), as
-- green.tls.client; nil, err. Parks only if the function of a key's password does.
function methods:planned(req)
  local entry, err = entry_of(self, req.settings), nil
  local given = entry.given
  if not entry.context then
    entry.context, err = new_context(given)
  end
  if not entry.context then
    return nil, err
  end
  return require("green.tls.endpoint").planned({
    context = entry.context,
    host = given.host or req.target.host:gsub("%%.*", ""),
    sessions = given.sessions,
  }, "http: tls")
end

function M.new()
  return setmetatable({ by_settings = setmetatable({}, { __mode = "k" }), by_text = {}, count = 0 },
    mt)
end

return M
