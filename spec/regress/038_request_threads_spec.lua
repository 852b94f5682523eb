-- A handler's green thread is its request's. A worker served one request after the
-- other in the same thread, so who kept that thread, or its coroutine, reached into
-- requests of strangers: killed them, found their values, waited for ever.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local program = require "spec.support.program"
local _, real_it = testing.busted()
local it = http.its(real_it)

local ask, get, answer = http.ask, http.get, http.answer

-- What gets hold of the running thread, each in its own way.
local ways = {
  getcurrent = function()
    return green.getcurrent()
  end,
  threads = function()
    for _, t in ipairs(green.threads()) do
      if t:status() == "running" then
        return t
      end
    end
  end,
  ["an RLock's owner"] = function()
    local lock = green.RLock()
    lock:acquire()
    local me = lock:owner()
    lock:release()
    return me
  end,
  ["a thread that it has spawned"] = function()
    local me
    green.spawn(function()
      for _, t in ipairs(green.threads()) do
        if t:spawn_site():find("wsgi/spawn.lua", 1, true) and t:status() == "ready" then
          me = t
        end
      end
    end)
    green.sleep(0)
    return me
  end,
}

-- Where a handler's code runs, each with what calls look() there and answers.
local places = {
  handler = function(look)
    return function()
      look()
      return 200, {}, "ok"
    end
  end,
  middleware = function(look)
    local function inner()
      return 200, {}, "ok"
    end
    return function(env)
      look()
      return inner(env)
    end
  end,
  ["a body's iterator"] = function(look)
    return function()
      local is_over
      return 200, {}, function()
        if not is_over then
          is_over = true
          look()
          return "ok"
        end
      end
    end
  end,
  ["a body's close"] = function(look)
    return function()
      local pieces = { "ok" }
      return 200, {}, setmetatable({ close = look }, { __call = function()
        return table.remove(pieces)
      end })
    end
  end,
  ["a posthook"] = function(look)
    return function(env)
      env.posthooks[1] = { look }
      return 200, {}, "ok"
    end
  end,
  start_response = function(look)
    return function(_, start_response)
      start_response("200 OK", {})("o")
      look()
      return { "k" }
    end
  end,
  ["a coroutine"] = function(look)
    return function()
      coroutine.wrap(look)()
      return 200, {}, "ok"
    end
  end,
  ["a body in a coroutine"] = function(look)
    return function()
      return 200, {}, coroutine.wrap(function()
        green.sleep(0)
        look()
        coroutine.yield "ok"
      end)
    end
  end,
}

local function with_jit(mode, fn)
  jit[mode]()
  local ok, err = pcall(fn)
  jit.on()
  if not ok then
    error(err, 0)
  end
end

for _, mode in ipairs { "on", "off" } do
  describe("a request's thread, jit " .. mode, function()
    for way, find in pairs(ways) do
      for place, make in pairs(places) do
        it(("found by %s in %s, is that request's"):format(way, place), function(serve)
          local found, links = {}, 0
          local server = serve(make(function()
            local me = find()
            found[#found + 1] = me
            me:link(function() links = links + 1 end)
          end))
          local conn = server:connect()
          with_jit(mode, function()
            for _ = 1, 20 do
              assert.equal("ok", ask(conn, get "/").body)
            end
          end)
          testing.settle()
          assert.equal(20, #found)
          assert.equal(20, links)
          local seen = {}
          for _, t in ipairs(found) do
            assert.is_nil(seen[t])
            seen[t] = true
            assert.is_true(t:dead())
            assert.equal("returned", t:status())
            assert.equal(0, select("#", t:wait()))
          end
        end)
      end
    end
  end)
end

describe("who keeps a request's thread", function()
  it("kills, throws at and cancels no stranger", function(serve)
    local kept
    local server = serve(function(env)
      if env.PATH_INFO == "/a" then
        kept = green.getcurrent()
        return 200, {}, "a"
      end
      kept:kill_soon()
      kept:throw "x"
      kept:cancel()
      green.sleep(0)
      kept:kill()
      green.killall({ kept })
      green.sleep(0)
      return 200, {}, "b"
    end)
    local a, b = server:connect(), server:connect()
    for _ = 1, 10 do
      assert.equal("a", ask(a, get "/a").body)
      assert.equal("b", ask(b, get "/b").body)
    end
    assert.same({}, server.log)
  end)

  it("finds no values of strangers by its coroutine", function(serve)
    local of = setmetatable({}, { __mode = "k" })
    local server = serve(function(env)
      local co = coroutine.running()
      of[co] = of[co] or env.HTTP_X
      return 200, {}, of[co]
    end)
    local conn = server:connect()
    for i = 1, 20 do
      assert.equal(tostring(i), ask(conn, get("/", "X: " .. i .. "\r\n")).body)
    end
  end)

  it("waits for the request, and no longer", function(serve)
    local waited = {}
    local server = serve(function()
      local me = green.getcurrent()
      green.spawn(function()
        waited[#waited + 1] = select("#", me:wait())
      end)
      green.sleep(0)
      return 200, {}, "ok"
    end)
    local conn = server:connect()
    for i = 1, 3 do
      assert.equal("ok", ask(conn, get "/").body)
      testing.settle()
      assert.equal(i, #waited)
    end
    assert.same({ 0, 0, 0 }, waited)
  end)

  it("gets the error that the handler raised, which is reported once", function(serve)
    local reported, kept = 0, nil
    local before = green.on_error(function() reported = reported + 1 end)
    local server = serve(function(env)
      if env.PATH_INFO == "/look" then
        kept = green.getcurrent()
      end
      if env.PATH_INFO ~= "/fine" then
        error({ "mine" }, 0)
      end
      kept = green.getcurrent()
      return 200, {}, "fine"
    end)
    local conn = server:connect()
    assert.equal(500, ask(conn, get "/look").status)
    testing.settle()
    assert.equal("raised", kept:status())
    local ok, err = pcall(kept.wait, kept)
    assert.is_false(ok)
    assert.equal("mine", err[1])
    assert.equal(1, #server.log)
    -- The failure of an earlier request, whose worker went on, is not another's.
    assert.equal(500, ask(server:connect(), get "/unseen").status)
    assert.equal("fine", ask(server:connect(), get "/fine").body)
    testing.settle()
    assert.equal("returned", kept:status())
    green.on_error(before)
    assert.equal(0, reported)
  end)

  it("may end it, and the request with it", function(serve)
    local kept
    local server = serve(function()
      kept = green.getcurrent()
      green.sleep(60)
    end)
    local conn = server:connect(get "/")
    testing.settle_io()
    kept:kill()
    assert.equal(500, answer(conn).status)
    testing.settle()
    assert.equal("killed", kept:status())
    local _, err = pcall(kept.wait, kept)
    assert.is_true(green.is_error(err, "ECANCELED"))
    assert.equal(kept, err.thread)
  end)

  it("sees it last as long as a connection that was taken over", function(serve)
    local kept, ends = nil, 0
    local server = serve(function(env)
      kept = green.getcurrent()
      kept:link(function() ends = ends + 1 end)
      local s = assert(env.take_over())
      local line = s:read_line()
      s:close()
      if line == "fail" then
        error({ "taken" }, 0)
      end
    end)
    for i, line in ipairs { "fine", "fail" } do
      local conn = server:connect(get "/")
      testing.settle_io()
      assert.is_false(kept:dead())
      conn:write(line .. "\n")
      conn:read_all()
      testing.settle()
      assert.equal(i == 1 and "returned" or "raised", kept:status())
      assert.equal(i, ends)
    end
    local _, err = pcall(kept.wait, kept)
    assert.equal("taken", err[1])
  end)

  it("is told by on_error of what it could not give back", function(serve)
    local exits = require "green.thread.exits"
    local told, running = nil, nil
    local before = green.on_error(function(_, t) told = t end)
    local server = serve(function(env)
      if env.PATH_INFO == "/bad" then
        exits.hold { _exit = function() error "cannot" end }
        return 200, {}, "bad"
      end
      running = green.getcurrent()
      return 200, {}, "ok"
    end)
    local conn = server:connect(get "/bad" .. get "/")
    assert.equal("bad", answer(conn).body)
    assert.equal("ok", answer(conn).body)
    testing.settle()
    green.on_error(before)
    assert.is_true(told:dead())
    assert.are_not.equal(told, running)
  end)

  it("does not see spawn_after_local go on", function(serve)
    local fired = 0
    local server = serve(function()
      green.spawn_after_local(0.001, function() fired = fired + 1 end)
      return 200, {}, "ok"
    end)
    local conn = server:connect()
    for _ = 1, 10 do
      ask(conn, get "/")
    end
    green.sleep(0.01) -- longer than they would wait
    assert.equal(0, fired)
  end)

  it("gives back what it holds when it ends", function(serve)
    local lock, values = green.RLock(), green.thread_local()
    local server = serve(function()
      assert(lock:try_acquire())
      assert(values.x == nil)
      values.x = green.getcurrent():name "n"
      return 200, {}, "ok"
    end)
    local conn = server:connect()
    for _ = 1, 3 do
      assert.equal("ok", ask(conn, get "/").body)
    end
    testing.settle()
    assert.is_false(lock:locked())
  end)

  it("may do so between two requests, too", function(serve)
    local kept
    local server = serve(function(env)
      if env.PATH_INFO == "/kill" then
        for _, t in ipairs(kept) do
          t:kill_soon()
        end
      end
      green.sleep(0)
      return 200, {}, "ok"
    end)
    local conn = server:connect()
    assert.equal("ok", ask(conn, get "/").body)
    testing.settle()
    kept = {}
    for _, t in ipairs(green.threads()) do -- an idle worker is among them
      if t:spawn_site():find("wsgi/spawn.lua", 1, true) then
        kept[#kept + 1] = t
      end
    end
    assert.is_true(#kept > 0)
    assert.equal("ok", ask(conn, get "/kill").body)
    assert.equal("ok", ask(conn, get "/").body)
    assert.same({}, server.log)
  end)
end)

describe("the thread of a request whose client does not read", function()
  local function big(serve, opts)
    local kept = {}
    local server = serve(function(env)
      if env.PATH_INFO == "/big" then
        kept[1] = green.getcurrent()
        return 200, {}, ("x"):rep(2 ^ 24)
      end
      return 200, {}, "ok"
    end, opts)
    local conn = server:connect(get "/big" .. get "/next")
    testing.settle_io()
    return kept, conn, server
  end

  it("lasts until the answer is sent", function(serve)
    local kept, conn = big(serve)
    assert.is_false(kept[1]:dead())
    assert.equal(2 ^ 24, #answer(conn).body)
    assert.equal("ok", answer(conn).body)
    testing.settle()
    assert.is_true(kept[1]:dead())
    assert.equal("returned", kept[1]:status())
  end)

  it("ends with its connection by write_timeout", function(serve)
    local kept, _, server = big(serve, { write_timeout = 0.01 })
    kept[1]:wait(10)
    assert.equal("returned", kept[1]:status())
    assert.equal("ok", ask(server:connect(), get "/").body)
  end)

  it("can be killed, and the connection with it", function(serve)
    local kept, conn, server = big(serve)
    kept[1]:kill()
    testing.settle()
    assert.equal("killed", kept[1]:status())
    conn:read_all()
    assert.equal("ok", ask(server:connect(), get "/").body)
    assert.same({}, server.log)
  end)
end)

describe("requests that are sent at once", function()
  it("have a thread each, and their answers in order", function(serve)
    local seen, n = {}, 0
    local server = serve(function(env)
      local me = green.getcurrent()
      assert(not seen[me])
      seen[me], n = true, n + 1
      if env.PATH_INFO == "/1" then
        green.sleep(0)
      end
      return 200, {}, env.PATH_INFO
    end)
    local conn, all = server:connect(), {}
    for i = 1, 50 do
      all[i] = get("/" .. i)
    end
    conn:write(table.concat(all))
    for i = 1, 50 do
      assert.equal("/" .. i, answer(conn).body)
    end
    assert.equal(50, n)
  end)

  it("are refused in their place", function(serve)
    local server = serve(function()
      green.getcurrent()
      return 200, {}, "ok"
    end)
    local conn = server:connect(get "/" .. "BAD\r\n\r\n")
    assert.equal("ok", answer(conn).body)
    assert.equal(400, answer(conn).status)
    assert.is_nil(conn:read_line())
  end)

  it("with bodies that nobody reads", function(serve)
    local server = serve(function()
      green.getcurrent()
      return 200, {}, "ok"
    end)
    local conn = server:connect(http.post("/", "abc") .. http.post("/", "def") .. get "/")
    for _ = 1, 3 do
      assert.equal("ok", answer(conn).body)
    end
  end)
end)

describe("a worker that nobody has looked at", function()
  it("goes on", function(serve)
    local core = require "green.core"
    local seen, n = {}, 0
    local server = serve(function()
      local t = core.current() -- as the library does
      n = n + (seen[t] and 0 or 1)
      seen[t] = true
      local timer = green.Timeout(5)
      green.sleep(0)
      timer:cancel()
      green.timeout(1, green.sleep, 0)
      green.wait({ green.spawn(function() end) })
      return 200, {}, "ok"
    end)
    local conn = server:connect()
    for _ = 1, 10 do
      ask(conn, get "/")
    end
    assert.equal(1, n)
  end)
end)

-- All that is reached from a value by fields and metatables.
local function reaches(from, what, seen)
  if rawequal(from, what) then
    return true
  elseif type(from) ~= "table" or seen[from] then
    return false
  end
  seen[from] = true
  for k, v in next, from do
    if reaches(k, what, seen) or reaches(v, what, seen) then
      return true
    end
  end
  return reaches(debug.getmetatable(from), what, seen)
end

describe("what a handler has in its hands", function()
  it("does not lead to its thread", function(serve)
    local core = require "green.core"
    local found
    local server = serve(function(env)
      local me, timer = core.current(), green.Timeout(9)
      require("green.wsgi").fill(env)
      env["green.gone"]:wait(0)
      found = reaches({ env, timer }, me, { [_G] = true, [package.loaded] = true })
      for level = 2, 20 do
        for i = 1, 100 do
          local name, value = debug.getlocal(level, i)
          if not name then
            break
          end
          found = found or reaches(value, me, { [_G] = true, [package.loaded] = true })
        end
        if not debug.getinfo(level + 1) then
          break
        end
      end
      timer:cancel()
      return 200, {}, "ok"
    end)
    assert.equal("ok", ask(server:connect(), get "/").body)
    assert.is_false(found)
  end)

  it("is a Timeout that ends with the request", function(serve)
    local kept
    local server = serve(function(env)
      if env.PATH_INFO == "/keep" then
        kept = green.Timeout(0.001)
        return 200, {}, "ok"
      end
      kept:cancel()
      green.sleep(0.005)
      return 200, {}, tostring(kept:pending()) .. tostring(kept:fired())
    end)
    local conn = server:connect()
    ask(conn, get "/keep")
    assert.equal("falsefalse", ask(conn, get "/").body)
    assert.equal("falsefalse", ask(conn, get "/").body)
  end)
end)

describe("a pool of another kind", function()
  it("keeps threads of one request each", function(serve)
    local core = require "green.core"
    local kept, seen, n = {}, {}, 0
    local pool = {
      spawn = function(_, fn, ...)
        local t = green.spawn(fn, ...)
        kept[#kept + 1] = t
        return t
      end,
      waitall = function() return true end,
    }
    local server = serve(function()
      assert(not seen[core.current()])
      n, seen[core.current()] = n + 1, true
      return 200, {}, "ok"
    end, { custom_pool = pool })
    local conn = server:connect((get "/"):rep(5))
    for _ = 1, 5 do
      assert.equal("ok", answer(conn).body)
    end
    testing.settle()
    assert.equal(5, n)
    for _, t in ipairs(kept) do
      assert.is_true(t:dead())
    end
  end)

  it("or a GreenPool of one, whose member hands on the next", function(serve)
    local server = serve(function()
      return 200, {}, tostring(green.getcurrent())
    end, { custom_pool = green.GreenPool(1) })
    local conn, seen = server:connect((get "/"):rep(5)), {}
    for _ = 1, 5 do
      local body = answer(conn).body
      assert.is_nil(seen[body])
      seen[body] = true
    end
  end)
end)

describe("a request's thread in a child of a fork", function()
  real_it("is the parent's request's there", function()
    local r = program.run_greenlua { "-e", [[
      local green, wsgi, process = require "green", require "green.wsgi", require "green.process"
      local server = assert(wsgi.new("127.0.0.1:0", function()
        local me = green.getcurrent()
        local pid = green.fork(function()
          io.write(me:status(), "\n")
          io.flush()
        end)
        local how, code = process.wait(pid, 5)
        return 200, {}, how .. code
      end, { log_output = false })):start()
      local c = green.connect("127.0.0.1", server.port)
      for _ = 1, 2 do
        c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        c:read_until "\r\n\r\n"
        print(c:read(5))
      end
      server:stop()
    ]] }
    assert.equal("", r.err)
    assert.equal(0, r.status)
    assert.equal(2, http.count(r.out, "exit0"))
  end)
end)
