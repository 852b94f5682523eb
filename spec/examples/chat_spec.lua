-- examples/chat: what its server says to websockets, right ones and wrong ones.

local green = require "green"
local http = require "green.http"
local url = require "green.url"
local websocket = require "green.websocket"

local beside_broker = require("spec.support.zmq_beside").with
local beside_redis = require("spec.support.redis_beside").with
local kit = require "spec.support.chat_kit"
local patient = require "spec.support.patient"
local program = require "spec.support.program"

local it = patient.busted()

--- A spec that runs beside a chat.
local function with(body)
  return function() kit.beside({}, body) end
end

--- The names that are told to be in a group, as soon as they are those. Parks.
local function await_here(person, group, ...)
  local wanted = table.concat({ ... }, " ")
  local form, names
  repeat
    form = person:expect "here"
    names = form:get_all "name"
    table.sort(names)
  until form:get "group" == group and table.concat(names, " ") == wanted
  return form:get "n"
end

local function texts_of(found)
  local list = {}
  for i, hit in ipairs(found:get_all "hit") do
    list[i] = url.parse_query(hit):get "text"
  end
  return list
end

describe("examples/chat", function()
  it("gives its page with a policy that has nothing unsafe in it", with(function(target)
    local session = http.session()
    for path, kind in pairs { ["/"] = "text/html", ["/chat.js"] = "text/javascript",
      ["/link.js"] = "text/javascript", ["/chat.css"] = "text/css", ["/icon.svg"] = "image/svg" } do
      local answer = assert(session:get("http://" .. target .. path))
      assert.equal(200, answer.status)
      assert.matches("^" .. kind:gsub("%p", "%%%0"), answer.headers["content-type"])
      local policy = answer.headers["content-security-policy"]
      assert.matches("default-src 'none'", policy, 1, true)
      assert.is_nil(policy:find "unsafe")
    end
    assert.equal(404, session:get("http://" .. target .. "/chat.lua").status)
    assert.equal(405, session:post("http://" .. target .. "/", { body = "x" }).status)
    session:close()
  end))

  it("lets no page of another site in", with(function(target)
    local ws, err = websocket.connect("ws://" .. target .. "/chat", { origin = "http://evil.test" })
    assert.is_nil(ws)
    assert.equal(403, err.status)
  end))

  it("brings what one says to all, and its past to who comes later [S33]", with(function(target)
    local ann, bob = kit.person(target, "ann"), kit.person(target, "bob")
    assert.same({}, ann:join "Kitchen")
    assert.same({}, bob:join "Kitchen")
    ann:say("Kitchen", "Tea", "hello <b>bob</b> & ünïcödé\nanother line")
    local said = bob:expect "said"
    assert.equal("hello <b>bob</b> & ünïcödé\nanother line", said:get "text")
    assert.same({ "ann", "Tea", "ann1" }, { said:get "by", said:get "topic", said:get "key" })
    bob:say("Kitchen", "Tea", "hello ann")
    local late = kit.person(target, "eve")
    assert.same({ said:get "text", "hello ann" }, (late:join "Kitchen"))
    assert.same({}, (late:join "Library")) -- another group has its own
  end))

  it("gives exactly what was missed: no less, no double", with(function(target)
    local ann, bob = kit.person(target, "ann"), kit.person(target, "bob")
    ann:join "Kitchen"
    bob:join "Kitchen"
    local seen = ann:say("Kitchen", "Tea", "1")
    bob:close()
    for i = 2, 8 do ann:say("Kitchen", i % 2 == 0 and "Tea" or "Milk", tostring(i)) end
    bob = kit.person(target, "bob")
    local unread, last = bob:join("Kitchen", seen)
    assert.same({ "2", "3", "4", "5", "6", "7", "8" }, unread)
    assert.same({}, (bob:join("Kitchen", last)))
    ann:send { op = "say", group = "Kitchen", topic = "Tea", text = "9", key = "k9" }
    assert.equal("9", bob:expect("said"):get "text")
    bob:send { op = "join", group = "Kitchen", since = "0123abcd-7" } -- of a server before this
    assert.equal("Kitchen", bob:expect("gap"):get "group")
    assert.equal(9, #bob:join "Kitchen")
  end))

  it("tells who is there; somebody with two windows once", with(function(target)
    local ann, bob, again = kit.person(target, "ann"), kit.person(target, "bob"),
      kit.person(target, "bob")
    ann:join "Library"
    await_here(ann, "Library", "ann")
    bob:join "Library"
    again:join "Library"
    assert.equal("2", await_here(ann, "Library", "ann", "bob"))
    bob:close()
    again:send { op = "leave", group = "Library" }
    assert.equal("1", await_here(ann, "Library", "ann"))
  end))

  it("finds words in what was said, the newest first", with(function(target)
    local ann = kit.person(target, "ann")
    ann:join "Kitchen"
    for _, text in ipairs { "green tea", "black coffee", "Tea, GREEN as grass", "100% tea" } do
      ann:say("Kitchen", "Drinks", text)
    end
    ann:send { op = "search", group = "Kitchen", words = "green TEA" }
    local found = ann:expect "found"
    assert.same({ "Tea, GREEN as grass", "green tea" }, texts_of(found))
    assert.equal("green TEA", found:get "words")
    ann:send { op = "search", group = "Kitchen", words = "100% tea" }
    assert.same({ "100% tea" }, texts_of(ann:expect "found"))
    ann:send { op = "search", group = "Kitchen", words = ".*" }
    assert.same({}, texts_of(ann:expect "found"))
  end))

  it("tells that somebody writes, and keeps none of it", with(function(target)
    local ann, bob = kit.person(target, "ann"), kit.person(target, "bob")
    ann:join "Kitchen"
    bob:join "Kitchen"
    for _ = 1, 20 do ann:send { op = "typing", group = "Kitchen", topic = "Tea" } end
    local hint = bob:expect "typing"
    assert.same({ "ann", "Tea" }, { hint:get "by", hint:get "topic" })
    ann:say("Kitchen", "Tea", "so")
    bob.passed = {}
    bob:expect "said"
    local count = 1
    for _, form in ipairs(bob.passed) do count = count + (form:get "op" == "typing" and 1 or 0) end
    assert.is_true(count < 10, count .. " hints of 20")
    assert.same({ "so" }, (kit.person(target, "eve"):join "Kitchen"))
  end))

  it("answers whatever is wrong with an error, and goes on", with(function(target)
    local ann = kit.person(target)
    assert.same({ "bad", "say hello first" }, { ann:refused { op = "join", group = "Kitchen" } })
    local long = ("x"):rep(4001)
    for _, name in ipairs { "", "  ", ("x"):rep(41), "a\nb", "a\0b", "a\255b", "a\226\128\174b",
      "\226\128\139", "a\127" } do
      assert.equal("bad", (ann:refused { op = "hello", name = name }), name)
    end
    ann.name = "ann"
    ann:send { op = "hello", name = " ann " }
    assert.equal("ann", ann:expect("welcome"):get "name")
    ann:join "Kitchen"
    green.sleep(0.5) -- the rate of mistakes is limited, too
    for _, text in ipairs { "", "op", "op=", "op=nothing", "op=__index", "%", "op=say%", "op=%00",
      "=", "&&&", "op=hello&name=eve", "op=join", "op=join&group=Cellar", "op=join&group=Kitchen",
      "op=say&group=Library&topic=T&key=k&text=t", "op=say&group=Kitchen",
      "op=say&group=Kitchen&topic=T&text=t", "op=say&group=Kitchen&topic=T&key=k&text=%20%0A",
      "op=say&group=Kitchen&topic=T&key=k&text=%FF", "op=search&group=Kitchen&words=" } do
      assert.equal("bad", (ann:refused(text)), text)
    end
    green.sleep(1)
    for _, text in ipairs { "op=typing&group=Kitchen", "op=say&group=Kitchen&topic=" ..
      ("t"):rep(61) .. "&key=k&text=t", "op=say&group=Kitchen&topic=T&key=k&text=" .. long } do
      assert.equal("bad", (ann:refused(text)), text:sub(1, 60))
    end
    ann.ws:send_binary "op=ping"
    assert.equal("bad", ann:expect("error"):get "code")
    ann:send "op=ping"
    ann:expect "pong"
    local big = kit.person(target)
    big:send(("x"):rep(40000))
    assert.is_nil((big.ws:recv(10)))
    assert.equal(1009, big.ws.close_code)
    ann:send "op=ping"
    ann:expect "pong"
  end))

  it("holds back who says too much, and ends with who does not hear", with(function(target)
    local ann, bob = kit.person(target, "ann"), kit.person(target, "bob")
    ann:join "Kitchen"
    bob:join "Kitchen"
    for i = 1, 40 do
      ann:send { op = "say", group = "Kitchen", topic = "Tea", text = tostring(i), key = "k" .. i }
    end
    local problem = ann:expect "error"
    assert.equal("slow", problem:get "code")
    assert.matches("^k%d+$", problem:get "key")
    local text
    repeat
      ann.ws:send "op=nothing"
      text = ann.ws:recv(0)
    until not text and ann.ws.closed
    assert.equal(1008, ann.ws.close_code)
    bob:say("Kitchen", "Tea", "still here")
  end))

  it("ends with 0 when it is told to, and says what it was asked wrongly", function()
    kit.beside({}, function(target)
      local ann = kit.person(target, "ann")
      ann:join "Kitchen"
    end)
    for _, words in ipairs { { "--what", "1" }, { "--workers", "2" }, { "--workers", "x" } } do
      local run = program.run { program.greenlua, "examples/chat/chat.lua", unpack(words) }
      assert.equal(2, run.status)
      assert.matches("usage: chat.lua", run.err, 1, true)
    end
  end)
end)

--- What holds for a chat in several processes. beside(fn) runs fn(option, where) beside a server
-- that these share what is said through.
local function in_several_processes(beside)
  local N = 12 -- people, who are spread over the workers as the system likes
  local LATER = { "later 1", "later 2", "later 3", "later 4", "later 5" }

  --- Run body(target, chat) beside two workers and a server of their own. Parks.
  local function with_workers(body)
    beside(function(option, where)
      local chat, target = kit.start(nil, option, where, "--workers", "2")
      local ok, err = patient.try(function()
        kit.await("workers", function() return #kit.children(chat.pid) == 2 end)
        body(target, chat)
      end)
      kit.stop(chat)
      assert(ok, tostring(err) .. "\n" .. chat.err)
      assert.equal(0, chat.status)
    end)
  end

  --- People who have all seen all: them, and the id of the last message.
  local function gather(target)
    local people, last = {}, nil
    for i = 1, N do
      people[i] = kit.person(target, "p" .. i)
      people[i]:join "Kitchen"
    end
    for i, person in ipairs(people) do last = person:say("Kitchen", "Tea", "from " .. i) end
    for i = 1, N - 1 do
      repeat until people[i]:expect("said"):get "id" == last
    end
    return people, last
  end

  --- Those whose connection is gone, and one whose is not, if there is any.
  local function look_who_is_gone(people)
    local gone, still = {}, nil
    for _, person in ipairs(people) do
      if person.ws:send "op=ping" and pcall(person.expect, person, "pong") then
        still = person
      else
        gone[#gone + 1] = person
      end
    end
    return gone, still
  end

  it("loses nothing that people of another process say while one dies", function()
    with_workers(function(target, chat)
      local people, last = gather(target)
      local wanted, heard = {}, {}
      local killer = green.spawn(function()
        green.sleep(0.1) -- some of it has been said
        program.run { "kill", "-KILL", tostring(kit.children(chat.pid)[1]) }
      end)
      for i = 1, 40 do -- who has lost the connection comes again, and says it again
        local k, text = i % N + 1, "text " .. i
        while not pcall(people[k].say, people[k], "Kitchen", "Tea", text, "key" .. i) do
          people[k] = kit.person(target, people[k].name)
          people[k]:join("Kitchen", last)
        end
        wanted[i] = text
        green.sleep(0.01) -- so that the kill comes in between
      end
      killer:wait()
      local late = kit.person(target, "late")
      for _, text in ipairs((late:join("Kitchen", last))) do
        heard[#heard + 1] = text ~= heard[#heard] and text or nil -- said twice, with one key
      end
      assert.same(wanted, heard)
    end)
  end)

  it("is one chat in several processes, and goes on when one of them dies", function()
    with_workers(function(target, chat)
      local people, last = gather(target)
      local gone, still
      for _, pid in ipairs(kit.children(chat.pid)) do -- one of them has somebody
        program.run { "kill", "-KILL", tostring(pid) }
        gone, still = look_who_is_gone(people)
        if gone[1] then break end
      end
      assert.truthy(gone[1])
      if not still then
        still = kit.person(target, "new")
        still:join "Kitchen"
      end
      for _, text in ipairs(LATER) do still:say("Kitchen", "Tea", text) end
      for _, person in ipairs(gone) do
        assert.same(LATER, (kit.person(target, person.name):join("Kitchen", last)))
      end
      kit.await("the next worker", function()
        chat:listen(0)
        return chat.err:find "the next one comes\n" and #kit.children(chat.pid) == 2
      end)
      assert.matches("^worker %d+ ended: signal 9; the next one comes\n", chat.err)
    end)
  end)
end

describe("examples/chat over Redis", function()
  in_several_processes(function(fn)
    beside_redis(function(server) fn("--redis", server.url) end)
  end)
end)

describe("examples/chat over ZeroMQ", function()
  in_several_processes(function(fn)
    beside_broker(function(server) fn("--zmq", server.ask) end)
  end)
end)
