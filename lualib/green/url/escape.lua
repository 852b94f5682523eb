--- Percent coding (RFC 3986, 2.1) and that of forms.
-- @module green.url.escape

local errors = require "green.error"
local options = require "green.args.options"

-- Scripts may put their own in their places.
local byte, char, find, format, gsub, match, tonumber = string.byte, string.char, string.find,
  string.format, string.gsub, string.match, tonumber

local M = {}

--- What is coded in a component: a pattern.
local coded = {
  segment = "[^%w%-%._~]",
  path = "[^%w%-%._~/!$&'()*+,;=:@]",
  query = "[^%w%-%._~/?:@!$'()*,;]",
  fragment = "[^%w%-%._~/?:@!$&'()*+,;=]",
  form = "[^%w%-%._* ]",
}
M.components = coded

--- A byte as %41.
function M.encode(c)
  return format("%%%02X", byte(c))
end

local function decode(digits)
  return char(tonumber(digits, 16))
end

--- The pattern of a component, which must be one of them.
local function pattern_of(component, where)
  local pattern = coded[component or "segment"]
  if not pattern then
    options.unknown("component", component, coded, where)
  end
  return pattern
end

--- See green.url.escape.
function M.escape(text, component)
  local result = gsub(text, pattern_of(component, "url.escape"), M.encode)
  return component == "form" and gsub(result, " ", "+") or result
end

--- Where a "%" has no two digits behind it; nil: nowhere.
local function bad_percent(text)
  local at = 1
  while true do
    at = find(text, "%", at, true)
    if not at or not match(text, "^%x%x", at + 1) then
      return at
    end
    at = at + 3
  end
end

--- See green.url.unescape.
function M.unescape(text, component)
  pattern_of(component, "url.unescape")
  local plain = component == "form" and gsub(text, "%+", " ") or text
  local at = bad_percent(plain)
  if at then
    return nil, errors.new("EINVAL", "url.unescape",
      format("%% is followed by two hexadecimal digits, at byte %d", at), { at = at })
  end
  return (gsub(plain, "%%(%x%x)", decode))
end

return M
