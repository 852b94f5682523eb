--- Options of WebSocket connections: defaults and checks.
-- @module green.websocket.options

local args = require "green.args"
local deflate = require "green.websocket.deflate"
local options = require "green.args.options"

-- Scripts may put their own in their places.
local pairs, type = pairs, type

local MOST = 2 ^ 31 - 1 -- bytes, of a message

local checks = {
  flag = function(v)
    return type(v) == "boolean", "true or false"
  end,
  seconds = function(v)
    return v == false or type(v) == "number" and v > 0, "seconds, or false for never"
  end,
  size = function(v)
    return type(v) == "number" and v >= 1 and v <= MOST and v % 1 == 0, "bytes, below 2^31"
  end,
  count = function(v)
    return type(v) == "number" and v >= 1 and v <= MOST and v % 1 == 0, "a whole number above 0"
  end,
  fn = function(v)
    return v == false or args.is_callable(v) or type(v) == "function", "a function"
  end,
  any = function()
    return true
  end,
}

-- name = { default, check }: of both ends.
local both = {
  compression = { true, "any" },
  max_message = { 8388608, "size" },
  max_frame = { false, "any" },
  max_fragments = { 4096, "count" },
  max_buffered = { 1048576, "size" },
  send_timeout = { 30, "seconds" },
  ping_interval = { 30, "seconds" },
  ping_timeout = { 20, "seconds" },
  close_timeout = { 5, "seconds" },
}

-- Of a server's handlers.
local server = {
  accept = { false, "fn" },
  origins = { nil, "any" },
  hosts = { nil, "any" },
  protocols = { nil, "any" },
  legacy = { false, "flag" },
  keep_env = { false, "flag" },
  max_handlers = { 4096, "count" },
}

local function read_known(o, opts, known, where)
  for name, spec in pairs(known) do
    local value = opts[name]
    if value == nil then
      value = spec[1]
    else
      local good, want = checks[spec[2]](value)
      if not good then
        args.wrong(where, ("option '%s'"):format(name), want, value)
      end
    end
    o[name] = value
  end
end

-- What it is called here: Eventlet's names, and others' that are not near.
local here = { supported_protocols = "protocols", subprotocols = "protocols",
  origin_checker = "origins", allowed_origins = "origins", support_legacy_versions = "legacy",
  max_frame_length = "max_message", max_payload = "max_message", max_size = "max_message",
  keepalive = "ping_interval", heartbeat = "ping_interval", idle_timeout = "ping_timeout",
  deflate = "compression", permessage_deflate = "compression", backpressure = "max_buffered" }

local function elsewhere(name)
  if here[name] then
    return ("it is '%s' here"):format(here[name])
  elseif name == "timeout" then
    return "there are send_timeout, ping_timeout and close_timeout; recv takes seconds"
  end
end

local M = { both = {} }

for name in pairs(both) do
  M.both[name] = true
end
local of_server = {}
for _, known in pairs { both, server } do
  for name in pairs(known) do
    of_server[name] = true
  end
end

--- The options that both ends have, checked, defaults filled in. Unknown ones are the
-- caller's affair. Raises misuse. Does not park.
-- @tparam table opts
-- @tparam string where the function's name, for messages
function M.read(opts, where)
  local o = {}
  read_known(o, opts, both, where)
  if o.max_frame then
    args.integer(o.max_frame, 1, where, "max_frame", MOST)
  else
    o.max_frame = o.max_message
  end
  o.compression = deflate.options(o.compression, where)
  return o
end

--- The same with those of a server's handler.
function M.read_server(opts, where)
  opts = options.check(opts, of_server, where, elsewhere)
  local o = M.read(opts, where)
  read_known(o, opts, server, where)
  return o
end

return M
