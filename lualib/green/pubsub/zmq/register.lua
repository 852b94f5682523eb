--- What a broker keeps of who is there: a register of green.pubsub.members.
-- @module green.pubsub.zmq.register

local wire = require "green.zmq.broker.wire"

local floor, format, min, setmetatable = math.floor, string.format, math.min, setmetatable

local LONGEST = 1e9 -- seconds that a member may have
local MOST = 1000000 -- texts of a list

local methods = {}
local mt = { __index = methods }

--- The register as one hub sees it. Does not park.
local function new(backend)
  return setmetatable({
    backend = backend,
    prefix = backend.hub._options.prefix,
    ttl = min(backend.hub._options.presence_ttl, LONGEST),
  }, mt)
end

--- See green.pubsub.members. Parks.
function methods:ask(what, topic, list)
  local came, went, all = self.backend.caller:call("members", { self.prefix .. topic, what,
    self.backend.name, format("%.0f", floor(self.ttl * 1000)), wire.pack(list) })
  if not came then
    return nil, went
  end
  return wire.unpack(came, MOST) or {}, wire.unpack(went or "", MOST) or {},
    wire.unpack(all or "", MOST) or {}
end

return { new = new }
