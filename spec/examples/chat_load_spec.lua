-- examples/chat with thousands of members who say nothing, and one message that reaches them all.

local green = require "green"
local url = require "green.url"

local kit = require "spec.support.chat_kit"
local patient = require "spec.support.patient"
local program = require "spec.support.program"

local it = patient.busted()

local WANTED = program.is_sanitized and 500 or 5000 -- a sanitizer makes each ten times as dear
local SPARE = 300 -- descriptors for all else
local AT_ONCE = 50 -- members who come in at a time
local WAIT = 60 -- seconds that an answer may take at most

--- How many there can be: each has a descriptor here, and one in the server.
local function members_here()
  local limit = program.run { "sh", "-c", "ulimit -n" }.out:match "%d+"
  return math.min(WANTED, limit and tonumber(limit) - SPARE or WANTED)
end

local function come_in(target, i)
  local person = kit.person(target, "member " .. i)
  person:join "Kitchen"
  return person
end

--- Read all the time, as a browser does. Who leaves it lying reads no pings behind it either, and
-- the chat takes them for lost after 50 seconds: on a busy machine thousands come in more slowly.
local function listen(person)
  person.heard, person.pong = {}, green.Event()
  for message in person.ws:messages() do
    local form = assert(url.parse_query(message))
    local op, text = form:get "op", form:get "text"
    if op == "said" then
      person.heard[text] = (person.heard[text] or 0) + 1
    elseif op == "pong" then
      person.pong:send(true)
    end
  end
end

local function come_and_listen(target, i)
  local person = come_in(target, i)
  person.listening = green.spawn(listen, person)
  return person
end

local function fill(target, n)
  local people, pool = {}, green.GreenPool(AT_ONCE)
  for i = 1, n do
    pool:spawn_n(function() people[i] = come_and_listen(target, i) end)
  end
  pool:waitall()
  assert.equal(n, #people)
  return people
end

--- How often somebody has heard a text, by when the chat answers a ping.
local function count_heard(person, text)
  person:send "op=ping"
  assert(person.pong:wait(WAIT), ("%s: no pong, and %s"):format(person.name,
    tostring(person.ws.close_code)))
  return person.heard[text]
end

--- The memory of a process, in bytes.
local function memory_of(pid)
  local file = assert(io.open("/proc/" .. pid .. "/smaps_rollup"))
  local text = file:read "*a"
  file:close()
  return tonumber(text:match "Rss:%s+(%d+)") * 1024
end

describe("examples/chat", function()
  local n = members_here()

  it(("reaches all of %d members who only listen"):format(n), function()
    kit.beside({}, function(target, chat)
      local before = memory_of(chat.pid)
      local people = fill(target, n)
      local here = memory_of(chat.pid)
      local speaker = come_in(target, "who speaks")
      local began = green.now()
      speaker:say("Kitchen", "Tea", "does everybody hear me?")
      local reached = green.now() - began
      speaker:send { op = "search", group = "Kitchen", words = "everybody" }
      local hit = url.parse_query(speaker:expect("found"):get "hit")
      assert.equal("does everybody hear me?", hit:get "text")
      speaker:close()
      for _, person in ipairs(people) do
        assert.equal(1, count_heard(person, "does everybody hear me?"))
      end
      if os.getenv "CHAT_FIGURES" then
        io.stderr:write(("# %d members: %.0f bytes each; the message was back after %.3f s\n")
          :format(n, (here - before) / n, reached))
      end
      for _, person in ipairs(people) do
        person.ws:abort()
        person.listening:wait()
      end
    end)
  end)
end)
