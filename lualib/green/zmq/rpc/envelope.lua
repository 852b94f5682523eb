--- The first frame of a call's body, and of its answer's: what they are, and which call is meant.
-- MDP has nothing of the kind; a body without one is passed on as it is. Private to green.zmq.rpc.
--
-- 20 bytes: "GRN1", the kind, flags, two of nothing, the caller's number of the call (8, only
-- ever echoed) and how long the caller waits, in milliseconds (4, big-endian; 0: for ever).
-- Behind it stand
--
-- - CALL: the method's name, the arguments (one frame, as the codec writes them). Flag 1: it is
-- idempotent
-- - RESULT: the results (one frame)
-- - ERROR: code, message, then perhaps the fields of the error (one frame). Flag 1, of the broker's
-- own: the call may have been done
-- - RETURNED: nothing. The worker has not begun, and will not
-- @module green.zmq.rpc.envelope

-- Scripts may put their own in their places.
local byte, char, floor, min, sub = string.byte, string.char, math.floor, math.min, string.sub

local M = { CALL = 1, RESULT = 2, ERROR = 3, RETURNED = 4 }

local MAGIC = "GRN1"
local SIZE, ID_SIZE = 20, 8
local FLAG = 1 -- the only one that there is
local MOST_MS = 2 ^ 32 - 1

local function number_of(b1, b2, b3, b4)
  return ((b1 * 256 + b2) * 256 + b3) * 256 + b4
end

local function text_of(n)
  return char(floor(n / 2 ^ 24), floor(n / 2 ^ 16) % 256, floor(n / 256) % 256, n % 256)
end

--- The frame.
-- @tparam number kind
-- @tparam string id 8 bytes
-- @tparam[opt] boolean flag of a call: idempotent; of an error: it may have been done
-- @tparam[opt] number seconds that the caller waits
function M.write(kind, id, flag, seconds)
  local ms = seconds and min(floor(seconds * 1000) + 1, MOST_MS) or 0
  return MAGIC .. char(kind, flag and FLAG or 0, 0, 0) .. id .. text_of(ms)
end

--- What a frame says: `kind`, `id`, `flag`, `seconds` (nil: for ever). nil: it is none.
function M.read(frame)
  if not frame or #frame ~= SIZE or sub(frame, 1, 4) ~= MAGIC then
    return nil
  end
  local kind, flags, nothing, more = byte(frame, 5, 8)
  if kind < M.CALL or kind > M.RETURNED or flags > FLAG or nothing + more ~= 0 then
    return nil
  end
  local ms = number_of(byte(frame, 17, 20))
  return { kind = kind, id = sub(frame, 9, 8 + ID_SIZE), flag = flags == FLAG,
    seconds = ms > 0 and ms / 1000 or nil }
end

--- The id of the n-th call.
-- @tparam string prefix 4 bytes, the client's own
function M.id(prefix, n)
  return prefix .. text_of(n % 2 ^ 32)
end

return M
