--- What hubs tell each other through Redis: names, scripts, and messages as bytes.
--
-- With history a message is an entry of its topic's stream, and what is published is that
-- entry's id with the same fields: one script does both, so ids come in order on the
-- channel. Without history a counter gives the ids.
-- @module green.pubsub.redis.wire

local find, match, sub, tonumber = string.find, string.match, string.sub, tonumber

local M = {}

-- -- Names --------------------------------------------------------------------

--- The channel of a topic.
function M.channel(prefix, topic)
  return prefix .. topic
end

--- The stream that is a topic's history.
function M.stream(prefix, topic)
  return prefix .. "history:" .. topic
end

--- The counter of a prefix's messages.
function M.counter(prefix)
  return prefix .. "count"
end

-- -- Scripts ------------------------------------------------------------------

--- KEYS: the stream. ARGV: channel, flags, key, message, how many, milliseconds or "".
M.KEEP_AND_PUBLISH = [[
local id = redis.call("XADD", KEYS[1], "MAXLEN", "~", ARGV[5], "*",
  "f", ARGV[2], "k", ARGV[3], "m", ARGV[4])
if ARGV[6] ~= "" then
  local time = redis.call("TIME")
  local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[6]
  redis.call("XTRIM", KEYS[1], "MINID", "~", string.format("%.0f", math.max(oldest, 0)))
  redis.call("PEXPIRE", KEYS[1], ARGV[6])
end
local bytes = table.concat({ id, ARGV[2], #ARGV[3], ARGV[3] .. ARGV[4] }, " ")
return { id, redis.call("PUBLISH", ARGV[1], bytes) }
]]

--- KEYS: the counter. ARGV: channel, flags, key, message.
M.PUBLISH = [[
local id = string.format("0-%.0f", redis.call("INCR", KEYS[1]))
local bytes = table.concat({ id, ARGV[2], #ARGV[3], ARGV[3] .. ARGV[4] }, " ")
return { id, redis.call("PUBLISH", ARGV[1], bytes) }
]]

-- -- Messages -----------------------------------------------------------------

function M.flags(opts)
  return opts.binary and "b" or "t"
end

local function record(topic, id, flags, key, text)
  return {
    text = text,
    topic = topic,
    id = id,
    key = key ~= "" and key or topic,
    binary = flags == "b",
    frame = false,
  }
end

--- The message in what came on a channel; nil: somebody else published it.
function M.read(topic, bytes)
  local _, stop, id, flags, length = find(bytes, "^(%d+%-%d+) ([bt]) (%d+) ")
  length = tonumber(length)
  if not stop or stop + length > #bytes then
    return nil
  end
  return record(topic, id, flags, sub(bytes, stop + 1, stop + length),
    sub(bytes, stop + length + 1))
end

--- The message in an entry of a stream; nil: it is none of ours.
function M.of_entry(topic, entry)
  local fields = {}
  for i = 1, #entry[2], 2 do
    fields[entry[2][i]] = entry[2][i + 1]
  end
  return fields.m and record(topic, entry[1], fields.f, fields.k or "", fields.m)
end

-- -- Ids ----------------------------------------------------------------------

--- What comes before all ids.
M.NONE = "0-0"

--- Does the id of a stream's entry come after another?
function M.is_newer(a, b)
  local a1, a2 = match(a, "^(%d+)%-(%d+)$")
  local b1, b2 = match(b, "^(%d+)%-(%d+)$")
  a1, b1 = tonumber(a1), tonumber(b1)
  if a1 ~= b1 then
    return a1 > b1
  end
  return tonumber(a2) > tonumber(b2)
end

--- Could it be the id of an entry?
function M.is_id(text)
  return find(text, "^%d+%-%d+$") ~= nil and #text < 40
end

return M
