-- What the page of the chat may ask for. Messages in both directions are forms, as browsers
-- and green.url write them: op=say&group=Kitchen&topic=Tea&key=k1&text=hello
--
--   hello name=               who I am, before anything else. Answer: welcome, with the groups
--   join group= since=        give me what came after that id ("0": all there is), then joined,
--                             then what comes. Or gap: not all of it is there, ask with since=0
--   leave group=              no more of that
--   say group= topic= key= text=   all get said; the key, the page's own, tells what comes twice
--   typing group= topic=      a hint for the others
--   search group= words=      found, with the newest messages that have all the words as forms
--   ping                      pong
--
-- What is wrong with a message is answered by error, with code, what, and its op and key.

local green = require "green"
local url = require "green.url"

local FOLDER = arg[0]:match("^(.*)/") or "."
local checks = dofile(FOLDER .. "/checks.lua")
local field = checks.field

local GROUPS = { "Kitchen", "Library", "Workshop" }
local FOUND = 30 -- messages of an answer, at most
local PATIENCE = 200 -- mistakes of a connection until it is closed

local group_fields = {}
for i, name in ipairs(GROUPS) do
  group_fields[i] = { "group", name }
end

local function fail(ws, form, code, what)
  local data = ws.data
  data.mistakes = data.mistakes + 1
  ws:send(url.query { op = "error", code = code, what = what, of = form and form:get "op" or "",
    key = form and form:get "key" or "" })
  if data.mistakes > PATIENCE then
    green.spawn_n(ws.close, ws, 1008, "too many mistakes")
  end
end

local ops = {} -- op -> function(room, ws, form, group)

local function leave(ws, group)
  local joined = ws.data.joined[group]
  ws.data.joined[group] = nil
  if joined then
    joined.talk:close()
    joined.live:close()
  end
end

local function not_now(ws, form)
  return fail(ws, form, "unavailable", "that is not to be had now")
end

function ops.hello(_, ws, form)
  local name, problem = field(form, "name")
  if not name or ws.data.name then
    return fail(ws, form, "bad", problem or "you have said that")
  end
  ws.data.name = name
  ws:send(url.query { { "op", "welcome" }, { "name", name }, unpack(group_fields) })
end

--- The past of a group comes before `joined`, and what is said from now on behind it.
function ops.join(room, ws, form, group)
  local since, problem = field(form, "since")
  if not since then
    return fail(ws, form, "bad", problem)
  end
  leave(ws, group)
  local talk, err = room.talk:subscribe(group, ws, { since = since })
  if not talk and err:is "EGAP" then
    return ws:send(url.query { op = "gap", group = group })
  end
  local live = talk and room.live:subscribe(group, ws, { member = ws.data.name })
  if not live then
    if talk then talk:close() end
    return not_now(ws, form)
  end
  ws.data.joined[group] = { talk = talk, live = live }
  room:note_change(group) -- a second window of somebody wants to know, too
  ws:send(url.query { op = "joined", group = group })
end

function ops.leave(_, ws, _, group)
  leave(ws, group)
end

function ops.say(room, ws, form, group)
  local said, problem = checks.fields(form, "topic", "key", "text")
  if not said then
    return fail(ws, form, "bad", problem)
  end
  said.op, said.group, said.by = "said", group, ws.data.name
  said.at = ("%.0f"):format(os.time())
  if not room.talk:publish(group, url.query(said)) then
    not_now(ws, form) -- it may have been said: the key tells
  end
end

function ops.typing(room, ws, form, group)
  local topic, problem = field(form, "topic")
  if not topic then
    return fail(ws, form, "bad", problem)
  end
  room.live:publish(group, url.query { op = "typing", group = group, topic = topic,
    by = ws.data.name })
end

local function has_all(text, words)
  text = text:lower()
  for word in words:lower():gmatch "%S+" do
    if not text:find(word, 1, true) then
      return false
    end
  end
  return true
end

local function is_hit(text, words)
  local said = url.parse_query(text)
  return has_all(("%s %s %s"):format(said:get "text", said:get "by", said:get "topic"), words)
end

function ops.search(room, ws, form, group)
  local words, problem = field(form, "words")
  local list = words and room:history(group)
  if not list then
    return words and not_now(ws, form) or fail(ws, form, "bad", problem)
  end
  local answer, n = { { "op", "found" }, { "group", group }, { "words", words } }, 0
  for i = #list, 1, -1 do
    if n < FOUND and is_hit(list[i][1], words) then
      n = n + 1
      answer[#answer + 1] = { "hit", list[i][1] .. "&id=" .. url.escape(list[i][2]) }
    end
  end
  ws:send(url.query(answer))
end

function ops.ping(_, ws)
  ws:send "op=pong"
end

return { ops = ops, groups = GROUPS, fail = fail, leave = leave }
