--- What hubs, peers and the broker of green.pubsub say to each other in frames of ZeroMQ.
--
-- The feed (PUB to SUB, XPUB to SUB): three frames, a key, a head and the message. The key is
-- the topic and a byte 0, so that who subscribes to "a" + 0 is not sent all of "ab"; the head is
-- "EPOCH-NUMBER PREVIOUS FLAGS KEY": the message's id, the number of the one before it in its
-- topic, "t" or "b" (text, binary), and what it is the newest of ("": its topic).
--
-- Fences: who subscribes to the key FENCE and a name of its own is sent one message with that
-- key by everybody who has seen it: all that was subscribed to on that connection before is
-- heard there. Its second frame is "EPOCH-NUMBER": the newest message by then.
--
-- Questions (DEALER to ROUTER): VERSION, a number, an op, and arguments. Answers: the number,
-- "ok", and results; or "no", a code, and a text. Lists are packed into one frame.
-- @module green.zmq.broker.wire

local find, format, match, sub = string.find, string.format, string.match, string.sub
local concat, tonumber = table.concat, tonumber

local M = {}

M.VERSION = "green1"
M.FENCE = "\0green.fence\0"
M.NONE = "0-0" -- what comes before all ids

local LONGEST_FENCE = #M.FENCE + 64
local DIGITS = 15 -- of a number: all of these are whole in a double

-- -- Numbers and lists --------------------------------------------------------

--- A whole number of a text of digits; nil: it is none.
function M.number(text)
  if #text <= DIGITS and find(text, "^%d+$") then
    return tonumber(text)
  end
end

--- A list of texts as one.
function M.pack(list)
  local parts = {}
  for i = 1, #list do
    parts[2 * i - 1], parts[2 * i] = format("%d:", #list[i]), list[i]
  end
  return concat(parts)
end

--- The list; nil: it is none, or has more than so many texts.
function M.unpack(text, most)
  local list, at = {}, 1
  while at <= #text do
    local _, colon, digits = find(text, "^(%d+):", at)
    local length = digits and M.number(digits)
    if not length or colon + length > #text or #list >= most then
      return nil
    end
    list[#list + 1] = sub(text, colon + 1, colon + length)
    at = colon + length + 1
  end
  return list
end

-- -- Ids ----------------------------------------------------------------------

function M.id(epoch, number)
  return format("%s-%.0f", epoch, number)
end

--- The epoch and the number of an id; nil: it is none.
function M.read_id(id)
  local epoch, digits = match(id, "^(%x+)%-(%d+)$")
  local number = epoch and #epoch <= 32 and M.number(digits)
  if number then
    return epoch, number
  end
end

--- Does an id come after another? Of two lives of a broker nobody knows: yes.
function M.is_newer(a, b)
  local epoch_a, a_number = M.read_id(a)
  local epoch_b, b_number = M.read_id(b)
  return epoch_a ~= epoch_b or a_number > b_number
end

-- -- The feed -----------------------------------------------------------------

function M.key(topic)
  return topic .. "\0"
end

--- The topic of a key; nil: it is no topic's.
function M.topic_of(key)
  if sub(key, -1) == "\0" and not M.is_reserved(key) then
    return sub(key, 1, -2)
  end
end

--- Is a topic or key one that only fences may have?
function M.is_reserved(text)
  return sub(text, 1, #M.FENCE) == M.FENCE
end

--- Is a key one of a fence that is to be answered?
function M.is_fence(key)
  return #key <= LONGEST_FENCE and M.is_reserved(key)
end

function M.head(epoch, record)
  return format("%s-%.0f %.0f %s %s", epoch, record.number, record.previous, record.flags,
    record.key)
end

--- A message of a head and its text, for receivers in this process; nil: it is none of ours.
function M.read(topic, head, text)
  local id, previous, flags, key = match(head, "^(%x+%-%d+) (%d+) ([bt]) (.*)$")
  local epoch, number = nil, nil
  if id then
    epoch, number = M.read_id(id)
    previous = M.number(previous)
  end
  return epoch and previous and {
    text = text,
    topic = topic,
    id = id,
    epoch = epoch,
    number = number,
    previous = previous,
    key = key ~= "" and key or topic,
    binary = flags == "b",
    frame = false,
  } or nil
end

function M.flags(opts)
  return opts.binary and "b" or "t"
end

return M
