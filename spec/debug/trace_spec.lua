-- GREENLUA_TRACE in real programs, as a user starts them.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local function run(words, code, more)
  local argv = { "-", input = code, env = { GREENLUA_TRACE = words } }
  for key, value in pairs(more or {}) do
    argv[key] = value
  end
  return program.run_greenlua(argv)
end

--- Lines as { class, thread, text }, and all of them.
local function lines_of(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    local us, since, class, who, what =
      line:match("^trace%[%d+%] +(%d+) us +(%+?%d*) *(%l+) +([^:]+): (.*)$")
    list[#list + 1] = { us = tonumber(us), since = tonumber(since), class = class,
      who = who, what = what, line = line }
  end
  return list
end

--- The first line about one whose name ends so, whose text has that in it, behind a line.
local function find(list, who, what, from)
  for i = from or 1, #list do
    local l = list[i]
    if l.what and l.who:sub(-#who) == who and l.what:find(what) then
      return i, l
    end
  end
  error("no '" .. what .. "' of " .. who .. " in\n" .. list.text, 2)
end

local function trace(words, code, more)
  local r = run(words, code, more)
  local list = lines_of(r.err)
  list.text = r.err
  return list, r
end

local WORKER = [[
  local green = require "green"
  local queue = green.Queue()
  local worker = green.spawn(function() queue:get() green.sleep(0.001) end):name("worker")
  green.sleep(0)
  queue:put(1)
  worker:wait()
  print "done"
]]

describe("GREENLUA_TRACE", function()
  it("=sched tells of each spawn, switch, park, wake and end, in order", function()
    local list, r = trace("sched", WORKER)
    assert.equal("done\n", r.out)
    assert.equal(0, r.status)
    local at = find(list, "-", "^spawned at .+:3 by #%d+$")
    at = find(list, "main", "^lets the others have a turn$", at)
    at = find(list, "worker", "^begins$", at)
    at = find(list, "worker", "^waits in a queue$", at)
    at = find(list, "worker", "^woken by #%d+$", at)
    at = find(list, "main", "^waits in a queue$", at)
    at = find(list, "worker", "^runs on$", at)
    at = find(list, "worker", "^sleeps, at most 0%.00%d+ s$", at)
    at = find(list, "worker", "^woken %(ETIMEDOUT%)$", at)
    at = find(list, "worker", "^ends$", at)
    find(list, "main", "^woken by #%d+$", at)
    for _, l in ipairs(list) do
      assert.equal("sched", l.class, l.line)
    end
  end)

  it("has microseconds since the start and since the last line of the thread", function()
    local list = trace("sched", WORKER)
    local last, sleeps = {}, 0
    for _, l in ipairs(list) do
      assert.is_true(not last.us or l.us >= last.us, l.line)
      last.us = l.us
      local id = l.who:match("#%d+")
      assert.equal(last[id] ~= nil, l.since ~= nil, l.line)
      if last[id] then -- both are cut to whole microseconds
        assert.is_true(math.abs(l.us - last[id] - l.since) <= 1, l.line)
      end
      last[id] = l.us
      sleeps = sleeps + (l.what:find("^woken %(ETIMEDOUT") and l.since >= 900 and 1 or 0)
    end
    assert.equal(1, sleeps)
  end)

  it("=timer tells of deadlines, whose they are", function()
    local list = trace("timer", [[
      local green = require "green"
      green.spawn_after(0.001, function() end)
      green.spawn(function() green.sleep(0.002) end):name("sleeper"):wait()
      green.timeout(0.001, green.sleep, 5)
    ]])
    find(list, "sleeper", "^the end of its wait has come$")
    find(list, "-", "^its time to start has come$")
    find(list, "main", "^the end of a timeout has come$")
    assert.is_nil(list.text:find(" sched ", 1, true))
  end)

  it("=io tells what is ready", function()
    local list = trace("io,sched", [[
      local green = require "green"
      local a, b = require("green.socket").pair()
      local reader = green.spawn(function() return a:read(1) end):name("reader")
      green.sleep(0)
      b:write("x")
      reader:wait()
    ]])
    local at, waits = find(list, "reader", "^waits to read fd %d+$")
    local fd = waits.what:match("%d+")
    at = find(list, "-", "^fd " .. fd .. " is ready: read$", at)
    find(list, "reader", "^woken$", at)
  end)

  it("=http tells of the server's and the client's requests, without queries", function()
    local list, r = trace("http", [[
      local green, http = require "green", require "green.http"
      local listener = green.listen("127.0.0.1", 0)
      local _, port = listener:sockname()
      local server = green.spawn(require("green.wsgi").server, listener, function()
        return 204, {}, ""
      end, { log_output = false })
      local url = "http://127.0.0.1:" .. port
      print(http.get(url .. "/a%1b?secret=1").status)
      print(http.get("http://127.0.0.1:1/no?secret=1"))
      server:kill()
    ]])
    assert.matches("^204\n", r.out)
    local at = find(list, "main", "^client: GET http://127%.0%.0%.1:%d+/a")
    at = find(list, "-", "^request on fd %d+: GET /a", at)
    at = find(list, "-", "^answer on fd %d+: 204, 0%.%d+ s after the request came$", at)
    at = find(list, "main", "^client: GET http://.*/a.*: 204, 0%.%d+ s$", at)
    find(list, "main", "^client: GET http://127%.0%.0%.1:1/no: ECONNREFUSED, ", at)
    assert.is_nil(list.text:find("secret", 1, true))
    assert.is_nil(list.text:find(" sched ", 1, true))
  end)

  it("=http and green.tracing both stand around the client's requests", function()
    local list, r = trace("http", [[
      local green, http, tracing = require "green", require "green.http", require "green.tracing"
      local path = os.tmpname()
      assert(tracing.start { file = path })
      http.get("http://127.0.0.1:1/no")
      tracing.stop()
      http.get("http://127.0.0.1:1/again")
      print(io.open(path):read("*a"):find("127.0.0.1", 1, true) ~= nil)
      os.remove(path)
    ]])
    assert.equal("true\n", r.out, r.err)
    find(list, "main", "/no: ECONNREFUSED")
    find(list, "main", "/again: ECONNREFUSED")
  end)

  it("=gc tells of the collector's cycles", function()
    local list = trace("gc", "require 'green' collectgarbage() collectgarbage()")
    find(list, "-", "^a cycle has ended: %d+ KB are alive$")
  end)

  it("takes several words, and all", function()
    local list = trace("all", WORKER .. "collectgarbage()")
    find(list, "worker", "^ends$")
    find(list, "worker", "^the end of its wait has come$")
    find(list, "-", "KB are alive")
  end)

  it("says which word it does not know, which is near, and what there is", function()
    local long = ("a"):rep(300)
    for words, wrong in pairs { ["sched,shed"] = "'shed'; did you mean 'sched'? It",
      ALL = "'ALL'; did you mean 'all'? It", ["io,times,x"] = "'times'; did you mean 'timer'? It",
      ["sched, io"] = "' io'; did you mean 'io'? It",
      sched_io = "'sched_io'; did you mean 'sched'? It",
      x = "'x'; it", ["io,"] = "''; it", ["a\27[31m\n"] = "'a?[31m?'; it",
      [long] = "'" .. long:sub(1, 32) .. "...'; it" } do
      local r = run(words, "print 1")
      assert.equal("greenlua: GREENLUA_TRACE: there is no " .. wrong
        .. " is a list of sched, io, timer, http, gc, or all\n", r.err)
      assert.equal(1, r.status)
      assert.equal("", r.out)
    end
  end)

  it("is nothing where the variable is not set, or nobody listens (-E)", function()
    assert.equal("", run(false, WORKER).err)
    local r = program.run_greenlua { "-E", "-e", "print(1)", env = { GREENLUA_TRACE = "all" } }
    assert.equal("", r.err)
    assert.equal("1\n", r.out)
  end)

  it("shows no bytes of a name that do anything", function()
    local list = trace("sched", [[
      local green = require "green"
      green.spawn(green.sleep, 0):name("a\27[31m\nb"):wait()
    ]])
    find(list, "a?[31m?b", "^ends$")
    assert.is_nil(list.text:find("\27", 1, true))
  end)

  it("stands before an error's report, and behind what the program wrote before", function()
    local r = run("sched", [[
      io.stderr:write("first\n")
      error("last", 0)
    ]])
    local first, ends, last = r.err:find("first", 1, true), r.err:find(": ends", 1, true),
      r.err:find("greenlua: last", 1, true)
    assert.is_true(first ~= nil and ends ~= nil and last ~= nil, r.err)
    assert.is_true(ends < last)
    assert.equal(1, r.status)
  end)

  it("never stops the loop: what nobody reads is dropped, and counted", function()
    local path = program.file [[
      local green, stdio = require "green", require "green.stdio"
      stdio.configure { linger = 0.01, limit = 1000, patience = 3600 }
      for _ = 1, 10 do
        green.spawn(function() for _ = 1, 200 do green.sleep(0) end end)
      end
      green.wait()
      print(stdio.stats().stderr.dropped > 0)
    ]]
    local p = program.start_greenlua { path, env = { GREENLUA_TRACE = "sched" } }
    local stderr = p.stderr
    p.stderr = nil
    p:expect("true")
    p.stderr = stderr
    p:wait()
    os.remove(path)
    assert.equal(0, p.status)
  end)

  it("drops what a single turn has too much of, and says how much", function()
    local _, r = trace("sched", [[
      local green = require "green"
      for _ = 1, 20000 do green.spawn_n(function() end) end
      green.sleep(0)
    ]])
    assert.matches("\ntrace%[%d+%] %d+ lines were dropped\n", r.err)
    assert.equal(0, r.status)
  end)

  it("goes on in a child of a fork, with the child's lines alone", function()
    local list, r = trace("sched", [[
      local green, process = require "green", require "green.process"
      green.spawn(function() green.sleep(0.01) end):name("parents")
      green.sleep(0)
      process.wait(assert(process.fork(function()
        green.spawn(function() green.sleep(0) end):name("childs"):wait()
      end)))
    ]])
    assert.equal(0, r.status, r.err)
    local parent = list[1].line:match("^trace%[(%d+)%]")
    local n = 0
    for _, l in ipairs(list) do
      assert.is_truthy(l.what, l.line)
      if l.who:find("childs", 1, true) then
        n = n + 1
        assert.not_equal(parent, l.line:match("^trace%[(%d+)%]"))
      elseif l.who:find("parents", 1, true) then
        assert.equal(parent, l.line:match("^trace%[(%d+)%]"), l.line)
      end
    end
    assert.is_true(n >= 3)
    local _, begun = list.text:gsub("parents: begins", "")
    assert.equal(1, begun)
  end)

  it("has each line once, though a child that C has made ends at once", function()
    local list, r = trace("sched", [[
      local green, ffi = require "green", require "ffi"
      ffi.cdef "int fork(void); int waitpid(int pid, int *status, int options);"
      green.spawn(function() end):name("noted")
      local pid = ffi.C.fork()
      if pid == 0 then os.exit(0) end
      ffi.C.waitpid(pid, nil, 0)
      green.sleep(0)
    ]])
    assert.equal(0, r.status, r.err)
    find(list, "noted", "^ends$")
    local _, n = list.text:gsub("spawned at %S+:3 by", "")
    assert.equal(1, n, list.text)
  end)

  it("tells two runtimes apart, by their native threads", function()
    local path = program.file [[
      local green = require "green"
      return function() green.spawn(green.sleep, 0.001):name("inner"):wait() end]]
    local folder, name = path:match("^(.*/)([^/]*)$")
    local list, r = trace("sched", ("package.path = '%s?;' .. package.path\n"):format(folder)
      .. ([[
      local green = require "green"
      local workers = assert(green.workers(1, %q))
      workers:wait()
      green.spawn(green.sleep, 0):name("outer"):wait()]]):format(name))
    os.remove(path)
    assert.equal(0, r.status, r.err)
    local _, inner = find(list, "inner", "^sleeps")
    local _, outer = find(list, "outer", "^begins")
    assert.not_equal(inner.line:match("%d+"), outer.line:match("%d+"))
  end)
end)
