--- Names of a log's fields: how they stand in a line, and whose values are hidden. Each is
-- looked at once, and kept.
-- @module green.log.keys

local ffi = require "ffi"
local json = require "green.args.json"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local ipairs, type = ipairs, type
local gsub, lower, match, sub = string.gsub, string.lower, string.match, string.sub
local text_of, written = report.text_of, json.written

local MOST = 4096 -- names that are kept
local LONGEST = 256 -- bytes of one
local JSON, VALUE = tonumber(ffi.C.GREEN_LOGTEXT_JSON), tonumber(ffi.C.GREEN_LOGTEXT_VALUE)

local M = {}

M.HIDDEN = "(hidden)"

-- Whose values are nobody's business: these names, and those that end in one of the others, as
-- db_password and accessToken do. All as `plain` has them.
local SECRETS = { pwd = true, authorization = true, proxyauthorization = true, cookie = true,
  setcookie = true, credentials = true, jwt = true }
local ENDINGS = { "password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey" }

-- What the line itself has: a field of that name gets a "_" behind it.
local RESERVED = { time = true, level = true, logger = true, message = true, thread = true,
  trace_id = true, span_id = true, left_out = true }

--- A name however it is written: "Set-Cookie", "set_cookie", "setCookie".
local function plain(name)
  return (gsub(lower(name), "[%s%c%p]", ""))
end

local function ends_as_secrets_do(name)
  for _, ending in ipairs(ENDINGS) do
    if sub(name, -#ending) == ending then
      return true
    end
  end
  return false
end

--- Of "user.card_no" the last part counts, too.
local function is_in(set, name)
  return set[plain(name)] or set[plain(match(name, "[^.]*$"))] or false
end

--- Is what has this name hidden, unless a log says otherwise?
-- @tparam string name
function M.is_secret(name)
  return is_in(SECRETS, name) or ends_as_secrets_do(plain(name))
end

--- The names of a log.
-- @tparam table|boolean redact names to hide besides the usual ones; false: nothing is hidden
-- @tparam boolean colors
function M.new(redact, colors)
  local hide = {}
  for _, name in ipairs(redact or {}) do
    hide[plain(name)] = true
  end
  return {
    json = {}, -- name -> ',"name":'
    inner = {}, -- the same in a table of a field, where the line has no names of its own
    shown = {}, -- name -> ' name='
    hidden = {}, -- name -> true: its value is not shown
    n = 0,
    hide = hide, -- besides those that is_secret knows
    hides_none = redact == false,
    before = colors and " \27[2m" or " ",
    behind = colors and "=\27[0m" or "=",
  }
end

local function is_hidden(keys, text)
  return not keys.hides_none and M.is_secret(text) or is_in(keys.hide, text)
end

--- Look at a name that is not known yet.
function M.learn(keys, name)
  if keys.n >= MOST then
    keys.json, keys.inner, keys.shown, keys.hidden, keys.n = {}, {}, {}, {}, 0
  end
  local text = sub(type(name) == "string" and name or text_of(name), 1, LONGEST)
  keys.hidden[name] = is_hidden(keys, text)
  keys.inner[name] = "," .. written(text, JSON) .. ":"
  text = RESERVED[text] and text .. "_" or text
  keys.json[name] = "," .. written(text, JSON) .. ":"
  keys.shown[name] = keys.before .. written(text, VALUE) .. keys.behind
  keys.n = keys.n + 1
end

return M
