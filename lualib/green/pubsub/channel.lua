--- The subscriptions of one topic or pattern, and how messages get to them: to each that
-- was there at the publish, exactly once, in the order of publishing.
--
-- They stand in a plain array. A message goes through it in batches, between which
-- others run. What is subscribed meanwhile stands behind the message's end (`cut`); what
-- is closed leaves a hole; what is published waits in line. When nothing is under way the
-- last one takes the place of one that is closed.
-- @module green.pubsub.channel

local core = require "green.core"

local error, pcall, min = error, pcall, math.min
local ECANCELED = core.codes.ECANCELED

local M = {}

--- An empty one.
-- @tparam string name of the topic, or the pattern
function M.new(name)
  return {
    name = name,
    subs = {}, -- subscriptions; false: a hole
    n = 0, -- places in it
    live = 0, -- of them no holes
    record = false, -- the message under way
    at = 1, -- the place that gets it next
    cut = 0, -- the last place that gets it
    line = {}, -- messages behind it
    cuts = {}, -- and their last places
    first = 1,
    last = 0,
  }
end

-- -- Coming and going ---------------------------------------------------------

function M.add(channel, sub)
  local n = channel.n + 1
  channel.subs[n] = sub
  channel.n, channel.live = n, channel.live + 1
  sub._at = n
end

--- Is it in there?
function M.is_in(channel, sub)
  return sub._at and channel.subs[sub._at] == sub or false
end

--- Take one out. Returns whether it was there.
function M.remove(channel, sub)
  local subs, at, n = channel.subs, sub._at, channel.n
  if not at then
    return false
  end
  sub._at, channel.live = false, channel.live - 1
  if channel.record then
    subs[at] = false
    return true
  end
  local moved = subs[n]
  subs[n], channel.n = nil, n - 1
  if moved ~= sub then
    subs[at], moved._at = moved, at
  end
  return true
end

--- Close the holes, in order: the messages in line end where they did.
local function close_holes(channel)
  local subs, cuts, to, next_cut = channel.subs, channel.cuts, 0, channel.first
  for at = 0, channel.n do
    local sub = at > 0 and subs[at]
    if sub then
      to = to + 1
      subs[at] = nil
      subs[to], sub._at = sub, to
    elseif at > 0 then
      subs[at] = nil
    end
    while next_cut <= channel.last and cuts[next_cut] == at do
      cuts[next_cut], next_cut = to, next_cut + 1
    end
  end
  channel.n = to
end

-- -- Messages -----------------------------------------------------------------

--- How many wait in line behind the one under way.
function M.waiting(channel)
  return channel.last - channel.first + 1
end

local function start(channel, record, cut)
  channel.record, channel.at, channel.cut = record, 1, cut
end

--- Add a message to what is under way. Returns how many will get it, and whether
-- somebody must M.run the channel: nobody does so far.
function M.post(channel, record)
  if channel.live == 0 then
    return 0, false
  elseif not channel.record then
    start(channel, record, channel.n)
    return channel.live, true
  end
  local last = channel.last + 1
  channel.line[last], channel.cuts[last], channel.last = record, channel.n, last
  return channel.live, false
end

local function shift(channel)
  local first = channel.first
  local record, cut = channel.line[first], channel.cuts[first]
  channel.line[first], channel.cuts[first] = nil, nil
  channel.first = first + 1
  if channel.first > channel.last then
    channel.first, channel.last = 1, 0
  end
  start(channel, record, cut)
end

--- The message under way has come to its end: on to the next one.
local function finish(channel)
  local is_last = channel.first > channel.last
  if channel.n > (is_last and 1 or 2) * channel.live then
    close_holes(channel)
  end
  if is_last then
    channel.record = false
  else
    shift(channel)
  end
end

local function give_until(channel, last)
  local subs, record = channel.subs, channel.record
  for at = channel.at, last do
    channel.at = at + 1
    local sub = subs[at]
    if sub then
      sub:_give(record)
    end
  end
end

--- A receiver raised: that is its own end, and the others get the message all the same.
-- One that parks, which it must not, may be left by a kill of the running thread: that goes on.
local function give_safely(channel, last)
  local ok, err = pcall(give_until, channel, last)
  if ok then
    return
  elseif core.check() == ECANCELED then
    error(err, 0)
  end
  local sub = channel.subs[channel.at - 1]
  if sub then -- it may have closed itself, too
    sub:_fail(err)
  end
end

--- Go on for about so many receivers. Returns how many it were, and whether more are
-- to do. An error of a receiver ends its subscription.
function M.run(channel, budget)
  local done = 0
  while channel.record and done < budget do
    local from = channel.at
    local last = min(channel.cut, from + budget - done - 1)
    while channel.at <= last do
      give_safely(channel, last)
    end
    done = done + channel.at - from
    if channel.at > channel.cut then
      finish(channel)
      done = done + 1 -- a message costs something, too
    end
  end
  return done, channel.record ~= false
end

return M
