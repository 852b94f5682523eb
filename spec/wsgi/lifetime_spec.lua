-- What outlives its request, or has no end: threads left behind, copies of env,
-- take-overs, endless bodies; and who must not be kept waiting by them.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local program = require "spec.support.program"
local _, real_it = testing.busted()
local it = http.its(real_it)

local answer, ask, get, post = http.answer, http.ask, http.get, http.post

local function hello()
  return 200, {}, "hello\n"
end

local function copy_of(env)
  local copy = {}
  for key, value in pairs(env) do
    copy[key] = value
  end
  return setmetatable(copy, getmetatable(env))
end

describe("a handler of green.wsgi", function()
  it("may hand on a copy of env, which is empty when the request is over", function(serve)
    local kept, input
    local server = serve(function(env)
      kept = copy_of(env)
      input = kept.input
      return 200, {}, kept.HTTP_X
    end)
    local conn = server:connect()
    assert.equal("y", ask(conn, post("/", "abc", "X: y\r\nZ: z\r\n")).body)
    assert.is_nil(kept.HTTP_Z) -- the connection is idle
    assert.is_nil((input:read()))
    conn:close()
    testing.settle_io()
    assert.is_nil(kept.HTTP_Y) -- and now gone
    assert.is_nil(kept.take_over and (kept.take_over()))
    assert.is_nil((input:read()))
    assert.is_nil((input:send_hundred_continue_response()))
    local _, err = pcall(input.set_hundred_continue_response_headers, input, { { "A", "b" } })
    assert.equal("ECLOSED", err.code)
  end)

  it("may read on of a body in a finalizer, while a piece of it is told", function(serve)
    local body = {}
    for i = 1, 2 ^ 17 do body[i] = ("%07d,"):format(i) end
    body = table.concat(body)
    local hits, begun, reads, pieces = 0, false, nil, {}
    local function finalize()
      begun = true
      if reads and debug.getinfo(2, "S").what == "C" then
        local ok, text = pcall(reads.read_some, reads, 3000)
        hits = hits + (ok and text and 1 or 0)
        pieces[#pieces + 1] = ok and text or nil
      end
    end
    local server = serve(function(env)
      for _ = 1, 8000 do
        getmetatable(newproxy(true)).__gc = finalize
      end
      repeat collectgarbage("step", 100) until begun -- each step runs more of them
      reads = env.input
      for text in function() return reads:read_some(5000) end do
        pieces[#pieces + 1] = text
      end
      reads = nil
      return 200, {}, tostring(#table.concat(pieces))
    end)
    local conn = server:connect()
    assert.equal(tostring(#body), ask(conn, post("/", body)).body)
    conn:close()
    for _, piece in ipairs(pieces) do
      assert.truthy(body:find(piece, 1, true))
    end
    if hits == 0 then
      pending "the collector, which nobody can tell when, ran no finalizer there"
    end
  end)

  it("may leave a thread behind that waits for the body", function(serve)
    local code
    local server = serve(function(env)
      green.spawn(function()
        local _, err = env.input:read()
        code = err and err.code
      end)
      green.sleep(0)
      return hello()
    end)
    local conn = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
    assert.equal(200, answer(conn).status)
    testing.settle_io()
    conn:close()
    testing.settle_io()
    assert.equal("ECLOSED", code)
    assert.equal("hello\n", ask(server:connect(), get "/").body)
  end)

  it("may take over in any piece, as long as none has left", function(serve)
    local server = serve(function(env)
      local step = 0
      return 200, {}, function()
        step = step + 1
        if step == 2 then
          local s = assert(env.take_over())
          s:write "taken"
          s:close()
          return env.QUERY_STRING ~= "end" and "more" or nil
        end
        return "small"
      end
    end)
    assert.equal("taken", server:raw(get "/"))
    assert.equal("taken", server:raw(get "/?end"))
  end)

  it("may take over after write, as long as nothing has left", function(serve)
    local server = serve(function(env, start_response)
      local write = start_response("200 OK", {})
      write "small"
      if env.QUERY_STRING then
        return function()
          local s = env.take_over()
          if s then
            s:write "taken"
            s:close()
            return "more"
          end
        end
      end
      local s = assert(env.take_over())
      s:write "taken"
      s:close()
      return { "more" }
    end)
    assert.equal("taken", server:raw(get "/"))
    assert.equal("taken", server:raw(get "/?later"))
  end)

  it("may leave a thread behind that waits to write", function(serve)
    local problem
    local gate = green.Event()
    local server = serve(function(_, start_response)
      local write = start_response("200 OK", {})
      green.spawn(function()
        for _ = 1, 400 do
          local ok, err = pcall(write, ("s"):rep(100000))
          problem = not ok and err
          if not ok then
            return
          end
        end
      end)
      gate:wait()
      return { "main" }
    end, { error_log = false })
    local conn = server:connect(get "/")
    testing.settle_io() -- until that one waits
    gate:send(true)
    testing.settle_io()
    assert(conn:setoption("SO_LINGER", 0))
    conn:close()
    testing.settle_io(function() return problem end)
  end)

  it("leaves nothing in its thread, however requests take turns", function(serve)
    local left, gate = green.thread_local(), green.Event()
    local server = serve(function(env)
      local user = left.user
      left.user = env.PATH_INFO
      green.Timeout(0.4)
      if env.PATH_INFO == "/first" then gate:wait() end
      return 200, {}, tostring(user)
    end)
    local conns = { server:connect(get "/first"), server:connect(get "/second") }
    answer(conns[2])
    gate:send(true)
    answer(conns[1])
    green.sleep(0.5) -- more than the Timeouts, which would fire now
    for i, conn in ipairs(conns) do
      conn:write(get "/" .. get "/")
      assert.equal("nil", answer(conn).body, i)
      assert.equal("nil", answer(conn).body, i)
    end
  end)

  it("that is killed takes nobody else's request with it", function(serve)
    local struck, survived = false, false
    local server = serve(function(env)
      local is_killed = env.PATH_INFO == "/kill"
      if is_killed then
        green.getcurrent():kill_soon()
        struck = true
      end
      green.sleep(0)
      survived = survived or is_killed
      return hello()
    end, { max_size = 1 })
    local killed = server:connect(get "/kill" .. get "/")
    local others = {}
    for i = 1, 5 do
      others[i] = server:connect(get "/")
    end
    assert.equal(500, answer(killed).status)
    assert.is_true(struck and not survived)
    for _, conn in ipairs(others) do
      assert.equal("hello\n", answer(conn).body)
    end
  end)

  it("lets go of threads that still read when it is answered", function(serve)
    local code
    local server = serve(function(env)
      green.spawn(function()
        local _, err = env.input:read()
        code = code or err and err.code
      end)
      green.sleep(0)
      return hello()
    end)
    local conn = server:connect "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    assert.equal(200, answer(conn).status)
    testing.settle_io()
    assert.equal("ECLOSED", code)
    conn:write("abc" .. post("/", "abc"))
    assert.equal(200, answer(conn).status)
  end)

  it("can add nothing to an answer that is complete, and still to be read", function(serve)
    local large, late = ("x"):rep(8000000), nil
    local gate = green.Event()
    local server = serve(function(_, start_response)
      local write = start_response(200, {})
      write "first"
      green.spawn(function()
        gate:wait()
        late = { pcall(write, "late") }
      end)
      return { large }
    end, { minimum_chunk_size = 2 ^ 40 })
    local conn = server:connect(get "/")
    testing.settle_io() -- the answer is complete, and stuck
    gate:send(true)
    testing.settle_io()
    assert.equal(5 + #large, #answer(conn).body)
    assert.is_false(late[1])
    conn:settimeout(0.05)
    assert.equal("ETIMEDOUT", (select(2, conn:read_some())).code) -- nothing behind it
  end)

  it("is not asked for more after write than HEAD gets", function(serve)
    local made = 0
    local server = serve(function(_, start_response)
      start_response(200, {}) "first"
      return function()
        made = made + 1
        return "x"
      end
    end)
    assert.equal(200, answer(server:connect "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD").status)
    assert.is_true(made <= 1)
  end)

  it("has its posthooks called, and its line logged, when it is killed meanwhile", function(serve)
    local hooks, lines = 0, {}
    local server = serve(function(env)
      env.posthooks[1] = { function() hooks = hooks + 1 end }
      return 200, {}, ("x"):rep(20000000)
    end, { access_log = lines })
    server:connect(get "/")
    testing.settle_io()
    server.server:stop { grace = 0, force_after = 1 }
    assert.same({ 1, 1 }, { hooks, #lines })
  end)

  it("whose write comes too late is told so", function(serve)
    local write
    local server = serve(function(_, start_response)
      write = start_response("200 OK", {})
      return { "main" }
    end)
    ask(server:connect(), get "/")
    local ok, err = pcall(write, "late")
    assert.is_false(ok)
    assert.matches("the request is over", err)
  end)

  it("that has many pieces for a fast client lets others run between them", function(serve)
    local ticks, seen, is_over = 0, nil, false
    local server = serve(function()
      local made = 0
      return 200, {}, function()
        made = made + 1
        if made == 200 then
          seen = ticks
          return nil
        elseif made == 1 then
          ticks = 0
        end
        return ("x"):rep(500)
      end
    end, { minimum_chunk_size = 0 })
    green.spawn(function()
      while not is_over do
        ticks = ticks + 1
        green.sleep(0)
      end
    end)
    ask(server:connect(), get "/")
    is_over = true
    assert.is_true(seen >= 2, seen .. " ticks")
  end)

  it("is not asked for pieces without end that nobody gets", function(serve)
    local made, closed = 0, 0
    local body = setmetatable({ close = function() closed = closed + 1 end },
      { __call = function()
        made = made + 1
        return made < 100000 and ("x"):rep(1000) or nil
      end })
    local server = serve(function(env)
      return tonumber(env.QUERY_STRING or 200), {}, body
    end)
    local conn = server:connect()
    for i, request in ipairs { get("/", nil, "HEAD"), get "/?204", get "/?304" } do
      made = 0
      ask(conn, request)
      assert.is_true(made < 10, made .. " pieces")
      assert.equal(i, closed)
    end
  end)

  it("may ask for bytes that are no whole number", function(serve)
    local server = serve(function(env)
      return 200, {}, env.input:read(2.5) .. "|" .. env.input:read_line(1.5) .. "|"
        .. env.input:read()
    end)
    local conn = server:connect(post("/", "abcde"))
    local a = green.timeout(1, answer, conn)
    assert.equal("ab|c|de", a and a.body)
  end)

  it("whose error cannot be shown gives 500 all the same", function(serve)
    local server = serve(function()
      error(setmetatable({}, { __tostring = function() error "no" end }))
    end)
    assert.matches("^HTTP/1.1 500 ", server:raw(get "/"))
    assert.matches("/", table.concat(server.log))
  end)

  it("can put nothing but headers into a 100 answer", function(serve)
    for _, pair in ipairs { { "X Y", "1" }, { "", "1" }, { "X:", "1" }, { "X\255", "1" },
      { "Content-Length", "5" }, { "Transfer-Encoding", "chunked" } } do
      local server = serve(function(env)
        env.input:set_hundred_continue_response_headers { pair }
        return 200, {}, env.input:read()
      end)
      local text = server:raw("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        .. "Content-Length: 2\r\n\r\nxy")
      assert.matches("^HTTP/1.1 500 ", text)
    end
  end)

  it("has its Connection taken as a list", function(serve)
    for _, value in ipairs { "close, X", "X , Close", "keep-alive,close" } do
      local server = serve(function()
        return 200, { Connection = value }, "hello\n"
      end)
      local text = server:raw(get "/" .. get "/")
      assert.equal(1, http.count(text, "HTTP/1.1"))
      assert.matches("\r\nConnection: close\r\n", text)
    end
  end)
end)

describe("a request in hand when the program ends", function()
  local SCRIPT = [[
    local green, wsgi = require "green", require "green.wsgi"
    local server = assert(wsgi.new("127.0.0.1:0", function(env)
      keep = newproxy(true)
      getmetatable(keep).__gc = function()
        io.stderr:write("path ", tostring(env.RAW_PATH_INFO), "\n")
      end
      while true do pcall(green.sleep, 10) end
    end)):start()
    local conn = assert(green.connect("127.0.0.1", server.port))
    conn:write "GET /abc HTTP/1.1\r\nHost: a\r\n\r\n"
    while not keep do green.sleep(0.001) end
    if arg[1] then os.exit(0, true) end
  ]]

  real_it("is there or over for finalizers, never gone", function()
    local path = program.file(SCRIPT)
    for _, word in ipairs { "", "exit" } do
      local run = program.run { program.greenlua, path, word ~= "" and word or nil }
      assert.equal(0, run.status)
      assert.truthy(run.err == "path /abc\n" or run.err == "path nil\n", run.err)
    end
    os.remove(path)
  end)
end)

describe("answers of green.wsgi", function()
  it("413 to HEAD has no body", function(serve)
    local server = serve(hello)
    local text = server:raw(get("/", "Content-Length: 99999999999\r\n", "HEAD"))
    assert.matches("^HTTP/1.1 413 .*\r\n\r\n$", text)
  end)

  it("arrive although the client sends more than it said", function(serve)
    local large = ("x"):rep(3000000) -- httpd.c: conn_has_unread
    local gate
    local server = serve(function(env)
      gate:wait()
      return 200, {}, env.PATH_INFO == "/large" and large or "small"
    end)
    for _ = 1, 20 do
      for path, size in pairs { ["/"] = 5, ["/large"] = #large } do
        gate = green.Event()
        local conn = server:connect(get(path, "Connection: close\r\n"))
        testing.settle_io()
        conn:write "\r\n"
        testing.settle_io()
        gate:send(true)
        testing.settle_io()
        assert.equal(size, #(answer(conn).body or ""))
        conn:close()
      end
    end
  end)
end)
