-- A server that could not begin is told, also where its result is dropped.

local socket = require "green.socket"

local program = dofile("spec/support/program.lua")

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
  local told = "greenlua: FILE: listen USED: address already in use (EADDRINUSE); nobody has looked "
    .. "at that: put assert(...) around the call\n"

  it("is told at the end of a program that has dropped that", function()
    assert.same({ told, 0 }, { run "wsgi.serve(used, app)" })
    assert.same({ (told:gsub("FILE: ", "")), 0 },
      { run "green.spawn(wsgi.serve, used, app):wait()" }, "in a thread")
    local err = run [[wsgi.server(listener, app, { access_log = "/no/such/folder/log" })]]
    assert.truthy(err:find("open log /no/such/folder/log", 1, true), err)
    err = run [[green.serve(require("green.socket").tcp(), app)]]
    assert.truthy(err:find("accept: invalid argument (EINVAL); nobody has looked", 1, true), err)
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
    local err = select(2, require("green.wsgi").server(socket.tcp(), function() end,
      { access_log = "/no/such/folder/log" }))
    assert.is_true(require("green").is_error(err, "ENOENT"))
    assert.equal("open log /no/such/folder/log: no such file or directory (ENOENT)", tostring(err))
    assert.same({ "ENOENT", true, "open log /no/such/folder/log" },
      { err.code, err:is "ENOENT", err.op })
  end)
end)
