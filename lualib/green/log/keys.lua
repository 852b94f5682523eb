--- Names of a log's fields: how they stand in a line, and whose values are hidden. Each is
-- looked at once, and kept.
-- @module green.log.keys

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.logtext"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local ipairs, pairs, type = ipairs, pairs, type
local gmatch, gsub, lower, sub = string.gmatch, string.gsub, string.lower, string.sub
local tostring, text_of = tostring, report.text_of

local MOST = 4096 -- names that are kept
local LONGEST = 256 -- bytes of one
local JSON, VALUE = tonumber(ffi.C.GREEN_LOGTEXT_JSON), tonumber(ffi.C.GREEN_LOGTEXT_VALUE)

local M = {}

M.HIDDEN = "(hidden)"

-- Whose values are nobody's business. "-" and " " are "_" in a name.
local SECRETS = {}
for name in gmatch([[password passwd passphrase pwd secret client_secret token access_token
  refresh_token id_token session_token csrf_token api_key apikey x_api_key private_key
  authorization proxy_authorization cookie set_cookie credentials]], "%S+") do
  SECRETS[name] = true
end

-- What the line itself has: a field of that name gets a "_" behind it.
local RESERVED = { time = true, level = true, logger = true, message = true, thread = true,
  trace_id = true, span_id = true, left_out = true }

local function plain(name)
  return (gsub(lower(name), "[-%s]", "_"))
end

local scratch = ffi.gc(ffi.new("green_buf"), buf_api.reset)

--- A text as it stands in a line.
local function written(text, form)
  buf_api.reset(scratch)
  if C.text(scratch, "", 0, text, #text, form) < 0 then
    return form == JSON and '"?"' or "?"
  end
  return ffi.string(scratch.data, scratch.tail)
end

--- A text as JSON, with its quotes.
function M.quote(text)
  return written(text, JSON)
end

--- The names of a log.
-- @tparam table|boolean redact names to hide besides the usual ones; false: nothing is hidden
-- @tparam boolean colors
function M.new(redact, colors)
  local hide = {}
  for name in pairs(redact == false and {} or SECRETS) do
    hide[name] = true
  end
  for _, name in ipairs(redact or {}) do
    hide[plain(name)] = true
  end
  return {
    json = {}, -- name -> ',"name":'
    shown = {}, -- name -> ' name='
    hidden = {}, -- name -> true: its value is not shown
    n = 0,
    hide = hide,
    before = colors and " \27[2m" or " ",
    behind = colors and "=\27[0m" or "=",
  }
end

local function name_text(name)
  local text = type(name) == "string" and name or text_of(name)
  return RESERVED[text] and text .. "_" or sub(text, 1, LONGEST)
end

--- Look at a name that is not known yet.
function M.learn(keys, name)
  if keys.n >= MOST then
    keys.json, keys.shown, keys.hidden, keys.n = {}, {}, {}, 0
  end
  local text = name_text(name)
  keys.json[name] = "," .. written(text, JSON) .. ":"
  keys.shown[name] = keys.before .. written(text, VALUE) .. keys.behind
  keys.hidden[name] = keys.hide[plain(tostring(text))] or false
  keys.n = keys.n + 1
end

return M
