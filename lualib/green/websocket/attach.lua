--- Connections over streams that were opened elsewhere: clients', and what scripts have.
-- @module green.websocket.attach

local args = require "green.args"
local conns = require "green.websocket.conn"
local core = require "green.core"
local errors = require "green.error"
local option_module = require "green.websocket.options"
local options = require "green.args.options"
local sets = require "green.websocket.set"
local stream_module = require "green.socket.stream"
local terms_module = require "green.websocket.terms"

local getmetatable, ipairs, pairs, pcall = getmetatable, ipairs, pairs, pcall

local M = {}

local known = { client = true, path = true, origin = true, protocol = true, offer = true,
  env = true }
for name in pairs(option_module.both) do
  known[name] = true
end

local agreed = { server_no_takeover = true, client_no_takeover = true, server_bits = true,
  client_bits = true }

--- What was agreed on elsewhere; see green.websocket.deflate.
local function check_offer(offer, where)
  options.check(args.optional(offer, "table", where, "offer"), agreed, where .. ": offer")
  for name, value in pairs(offer or {}) do
    if name == "server_bits" or name == "client_bits" then
      args.integer(value, 8, where, "offer." .. name, 15)
    else
      args.type(value, "boolean", where, "offer." .. name)
    end
  end
end

local function check_stream(stream, where)
  local ok, good = pcall(function()
    return stream.read_some and stream.write and stream.close
  end)
  if not ok or not good then
    args.wrong(where, "stream", "a stream", stream)
  end
end

--- As green.websocket.attach.
-- @param stream
-- @tparam ?table opts
-- @tparam string where the function's name, for messages
function M.attach(stream, opts, where)
  check_stream(stream, where)
  opts = options.check(opts, known, where)
  args.optional(opts.client, "boolean", where, "client")
  for _, name in ipairs { "path", "origin", "protocol" } do
    args.optional(opts[name], "string", where, name)
  end
  check_offer(opts.offer, where)
  local set = sets.new(option_module.read(opts, where), nil)
  local is_client = opts.client or false
  local terms = is_client and terms_module.of_client(opts.offer)
    or terms_module.of_server({ version = 13, offer = opts.offer }, false)
  local is_socket = getmetatable(stream) == stream_module.mt
  local sock = is_socket and core.pointer(stream._s) or nil
  local handle, code = core.ws_open(set.pointer, sock, terms)
  if not handle then
    return nil, errors.new(code, where)
  end
  return conns.new(set, handle, { path = opts.path, origin = opts.origin, env = opts.env,
    protocol = opts.protocol, compressed = opts.offer ~= nil or nil,
    _stream = not is_socket and stream or nil })
end

return M
