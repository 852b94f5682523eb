-- Mistakes that were told to nobody, or with the wrong place: a server that could not
-- begin and whose result is dropped; an answer that middlewares have passed on.

local socket = require "green.socket"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local _, it = testing.busted()

--- What a program of these lines says on stderr; its status.
local function run(lines)
  local file = program.file(([[
    local green, wsgi = require "green", require "green.wsgi"
    local listener = assert(green.listen("127.0.0.1:0"))
    local used = "127.0.0.1:" .. select(2, listener:sockname())
    local function app() return 200 end
%s
  ]]):format(lines))
  local p = program.run_greenlua { file }
  os.remove(file)
  return (p.err:gsub("127.0.0.1:%d+", "USED"):gsub("[^ ]*/([^ /]*:%d+:)", "FILE:")), p.status
end

describe("a server that cannot begin", function()
  local told = "greenlua: FILE: listen USED: address already in use (EADDRINUSE); nobody has "
    .. "looked at that: put assert(...) around the call\n"

  it("is told at the end of a program that has dropped that", function()
    assert.same({ told, 0 }, { run "wsgi.serve(used, app)" })
    assert.same({ told, 0 },
      { run "green.spawn(wsgi.serve, used, app):wait()" }, "in a thread")
    local err = run [[wsgi.server(listener, app, { access_log = "/no/such/folder/log" })]]
    assert.truthy(err:find("open log /no/such/folder/log", 1, true), err)
    err = run [[green.serve(require("green.socket").tcp(), app)]]
    assert.truthy(err:find("accept: invalid argument (EINVAL); nobody has looked", 1, true), err)
    err = run [[green.serve(listener, app, { tls = { cert = "/no/such/file" } })]]
    assert.truthy(err:find("/no/such/file: no such file or directory (ENOENT); nobody has looked",
      1, true), err)
  end)

  it("names the line that has dropped it", function()
    local file = program.file([[
      local green, wsgi = require "green", require "green.wsgi"
      local listener = assert(green.listen("127.0.0.1:0"))
      local function serve(where)
        wsgi.serve(where, function() end) -- line 4
      end
      serve("127.0.0.1:" .. select(2, listener:sockname()))
    ]])
    local p = program.run_greenlua { file }
    os.remove(file)
    assert.truthy(p.err:find(file .. ":4: ", 1, true), p.err)
  end)

  it("is told by nobody else where the program has looked", function()
    for _, look in ipairs {
      "local ok, err = wsgi.serve(used, app) print(err)",
      "local ok, err = wsgi.serve(used, app) assert(err:is('EADDRINUSE'))",
      "local ok, err = wsgi.serve(used, app) assert(err.code == 'EADDRINUSE')",
      "local ok, err = wsgi.serve(used, app) assert(err.number and err.message and err.op)",
      "print(wsgi.serve(used, app))",
    } do
      assert.same({ "", 0 }, { run(look) }, look)
    end
    local err, status = run "assert(wsgi.serve(used, app))"
    assert.equal(1, status)
    assert.is_nil(err:find("nobody", 1, true))
  end)

  it("gives an error like any other", function()
    local listener = socket.tcp()
    local err = select(2, require("green.wsgi").server(listener, function() end,
      { access_log = "/no/such/folder/log" }))
    listener:close()
    assert.is_true(require("green").is_error(err, "ENOENT"))
    assert.equal("open log /no/such/folder/log: no such file or directory (ENOENT)", tostring(err))
    assert.same({ "ENOENT", true, "open log /no/such/folder/log" },
      { err.code, err:is "ENOENT", err.op })
  end)
end)

describe("a mistake in an answer", function()
  local HERE = debug.getinfo(1, "S").short_src

  --- What the error log says, and where fn is.
  local function complaint(app, opts, path)
    local said
    jit.flush() -- as it is when a program begins: nothing is compiled
    kit.with(app, opts or {}, function(client, server, log)
      client:get(path or "/")
      server.log:flush()
      for _, line in ipairs(log) do
        said = said or line:match("^greenlua: GET .-: (wsgi: .*)$")
      end
    end)
    return said
  end

  local function place(fn)
    return (" (handler at %s:%d)"):format(HERE, debug.getinfo(fn, "S").linedefined)
  end

  local function names(fn, app, opts)
    local said = complaint(app, opts)
    assert.equal(place(fn), said:match(" %(handler.*$"), said)
  end

  local function log() end

  -- Each makes a middleware around a handler.
  local middlewares = {
    ["a tail call"] = function(app) return function(env) return app(env) end end,
    ["locals"] = function(app)
      return function(env)
        log(env)
        local status, headers, body = app(env)
        log(status, headers, body)
        return status, headers, body
      end
    end,
    ["pcall"] = function(app)
      return function(env)
        local ok, status, headers, body = pcall(app, env)
        if not ok then return 500 end
        return status, headers, body
      end
    end,
    ["a callable"] = function(app)
      return setmetatable({}, { __call = function(_, env)
        local a, b, c = app(env)
        return a, b, c
      end })
    end,
    ["another env"] = function(app)
      return function(env)
        return (function(...) log() return ... end)(app(setmetatable({}, { __index = env })))
      end
    end,
  }
  local function helper(env) return env.PATH_INFO, {} end

  local mistakes = {
    ["no answer"] = function(env) helper(env) end,
    ["no answer, after a helper that returns none"] = function(env) log(env) log(env) end,
    ["a variable that is nil"] = function(env)
      local status = env.no_such_key
      return status
    end,
    ["a status that is none"] = function() return "OK", {}, "text" end,
    ["headers that are none"] = function(env) log(env) return 200, "text/plain", "x" end,
    ["a header that is none"] = function() return 200, { ["X-A"] = print }, "x" end,
    ["a body that is none"] = function() return 200, {}, 5 end,
    ["a body to be encoded"] = function() return 200, {}, { a = 1 } end,
    ["a piece that is none"] = function() return 200, {}, function() return {} end end,
    ["a list with more in it"] = function() return 200, {}, { "a", {} } end,
  }

  for name, route in pairs(mistakes) do
    it("is told with the route that returned it: " .. name, function()
      names(route, route)
      local routes = { ["/"] = route }
      local function router(env)
        local found = routes[env.PATH_INFO]
        return found(env, "a capture")
      end
      names(route, router)
      local all = router
      for _, around in pairs(middlewares) do
        names(route, around(router))
        all = around(around(all))
      end
      names(route, all)
      names(route, all, { handler_timeout = 5 })
    end)
  end

  it("is told with a helper that makes answers", function()
    local function html(text) return "200OK", { ["Content-Type"] = "text/html" }, text end
    names(html, middlewares["locals"](function() return html "x" end))
    names(html, middlewares["locals"](function()
      local status, headers, body = html "x"
      return status, headers, body
    end))
  end)

  it("is told with whoever has spoilt a good answer", function()
    local function spoils(app)
      return function(env)
        local status, headers = app(env)
        return status, headers, 7
      end
    end
    local good = function() return 200, {}, "good" end
    local spoilt = spoils(good)
    names(spoilt, middlewares["locals"](spoilt))
  end)

  it("is told with the handler where nobody has seen who returned it", function()
    local function router(env)
      require("green").sleep(0.01)
      for _ = 1, 3000 do log(env) end
      return mistakes["no answer"](env)
    end
    local said = complaint(function(env) local a, b, c = router(env) return a, b, c end)
    assert.truthy(said:find("handler at " .. HERE, 1, true))
  end)

  it("leaves no hook behind, and takes none away", function()
    local function app(env)
      if env.PATH_INFO == "/raise" then error("raised") end
      require("green").sleep(0.001)
      return 200, nil, tostring(debug.gethook() ~= nil)
    end
    kit.with(app, function(client)
      client:get("/raise")
      assert.is_nil(debug.gethook())
      assert.equal("true", (select(3, client:get("/"))))
      for _ = 1, 40 do client:get("/") end
      assert.equal("false", (select(3, client:get("/"))))
      assert.is_nil(debug.gethook())
    end)
    local mine = function() end
    kit.with(app, function(client)
      debug.sethook(mine, "r")
      client:get("/")
      local is_mine = debug.gethook() == mine
      debug.sethook()
      assert.is_true(is_mine)
    end)
  end)

  it("is watched for again when it comes late", function()
    local good = true
    local function route() if not good then return "none" end return 200, {}, "fine" end
    local function app(env)
      local status, headers, body = route(env)
      return status, headers, body
    end
    kit.with(app, function(client, server, out)
      for _ = 1, 200 do client:get("/") end
      good = false
      client:get("/")
      client:get("/")
      server.log:flush()
      local last
      for _, line in ipairs(out) do last = line:match("wsgi: .*") or last end
      assert.equal(place(route), last:match(" %(handler.*$"))
    end)
  end)
end)
