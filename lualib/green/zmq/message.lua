--- Receiving messages with what is known of who has sent them.
-- @module green.zmq.message

local args = require "green.args"
local core = require "green.core"
local draft = require "green.zmq.draft"
local options = require "green.args.options"
local recv = require "green.zmq.recv"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local zmq = require "green.ffi.zmq"

local ipairs, tonumber, type = ipairs, tonumber, type
local ffi_string = ffi.string
local EMSGSIZE = core.codes.EMSGSIZE

local KEPT = 8192 -- bytes of a part that libzmq may keep until the next one
local USER_ID = "User-Id"

--- Who the peer is, for an authenticator; where it is; what it is, as it says.
local known = { USER_ID, "Peer-Address", "Socket-Type" }
local of_message = { timeout = true, metadata = true }

local methods = {}

-- -- What is wanted -------------------------------------------------------------

local function check_names(names)
  for _, name in ipairs(args.list(names, "recv_message", "metadata", "names")) do
    if args.type(name, "string", "recv_message", "a name of metadata"):find("\0", 1, true) then
      args.wrong("recv_message", "a name of metadata", "a text without a zero byte", name)
    end
  end
  return names
end

--- The timeout, and further names.
local function wanted(opts)
  if type(opts) ~= "table" then
    return opts, nil
  end
  options.check(opts, of_message, "recv_message")
  return args.timeout(opts.timeout, "recv_message"),
    opts.metadata and check_names(opts.metadata)
end

-- -- Metadata -------------------------------------------------------------------

local function text_of(self, name)
  local text = zmq.metadata(self._s, name)
  return text ~= nil and ffi_string(text) or nil
end

--- Was an authenticator asked about whoever sends here? Else the name of a user could be the
-- peer's own word.
local function is_authenticated(self)
  return (self._zap_domain or "") ~= ""
    and (self:get "mechanism" == "NULL" or self:get "curve_server" or self:get "plain_server")
end

local function metadata_of(self, more)
  local found = {}
  for _, name in ipairs(known) do
    found[name] = text_of(self, name)
  end
  for _, name in ipairs(more or {}) do
    found[name] = text_of(self, name)
  end
  draft.describe(self, found)
  if found[USER_ID] and not is_authenticated(self) then
    found[USER_ID] = nil
  end
  return found
end

-- -- The message ----------------------------------------------------------------

--- All parts, of which the first one is there. The last one is kept. A list; or nil, a status.
local function parts_of(self)
  local list, n, part = {}, 0, self._part
  while true do
    n = n + 1
    list[n] = ffi_string(part.data, tonumber(part.size))
    if part.more == 0 then
      return list
    elseif n == self._max_parts then
      zmq.drop(self._s)
      return nil, EMSGSIZE
    end
    local status = zmq.recv_more(self._s)
    if status < 0 then
      return nil, status
    end
  end
end

--- Receive a whole message, and what is known of who has sent it: `User-Id`, as the authenticator
-- has decided (a name, a key, ...; nil where none was asked), `Peer-Address`, and `Socket-Type`, as
-- the peer says it. By inproc none of these is known. Of the draft types SERVER and PEER say
-- `peer`, its number for `send_to`, and DISH `group`. Parks while there is none.
-- @param[opt] opts as recv; `metadata`: a list of further names: what an authenticator's callback
-- has given, or a peer's option `metadata`
-- @treturn table its parts, strings
-- @treturn table name = text. Or nil, err: as recv
function methods:recv_message(opts)
  local timeout, more = wanted(opts)
  if self._rests and self._rests[core.current()] then
    args.misuse("recv_message: this thread has begun a message by recv")
  end
  local status, list = recv.first(self, timeout, "recv_message"), nil
  if status >= 0 then
    list, status = parts_of(self)
  end
  if not list then
    return wait.failed(status, "recv_message")
  end
  local found = metadata_of(self, more)
  if #list[#list] > KEPT then
    zmq.drop(self._s)
  end
  return list, found
end

return { methods = methods }
