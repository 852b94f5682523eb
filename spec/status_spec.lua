-- green.status: who may see the page, what it tells, and what it does not.

local cjson = require "cjson"
local green = require "green"
local http = require "green.http"
local metrics = require "green.metrics"
local page = require "green.status.page"
local program = require "spec.support.program"
local status = require "green.status"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

local HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\226\128\168\255\0\27"

local function env_of(more)
  local env = { REQUEST_METHOD = "GET", PATH_INFO = "/status", QUERY_STRING = "",
    REMOTE_ADDR = "127.0.0.1", HTTP_HOST = "127.0.0.1:8080" }
  for key, value in pairs(more or {}) do
    env[key] = value or nil
  end
  return env
end

local function ask(handler, more)
  return handler(env_of(more))
end

local function data(handler, more)
  more = more or {}
  more.QUERY_STRING = "format=json"
  local code, _, body = ask(handler, more)
  assert.equal(200, code)
  return cjson.decode(body), body
end

--- How many turns another thread has while fn() runs, and what that gives.
local function turns_beside(fn)
  local turns, is_done = 0, false
  local other = green.spawn(function()
    while not is_done do
      turns = turns + 1
      green.sleep(0)
    end
  end)
  green.sleep(0)
  local got = { fn() }
  is_done = true
  other:wait()
  return turns, unpack(got)
end

--- The text of a body that comes in pieces, none of which takes long.
local function pieces(headers, body)
  assert.is_function(body)
  local list = {}
  for piece in body do
    assert.is_true(#piece < 64 * 1024, #piece)
    list[#list + 1] = piece
  end
  local text = table.concat(list)
  assert.is_true(#list > 1)
  assert.equal(tostring(#text), headers["Content-Length"])
  return text
end

--- Run body(server, get) beside a server of that handler; get(path, lines) gives an answer.
local function beside(app, body)
  local server = assert(wsgi.new("127.0.0.1:0", app, { error_log = false, stop_grace = 0 }))
  server:start()
  local session = http.session()
  local ok, err = pcall(body, server, function(path, method)
    return assert(session:request(method or "GET", server.url .. path))
  end)
  session:close()
  server:stop()
  assert(ok, err)
end

describe("green.status", function()
  it("has a page, JSON and metrics", function()
    local handler = status.handler()
    for want, more in pairs {
      ["text/html; charset=utf-8"] = {},
      ["application/json"] = { QUERY_STRING = "a=1&format=json" },
      ["text/plain; version=0.0.4; charset=utf-8"] = { PATH_INFO = "/x/metrics" },
      ["application/openmetrics-text; version=1.0.0; charset=utf-8"] = {
        PATH_INFO = "/metrics", HTTP_ACCEPT = "application/openmetrics-text;q=1,text/plain;q=0.5" },
    } do
      local code, headers, body = ask(handler, more)
      assert.equal(200, code)
      assert.equal(want, headers["Content-Type"])
      assert.equal("no-store", headers["Cache-Control"])
      assert.equal("nosniff", headers["X-Content-Type-Options"])
      assert.is_true(#body > 500)
    end
    local _, headers = ask(handler, { HTTP_ACCEPT = "application/json" })
    assert.equal("application/json", headers["Content-Type"])
    _, headers = ask(handler, { HTTP_ACCEPT = "text/html,application/json;q=0.9" })
    assert.matches("^text/html", headers["Content-Type"])
    _, headers = ask(handler, { QUERY_STRING = "format=prometheus", HTTP_ACCEPT = "*/*" })
    assert.matches("^text/plain; version", headers["Content-Type"])
    assert.equal(400, (ask(handler, { QUERY_STRING = "format=xml" })))
  end)

  it("answers GET and HEAD alone", function()
    local handler = status.handler()
    for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get" } do
      local code, headers = ask(handler, { REQUEST_METHOD = method })
      assert.equal(405, code)
      assert.equal("GET, HEAD", headers.Allow)
    end
    assert.equal(200, (ask(handler, { REQUEST_METHOD = "HEAD" })))
  end)

  it("lets loopback peers in alone", function()
    local handler = status.handler()
    for _, more in ipairs { {}, { REMOTE_ADDR = "127.255.0.3" }, { REMOTE_ADDR = "::1" },
      { REMOTE_ADDR = "::ffff:127.0.0.1" }, { HTTP_HOST = "localhost" },
      { HTTP_HOST = "LOCALHOST:1" }, { HTTP_HOST = "[::1]:80" }, { HTTP_HOST = "a.localhost" },
      { HTTP_HOST = false }, { REMOTE_ADDR = "unix", HTTP_HOST = "any.example" } } do
      assert.equal(200, (ask(handler, more)), cjson.encode(more))
    end
    for _, more in ipairs { { REMOTE_ADDR = "10.0.0.1" }, { REMOTE_ADDR = "::2" },
      { REMOTE_ADDR = "127.0.0.1.evil" }, { REMOTE_ADDR = "1127.0.0.1" }, { REMOTE_ADDR = "" },
      { REMOTE_ADDR = false }, { REMOTE_ADDR = "::ffff:10.0.0.1" },
      -- Through a proxy on this host.
      { HTTP_X_FORWARDED_FOR = "10.0.0.1" }, { HTTP_FORWARDED = "for=10.0.0.1" },
      { HTTP_VIA = "1.1 x" }, { HTTP_X_REAL_IP = "10.0.0.1" },
      { HTTP_X_FORWARDED_HOST = "a.example" }, { HTTP_X_FORWARDED_FOR = "" },
      { HTTP_X_FORWARDED_PROTO = "https" }, { HTTP_CF_CONNECTING_IP = "10.0.0.1" },
      { SERVER_PROTOCOL = "HTTP/1.0" }, { SERVER_PROTOCOL = "HTTP/1.0", REMOTE_ADDR = "unix" },
      { HTTP_X_FORWARDED_HOST = "a.example" },
      -- A page whose name leads to 127.0.0.1.
      { HTTP_HOST = "rebound.example" }, { HTTP_HOST = "rebound.example:8080" },
      { HTTP_HOST = "127.0.0.1.evil.example" }, { HTTP_HOST = "localhost.evil.example" },
      { HTTP_HOST = "xlocalhost" }, { HTTP_HOST = "" } } do
      local code, _, body = ask(handler, more)
      assert.equal(403, code, cjson.encode(more))
      assert.equal("this page is not for you\n", body)
    end
    -- Not even that there is a page behind it.
    assert.equal(403, (ask(handler, { REMOTE_ADDR = "10.0.0.1", REQUEST_METHOD = "POST" })))
  end)

  it("asks a guard instead", function()
    local asked
    local handler = status.handler { guard = function(env)
      asked = env
      return env.HTTP_AUTHORIZATION == "Bearer x"
    end }
    assert.equal(403, (ask(handler)))
    assert.equal("127.0.0.1", asked.REMOTE_ADDR)
    assert.equal(200, (ask(handler, { HTTP_AUTHORIZATION = "Bearer x", REMOTE_ADDR = "10.0.0.1" })))
    local broken = status.handler { guard = function() error("broken", 0) end }
    assert.is_false((pcall(ask, broken)))
  end)

  it("tells of threads, loop, memory and servers", function()
    local handler = status.handler()
    local held = green.Event()
    local sleeper = green.spawn(held.wait, held)
    beside(function(env)
      if env.PATH_INFO == "/status" then return handler(env) end
      return 200, {}, "hello"
    end, function(server, get)
      for _ = 1, 5 do
        assert.equal("hello", get("/"):read())
      end
      get("/missing")
      local d = cjson.decode((get("/status?format=json"):read()))
      assert.equal(require("green.core").getpid(), d.process.pid)
      assert.is_true(d.threads.alive >= 3)
      assert.equal(d.threads.alive, d.threads.spawned - d.threads.ended)
      assert.equal(d.threads.alive, d.threads.running + d.threads.ready + d.threads.io
        + d.threads.waiting)
      assert.is_true(d.loop.turns > 0 and d.loop.latency.count > 0)
      assert.is_true(d.memory.lua > 1e5 and d.process.resident > 1e6)
      local mine
      for _, one in ipairs(d.servers) do
        mine = one.url == server.url and one or mine
      end
      assert.equal(7, mine.requests)
      assert.equal(1, mine.busy)
      assert.equal(6, mine.latency.count)
      assert.same({ 0, 6, 0, 0, 0 }, mine.answers)
      assert.is_true(mine.latency.p50 > 0 and mine.latency.p50 <= mine.latency.most)
      assert.equal("/status", mine.list[1].path)
    end)
    held:send()
    sleeper:wait()
  end)

  it("answers HEAD without a body, and the page as one file", function()
    local handler = status.handler { title = "mine" }
    beside(handler, function(_, get)
      local head, whole = get("/status", "HEAD"), get("/status")
      local text = whole:read()
      assert.equal("", head:read() or "")
      assert.equal(tostring(#text), whole.headers["content-length"])
      assert.equal(head.headers["content-length"], whole.headers["content-length"])
      assert.matches("<title>mine</title>", text)
      assert.is_nil(text:match "src=")
      assert.is_nil(text:match "http://[^w]")
      assert.is_nil(text:match " style=")
      assert.is_nil(text:match " on%l+=")
      assert.is_nil(text:match "innerHTML")
    end)
  end)

  it("hides peers, queries, headers and tracebacks unless it is asked for them", function()
    local shy = status.handler()
    local open = status.handler { peers = true, queries = true, headers = true,
      tracebacks = true }
    local told, go_on = {}, green.Event()
    beside(function(env)
      if env.PATH_INFO ~= "/slow" then
        return (env.PATH_INFO == "/open" and open or shy)(env)
      end
      go_on:wait()
      return 200, {}, "done"
    end, function(server, get)
      local conn = assert(green.connect(server:address()))
      conn:write("GET /slow?token=geheim HTTP/1.1\r\nHost: localhost\r\nX-Colour: verborgen\r\n"
        .. "Authorization: Bearer nie\r\nCookie: a=niemals\r\nX-Api-Key: nimmer\r\n"
        .. "Connection: close\r\n\r\n")
      repeat -- until it is in hand
        told.shy = get("/?format=json"):read()
      until told.shy:find("/slow", 1, true)
      told.open = get("/open?format=json"):read()
      go_on:send()
      conn:read_all()
      conn:close()
    end)
    for _, secret in ipairs { "geheim", "verborgen", "nie", "127.0.0.1\"", "\"traceback\"" } do
      assert.is_nil(told.shy:find(secret, 1, true), secret)
    end
    for _, asked in ipairs { "token=geheim", "verborgen", "\"traceback\":\"", '"peer":"127.0.0.1"',
      '"value":"(hidden)"' } do
      assert.is_truthy(told.open:find(asked, 1, true), asked .. told.open)
    end
    assert.is_nil(told.open:find("Bearer", 1, true))
    assert.is_nil(told.open:find("niemals", 1, true))
    assert.is_nil(told.open:find("nimmer", 1, true))
  end)

  it("escapes names, in JSON and in the page", function()
    local handler = status.handler { title = HOSTILE }
    local _, _, html = ask(handler)
    assert.is_nil(html:find("</script><img", 1, true))
    assert.is_truthy(html:find("<title>&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;"
      .. "&amp;", 1, true))
    local d, body = data(handler)
    assert.is_nil(body:find("[<>&]"))
    assert.is_nil(body:find("\226\128\168", 1, true))
    assert.equal((HOSTILE:gsub("\255", "\239\191\189")), d.title)
  end)

  it("lists as many threads as it may", function()
    local held, all = green.Event(), {}
    for i = 1, 40 do
      all[i] = green.spawn(held.wait, held)
    end
    green.sleep(0)
    local d = data(status.handler { threads = 25 })
    assert.equal(25, #d.threads.list)
    assert.is_true(d.threads.more)
    assert.is_true(d.threads.alive > 40)
    d = data(status.handler { threads = 1000 })
    assert.is_false(d.threads.more)
    assert.equal(d.threads.alive, #d.threads.list)
    d = data(status.handler { threads = 0 })
    assert.equal(0, #d.threads.list)
    held:send()
    for _, t in ipairs(all) do t:wait() end
  end)

  it("says much in steps and in pieces", function()
    local held, all = green.Event(), {}
    for i = 1, 1000 do
      all[i] = green.spawn(function() held:wait() end)
    end
    green.sleep(0)
    local handler = status.handler { threads = 1000, tracebacks = true }
    local turns, _, headers, body = turns_beside(function()
      return ask(handler, { QUERY_STRING = "format=json" })
    end)
    assert.is_true(turns >= 20, turns) -- 1,000 are looked at, and 1,000 are written
    local d = cjson.decode(pieces(headers, body))
    assert.equal(1000, #d.threads.list)
    held:send()
    for _, t in ipairs(all) do t:wait() end
  end)

  it("says many metrics in steps and in pieces", function()
    local r = metrics.registry()
    local sizes = r:histogram("sizes", "Sizes.", { labels = { "n" } })
    for i = 1, 500 do sizes:labels(i):observe(i) end
    local turns, _, headers, body = turns_beside(function()
      return ask(status.handler { registry = r }, { PATH_INFO = "/metrics" })
    end)
    assert.is_true(turns >= 2, turns)
    local text = pieces(headers, body)
    assert.equal((r:text()), text)
    assert.matches('\nsizes_count{n="500"} 1\n', text)
  end)

  it("sends what comes in pieces as one answer", function()
    local r = metrics.registry()
    local many = r:gauge("many", "Many.", { labels = { "n" }, max_series = 9000 })
    for i = 1, 9000 do many:labels(i):set(i) end
    beside(status.handler { registry = r }, function(_, get)
      local answer, head = get("/metrics"), get("/metrics", "HEAD")
      local text = answer:read()
      assert.equal((r:text()), text)
      assert.equal(tostring(#text), answer.headers["content-length"])
      assert.equal(tostring(#text), head.headers["content-length"])
      assert.equal("", head:read() or "")
    end)
  end)

  it("has what green.debug tells, without peers unless it is asked for them", function()
    local run = program.run_greenlua { "-e", [[
      package.loaded["green.debug"] = {
        blocking_stats = function()
          return { is_on = true, resolution = 0.1, count = 3, total = 2, longest = 1.5,
            histogram = {} }
        end,
        each_thread = function(opts)
          local n = 0
          return function()
            n = n + 1
            return n < 9 and { id = n, state = "parked", spawned_at = "a.lua:1",
              traceback = opts.traceback and "trace" or nil,
              wait = { kind = "read", fd = 7, on = "tcp 10.0.0.1:80", waited = 3.5, at = "a.lua:2",
                what = "read_line of green.socket{10.0.0.1:80}" } } or nil
          end
        end,
      }
      local status = require "green.status"
      for _, opts in ipairs { { threads = 2 }, { peers = true, tracebacks = true } } do
        local _, _, body = status.handler(opts) { REQUEST_METHOD = "GET", PATH_INFO = "/",
          REMOTE_ADDR = "::1", QUERY_STRING = "format=json" }
        io.write(body)
      end]] }
    assert.same({ 0, "" }, { run.status, run.err })
    local shy, open = run.out:match "^(.-\n)(.*)$"
    assert.is_nil(shy:find("10.0.0.1", 1, true))
    assert.is_nil(shy:find("trace\"", 1, true))
    local d = cjson.decode(shy)
    assert.same({ { name = "#1", state = "parked", site = "a.lua:1", at = "a.lua:2", waited = 3.5,
      waits = "read on a descriptor" } }, { d.threads.list[1] })
    assert.same({ 2, true }, { #d.threads.list, d.threads.more })
    assert.same({ resolution = 0.1, count = 3, total = 2, longest = 1.5 }, d.stalls)
    d = cjson.decode(open)
    assert.equal("read on tcp 10.0.0.1:80", d.threads.list[8].waits)
    assert.equal("trace", d.threads.list[8].traceback)
    assert.is_false(d.threads.more)
  end)

  it("changes nothing when it is looked at", function()
    local handler = status.handler()
    data(handler) -- what is loaded the first time
    local before = green.stats()
    for _ = 1, 20 do
      ask(handler)
      ask(handler, { PATH_INFO = "/metrics" })
      data(handler)
    end
    local after = green.stats()
    for _, name in ipairs { "threads", "timers", "fds", "waits", "made" } do
      assert.equal(before[name], after[name], name)
    end
  end)

  it("has the metrics of the registry that it is given", function()
    local r = metrics.registry()
    r:counter("only_this_total", "This."):inc()
    local _, _, body = ask(status.handler { registry = r }, { PATH_INFO = "/metrics" })
    assert.matches("\nonly_this_total 1\n", body)
    assert.is_nil(body:find("process_", 1, true))
  end)

  it("says what is wrong with options", function()
    for text, opts in pairs {
      ["handler: unknown option 'peer'; did you mean 'peers'?"] = { peer = true },
      ["handler: peers must be true or false"] = { peers = 1 },
      ["handler: guard must be a function"] = { guard = "loopback" },
      ["handler: threads must be a whole number from 0 to 1000"] = { threads = 1001 },
      ["handler: title must be a string"] = { title = 1 },
      ["handler: registry must be what metrics.registry gave"] = { registry = {} },
      ["handler: options must be a table"] = 1,
    } do
      local ok, err = pcall(status.handler, opts)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
    end
  end)

  it("measures servers that are made before it, and after it", function()
    local core = require "green.core"
    local function measured(opts)
      local server = assert(wsgi.new("127.0.0.1:0", function() end, opts))
      local is_on = core.httpd_measured(server.httpd_pointer) ~= nil
      server:stop()
      return is_on
    end
    status.handler()
    assert.is_true(measured {})
    assert.is_true(measured { measure = true })
  end)
end)

describe("green.status.page", function()
  it("allows its own style and script alone", function()
    local digest = require "green.digest"
    local text, policy = page.of "x", page.headers["Content-Security-Policy"]
    for _, name in ipairs { "style", "script" } do
      local inline = text:match("<" .. name .. ">(.-)</" .. name .. ">")
      local hash = name .. "-src 'sha256-" .. digest.base64(digest.sha256(inline)) .. "'"
      assert.is_truthy(policy:find(hash, 1, true), hash)
    end
    assert.is_nil(policy:find("unsafe", 1, true))
  end)
end)
