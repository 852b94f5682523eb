--- From a publish to the receivers of this process.
--
-- The first few hundred get a message in the thread that publishes, the others from a
-- thread of the hub, which lets all others run in between. A publisher waits while the
-- line of messages behind one that is under way is long.
-- @module green.pubsub.delivery

local channels = require "green.pubsub.channel"
local core = require "green.core"
local thread = require "green.thread"
local topics = require "green.pubsub.topics"

local error, pcall = error, pcall

local BATCH = 256 -- receivers in one go
local LINE = 64 -- messages in line for a topic: more make publishers wait

local M = {}

--- A thread is not to wait for itself: what a receiver does when it is given something is in
-- the same go.
local function run(hub, channel, budget)
  local giving, current = hub._giving, core.current()
  local outer = giving[current]
  giving[current] = true
  local ok, done, more = pcall(channels.run, channel, budget)
  giving[current] = outer
  if not ok then -- killed, or no memory
    return budget, true, done
  elseif not more then
    topics.release(hub, channel)
  end
  return done, more
end

-- -- The thread of the hub ----------------------------------------------------

local function take_out(busy, at)
  local n = #busy
  busy[at] = busy[n]
  busy[n] = nil
end

local function pump(hub)
  local busy, at, left = hub._busy, 1, BATCH
  while busy[1] do
    at = busy[at] and at or 1
    local done, more = run(hub, busy[at], left)
    if more then
      at = at + 1
    else
      take_out(busy, at)
    end
    core.wake_all(hub._room)
    left = left - done
    if left <= 0 then
      thread.sleep(0)
      left = BATCH
    end
  end
end

local function hand_over(hub, channel)
  hub._busy[#hub._busy + 1] = channel
  hub._crew:need("pump", pump, hub)
end

-- -- Publishing ---------------------------------------------------------------

local function is_crowded(list)
  for i = 1, #list do
    if channels.waiting(list[i]) >= LINE then
      return true
    end
  end
  return false
end

--- The channels that get a message of a topic, when all of them have room in line. Parks
-- while they have not, but not when a receiver publishes while it is given something.
function M.channels_of(hub, name)
  local list = topics.channels_of(hub, name)
  while not hub._giving[core.current()] and is_crowded(list) do
    hub._crew:need("pump", pump, hub)
    local status = thread.stand(hub._room)
    if status ~= 0 then
      return thread.failed(status, "publish")
    end
    list = topics.channels_of(hub, name)
  end
  return list
end

--- Wait until a channel has room in line. Parks.
function M.wait(hub, channel)
  while channels.waiting(channel) >= LINE do
    hub._crew:need("pump", pump, hub)
    local status = thread.stand(hub._room)
    if status ~= 0 then
      return thread.failed(status, "publish")
    end
  end
  return true
end

--- Give a message to a channel's receivers. Returns how many will get it. Does not park.
function M.post(hub, channel, record)
  local count, is_mine = channels.post(channel, record)
  if is_mine then
    local _, more, err = run(hub, channel, BATCH)
    if more then
      hand_over(hub, channel)
    end
    if err then
      error(err, 0)
    end
  elseif hub._busy[1] then
    hub._crew:need("pump", pump, hub) -- it may have been killed
  end
  return count
end

--- The same for each channel of a list.
function M.post_all(hub, list, record)
  local count = 0
  for i = 1, #list do
    count = count + M.post(hub, list[i], record)
  end
  return count
end

return M
