--- Receivers that are objects: with `send_frame(frame, 0)` (a websocket; 0: it does not wait
-- for its peer) or `send_message(text, topic, id)`, and the fields `buffered` and `closed`.
--
-- One that has taken in what it can is told nothing; what may wait for it (the newest of
-- each key, what is replayed) is sent when it has drained. Nobody says when that is: a
-- green thread of the hub looks, as long as something waits.
-- @module green.pubsub.outlet

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local backlogs = require "green.pubsub.backlog"
local policy = require "green.pubsub.policy"
local thread = require "green.thread"

local pcall = pcall

local CLOSE_CODE = 1013 -- RFC 6455 7.4.1's registry: try again later
local LOOK = 0.02 -- seconds between two looks at those who are behind

local M = {}

local NO_FRAME = {} -- stands for the frame of a message that has none

--- The encoded form of a message: made once. What cannot be encoded (a text that is no
-- UTF-8) is reported, and no object gets it.
local function frame_of(sub, record)
  local ok, frame, err = pcall(sub._hub._frame, record.text, record.binary, record.topic,
    record.id)
  if not ok or not frame then
    err = not ok and frame or err or "no frame"
    thread.report(err, core.current(), "(a message of " .. record.topic .. ")")
    frame = NO_FRAME
  end
  record.frame = frame
  return frame
end

--- Why a receiver has not taken a message; nil: it has. What a websocket calls ETIMEDOUT has
-- been taken: with 0 seconds it does not wait for its peer.
local function refusal(_, err)
  if err and not errors.is_error(err, "ETIMEDOUT") then
    return err
  end
end

local function send_frame(sub, record)
  local frame = record.frame or frame_of(sub, record)
  if frame == NO_FRAME then
    return policy.skip(sub)
  end
  return refusal(sub._receiver:send_frame(frame, 0))
end

local function send_message(sub, record)
  local _, err = sub._receiver:send_message(record.text, record.topic, record.id)
  return err
end

-- -- Those who are behind -----------------------------------------------------

--- Send what waits, as long as the receiver takes it in.
-- @treturn boolean does nothing wait any more?
local function flush(sub)
  local receiver, backlog = sub._receiver, sub._backlog
  while backlog.all > 0 and not receiver.closed and receiver.buffered <= sub._room do
    local record = backlog:pop()
    local err = sub._send(sub, record)
    if errors.is_error(err, "EBUSY") then
      backlog:unpop(record)
      return false
    elseif err then
      sub:_fail(err)
      return true
    end
  end
  return backlog.all == 0
end

local function look(sub)
  local ok, is_done = pcall(flush, sub)
  if not ok then
    sub:_fail(is_done)
  elseif sub._receiver.closed then
    sub:close()
  elseif is_done then
    sub._backlog = false
  end
end

--- Look at all who are behind; the list keeps those who still are.
local function look_at_all(behind)
  local kept = 0
  for i = 1, #behind do
    local sub = behind[i]
    if sub._backlog and not sub.closed then
      look(sub)
    end
    behind[i] = nil
    if sub._backlog and not sub.closed then
      kept = kept + 1
      behind[kept] = sub
    else
      sub._is_behind = false
    end
  end
  return kept
end

local function watch(hub)
  while look_at_all(hub._behind) > 0 do
    thread.sleep(LOOK)
  end
end

local function watch_behind(hub, sub)
  if not sub._is_behind then
    sub._is_behind = true
    hub._behind[#hub._behind + 1] = sub
    hub._crew:need("watch", watch, hub, true)
  end
end

--- Send what waits for a receiver that has drained. Does not park.
function M.drain(sub)
  if sub._backlog and not sub.closed then
    look(sub)
  end
end

-- -- Giving -------------------------------------------------------------------

local function give_behind(sub, record)
  if not sub._backlog and sub._limits.slow ~= "coalesce" then
    if sub._limits.slow == "skip" then
      return policy.skip(sub)
    end
    return sub:_fail(policy.too_slow(sub))
  end
  sub._backlog = sub._backlog or backlogs.new()
  if not policy.keep(sub, record, true) then
    return sub:_fail(policy.too_slow(sub))
  end
  watch_behind(sub._hub, sub)
end

local function give_slowly(sub, record)
  if sub._receiver.closed then
    return sub:close()
  elseif sub._backlog then
    look(sub)
    if sub.closed then
      return
    end
  end
  if sub._backlog or sub._receiver.buffered > sub._room then
    return give_behind(sub, record)
  end
  return sub:_give(record)
end

--- It has not taken a message. A websocket that is being sent another in parts will.
local function refused(sub, record, err)
  if not errors.is_error(err, "EBUSY") then
    return sub:_fail(err)
  end
  sub._backlog = sub._backlog or backlogs.new()
  if not policy.keep(sub, record) then
    return sub:_fail(policy.too_slow(sub))
  end
  watch_behind(sub._hub, sub)
end

--- Each receiver's share of a publish: nothing more than this and the send itself.
local function give_frame(sub, record)
  local receiver = sub._receiver
  if sub._backlog or receiver.closed or receiver.buffered > sub._room then
    return give_slowly(sub, record)
  end
  local frame = record.frame or frame_of(sub, record)
  if frame == NO_FRAME then
    return policy.skip(sub)
  end
  local err = refusal(receiver:send_frame(frame, 0))
  if err then
    refused(sub, record, err)
  end
end

local function give_message(sub, record)
  local receiver = sub._receiver
  if sub._backlog or receiver.closed or receiver.buffered > sub._room then
    return give_slowly(sub, record)
  end
  local err = send_message(sub, record)
  if err then
    sub:_fail(err)
  end
end

--- What is replayed waits in line where it cannot be sent at once, whatever the policy.
function M.replay(sub, records)
  sub._backlog = backlogs.new()
  sub._backlog:replay(records)
  look(sub)
  if sub._backlog and not sub.closed then
    watch_behind(sub._hub, sub)
  end
end

local function close_receiver(receiver)
  receiver:close(CLOSE_CODE, "too slow")
end

--- Close the receiver of a subscription that has failed: in a green thread of its own,
-- for that may wait. Does not park.
function M.fail(sub)
  local receiver = sub._receiver
  if not receiver.closed and args.callee(receiver.close) then
    thread.spawn_n(close_receiver, receiver)
  end
end

--- Is it an object that messages can be sent to?
function M.is_object(receiver)
  return args.method(receiver, "send_frame") ~= nil or args.method(receiver, "send_message") ~= nil
end

--- Make a subscription one for an object.
function M.init(sub, receiver)
  sub._receiver = receiver
  sub._room = sub._limits.max_buffered
  if args.method(receiver, "send_frame") then
    sub._give, sub._send = give_frame, send_frame
  else
    sub._give, sub._send = give_message, send_message
  end
end

return M
