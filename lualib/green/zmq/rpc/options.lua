--- What brokers, workers and clients are given. Private to green.zmq.rpc.
-- @module green.zmq.rpc.options

local args = require "green.args"
local class = require "green.args.class"
local codecs = require "green.zmq.rpc.codec"
local contexts = require "green.zmq.context"
local mdp = require "green.zmq.rpc.mdp"
local options = require "green.args.options"

-- Scripts may put their own in their places.
local ipairs, pairs, type = ipairs, pairs, type

local M = {}

local MB = 2 ^ 20
local MOST = 2 ^ 31 - 1
local COUNT = 2 ^ 20

-- Name -> default, least: seconds and rates. false: none unless it is given.
-- Name -> default, least, most: whole numbers.
local of_broker = {
  numbers = { heartbeat = { 2.5, 0.05 }, patience = { 2, 0 }, rate = { false, 0.001 },
    message_rate = { 1000, 1 } },
  counts = { liveness = { 3, 2, 100 }, max_message = { MB, 1, MOST },
    max_queue = { 10000, 0, MOST }, max_bytes = { 256 * MB, 1, 2 ^ 50 },
    max_pending = { 4096, 1, COUNT }, max_services = { 1000, 1, COUNT },
    max_workers = { 1000, 1, COUNT }, max_concurrency = { 1000, 1, COUNT },
    tries = { 3, 1, 1000 } },
  others = { bind = true, repeat_plain = true, socket = true, context = true },
}
local of_worker = {
  numbers = { heartbeat = { 2.5, 0.05 }, rate = { false, 0.001 }, timeout = { false, 0 },
    backoff = { 0.1, 0.001 }, max_backoff = { 10, 0.001 }, ending = { 5, 0 } },
  counts = { liveness = { 3, 2, 100 }, max_message = { MB, 1, MOST },
    concurrency = { 100, 1, COUNT } },
  others = { broker = true, service = true, handlers = true, handler = true, codec = true,
    protocol = true, on_error = true, socket = true, context = true },
}
local of_client = {
  numbers = { timeout = { 10, 0 }, backoff = { 0.05, 0 }, max_backoff = { 2, 0 } },
  counts = { retries = { 2, 0, 1000 }, max_pending = { 4096, 1, COUNT },
    max_message = { MB, 1, MOST } },
  others = { codec = true, idempotent = true, protocol = true, socket = true, context = true },
}

for _, set in ipairs { of_broker, of_worker, of_client } do
  set.known = {}
  for _, part in ipairs { set.numbers, set.counts, set.others } do
    for name in pairs(part) do
      set.known[name] = true
    end
  end
end

local function read(set, given, where)
  args.type(given, "table", where, "opts")
  options.check(given, set.known, where)
  local settings = {}
  for name, rule in pairs(set.numbers) do
    local value = given[name]
    if value == nil or value == false then
      settings[name] = rule[1]
    else
      settings[name] = args.number(value, rule[2], where, name)
    end
  end
  for name, rule in pairs(set.counts) do
    local value = given[name]
    settings[name] = value == nil and rule[1]
      or args.integer(value, rule[2], where, name, rule[3])
  end
  settings.socket = args.optional(given.socket, "table", where, "socket")
  settings.context = given.context
  if settings.context ~= nil and not class.is(settings.context, contexts.mt) then
    args.wrong(where, "context", "a ZeroMQ context", settings.context)
  end
  return settings
end

local function endpoint(value, where, name)
  if type(value) ~= "string" or value == "" then
    args.wrong(where, name, 'an endpoint, as "tcp://127.0.0.1:5555"', value)
  end
  return value
end

local versions = { ["0.1"] = 1, ["0.2"] = 2 }

local function version_of(value, where)
  local version = value == nil and 2 or versions[value]
  if not version then
    args.wrong(where, "protocol", '"0.1" or "0.2"', value)
  end
  return version
end

--- The settings of a broker. Raises for wrong ones.
function M.broker(given, where)
  local settings = read(of_broker, given, where)
  settings.repeat_plain = args.optional(given.repeat_plain, "boolean", where, "repeat_plain")
    or false
  local bind = given.bind
  bind = type(bind) == "table" and args.list(bind, where, "bind", "endpoints") or { bind }
  if #bind == 0 then
    args.wrong(where, "bind", 'an endpoint, as "tcp://127.0.0.1:5555", or a list of them',
      given.bind)
  end
  settings.bind = {}
  for i, value in ipairs(bind) do
    settings.bind[i] = endpoint(value, where, "bind")
  end
  return settings
end

local function handlers_of(given, where)
  if given.handlers == nil then
    if given.handler == nil then
      args.wrong(where, "handlers", "a table of functions where there is no handler", nil)
    end
    return {}
  end
  local handlers = {}
  for name, fn in pairs(args.plain(given.handlers, where, "handlers")) do
    if not mdp.is_service(name) then
      args.wrong(where, "handlers", "a table with names as keys", given.handlers)
    end
    handlers[name] = args.callable(fn, where, "handlers." .. name)
  end
  return handlers
end

--- The settings of a worker.
function M.worker(given, where)
  local settings = read(of_worker, given, where)
  settings.broker = endpoint(given.broker, where, "broker")
  settings.service = M.service(given.service, where)
  settings.handlers = handlers_of(given, where)
  settings.handler = given.handler ~= nil and args.callable(given.handler, where, "handler") or nil
  settings.on_error = given.on_error ~= nil and args.callable(given.on_error, where, "on_error")
    or nil
  settings.codec = codecs.of(given.codec, where)
  settings.version = version_of(given.protocol, where)
  return settings
end

--- The settings of a client.
function M.client(broker, given, where)
  local settings = read(of_client, given == nil and {} or given, where)
  settings.broker = endpoint(broker, where, "broker")
  settings.idempotent = args.optional(given and given.idempotent, "boolean", where, "idempotent")
    or false
  settings.codec = codecs.of(given and given.codec, where)
  settings.version = version_of(given and given.protocol, where)
  return settings
end

local of_with = { timeout = true, retries = true, idempotent = true }

--- Other settings for some calls of a client.
function M.with(settings, given)
  args.type(given, "table", "with", "opts")
  options.check(given, of_with, "with")
  local timeout, retries, idempotent = given.timeout, given.retries, given.idempotent
  return {
    timeout = timeout == nil and settings.timeout or args.number(timeout, 0, "with", "timeout"),
    retries = retries == nil and settings.retries
      or args.integer(retries, 0, "with", "retries", of_client.counts.retries[3]),
    idempotent = idempotent == nil and settings.idempotent
      or idempotent ~= nil and args.type(idempotent, "boolean", "with", "idempotent"),
  }
end

--- A name of a service, or of a method.
function M.service(value, where, name)
  if not mdp.is_service(value) then
    args.wrong(where, name or "service",
      "a name of 1 to 255 bytes without control characters", value)
  end
  return value
end

return M
