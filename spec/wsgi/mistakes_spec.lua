-- What mistakes with green.wsgi say, and whom they blame.

local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local sockets = dofile("spec/support/sockets.lua")
local _, it = testing.busted()

local with, fails = kit.with, sockets.fails
local HERE = debug.getinfo(1, "S").short_src

local function hello()
  return 200, nil, "hello"
end

--- What fn raises; it must blame the line of this file below that of fn.
local function misuse(fn)
  local place = ("%s:%d: "):format(HERE, debug.getinfo(fn, "S").linedefined + 1)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  err = tostring(err)
  assert.equal(place, err:sub(1, #place))
  return err:sub(#place + 1)
end

--- What the error log says of a request that app answers, and the 500 it gives.
local function complaint(app, opts)
  local said
  with(app, opts or {}, function(client, server, log)
    assert.equal(500, (client:get("/")))
    server.log:flush()
    assert.equal(1, server:stats().failed)
    for _, line in ipairs(log) do
      said = said or line:match("^greenlua: GET /: (.*)$")
    end
  end)
  return said
end

--- The same for an app that returns these three; the handler is named.
local function wrong(status, headers, body)
  local function app()
    return status, headers, body
  end
  local text = complaint(app)
  local place = (" (handler at %s:%d)"):format(HERE, debug.getinfo(app, "S").linedefined)
  assert.equal(place, text:sub(-#place))
  assert.equal("wsgi: ", text:sub(1, 6))
  return text:sub(7, -#place - 1)
end

describe("a status that is none", function()
  it("is told, with what is wanted", function()
    local text = 'the status must be 200 to 999 or a line such as "404 Not Found", not %s'
    local texts = {
      ["a boolean"] = true, ["a table"] = { 200 }, ["99"] = 99, ["1000"] = 1000, ["200.5"] = 200.5,
      ["nan"] = 0 / 0, ['"OK"'] = "OK", ['"200.5"'] = "200.5", ['"100 Continue"'] = "100 Continue",
      ['"200 a\\x0d\\x0ab"'] = "200 a\r\nb", ["inf"] = math.huge, ["-200"] = -200,
    }
    assert.equal(text:format("nil"), wrong())
    for shown, status in pairs(texts) do
      local got = wrong(status, nil, "a body")
      assert.equal(text:format(shown), got:gsub("%-nan", "nan"), shown)
    end
  end)

  it("is told of a body that comes in pieces, too", function()
    local closed = 0
    local body = setmetatable({ close = function() closed = closed + 1 end },
      { __call = function() return nil end })
    assert.truthy(wrong(nil, nil, body):find("not nil", 1, true))
    assert.truthy(wrong(200.5, nil, { "a" }):find("not 200.5", 1, true))
    assert.equal(1, closed)
  end)

  it("is cut short where it is long", function()
    assert.is_true(#wrong(("x"):rep(5000)) < 300)
  end)

  it("is told of the handler itself, whatever is around it", function()
    local function python(_, start_response)
      start_response("OK", {})
      return { "text" }
    end
    local place = ("%s:%d"):format(HERE, debug.getinfo(python, "S").linedefined)
    for _, opts in ipairs { {}, { handler_timeout = 5 } } do
      local text = complaint(python, opts)
      assert.truthy(text:find('not "OK" (handler at ' .. place .. ")", 1, true), text)
    end
    local function plain() end
    place = ("%s:%d"):format(HERE, debug.getinfo(plain, "S").linedefined)
    local callable = setmetatable({}, { __call = plain })
    for _, app in ipairs { plain, { run = plain }, callable } do
      for _, opts in ipairs { {}, { wsapi = true } } do
        assert.truthy(complaint(app, opts):find("not nil (handler at " .. place .. ")", 1, true))
      end
    end
  end)

  it("is told by a handler that has spoilt its env, too", function()
    assert.truthy(complaint(function(env)
      env["green.server"] = 5
    end):find("not nil$"))
  end)

  it("is told without a place, where the handler has none", function()
    assert.equal('wsgi: the status must be 200 to 999 or a line such as "404 Not Found", '
      .. 'not "table"', complaint(type))
  end)
end)

describe("a body", function()
  it("that is a folder names the handler", function()
    local function app()
      return 200, nil, io.open("/")
    end
    local place = ("(handler at %s:%d)"):format(HERE, debug.getinfo(app, "S").linedefined)
    assert.equal("wsgi: the file of the body cannot be read: Is a directory " .. place,
      complaint(app))
  end)
end)

describe("env.input", function()
  it("says how to read what io's formats mean", function()
    for _, what in ipairs { "*a", "*l", "a", "*all" } do
      local said = complaint(function(env)
        return 200, nil, (env.input:read(what))
      end)
      assert.equal(('read: n must be a number of bytes, not "%s"; a line is read_line(), '
        .. "the rest read()"):format(what), said:match(": (.*)$"))
    end
    assert.truthy(complaint(function(env)
      return 200, nil, (env.input:read("10"))
    end):find('n must be a number of at least 0, not "10"', 1, true))
  end)
end)

describe("posthooks", function()
  it("that are no list are told as a mistake of the handler's", function()
    local function app(env)
      env.posthooks = 5
      return 200, nil, "text"
    end
    local place = ("(handler at %s:%d)"):format(HERE, debug.getinfo(app, "S").linedefined)
    with(app, {}, function(client, server, log)
      assert.equal(200, (client:get("/")))
      testing.settle_io()
      server.log:flush()
      local text = table.concat(log, "\n")
      assert.truthy(text:find("wsgi: posthooks must be a list of { fn, ... }, not a number "
        .. place, 1, true), text)
    end)
  end)
end)

describe("what a handler raises", function()
  it("names the option whose time is up", function()
    assert.equal("handler_timeout: timed out after 0.01 seconds (ETIMEDOUT)", complaint(function()
      green.sleep(5)
    end, { handler_timeout = 0.01 }))
    assert.equal("timed out after 0.01 seconds (ETIMEDOUT)", complaint(function()
      green.with_timeout(0.01, green.sleep, 5)
    end, { handler_timeout = 10 }))
  end)

  it("is not taken for a mistake in its answer, whatever it says", function()
    assert.equal("wsgi: mine", complaint(function()
      error("wsgi: mine", 0)
    end))
  end)

  it("may be a mistake that it has caught, and joined with other texts", function()
    local said = complaint(function(_, start_response)
      local write = start_response(200)
      local ok, err = pcall(write, {})
      error("caught: " .. err .. ", " .. tostring(ok), 0)
    end)
    assert.equal("caught: wsgi: a piece of the body must be a string, not a table, false", said)
  end)
end)

describe("headers that are none", function()
  local cases = {
    { "headers must be a table, not a string", "Content-Type: x" },
    { "headers must be a table, not a number", 5 },
    { "header 1 is the text \"Content-Type: x\": pairs are wanted, { name, value }, "
      .. "or name = value", { "Content-Type: x" } },
    { "header 1 is a boolean: pairs are wanted, { name, value }, or name = value", { true } },
    { "header 1 has no name: pairs are wanted, { name, value }, or name = value", { {} } },
    { "header 1 has no name: pairs are wanted, { name, value }, or name = value",
      { { name = "X-A", value = "b" } } },
    { "the name of a header must be a string, not a boolean", { [true] = "x" } },
    { "the value of header 'X-A' must be a string or a number, not a boolean",
      { ["X-A"] = false } },
    { "the value of header 'X-A' must be a string or a number, not nil", { { "X-A" } } },
    { "the value of header 'X-A' must be a string or a number, not a function",
      { ["X-A"] = { "good", print } } },
    { "the value of header 'X-A' must be a string or a number, not a table",
      { { "X-A", { "b" } } } },
    { "the value of header 'X-A' is a table that is no list", { ["X-A"] = { b = "c" } } },
    { "the value of header 'X-A' has the control byte 0x0d in it",
      { ["X-A"] = "b\r\nSet-Cookie: c" } },
    { "the value of header 'X-A' has the control byte 0x00 in it", { ["X-A"] = { "b", "c\0" } } },
    { "the value of header 'Connection' has the control byte 0x0a in it", { Connection = "a\nb" } },
    { "the name of a header has a byte that none may have: 'X A'", { ["X A"] = "b" } },
    { "the name of a header has a byte that none may have: 'X\\x0d\\x0aA'", { ["X\r\nA"] = "b" } },
    { "the name of a header is empty", { [""] = "b" } },
    { "header 'Transfer-Encoding' is not the handler's to give: the server frames the body",
      { ["Transfer-Encoding"] = "chunked" } },
    { "header 'keep-alive' is not the handler's to give: the server frames the body",
      { { "keep-alive", "timeout=5" } } },
    { "Content-Length must be digits, not \"five\"", { ["Content-Length"] = "five" } },
    { "Content-Length must be digits, not 5.5", { { "Content-Length", 5.5 } } },
    { "Content-Length must be digits, not \"\"", { ["Content-Length"] = "" } },
    { "Content-Length is given twice",
      { { "Content-Length", 5 }, { "content-length", 5 } } },
    { "Content-Length is given twice", { ["Content-Length"] = { 5, 5 } } },
  }

  it("are told, each with what is wrong", function()
    for _, case in ipairs(cases) do
      assert.equal(case[1], wrong(200, case[2], "hello"))
    end
  end)

  it("may have pairs that raise when they are looked at", function()
    local pair = setmetatable({}, { __index = function() error("lazy") end })
    for _, body in ipairs { "hello", { "hello" } } do
      assert.equal("header 1 has no name: pairs are wanted, { name, value }, or name = value",
        wrong(200, { pair }, body))
    end
  end)

  it("are told of bodies that come in pieces, too", function()
    for _, case in ipairs(cases) do
      assert.equal(case[1], wrong(200, case[2], { "hello" }))
    end
  end)
end)

describe("a body that is none", function()
  it("is told", function()
    local texts = {
      ["element 2 of the body must be a string, not a table"] = { "a", { "b" } },
      ["element 1 of the body must be a string, not a boolean"] = { true },
      ["the body must be a string, a list of strings, a function or a file, not a number"] = 5,
      ["the body must be a string, a list of strings, a function or a file, not a boolean"] = true,
    }
    for text, body in pairs(texts) do
      assert.equal(text, wrong(200, nil, body))
    end
  end)

  it("is told when it is a record: that would be an empty page", function()
    assert.equal("the body is a table with the key 'a', but no list of strings: "
      .. "is it still to be encoded, by cjson for instance?", wrong(200, nil, { a = 1 }))
    assert.equal("the body is a table with a key of type boolean, but no list of strings: "
      .. "is it still to be encoded, by cjson for instance?", wrong(200, nil, { [true] = 1 }))
  end)

  it("may be an empty list, also one with a close", function()
    local closed
    for _, body in ipairs { {}, { close = function() closed = true end } } do
      with(function() return 200, nil, body end, function(client)
        assert.same({ 200, "" }, { (client:get("/")), (select(3, client:get("/"))) })
      end)
    end
    assert.is_true(closed)
  end)

  it("is told of the length that it does not have", function()
    local headers = { ["Content-Length"] = 5 }
    local text = "the body's length differs from its Content-Length"
    assert.equal(text, wrong(200, headers, "abc"))
    assert.equal(text, wrong(200, headers, { "abc" }))
  end)
end)

describe("an error that is no text", function()
  it("is logged with what it holds", function()
    local errors = {
      ["{500, out of tea}"] = { 500, "out of tea" },
      ["{code = 7, message = no tea}"] = { message = "no tea", code = 7 },
      ["{}"] = {},
      ["{1, by = table}"] = { 1, by = {} },
      ["from its tostring"] = setmetatable({ "x" }, {
        __tostring = function() return "from its tostring" end,
      }),
      ["{bad}"] = setmetatable({ "bad" }, { __tostring = function() error("again") end }),
      ["nil"] = "nil",
      ["true"] = true,
    }
    for text, err in pairs(errors) do
      local shown = complaint(function()
        error(err ~= "nil" and err or nil)
      end)
      assert.equal(text, shown:match("^[^\n]*"))
    end
  end)

  it("is logged whatever its fields do", function()
    local bad = newproxy(true)
    getmetatable(bad).__tostring = function() error("no") end
    local none = setmetatable({}, { __tostring = function() return nil end })
    local hidden = setmetatable({ "x" }, { __metatable = "hidden", __tostring = error })
    local errors = {
      ["{500, conn = userdata}"] = { 500, conn = bad },
      ["{userdata, userdata = 1}"] = { bad, [bad] = 1 },
      ["userdata"] = bad,
      ["{}"] = none,
      ["{x}"] = hidden,
      ["{1}"] = setmetatable({ 1 }, { __len = error, __pairs = error }),
    }
    for text, err in pairs(errors) do
      assert.equal(text, complaint(function() error(err) end):match("^[^\n]*"))
    end
  end)

  it("is not logged at any length", function()
    local large = {}
    for i = 1, 1000 do
      large[i] = ("x"):rep(1000)
    end
    local text = complaint(function() error(large) end):match("^[^\n]*")
    assert.is_true(#text < 2000)
    assert.equal("...}", text:sub(-4))
  end)
end)

describe("an application that is none", function()
  local wanted = "%s: app must be a function, a table with run, or the name of a module "
    .. "or a file, not %s"

  it("raises in the caller's line, before anything listens", function()
    local port = select(2, assert(green.listen("127.0.0.1:0")):sockname())
    for name, app in pairs { ["nil"] = nil, ["true"] = true, ["a table"] = {} } do
      assert.equal(wanted:format("wsgi.serve", name), misuse(function()
        local ok = wsgi.serve("127.0.0.1:" .. port, app)
        return ok
      end))
    end
    assert.equal(wanted:format("wsgi.new", "nil"), misuse(function()
      local server = wsgi.new("no.such.address")
      return server
    end))
    collectgarbage()
  end)

  it("may be a port: the address is one text", function()
    local text = '%s: the address is one string, "127.0.0.1:8080", and then comes the application'
    assert.equal(text:format("wsgi.serve"), misuse(function()
      local ok = wsgi.serve("127.0.0.1", 8080, hello)
      return ok
    end))
    assert.equal(text:format("wsgi.new"), misuse(function()
      local server = wsgi.new("127.0.0.1", "8080", hello)
      return server
    end))
  end)

  it("may be a file that is not there", function()
    assert.truthy(misuse(function()
      local ok = wsgi.serve("127.0.0.1:0", "./app_no.lua")
      return ok
    end):find("^wsgi%.serve: app \"%./app_no%.lua\" cannot be loaded: cannot open %./app_no%.lua"))
  end)

  it("may be a module that is not there", function()
    local text = misuse(function()
      local ok = wsgi.serve("127.0.0.1:0", "no.such.app")
      return ok
    end)
    assert.equal("wsgi.serve: app \"no.such.app\" cannot be loaded: "
      .. "module 'no.such.app' not found:", text:match("^[^\n]*"))
    assert.truthy(text:find("no file './no/such/app.lua'", 1, true))
  end)

  it("is none where a module that it requires is", function()
    package.preload["spec.app"] = function()
      return require "spec.part"
    end
    local searchers = package.loaders
    table.insert(searchers, 2, function(name)
      if name == "spec.part" then
        error("error loading module 'spec.part' from file", 0)
      end
    end)
    local ok, err = pcall(wsgi.serve, "127.0.0.1:0", "spec.app")
    table.remove(searchers, 2)
    package.preload["spec.app"] = nil
    assert.is_false(ok)
    assert.equal("error loading module 'spec.part' from file", err)
  end)

  it("may be a file with a mistake in it", function()
    local path = program.file("return function( end")
    assert.truthy(misuse(function()
      local ok = wsgi.serve("127.0.0.1:0", path)
      return ok
    end):find("wsgi.serve: app \"" .. path .. "\" cannot be loaded: " .. path .. ":1: ", 1, true))
    os.remove(path)
    path = program.file("\nlocal x = nil + 1")
    local ok, err = pcall(wsgi.serve, "127.0.0.1:0", path)
    assert.is_false(ok)
    assert.truthy(err:find("^" .. path .. ":2: attempt to"), err) -- its own line
    os.remove(path)
  end)

  it("may be what a file returns", function()
    local path = program.file("return 5")
    assert.equal(wanted:format("wsgi.serve", "5 (from " .. path .. ")"), misuse(function()
      local ok = wsgi.serve("127.0.0.1:0", path)
      return ok
    end))
    os.remove(path)
  end)
end)

describe("a listener that is none", function()
  it("says what a failed listen is for", function()
    assert.equal("wsgi.server: no listener but nil: use assert(green.listen(...))",
      misuse(function()
        local ok = wsgi.server(nil, hello)
        return ok
      end))
    assert.equal("wsgi.new: no listener and no address but nil: use assert(green.listen(...))",
      misuse(function()
        local ok = wsgi.new(nil, hello)
        return ok
      end))
    assert.equal("wsgi.serve: address must be what green.listen gave, or an address, not nil",
      misuse(function()
        local ok = wsgi.serve(nil, hello)
        return ok
      end))
  end)
end)

describe("a log that cannot be opened", function()
  it("is told when the server is made: nil, err", function()
    local path = os.tmpname()
    local good = path .. ".good"
    for _, name in ipairs { "log", "access_log", "error_log" } do
      local opts = { [name] = "/nosuch/a.log" }
      local err = fails("ENOENT", wsgi.new("127.0.0.1:0", hello, opts))
      assert.equal("open log /nosuch/a.log: no such file or directory (ENOENT)", tostring(err))
      fails("ENOENT", wsgi.serve("127.0.0.1:0", hello, opts))
    end
    fails("EISDIR", wsgi.new("127.0.0.1:0", hello, { log = "/tmp" }))
    fails("ENOENT", wsgi.new("127.0.0.1:0", hello,
      { access_log = good, error_log = "/nosuch/a.log" }))
    os.remove(good)
    os.remove(path)
  end)

  it("leaves the caller's listener alone, and closes its own", function()
    local listener = assert(green.listen("127.0.0.1:0"))
    local opts = { log = "/nosuch/a.log" }
    fails("ENOENT", wsgi.server(listener, hello, opts))
    assert.truthy(listener:fileno())
    local _, port = listener:sockname()
    listener:close()
    fails("ENOENT", wsgi.new("127.0.0.1:" .. port, hello, opts))
    assert(green.listen("127.0.0.1:" .. port)):close()
  end)
end)

describe("an example", function()
  local ports = { "chat", "conformance", "echo", "forwarder", "hello", "prefork", "rate_limit",
    "streaming", "takeover", "threads", "upload", "wsapi" }

  it("says so when its argument is no port", function()
    for _, name in ipairs(ports) do
      local run = program.run { "timeout", "25", program.greenlua, "examples/" .. name .. ".lua",
        "abc" }
      assert.same({ 1, "" }, { run.status, run.out }, name)
      assert.equal("greenlua: listen 127.0.0.1:abc: service name not known (EAI_SERVICE)",
        run.err:match("^[^\n]*"))
    end
  end)
end)
