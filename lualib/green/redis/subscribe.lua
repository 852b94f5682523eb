--- What client:subscribe(...) does: names and options, and the subscription that they make.
-- Private to green.redis.
-- @module green.redis.subscribe

local args = require "green.args"
local changes = require "green.redis.changes"
local errors = require "green.error"
local listener = require "green.redis.listener"
local options = require "green.args.options"
local subscriptions = require "green.redis.subscription"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local huge, pairs, setmetatable, type, unpack = math.huge, pairs, setmetatable, type, unpack

local KEEPALIVE, PENDING = 30, 1000
local known = { gaps = true, keepalive = true, tries = true, max_pending = true }

local M = {}

--- The list of names, and the options, of a table that has both.
local function split(word, list)
  local names, own = {}, {}
  for key, value in pairs(list) do
    if type(key) == "number" then
      names[key] = value
    else
      own[key] = value
    end
  end
  options.check(own, known, word)
  args.list(names, word, "names", "strings")
  if #names == 0 then
    args.wrong(word, "names", "a list with the name of a channel", list)
  end
  return names, own
end

--- Options with what holds where they say nothing.
local function complete(word, own)
  return {
    gaps = args.optional(own.gaps, "boolean", word, "gaps"),
    keepalive = own.keepalive == nil and KEEPALIVE
      or args.number(own.keepalive, 0.001, word, "keepalive"),
    max_pending = own.max_pending == nil and PENDING
      or args.count(own.max_pending, 1, word, "max_pending"),
  }
end

--- The client's settings, and what is the subscription's own of them.
local function settings_of(client, word, own)
  local settings = setmetatable({}, { __index = client._state.settings })
  settings.timeout = client._timeout
  if own.tries == false then
    settings.tries = huge
  elseif own.tries ~= nil then
    settings.tries = args.count(own.tries, 1, word, "tries")
  end
  return settings
end

--- Open one. The subscription; nil, err. Parks.
-- @tparam green.redis client
-- @tparam string word "subscribe", "psubscribe" or "ssubscribe"
-- @param first a name, or a table of names and options
-- @param ... further names
function M.open(client, word, first, ...)
  local names, own
  if type(first) == "table" then
    names, own = split(word, first)
  else
    names, own = changes.names(word, first, ...), {}
  end
  changes.names(word, unpack(names))
  local settings = settings_of(client, word, own)
  own = complete(word, own)
  thread.checkpoint()
  if client._state.closed then
    return nil, errors.new("ECLOSED", word, "the client was closed")
  end
  local self = subscriptions.new(settings, own)
  return listener.start(self, function()
    return changes.change(self, word, word, true, names)
  end)
end

return M
