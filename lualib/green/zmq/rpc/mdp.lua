--- The frames of the Majordomo Protocol, 0.1 (ZeroMQ's RFC 7) and 0.2 (RFC 18): messages in,
-- what they say out, and the other way. No socket, no clock. Private to green.zmq.rpc.
--
-- What a message says is a table: `role` ("client", "worker": which half of the protocol),
-- `version` (1, 2), `kind` ("request", "partial", "final", "ready", "heartbeat", "disconnect"; a
-- REPLY of 0.1 is "final"), `service` (of clients' messages and "ready"), `address` (of workers'
-- "request", "partial", "final"), `at`: the frame its body begins with, `n`: the last frame.
-- @module green.zmq.rpc.mdp

-- Scripts may put their own in their places.
local find, type = string.find, type

local M = {}

--- Frames of a body, at most. With what MDP puts in front they are a message that green.zmq sends
-- and takes.
M.BODY_MOST = 1000

local NAME_MOST = 255 -- bytes of a service's name, and of an address

local heads = {
  MDPC01 = { role = "client", version = 1 },
  MDPC02 = { role = "client", version = 2, kinds = { "request", "partial", "final" } },
  MDPW01 = { role = "worker", version = 1,
    kinds = { "ready", "request", "final", "heartbeat", "disconnect" } },
  MDPW02 = { role = "worker", version = 2,
    kinds = { "ready", "request", "partial", "final", "heartbeat", "disconnect" } },
}

local names, bytes = { client = {}, worker = {} }, { client = {}, worker = {} }
for name, head in pairs(heads) do
  local codes = {}
  for code, kind in ipairs(head.kinds or {}) do
    codes[kind] = string.char(code)
  end
  names[head.role][head.version], bytes[head.role][head.version] = name, codes
end

-- -- In -------------------------------------------------------------------------

--- Who may be told what: side -> role -> kind -> true.
local hears = {
  broker = {
    client = { request = true },
    worker = { ready = true, partial = true, final = true, heartbeat = true, disconnect = true },
  },
  worker = { client = {}, worker = { request = true, heartbeat = true, disconnect = true } },
  client = { client = { partial = true, final = true }, worker = {} },
}

--- Is it a name of a service: 1 to 255 bytes, none of them a control character?
function M.is_service(name)
  return type(name) == "string" and #name >= 1 and #name <= NAME_MOST and not find(name, "%c")
end

--- The head of the message and the frame behind it; nil: it has none.
local function head_of(frames, at)
  local has_gap = frames[at] == ""
  local head = heads[frames[has_gap and at + 1 or at]]
  if head and has_gap == (head.version == 1) then
    return head, has_gap and at + 2 or at + 1
  end
end

--- What the message is, and the frame behind that.
local function kind_of(head, frames, at, side)
  if not head.kinds then
    return side == "broker" and "request" or "final", at
  end
  local code = frames[at]
  return code and #code == 1 and head.kinds[code:byte()] or nil, at + 1
end

local function with_service(message, frames, at)
  message.service = frames[at]
  if not M.is_service(message.service) then
    return nil, "it names no service"
  end
  message.at = at + 1
  return message
end

local function with_address(message, frames, at)
  local address = frames[at]
  if not address or #address < 1 or #address > NAME_MOST or frames[at + 1] ~= "" then
    return nil, "it has no address"
  end
  message.address, message.at = address, at + 2
  return message
end

local function with_rest(message, frames, at)
  local kind, err = message.kind, nil
  if message.role == "client" or kind == "ready" then
    message, err = with_service(message, frames, at)
  elseif kind ~= "heartbeat" and kind ~= "disconnect" then
    message, err = with_address(message, frames, at)
  else
    message.at = at
  end
  if not message then
    return nil, err
  elseif kind == "ready" or kind == "heartbeat" or kind == "disconnect" then
    if message.n - message.at >= (kind == "ready" and 1 or 0) then
      return nil, "it has frames too many"
    end
  elseif message.n < message.at then
    return nil, "it has no body"
  end
  return message
end

--- What a message says. Does not park.
-- @tparam table frames strings
-- @tparam number at the first that counts: 2 behind a peer's identity
-- @tparam string side who has got it: "broker", "worker", "client"
-- @treturn table what it says; or nil and, as text, why it is none
function M.read(frames, at, side)
  local head, next_at = head_of(frames, at)
  if not head then
    return nil, "it is not MDP"
  end
  local kind
  kind, next_at = kind_of(head, frames, next_at, side)
  if not kind or not hears[side][head.role][kind] then
    return nil, "it has a command that is not for a " .. side
  end
  return with_rest({ role = head.role, version = head.version, kind = kind, n = #frames }, frames,
    next_at)
end

--- The sum of the bytes of frames. Does not park.
function M.size(frames, from)
  local sum = 0
  for i = from, #frames do
    sum = sum + #frames[i]
  end
  return sum
end

-- -- Out ------------------------------------------------------------------------

local function begin(identity, role, version, kind)
  local frames = { identity }
  if version == 1 then
    frames[#frames + 1] = ""
  end
  frames[#frames + 1] = names[role][version]
  frames[#frames + 1] = bytes[role][version][kind] -- nothing for clients of 0.1
  return frames
end

local function add(frames, body, from)
  local n = #frames
  for i = from or 1, #body do
    n = n + 1
    frames[n] = body[i]
  end
  return frames
end

--- A message of the clients' half, for a client or for the broker.
-- @tparam ?string identity whom a ROUTER sends it to
-- @tparam number version 1 or 2
-- @tparam string kind "request", "partial" (0.2 has it alone), "final"
-- @tparam string service
-- @tparam table body frames
-- @tparam[opt] number from the first of them that counts
function M.client(identity, version, kind, service, body, from)
  local frames = begin(identity, "client", version, kind)
  frames[#frames + 1] = service
  return add(frames, body, from)
end

--- A message of the workers' half that has a body: "request", "partial", "final".
-- @tparam string address what stands for the request
function M.worker(identity, version, kind, address, body, from)
  local frames = begin(identity, "worker", version, kind)
  local n = #frames
  frames[n + 1], frames[n + 2] = address, ""
  return add(frames, body, from)
end

--- A message of the workers' half without one: "heartbeat", "disconnect"; "ready" with its
-- service and, if need be, a frame of what the worker can take.
function M.signal(identity, version, kind, service, more)
  local frames = begin(identity, "worker", version, kind)
  frames[#frames + 1] = service
  frames[#frames + 1] = more
  return frames
end

return M
