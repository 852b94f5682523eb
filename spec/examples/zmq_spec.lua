-- examples/zmq: each in one process, and its parts in processes that die and come back.

local fs = require "green.fs"
local green = require "green"
local websocket = require "green.websocket"

local devtools = require "spec.support.devtools"
local patient = require "spec.support.patient"
local program = require "spec.support.program"

local it = patient.busted()

--- Run an example to its end: what it printed.
local function run(name, ...)
  local r = program.run_greenlua { "examples/zmq/" .. name .. ".lua", ... }
  assert.same({ 0, "" }, { r.status, r.err }, r.out)
  return r.out
end

local running, folder

--- Start a part of an example, and wait until it has printed something, unless that is nil.
local function start(said, name, ...)
  local p = program.start_greenlua { "examples/zmq/" .. name .. ".lua", ... }
  running[#running + 1] = p
  if said then
    p:expect(said)
  end
  return p
end

--- Kill it, as nothing else is.
local function kill(p)
  p:kill(program.KILL):wait()
end

--- A spec with processes of its own, and a function for endpoints in a folder of its own. Parks.
local function beside(title, body)
  it(title, function()
    running, folder = {}, assert(fs.tempdir())
    local ok, err = patient.try(body, function(name)
      return "ipc://" .. folder .. "/" .. name
    end)
    for _, p in ipairs(running) do
      if not p:poll() then
        kill(p)
      end
      if not ok then
        io.stderr:write(p.out, p.err)
      end
    end
    fs.remove(folder)
    if not ok then
      error(err, 0)
    end
  end)
end

--- It ends well, by itself. What it printed.
local function finish(p)
  p:wait()
  assert.same({ 0, "" }, { p.status, p.err }, p.out)
  return p.out
end

describe("examples/zmq/hello.lua", function()
  it("asks and is answered", function()
    assert.matches("hello, ann\nhello, bob\nhello, eve\n$", run "hello")
  end)

  beside("does so between processes", function()
    local server = start("serving on ", "hello", "server", "tcp://127.0.0.1:*")
    assert.equal("hello, ann\nhello, bob\nhello, eve\n",
      run("hello", "client", (server:expect "\n")))
  end)
end)

describe("examples/zmq/broker.lua", function()
  it("brings nine requests to three workers", function()
    local out = run "broker"
    for _, name in ipairs { "ANN", "BOB", "EVE" } do
      for i = 1, 3 do
        assert.matches(("%s %d, says worker %%d\n"):format(name, i), out)
      end
    end
  end)

  beside("has workers and clients that come in any order", function(at)
    local early = start(nil, "broker", "client", at "front", "early")
    start(nil, "broker", "worker", at "back", "one")
    start("workers at", "broker", "broker", at "front", at "back")
    assert.matches("EARLY 3, says worker one\n", finish(early))
    assert.matches("LATE 3, says worker one\n", run("broker", "client", at "front", "late"))
  end)
end)

describe("examples/zmq/pipeline.lua", function()
  local ALL = "100 results, sum 338350\n"

  it("splits the work over four", function()
    assert.matches("^" .. ALL, run "pipeline")
  end)

  beside("does so between processes", function(at)
    local sink = start(nil, "pipeline", "sink", at "results")
    start(nil, "pipeline", "worker", at "tasks", at "results", "one")
    start(nil, "pipeline", "worker", at "tasks", at "results", "two")
    finish(start(nil, "pipeline", "source", at "tasks", at "results"))
    assert.matches("^" .. ALL, finish(sink))
  end)
end)

describe("examples/zmq/topics.lua", function()
  it("tells who comes late what was the last", function()
    assert.matches("\nweather.paris\tsunny in paris\n$", run "topics")
  end)

  beside("tells each the topics that it has asked for", function(at)
    start("subscribers at", "topics", "cache", at "in", at "out")
    local early = start(nil, "topics", "subscriber", at "out", "weather.rome", "5")
    finish(start(nil, "topics", "publisher", at "in", "5"))
    early:expect "weather.rome\t25 degrees in rome\n"
    local late = start(nil, "topics", "subscriber", at "out", "weather.rome", "1")
    assert.equal("weather.rome\t25 degrees in rome\n", finish(late))
    assert.equal("", run("topics", "subscriber", at "out", "weather.madrid", "0.3"))
  end)
end)

describe("examples/zmq/lazy_pirate.lua", function()
  it("gets all that it asks for", function()
    local out = run "lazy_pirate"
    assert.matches("no answer to task 3, try 1: ETIMEDOUT", out)
    for n = 1, 8 do
      assert.matches(("done task %d\n"):format(n), out)
    end
  end)

  beside("outlives its server", function(at)
    local server = start("serving on", "lazy_pirate", "server", at "s")
    local client = start("done task 1\n", "lazy_pirate", "client", at "s", "50", "100")
    server:expect "a crash"
    kill(server)
    client:expect "try 1"
    start("serving on", "lazy_pirate", "server", at "s")
    assert.matches("done task 50\n$", finish(client))
  end)

  beside("gives up where nobody is", function(at)
    local client = start(nil, "lazy_pirate", "client", at "nobody", "1", "3"):wait()
    assert.equal(1, client.status)
    assert.matches("try 3: ETIMEDOUT\nthe server seems to be gone: ", client.out)
  end)
end)

describe("examples/zmq/paranoid_pirate.lua", function()
  local function assert_all(count, out)
    for n = 1, count do
      assert.matches(("TASK %d, by %%a+\n"):format(n), out)
    end
  end

  it("does all tasks with a worker that dies", function()
    local out = run "paranoid_pirate"
    assert_all(10, out)
    assert.matches("bob dies", out)
  end)

  beside("does all tasks when workers and queue die", function(at)
    local queue = start("workers at", "paranoid_pirate", "queue", at "f", at "b")
    local ann = start(nil, "paranoid_pirate", "worker", at "b", "ann")
    start(nil, "paranoid_pirate", "worker", at "b", "bob")
    local client = start("TASK 20", "paranoid_pirate", "client", at "f", "200")
    kill(ann)
    queue:expect "a worker is gone"
    client:expect "TASK 60"
    kill(queue)
    start("workers at", "paranoid_pirate", "queue", at "f", at "b")
    client:expect "TASK 100"
    start(nil, "paranoid_pirate", "worker", at "b", "eve")
    client:expect "by eve"
    assert_all(200, finish(client))
  end)
end)

describe("examples/zmq/majordomo.lua", function()
  local function assert_all(count, out)
    for n = 1, count do
      assert.matches(("TASK %d, by %%a+\n"):format(n), out)
    end
    assert.matches("\nwords: 5\n.*%(ENOMETHOD%)\n$", out)
  end

  it("does all calls with a worker that stops", function()
    assert_all(8, run "majordomo")
  end)

  beside("does all calls when workers die", function(at)
    start("serving on", "majordomo", "broker", at "broker")
    local ann = start(nil, "majordomo", "worker", at "broker", "ann")
    local client = start("by ann", "majordomo", "client", at "broker", "100")
    local bob = start(nil, "majordomo", "worker", at "broker", "bob")
    client:expect "by bob"
    kill(ann)
    client:expect "by bob"
    start(nil, "majordomo", "worker", at "broker", "eve")
    client:expect "by eve"
    kill(bob)
    assert_all(100, finish(client))
  end)
end)

describe("examples/zmq/clone.lua", function()
  it("goes on with the second server", function()
    assert.matches("\nno more\tpiece 100\t201\n$", run "clone")
  end)

  beside("keeps the table while servers die and come back", function(at)
    local first, second = at "1", at "2"
    local one = start("serving on", "clone", "server", first, second)
    local two = start("serving on", "clone", "server", second, first)
    local ann = start("ready", "clone", "client", first, second)
    local bob = start("ready", "clone", "client", first, second)
    ann:write "tea 1\n"
    bob:expect "tea\t1\n"
    bob:write "cake 2\n"
    ann:expect "cake\t2\n"
    kill(one)
    ann:write "tea 3\n"
    bob:expect "tea\t3\n"
    start("serving on", "clone", "server", first, second)
    local eve = start("ready", "clone", "client", first, second)
    assert.matches("cake\t2\n", eve.out)
    assert.matches("tea\t3\n", eve.out)
    kill(two)
    bob:write "cake 4\n"
    ann:expect "cake\t4\n"
    eve:expect "cake\t4\n"
  end)
end)

describe("examples/zmq/ironhouse.lua", function()
  local GETS = "a secret for %s\n"

  it("lets in whom it knows", function()
    local out = run "ironhouse"
    assert.matches(GETS:format "ann", out)
    assert.matches(GETS:format "bob", out)
    assert.matches("eve gets nothing: .*%(ETIMEDOUT%)\n$", out)
  end)

  beside("does so between processes, with keys in files", function()
    run("ironhouse", "keys", folder)
    local server = start("serving on ", "ironhouse", "server", folder, "tcp://127.0.0.1:*")
    local endpoint = server:expect "\n"
    assert.equal(GETS:format "bob", run("ironhouse", "client", folder, endpoint, "bob"))
    local eve = start(nil, "ironhouse", "client", folder, endpoint, "eve"):wait()
    assert.same({ 1, "" }, { eve.status, eve.err })
  end)
end)

describe("examples/zmq/chat.lua", function()
  local function serve(...)
    local p = start("serving on ", "chat", "127.0.0.1:0", ...)
    return (p:expect("\n"):gsub("^http", "ws") .. "/chat"):gsub("//chat", "/chat"), p
  end

  --- Say something again and again until somebody hears it: a link may not be there yet.
  local function say_until_heard(from, text, by)
    local heard
    for _ = 1, 150 do
      assert(from:send(text))
      heard = by:recv(0.2)
      if heard == text then
        return
      end
    end
    error "nobody has heard it"
  end

  beside("tells all what one says", function()
    local where = serve()
    local ann, bob = assert(websocket.connect(where)), assert(websocket.connect(where))
    say_until_heard(ann, "hello", bob)
    ann:close()
    bob:close()
  end)

  beside("is one talk in two browsers at two processes", function(at)
    local why = devtools.with(function(browser)
      start("subscribe at", "chat", "link", at "front", at "back")
      local tabs = {}
      for i = 1, 2 do
        local where = serve(at "front", at "back"):gsub("^ws", "http"):gsub("chat$", "")
        tabs[i] = browser:open(where)
        tabs[i]:await "ws.readyState === 1"
      end
      for i, tab in ipairs(tabs) do
        local said = ("<b>%d</b> &amp; tea"):format(i)
        local heard = ("document.querySelector('li')?.textContent === '%s'"):format(said)
        repeat -- the link may not be there yet
          tab:write("input", said)
          tab:enter()
          green.sleep(0.2)
        until tabs[3 - i]:eval(heard)
        assert.equal("", tab:eval "document.querySelector('input').value")
      end
    end)
    if why then
      pending(why)
    end
  end)

  beside("does so over processes, of which any may die", function(at)
    local link = start("subscribe at", "chat", "link", at "front", at "back")
    local here, gone = serve(at "front", at "back")
    local ann = assert(websocket.connect(here))
    local bob = assert(websocket.connect((serve(at "front", at "back"))))
    local eve = assert(websocket.connect((serve(at "front", at "back"))))
    say_until_heard(ann, "hello", bob)
    say_until_heard(bob, "hello, ann", eve)
    kill(gone)
    say_until_heard(eve, "where is ann?", bob)
    kill(link)
    start("subscribe at", "chat", "link", at "front", at "back")
    say_until_heard(bob, "nobody knows", eve)
    for _, ws in ipairs { ann, bob, eve } do
      ws:abort()
    end
    green.sleep(0)
  end)
end)
