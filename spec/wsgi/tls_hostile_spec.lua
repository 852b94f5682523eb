-- What reaches an HTTPS server, or a plain one, that is not for it, beside openssl's
-- s_client: nobody else notices. What no program sends is in spec/c/httpd/tls_hostile_test.c.
local testing = require "green.testing"

local certs = require "spec.support.certs"
local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"

local _, it = testing.busted()

local SERVER = [[
  local wsgi = require "green.wsgi"
  local seen = {}
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    seen[#seen + 1] = env.PATH_INFO
    return 200, nil, table.concat(seen, " ")
  end, { tls = { cert = arg[1], key = arg[2] }, signals = true }))
  print(server.port)
  io.flush()
  server:serve_forever()
]]

--- A session of a server that takes early data, in a file.
local function early_session(path)
  local server = program.start { "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
    certs.path "a.pem", "-key", certs.path "a.key", "-early_data" }
  server:write "hello\n" -- to whom it accepts
  server:expect "ACCEPT "
  local port = server:expect "\n":match ":(%d+)$"
  local client = program.start { "openssl", "s_client", "-connect", "127.0.0.1:" .. port,
    "-servername", "a.test", "-sess_out", path, "-quiet" }
  client:expect "hello" -- behind the session
  for _, each in ipairs { client, server } do
    each:kill(15)
    each:wait()
  end
end

describe("an HTTPS server", function()
  it("takes no early data, and goes on without", function()
    local script, session = program.file(SERVER), os.tmpname()
    early_session(session)
    local early = program.file "GET /early HTTP/1.1\r\nHost: a.test\r\n\r\n"
    local server = program.start_greenlua { script, certs.path "a.pem", certs.path "a.key" }
    local port = server:expect "\n"
    local run = program.run { "openssl", "s_client", "-connect", "127.0.0.1:" .. port,
      "-servername", "a.test", "-sess_in", session, "-early_data", early, "-ign_eof",
      input = "GET /late HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" }
    server:kill(15)
    server:wait()
    for _, path in ipairs { script, session, early } do os.remove(path) end
    assert.truthy(run.out:find("Early data was rejected", 1, true), run.out .. run.err)
    assert.truthy(run.out:find("\r\n\r\n/late", 1, true), run.out) -- and nothing before
  end)
end)

describe("a plain HTTP server", function()
  it("refuses a TLS hello in one line of its log", function()
    kit.with(function() return 200, nil, "hello" end, function(client, server, log)
      local hello = "\22\3\1\2\0\1\0\1\252\3\3" .. ("r"):rep(32) .. " " .. ("s"):rep(440)
      assert.truthy(client:raw(hello):find("^HTTP/1.1 400 "))
      testing.settle_io(function() return #log > 0 end)
      assert.equal(200, (client:get "/"))
      testing.settle_io(function() return #log > 2 end)
      local refused = 0
      for _, line in ipairs(log) do
        assert.falsy(line:find("[%z\1-\31\127-\255]"), line)
        refused = refused + (line:find(" 400 ", 1, true) and 1 or 0)
      end
      assert.equal(1, refused)
      assert.equal(1, server:stats().refused)
    end)
  end)
end)
