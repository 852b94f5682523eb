--- The hub's option `zmq`: where the broker is, or who the peers are.
-- @module green.pubsub.zmq.target

local args = require "green.args"
local options = require "green.args.options"

local ipairs, type = ipairs, type

local WHERE = "pubsub.new"

local of_broker = { ask = true, pub = true, timeout = true, options = true }
local of_peers = { bind = true, peers = true, wait = true, options = true,
  bind_options = true }

local M = {}

local function check_options(made)
  args.optional(made.options, "table", WHERE, "zmq.options")
end

local function broker(opts)
  options.check(opts, of_broker, WHERE)
  local made = { ask = opts.ask, pub = opts.pub, timeout = opts.timeout or 5,
    options = opts.options }
  args.type(made.ask, "string", WHERE, "zmq.ask")
  args.optional(made.pub, "string", WHERE, "zmq.pub")
  args.number(made.timeout, 0.001, WHERE, "zmq.timeout")
  check_options(made)
  return made
end

--- The endpoints of the others: one list may be given to all processes.
local function others(opts)
  local list = {}
  args.optional(opts.peers, "table", WHERE, "zmq.peers")
  for i, endpoint in ipairs(opts.peers or {}) do
    args.type(endpoint, "string", WHERE, "zmq.peers[" .. i .. "]")
    if endpoint ~= opts.bind then
      list[#list + 1] = endpoint
    end
  end
  return list
end

local function peers(opts)
  options.check(opts, of_peers, WHERE)
  local made = { bind = opts.bind, peers = others(opts), wait = opts.wait or 5,
    options = opts.options, bind_options = opts.bind_options }
  args.optional(made.bind_options, "table", WHERE, "zmq.bind_options")
  args.type(made.bind, "string", WHERE, "zmq.bind")
  args.number(made.wait, 0, WHERE, "zmq.wait")
  check_options(made)
  return made
end

--- What is meant: a table with `ask` (a broker) or `bind` (peers), with all defaults.
-- @tparam table opts of the hub
function M.of(opts)
  local zmq = opts.zmq
  if type(zmq) == "string" then
    zmq = { ask = zmq }
  elseif type(zmq) ~= "table" then
    args.wrong(WHERE, "zmq", "a broker's endpoint, or a table", zmq)
  end
  if opts.redis ~= nil then
    args.wrong(WHERE, "redis", "nil where there is zmq", opts.redis)
  elseif zmq.ask == nil and zmq.bind == nil and zmq.peers == nil then
    args.wrong(WHERE, "zmq", "a broker's endpoint, or a table with ask or bind", opts.zmq)
  elseif zmq.bind == nil and zmq.peers == nil then
    return broker(zmq)
  elseif opts.presence ~= nil then
    args.wrong(WHERE, "presence",
      "nil without a broker (greenlua -m zmq.broker), who alone knows who is there",
      opts.presence)
  end
  return peers(zmq)
end

return M
