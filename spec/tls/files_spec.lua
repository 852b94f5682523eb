-- Files of TLS contexts beside other programs: answers about revocation, logs of secrets,
-- ticket keys of processes.
local certs = require "spec.support.certs"
local program = require "spec.support.program"

local function has(text, wanted)
  assert.truthy(text:find(wanted, 1, true), text)
end

--- Run body(ports...) beside a script of ours that prints its ports in one line; what it
-- wrote to stderr.
local function with_script(text, words, body)
  local script = program.file(text)
  table.insert(words, 1, script)
  local server = program.start_greenlua(words)
  local line = server:expect("\n")
  local ok, err = pcall(body, line:match "(%d+)%s?(%d*)")
  server:kill(15)
  server:wait()
  os.remove(script)
  if not ok then
    error(err, 0)
  end
  return server.err
end

--- openssl's client, for whom the line that the server sends is enough.
local function s_client(port, ...)
  local run = program.run { "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-servername",
    "a.test", "-CAfile", certs.path "ca.pem", "-ign_eof", input = "hello\n", ... }
  return run.out .. run.err
end

describe("a program that ends by os.exit(status, true) amid TLS", function()
  local SCRIPT = [[
    local green = require "green"
    local tls = require "green.tls"
    local opts = { cert = arg[1], key = arg[2], handshakes_in_pool = true }
    local asking = { cert = arg[1], key = arg[2], choose = function() green.sleep(100) end }
    local client = { ca = arg[3], host = "a.test" }
    local l, slow = assert(green.listen("127.0.0.1:0", { tls = opts })),
      assert(green.listen("127.0.0.1:0", { tls = asking }))
    local waiting = green.spawn(green.connect, "127.0.0.1", select(2, l:sockname()),
      { tls = client })
    local conn = assert(l:accept())
    assert(conn:handshake())
    local peer = assert(waiting:wait())
    green.spawn(peer.read, peer, 1)
    green.spawn(green.connect, "127.0.0.1", select(2, slow:sockname()), { tls = client })
    local asked = assert(slow:accept())
    assert(not asked:read_some(1, { timeout = 0.01 }))
    print "out"
    local function out() os.exit(0, true) end
    if arg[4] == "main" then out() end
    green.spawn(out)
    green.sleep(100)
  ]]

  it("gives all of it back, whoever ends it", function()
    local script = program.file(SCRIPT)
    for _, who in ipairs { "main", "thread" } do
      -- In a build with AddressSanitizer what is left fails the program.
      local run = program.run_greenlua { script, certs.path "a.pem", certs.path "a.key",
        certs.path "ca.pem", who, env = { ASAN_OPTIONS = "detect_leaks=1" } }
      assert.same({ 0, "out\n", "" }, { run.status, run.out, run.err })
    end
    os.remove(script)
  end)
end)

describe("a TLS server of ours", function()
  it("shows openssl s_client what its authority says, if asked", function()
    local err = with_script([[
      local green = require "green"
      local l = assert(green.listen "127.0.0.1:0")
      print((select(2, l:sockname())))
      io.flush()
      green.serve(l, function(conn) conn:read_line() end,
        { tls = { cert = arg[1], key = arg[2], ocsp = arg[3] } })
    ]], { certs.path "a.pem", certs.path "a.key", certs.path "a.ocsp" }, function(port)
      local text = s_client(port, "-status")
      has(text, "OCSP Response Status: successful")
      has(text, "Cert Status: good")
      assert.is_nil(s_client(port):find("OCSP Response Status", 1, true))
    end)
    assert.equal("", err)
  end)

  it("shows it to curl --cert-status, which wants the issuer's certificate with it", function()
    certs.put("issued.pem", certs.text "a.pem" .. certs.text "ca.pem")
    for name, status in pairs { ["issued.pem"] = 0, ["a.pem"] = 91 } do
      local err = with_script([[
        local wsgi = require "green.wsgi"
        local server = assert(wsgi.new("127.0.0.1:0", function() return 200, nil, "hello" end,
          { log = false, tls = { cert = arg[1], key = arg[2], ocsp = arg[3] } }))
        print(server.port)
        io.flush()
        server:serve_forever()
      ]], { certs.path(name), certs.path "a.key", certs.path "a.ocsp" }, function(port)
        local run = program.run { "curl", "-sSv", "-m", "30", "--cert-status", "--cacert",
          certs.path "ca.pem", "--resolve", "a.test:" .. port .. ":127.0.0.1",
          "https://a.test:" .. port .. "/" }
        assert.equal(status, run.status, run.err)
        if status == 0 then
          has(run.err, "SSL certificate status: good")
          assert.equal("hello", run.out)
        else
          has(run.err, "Error computing OCSP ID")
        end
      end)
      assert.equal("", err)
    end
  end)

  it("takes up a session that a child of its process gave", function()
    local kept = os.tmpname()
    with_script([[
      local green = require "green"
      local process = require "green.process"
      local tls = require "green.tls"
      local context = assert(tls.context { server = true, cert = arg[1], key = arg[2] })
      local ours, childs = assert(green.listen "127.0.0.1:0"), assert(green.listen "127.0.0.1:0")
      local function serve(l)
        green.serve(l, function(conn) conn:write(tostring(conn:info().resumed), " it is\n") end,
          { tls = { context = context }, signals = true })
      end
      local child = green.spawn(green.fork, function() serve(childs) end)
      print((select(2, ours:sockname())), (select(2, childs:sockname())))
      io.flush()
      serve(ours)
      process.kill(assert(child:wait()), "TERM")
    ]], { certs.path "a.pem", certs.path "a.key" }, function(parent, child)
      has(s_client(child, "-sess_out", kept), "false it is")
      has(s_client(parent, "-sess_in", kept), "true it is")
    end)
    os.remove(kept)
  end)
end)

-- A client of a server in the same process.
local BOTH = [[
  local green = require "green"
  local testing = require "green.testing"
  local tls = require "green.tls"
  local a, b = testing.stream_pair()
  local there = green.spawn(tls.server, b, { cert = arg[1], key = arg[2] })
  local client = assert(tls.client(a, { host = "a.test", ca = arg[3], keylog = arg[4] }))
  there:wait():close()
  client:close()
]]

local function both(script, path, ...)
  local words = { script, certs.path "a.pem", certs.path "a.key", certs.path "ca.pem", path, ... }
  return words
end

local WARNING = "greenlua: the secrets of TLS connections are written to "

--- Has the file secrets of two ends, once each, for its owner alone?
local function check_log(path, ends)
  local log = certs.text(path)
  local _, n = log:gsub("CLIENT_TRAFFIC_SECRET_0 ", "")
  assert.equal(ends, n)
  local pipe = io.popen("stat -c %a " .. certs.path(path))
  assert.equal("600", pipe:read "*l")
  pipe:close()
end

describe("secrets of TLS connections", function()
  local script

  before_each(function() script = program.file(BOTH) end)
  after_each(function() os.remove(script) end)

  it("are written where a context's keylog says, with a warning", function()
    local path = certs.path "one.log"
    local run = program.run_greenlua(both(script, path))
    assert.equal(0, run.status, run.err)
    check_log("one.log", 1)
    has(run.err, WARNING .. path)
  end)

  it("are written where SSLKEYLOGFILE says, with one warning", function()
    local path = certs.path "all.log"
    local words = both(script)
    words.env = { SSLKEYLOGFILE = path }
    local run = program.run_greenlua(words)
    assert.equal(0, run.status, run.err)
    check_log("all.log", 2)
    local _, n = run.err:gsub(WARNING, "")
    assert.equal(1, n, run.err)
  end)

  it("are not where the command ignores the environment", function()
    local words = both(script)
    table.insert(words, 1, "-E")
    words.env = { SSLKEYLOGFILE = certs.path "no.log" }
    local run = program.run_greenlua(words)
    assert.equal(0, run.status, run.err)
    assert.equal("", run.err)
    assert.is_nil((io.open(certs.path "no.log")))
  end)
end)
