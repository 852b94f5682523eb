local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

local with = kit.with

local function app(env)
  if env.PATH_INFO == "/fail" then error("it failed") end
  return 200, nil, "hello"
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

--- The lines about requests.
local function requests(log)
  testing.settle()
  local found = {}
  for _, line in ipairs(log) do
    if line:find("HTTP/1", 1, true) then found[#found + 1] = line end
  end
  return found
end

describe("the access log", function()
  it("has a line a request, as CLF has it, with the seconds it took", function()
    with(app, function(client, _, log)
      client:get("/a?b=c")
      local line = requests(log)[1]
      assert.truthy(line:find('^127%.0%.0%.1 %- %- %[%d%d/%u%l%l/%d%d%d%d:%d%d:%d%d:%d%d '
        .. '[+-]%d%d%d%d%] "GET /a%?b=c HTTP/1%.1" 200 5 %d+%.%d%d%d%d%d%d$'), line)
    end)
  end)

  it("has the fields of its format", function()
    local format = "%(client_ip)s|%(method)s|%(path)s|%(query)s|%(protocol)s|%(status_code)d|"
      .. "%(body_length)s|%(user_agent)s|%(HTTP_X_ID)s|%(referer)s|%(host)s|100%%|"
      .. "%(request_line)s|%(wall_seconds).2f"
    with(app, { log_format = format }, function(client, server, log)
      client:get("/p?q", { "User-Agent: a \"b\" \195\164", "X-Id: 7" })
      assert.equal('127.0.0.1|GET|/p|q|HTTP/1.1|200|5|a \\x22b\\x22 \\xc3\\xa4|7|-|x|100%|'
        .. 'GET /p?q HTTP/1.1|0.00', requests(log)[1])
      assert.equal(2, server:stats().log_lines)
    end)
  end)

  it("refuses a format that it does not understand, naming the nearest field", function()
    local ok, err = pcall(wsgi.new, "127.0.0.1:0", app, { log = {}, log_format = "%(client_op)s" })
    assert.is_false(ok)
    assert.truthy(err:find("did you mean 'client_ip'", 1, true), err)
    assert.has_error(function()
      wsgi.new("127.0.0.1:0", app, { log = {}, log_format = "100%" })
    end)
  end)

  it("is JSON on request, whatever a client sends", function()
    with(app, { log_format = "json" }, function(client, _, log)
      client:get("/p", { 'User-Agent: "\\\255' })
      client:raw("GARBAGE\"\1\r\n\r\n")
      testing.settle()
      assert.truthy(log[2]:find('^{"time":"%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ",'
        .. '"client_ip":"127.0.0.1","client_port":%d+,"method":"GET","path":"/p","query":null,'
        .. '"protocol":"HTTP/1.1","request_line":"GET /p HTTP/1.1","status":200,'
        .. '"body_length":5,"wall_seconds":0%.%d+,"host":"x","user_agent":"\\"\\\\\\u00ff",'
        .. '"referer":null,"reason":null}$'), log[2])
      assert.truthy(log[3]:find('"method":null', 1, true))
      assert.truthy(log[3]:find('"request_line":"GARBAGE\\"\\u0001"', 1, true), log[3])
      assert.truthy(log[3]:find('"status":400', 1, true))
    end)
  end)

  it("puts who the client says it is in front of the client, unless told not to", function()
    local lines = { "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2" }
    with(app, function(client, _, log)
      client:get("/", lines)
      assert.truthy(requests(log)[1]:find("^192.0.2.1,192.0.2.2,127.0.0.1 "))
    end)
    with(app, { log_x_forwarded_for = false }, function(client, _, log)
      client:get("/", lines)
      assert.truthy(requests(log)[1]:find("^127.0.0.1 "))
    end)
  end)

  it("has refused requests, and those whose head came too slowly", function()
    with(app, { header_timeout = 0.02 }, function(client, _, log)
      client:raw("GET / HTTP/1.1\r\n\r\n")
      client:raw("GET /slow HT")
      assert.truthy(requests(log)[1]:find('"GET / HTTP/1.1" 400 ', 1, true))
      assert.truthy(table.concat(log, "\n"):find('"GET /slow HT" 408 ', 1, true))
    end)
  end)

  it("has the request of a handler that outlived a stop", function()
    local function stubborn()
      while true do pcall(green.sleep, 60) end
    end
    local lines, on_error = nil, green.on_error(function() end) -- told of the stubborn one
    with(stubborn, function(client, server, log)
      local conn = client:connect("GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n")
      testing.settle_io()
      assert.is_true(server:stop({ grace = 0.01, force_after = 0.02 }))
      conn:close()
      lines = table.concat(requests(log), "\n")
    end)
    green.on_error(on_error)
    assert.truthy(lines:find('"GET /stubborn HTTP/1.1" - 0 ', 1, true), lines)
  end)

  it("cannot be given a line by a client", function()
    with(app, function(client, _, log)
      client:get("/", { "X-Forwarded-For: 1\t2 \"3" })
      assert.truthy(requests(log)[1]:find('^1\\x092 \\x223,127'))
    end)
  end)
end)

describe("logs", function()
  it("may be a list, a function, an object with write, a logger, or a path", function()
    local path = os.tmpname()
    local list, lines, text, levels = {}, {}, {}, {}
    local function note(level)
      return function(_, line) levels[level] = (levels[level] or "") .. line .. "\n" end
    end
    local forms = {
      { list, function() return table.concat(list, "\n") end },
      { function(line) lines[#lines + 1] = line end, function()
        return table.concat(lines, "\n")
      end },
      { { write = function(_, piece) text[#text + 1] = piece end }, function()
        return table.concat(text)
      end },
      { { info = note("info"), debug = note("debug"), error = note("error") }, function()
        assert.truthy(levels.error:find("it failed", 1, true))
        return levels.info .. levels.error
      end },
      { path, function() return read(path) end },
    }
    for i, form in ipairs(forms) do
      with(app, { log = form[1] }, function(client, server)
        client:get("/fail")
        testing.settle()
        server:stop()
        local got = form[2]()
        assert.truthy(got:find('"GET /fail HTTP/1.1" 500', 1, true), i)
        assert.truthy(got:find("it failed", 1, true), i)
        assert.truthy(got:find("serving on http://127.0.0.1:", 1, true), i)
      end)
    end
    os.remove(path)
  end)

  it("are two, when two are given", function()
    local access, errs = {}, {}
    with(app, { log = false, access_log = access, error_log = errs }, function(client)
      client:get("/fail")
      assert.equal(1, #requests(access))
      assert.equal(1, #access)
      assert.truthy(table.concat(errs, "\n"):find("it failed", 1, true))
      assert.is_nil(table.concat(errs, "\n"):find('" 500 ', 1, true))
    end)
  end)

  it("are silent with log_output off", function()
    with(app, { log_output = false }, function(client, server, log)
      client:get("/fail")
      testing.settle()
      assert.same({}, log)
      assert.equal(0, server:stats().log_lines)
    end)
  end)

  it("that cannot be written lose lines, count them, and stop nothing", function()
    local bad = { write = function() error("disk full") end }
    local refusing = { write = function() return nil, "disk full" end }
    for _, target in ipairs { bad, refusing, "/dev/full" } do
      with(app, { log = target }, function(client, server)
        for _ = 1, 3 do
          assert.equal(200, (client:get("/")))
        end
        server:stop()
        assert.equal(5, server:stats().log_dropped)
      end)
    end
  end)

  it("that take no more are not waited for", function()
    local gate = green.Event()
    local slow = { write = function() gate:wait() return true end }
    with(app, { log = slow }, function(client, server)
      for _ = 1, 3 do
        assert.equal(200, (client:get("/")))
      end
      gate:send(true)
      server:stop()
      assert.equal(0, server:stats().log_dropped)
    end)
  end)

  it("of files are opened anew on request", function()
    local path = os.tmpname()
    with(app, { log = false, access_log = path }, function(client, server)
      client:get("/1")
      server.log:flush()
      os.rename(path, path .. ".old")
      server:reopen_logs()
      client:get("/2")
      server:stop()
    end)
    assert.truthy(read(path .. ".old"):find("GET /1", 1, true))
    assert.truthy(read(path):find("GET /2", 1, true))
    os.remove(path)
    os.remove(path .. ".old")
  end)

  it("are the only place for what a server says [S36]", function()
    local script = program.file([[
      local green, wsgi = require "green", require "green.wsgi"
      local log = {}
      local server = wsgi.new("127.0.0.1:0", function(env)
        if env.PATH_INFO == "/late" then
          return 200, {}, function() error("late") end
        end
        error("in the handler")
      end, { log = log, debug = true })
      server:start()
      for _, text in ipairs { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "nonsense\r\n\r\n",
          "GET /late HTTP/1.1\r\nHost: x\r\n\r\n" } do
        local conn = green.connect("127.0.0.1", server.port)
        conn:write(text)
        conn:read_all()
        conn:close()
      end
      server:stop()
      os.exit(#log > 6 and 0 or 3)
    ]])
    local run = program.run_greenlua { script }
    os.remove(script)
    assert.same({ "", "", 0 }, { run.out, run.err, run.status })
  end)
end)
