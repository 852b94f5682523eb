-- Who may connect to ZeroMQ sockets: the authenticator, with libzmq's own client and with pyzmq's.

local folder = require "spec.support.folder"
local fs = require "green.fs"
local green = require "green"
local kit = require "spec.support.zmq_kit"
local peers = require "spec.support.zmq_peers"
local testing = require "green.testing"
local zap = require "green.zmq.zap"
local zmq = require "green.zmq"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with
local dir = folder.each(before_each, after_each)

local KEY, SECRET = zmq.curve_keypair() -- the servers'

local EVENTS = { "handshake_succeeded", "handshake_failed_no_detail", "handshake_failed_protocol",
  "handshake_failed_auth", "disconnected" }

local function server_of(ctx, opts)
  opts.linger = 0
  local s = assert(ctx:socket("PULL", opts))
  local seen = assert(s:monitor(EVENTS))
  assert(s:bind(opts.ipv6 and "tcp://[::1]:*" or "tcp://127.0.0.1:*"))
  return s, seen
end

local function curve_server(ctx, opts)
  opts = opts or {}
  opts.curve_server, opts.curve_secretkey = true, SECRET
  return server_of(ctx, opts)
end

--- What libzmq's server side says of a client with these options: "in", or why not.
local function try(ctx, server, seen, opts)
  opts = opts or {}
  opts.linger, opts.reconnect_ivl, opts.ipv6 = 0, -1, true
  local client = assert(ctx:socket("PUSH", opts))
  assert(client:connect(server.last_endpoint))
  assert(client:send "x")
  local event = assert(seen:recv(20))
  local result = event.reason or event.name
  if event.name == "handshake_succeeded" then
    assert.are.equal("x", (server:recv(10)))
    result = "in"
  end
  client:close(0)
  while event.name ~= "disconnected" do -- libzmq may tell of a failure twice
    event = assert(seen:recv(20))
  end
  return result
end

local function curve_client(key, secret)
  return { curve_serverkey = KEY, curve_publickey = key, curve_secretkey = secret }
end

local NO, LATER, BROKEN = "the authenticator said 400", "the authenticator said 300",
  "the authenticator said 500"

--- fn(ctx, auth, log) with an authenticator that is stopped behind it.
local function with_auth(fn, opts)
  return with(function(ctx)
    local log = {}
    opts = opts or {}
    opts.log = function(entry)
      log[#log + 1] = entry
    end
    local auth = assert(zmq.auth(ctx, opts))
    local ok, err = pcall(fn, ctx, auth, log)
    auth:stop()
    if not ok then
      error(err, 0)
    end
  end)
end

describe("PLAIN", function()
  local function plain(user, password)
    return { plain_username = user, plain_password = password }
  end

  it("lets in who knows the password, and nobody else", with_auth(function(ctx, auth, log)
    auth:configure_plain("global", { joe = "secret", ann = "geheim" })
    local server, seen = server_of(ctx, { plain_server = true, zap_domain = "global" })
    assert.are.equal("in", try(ctx, server, seen, plain("joe", "secret")))
    assert.are.equal("in", try(ctx, server, seen, plain("ann", "geheim")))
    assert.are.equal(NO, try(ctx, server, seen, plain("joe", "geheim")))
    assert.are.equal(NO, try(ctx, server, seen, plain("joe", "secret2")))
    assert.are.equal(NO, try(ctx, server, seen, plain("bob", "secret")))
    assert.are.equal("joe", log[1].user_id)
    assert.are.equal("Wrong name or password", log[3].text)
    assert.is_nil(log[3].user_id)
    assert.is_nil(log[1].password)
    auth:configure_plain("global", nil)
    assert.are.equal(NO, try(ctx, server, seen, plain("joe", "secret")))
    seen:close()
  end))

  it("has passwords by domain, and for all others", with_auth(function(ctx, auth)
    auth:configure_plain("a", { joe = "a" })
    auth:configure_plain("*", { joe = "other" })
    local a, seen_a = server_of(ctx, { plain_server = true, zap_domain = "a" })
    local b, seen_b = server_of(ctx, { plain_server = true, zap_domain = "b" })
    assert.are.equal("in", try(ctx, a, seen_a, plain("joe", "a")))
    assert.are.equal(NO, try(ctx, b, seen_b, plain("joe", "a")))
    assert.are.equal("in", try(ctx, b, seen_b, plain("joe", "other")))
    seen_a:close()
    seen_b:close()
  end))

  it("is refused without rules, and without an authenticator", with(function(ctx)
    local server, seen = server_of(ctx, { plain_server = true })
    assert.are_not.equal("in", try(ctx, server, seen, plain("joe", "a")))
    local auth = assert(zmq.auth(ctx))
    assert.are.equal(NO, try(ctx, server, seen, plain("joe", "a")))
    auth:stop()
    assert.are_not.equal("in", try(ctx, server, seen, plain("joe", "a")))
    seen:close()
  end))
end)

describe("CURVE", function()
  it("lets in the keys of a table, and nobody else", with_auth(function(ctx, auth, log)
    local joe, joes = zmq.curve_keypair()
    local ann, anns = zmq.curve_keypair()
    local bob, bobs = zmq.curve_keypair()
    assert(auth:configure_curve("*", { joe, zmq.z85_decode(ann) }))
    local server, seen = curve_server(ctx)
    assert.are.equal("in", try(ctx, server, seen, curve_client(joe, joes)))
    assert.are.equal("in", try(ctx, server, seen, curve_client(ann, anns)))
    assert.are.equal(NO, try(ctx, server, seen, curve_client(bob, bobs)))
    assert.are.equal(joe, log[1].user_id)
    assert(auth:configure_curve("*", { [bob] = "bob", [joe] = true }))
    assert.are.equal("in", try(ctx, server, seen, curve_client(bob, bobs)))
    assert.are.equal(NO, try(ctx, server, seen, curve_client(ann, anns)))
    assert.are.equal("bob", log[4].user_id)
    assert(auth:configure_curve("*", zmq.CURVE_ALLOW_ANY))
    assert.are.equal("in", try(ctx, server, seen, curve_client(ann, anns)))
    assert(auth:configure_curve("*", nil))
    assert.are.equal(NO, try(ctx, server, seen, curve_client(joe, joes)))
    seen:close()
  end))

  it("refuses a wrong server's key, a secret key that does not fit, and other mechanisms",
    with_auth(function(ctx, auth)
      assert(auth:configure_curve("*", zmq.CURVE_ALLOW_ANY))
      local server, seen = curve_server(ctx, { handshake_ivl = 0.3 })
      local joe, joes = zmq.curve_keypair()
      local other, others = zmq.curve_keypair()
      local wrong = curve_client(joe, joes)
      wrong.curve_serverkey = other
      assert.are_not.equal("in", try(ctx, server, seen, wrong))
      assert.are_not.equal("in", try(ctx, server, seen, curve_client(joe, others)))
      assert.are.equal("ZMTP: another mechanism", try(ctx, server, seen))
      assert.are.equal("ZMTP: another mechanism",
        try(ctx, server, seen, { plain_username = "joe", plain_password = "x" }))
      assert.are.equal("in", try(ctx, server, seen, curve_client(joe, joes)))
      seen:close()
    end))

  it("lets in the certificates of a folder, as it is now", with_auth(function(ctx, auth)
    local function client(name)
      local key, secret = zmq.load_certificate(dir() .. "/" .. name .. ".key_secret")
      return curve_client(key, secret)
    end
    assert(zmq.create_certificates(dir(), "joe"))
    assert(auth:configure_curve("global", dir()))
    local server, seen = curve_server(ctx, { zap_domain = "global" })
    local joe = client "joe"
    assert.are.equal("in", try(ctx, server, seen, joe))
    assert(zmq.create_certificates(dir(), "ann"))
    local ann = client "ann"
    local store = auth._domains.global.curve
    store._looked = 0 -- a second later
    assert.are.equal("in", try(ctx, server, seen, ann))
    assert(fs.unlink(dir() .. "/joe.key"))
    store._looked = 0
    assert.are.equal(NO, try(ctx, server, seen, joe))
    assert(fs.write_file(dir() .. "/ann.key", "curve\n    public-key = \"no more\"\n"))
    store._looked = 0
    assert.are.equal(NO, try(ctx, server, seen, ann))
    assert(fs.remove(dir() .. "/ann.key"))
    assert(fs.remove(dir() .. "/ann.key_secret"))
    store._looked = 0
    assert.are.equal(NO, try(ctx, server, seen, ann))
    seen:close()
  end))

  it("keeps the rules it has where a folder cannot be read", with_auth(function(ctx, auth)
    local joe, joes = zmq.curve_keypair()
    assert(auth:configure_curve("*", { joe }))
    fails("ENOENT", auth:configure_curve("*", dir() .. "/nowhere"))
    assert(fs.write_file(dir() .. "/x.key", "nonsense"))
    fails("EKEYINVALID", auth:configure_curve("*", dir()))
    local server, seen = curve_server(ctx)
    assert.are.equal("in", try(ctx, server, seen, curve_client(joe, joes)))
    seen:close()
  end))
end)

describe("addresses", function()
  it("that are denied, or not among those allowed, stay outside", with_auth(function(ctx, auth, log)
    local server, seen = server_of(ctx, { zap_domain = "global" })
    assert.are.equal("in", try(ctx, server, seen))
    auth:allow("10.0.0.0/8", "192.168.0.1")
    assert.are.equal(NO, try(ctx, server, seen))
    assert.are.equal("Address not allowed", log[2].text)
    auth:allow("127.0.0.0/24")
    assert.are.equal("in", try(ctx, server, seen))
    auth:deny("127.0.0.1")
    assert.are.equal(NO, try(ctx, server, seen))
    assert.are.equal("Address denied", log[4].text)
    seen:close()
  end))

  it("of IPv4 in IPv6's form are IPv4's", function()
    local addresses = require "green.zmq.auth_address"
    local list = {}
    addresses.add(list, "deny", "127.0.0.1", "2001:db8::/32", "ipc:1000")
    for text, is_there in pairs { ["127.0.0.1"] = true, ["::ffff:127.0.0.1"] = true,
      ["::ffff:7f00:1"] = true, ["127.0.0.2"] = false, ["2001:db8::1"] = true,
      ["2001:db9::1"] = false, ["localhost:1000:7:12"] = true, ["localhost:0:0:12"] = false } do
      assert.are.equal(is_there, addresses.has(list, addresses.read(text)), text)
    end
    assert.is_nil(addresses.read "nonsense")
    assert.is_nil(addresses.read "")
  end)

  it("of a block of IPv4 in IPv6's form are IPv4's, too", function()
    local addresses = require "green.zmq.auth_address"
    local list = {}
    addresses.add(list, "deny", "::ffff:10.0.0.0/104", "::ffff:192.168.1.7/128",
      "::ffff:172.16.0.0/108")
    for text, is_there in pairs { ["10.1.2.3"] = true, ["::ffff:10.255.0.1"] = true,
      ["11.0.0.1"] = false, ["192.168.1.7"] = true, ["192.168.1.6"] = false,
      ["172.31.255.255"] = true, ["::ffff:172.32.0.0"] = false, ["a00::1"] = false } do
      assert.are.equal(is_there, addresses.has(list, addresses.read(text)), text)
    end
    local all = {}
    addresses.add(all, "deny", "::ffff:0.0.0.0/96")
    assert.is_true(addresses.has(all, addresses.read "127.0.0.1"))
    assert.is_false(addresses.has(all, addresses.read "::1"))
    local six = {}
    addresses.add(six, "allow", "::/0")
    assert.is_true(addresses.has(six, addresses.read "::1"))
    assert.is_false(addresses.has(six, addresses.read "127.0.0.1"))
  end)

  it("of ipc are users", with_auth(function(ctx, auth)
    auth:allow("ipc:4294967295")
    local server = ctx:socket("PULL", { zap_domain = "global" })
    local seen = assert(server:monitor(EVENTS))
    assert(server:bind("ipc://" .. dir() .. "/s"))
    assert.are.equal(NO, try(ctx, server, seen))
    auth:allow("ipc")
    assert.are.equal("in", try(ctx, server, seen))
    seen:close()
  end))

  it("that are none raise", with_auth(function(_, auth)
    for _, wrong in ipairs { "localhost", "127.0.0.1/33", "", "ipc:joe" } do
      local ok, err = pcall(auth.allow, auth, "10.0.0.1", wrong)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("allow: address must be an IP address", 1, true))
    end
    assert.is_false(pcall(auth.deny, auth, nil, "10.0.0.1"))
    assert.are.equal(0, #auth._allowed + #auth._denied)
  end))
end)

describe("a callback", function()
  it("decides about all mechanisms, and may park", with_auth(function(ctx, auth, log)
    local asked = {}
    auth:configure_callback("global", function(request)
      asked[#asked + 1] = request
      green.sleep(0)
      return request.user == "joe" and "number 7", "not you"
    end)
    local server, seen = server_of(ctx, { plain_server = true, zap_domain = "global",
      routing_id = "server" })
    assert.are.equal("in", try(ctx, server, seen, { plain_username = "joe", plain_password = "p" }))
    assert.are.equal(NO, try(ctx, server, seen, { plain_username = "ann", plain_password = "p" }))
    assert.are.same({ mechanism = "PLAIN", domain = "global", address = "127.0.0.1",
      identity = "server", user = "joe", password = "p" }, asked[1])
    assert.are.equal("number 7", log[1].user_id)
    assert.are.equal("not you", log[2].text)
    seen:close()
  end))

  it("gets keys in Z85", with_auth(function(ctx, auth, log)
    local joe, joes = zmq.curve_keypair()
    auth:configure_callback("*", function(request)
      return request.key == joe
    end)
    local server, seen = curve_server(ctx)
    assert.are.equal("in", try(ctx, server, seen, curve_client(joe, joes)))
    assert.are.equal(joe, log[1].user_id)
    assert.are.equal(NO, try(ctx, server, seen, curve_client(zmq.curve_keypair())))
    seen:close()
  end))

  it("that raises refuses, and is reported", with_auth(function(ctx, auth)
    local told
    local before = green.on_error(function(err)
      told = tostring(err)
    end)
    auth:configure_callback("*", function()
      error("a mistake", 0)
    end)
    local server, seen = server_of(ctx, { zap_domain = "x" })
    local result = try(ctx, server, seen)
    green.on_error(before)
    assert.are.equal(BROKEN, result)
    assert.are.equal("a mistake", told)
    seen:close()
  end))

  it("that is slow refuses for now, and holds up nobody else", with_auth(function(ctx, auth, log)
    local gate = green.Event()
    auth:configure_callback("slow", function()
      gate:wait()
      return true
    end)
    auth:configure_plain("quick", { joe = "p" })
    local slow, seen_slow = server_of(ctx, { zap_domain = "slow" })
    local quick, seen_quick = server_of(ctx, { plain_server = true, zap_domain = "quick" })
    local waiting = green.spawn(try, ctx, slow, seen_slow)
    assert.are.equal("in", try(ctx, quick, seen_quick, { plain_username = "joe",
      plain_password = "p" }))
    assert.are.equal(LATER, waiting:wait())
    assert.are.equal("No decision in time", log[2].text)
    gate:send()
    seen_slow:close()
    seen_quick:close()
  end, { timeout = 0.3 }))

  it("is asked about so many at the same time", with_auth(function(ctx, auth, log)
    local gate = green.Event()
    auth:configure_callback("*", function()
      gate:wait()
      return true
    end)
    local a, seen_a = server_of(ctx, { zap_domain = "a" })
    local b, seen_b = server_of(ctx, { zap_domain = "b" })
    local first = green.spawn(try, ctx, a, seen_a)
    testing.settle_io(function()
      return auth._busy == 1
    end)
    assert.are.equal(LATER, try(ctx, b, seen_b))
    assert.are.equal("Busy", log[1].text)
    gate:send()
    assert.are.equal("in", first:wait())
    assert.are.equal(0, auth._busy)
    seen_a:close()
    seen_b:close()
  end, { most = 1 }))
end)

describe("an authenticator that is dead", function()
  for _, mechanism in ipairs { "NULL", "PLAIN", "CURVE" } do
    it("lets nobody in: " .. mechanism, with(function(ctx)
      local auth = assert(zmq.auth(ctx))
      local joe, joes = zmq.curve_keypair()
      auth:configure_plain("*", { joe = "p" })
      assert(auth:configure_curve("*", zmq.CURVE_ALLOW_ANY))
      local opts = { handshake_ivl = 0.3 }
      local client
      if mechanism == "NULL" then
        opts.zap_domain = "global"
      elseif mechanism == "PLAIN" then
        opts.plain_server, client = true, { plain_username = "joe", plain_password = "p" }
      else
        opts.curve_server, opts.curve_secretkey, client = true, SECRET, curve_client(joe, joes)
      end
      local server, seen = server_of(ctx, opts)
      assert.are.equal("in", try(ctx, server, seen, client))
      auth.thread:kill()
      assert.are_not.equal("in", try(ctx, server, seen, client))
      local again = assert(zmq.auth(ctx)) -- in the other's place
      again:configure_plain("*", { joe = "p" })
      assert(again:configure_curve("*", { joe }))
      assert.are.equal("in", try(ctx, server, seen, client))
      again:stop()
      again:stop()
      assert.are_not.equal("in", try(ctx, server, seen, client))
      local third = assert(zmq.auth(ctx))
      third:configure_plain("*", { joe = "p" })
      assert(third:configure_curve("*", { joe }))
      assert.are.equal("in", try(ctx, server, seen, client))
      third:stop()
      seen:close()
    end))
  end
end)

describe("zmq.auth", function()
  it("is one for a context", with_auth(function(ctx)
    fails("EBUSY", zmq.auth(ctx))
  end))

  it("finds that somebody else authenticates", with(function(ctx)
    local other = ctx:socket("REP")
    assert(other:bind(zap.ENDPOINT))
    fails("EADDRINUSE", zmq.auth(ctx))
  end))

  it("gives servers a domain that have none, and leaves what was said", with_auth(function(ctx)
    local s = curve_server(ctx)
    assert.are.equal("*", s:get "zap_domain")
    assert.is_true(s:get "zap_enforce_domain")
    s = curve_server(ctx, { zap_domain = "" })
    assert.are.equal("", s:get "zap_domain")
    s = ctx:socket("PULL")
    assert(s:bind "tcp://127.0.0.1:*")
    assert.are.equal("", s:get "zap_domain")
  end))

  it("ends with its context", function()
    local ctx = assert(zmq.Context {})
    local auth = assert(zmq.auth(ctx))
    assert(ctx:term(10))
    testing.settle_io(function()
      return auth.thread:dead()
    end)
  end)

  it("raises for rules that cannot be meant", with_auth(function(_, auth)
    for text, call in pairs {
      ["configure_plain: users must be texts"] = function()
        auth:configure_plain("a", { joe = 7 })
      end,
      ["configure_plain: domain must be a text of 1 to 255 bytes"] = function()
        auth:configure_plain("", {})
      end,
      ["configure_curve: keys must be 40 letters of Z85, or 32 bytes"] = function()
        auth:configure_curve("a", { "short" })
      end,
      ["configure_curve: known must be a folder"] = function() auth:configure_curve("a", 7) end,
      ["configure_callback: fn must be a function"] = function()
        auth:configure_callback("a", 7)
      end,
      ["auth: unknown option 'tiemout'"] = function() zmq.auth(zmq.Context {}, { tiemout = 1 }) end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok, text)
      assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
    end
  end))
end)

describe("requests", function()
  --- The answer to these parts, of a client as libzmq's sockets are.
  local function ask(ctx, ...)
    local s = assert(ctx:socket("DEALER", { linger = 0 }))
    assert(s:connect(zap.ENDPOINT))
    assert(s:send_multipart { ... })
    local parts = s:recv_multipart(10)
    s:close(0)
    return parts and table.concat(parts, "|")
  end

  it("are answered as RFC 27 says", with_auth(function(ctx, auth)
    auth:configure_plain("global", { joe = "p" })
    assert.are.equal("|1.0|id|200|OK||",
      ask(ctx, "", "1.0", "id", "global", "127.0.0.1", "", "NULL"))
    assert.are.equal("|1.0|\0\255|200|OK|joe|",
      ask(ctx, "", "1.0", "\0\255", "global", "127.0.0.1", "", "PLAIN", "joe", "p"))
    assert.are.equal("a|b||1.0|id|200|OK||",
      ask(ctx, "a", "b", "", "1.0", "id", "global", "127.0.0.1", "", "NULL"))
  end))

  it("that are malformed are refused, and those behind them answered", with_auth(function(ctx, auth)
    assert(auth:configure_curve("*", zmq.CURVE_ALLOW_ANY))
    for text, parts in pairs {
      ["Invalid version"] = { "", "2.0", "id", "d", "a", "", "NULL" },
      ["Not enough frames"] = { "", "1.0", "id", "d", "a", "" },
      ["Unknown mechanism"] = { "", "1.0", "id", "d", "a", "", "MAGIC" },
      ["Invalid domain"] = { "", "1.0", "id", ("d"):rep(256), "a", "", "NULL" },
      ["Invalid identity"] = { "", "1.0", "id", "d", "a", ("i"):rep(256), "NULL" },
    } do
      assert.are.equal("|1.0|id|400|" .. text .. "||", ask(ctx, unpack(parts)), text)
    end
    for _, parts in ipairs {
      { "", "1.0", "id", "d", "a", "", "NULL", "x" },
      { "", "1.0", "id", "d", "a", "", "PLAIN", "x" },
      { "", "1.0", "id", "d", "a", "", "CURVE", "short" },
      { "", "1.0", "id", "d", "a", "", "CURVE" },
      { "", "1.0", "id", "d", "a", "", "CURVE", ("x"):rep(32), "more" },
    } do
      assert.are.equal("|1.0|id|400|Invalid credentials||", ask(ctx, unpack(parts)))
    end
    local s = ctx:socket("DEALER", { linger = 0 })
    assert(s:connect(zap.ENDPOINT))
    for _, parts in ipairs { { "" }, { "x" }, { "", "1.0" }, { "a", "b", "c" } } do
      assert(s:send_multipart(parts)) -- nobody could be answered
    end
    assert(s:send_multipart { "", "1.0", "last", "d", "a", "", "NULL" })
    assert.are.equal("last", s:recv_multipart(10)[3])
    s:close(0)
    assert.is_false(auth.thread:dead())
  end))

  it("of noise end nothing", with_auth(function(ctx, auth)
    math.randomseed(tonumber(os.getenv "SEED") or 7)
    local s = ctx:socket("DEALER", { linger = 0, sndhwm = 0 })
    assert(s:connect(zap.ENDPOINT))
    local words = { "", "1.0", "id", "CURVE", "NULL", "PLAIN", "GSSAPI", ("k"):rep(32), "\0", "*" }
    for _ = 1, 2000 do
      local parts = {}
      for i = 1, math.random(12) do
        parts[i] = words[math.random(#words)]
      end
      assert(s:send_multipart(parts))
    end
    assert(s:send_multipart { "", "1.0", "the end", "d", "a", "", "NULL" })
    repeat
      local parts = assert(s:recv_multipart(10))
    until parts[3] == "the end"
    s:close(0)
    assert.is_false(auth.thread:dead())
  end))
end)

describe("pyzmq", function()
  it("is let into servers of ours, with PLAIN and with CURVE", with_auth(function(ctx, auth)
    peers.need_pyzmq()
    local key, secret = zmq.curve_keypair()
    auth:configure_plain("*", { joe = "p" })
    assert(auth:configure_curve("*", { key }))
    for _, case in ipairs {
      { opts = { plain_server = true }, good = "s.plain_username, s.plain_password = b'joe', b'p'",
        bad = "s.plain_username, s.plain_password = b'joe', b'q'" },
      { opts = { curve_server = true, curve_secretkey = SECRET },
        good = ("s.curve_publickey, s.curve_secretkey = b'%s', b'%s'; s.curve_serverkey = b'%s'")
          :format(key, secret, KEY),
        bad = "s.curve_publickey, s.curve_secretkey = zmq.curve_keypair(); "
          .. ("s.curve_serverkey = b'%s'"):format(KEY) },
    } do
      local script = "s = ctx.socket(zmq.REQ); %s; s.connect(args[0]); s.send(b'x')\n"
        .. "say(s.poll(%d) and s.recv().decode() or 'nothing')"
      local server = assert(ctx:socket("REP", case.opts))
      assert(server:bind "tcp://127.0.0.1:*")
      local echo = green.spawn(function()
        for parts in server:messages() do
          server:send_multipart(parts)
        end
      end)
      assert.are.equal("x", peers.python(script:format(case.good, 20000), server.last_endpoint))
      assert.are.equal("nothing", peers.python(script:format(case.bad, 300), server.last_endpoint))
      server:close(0)
      echo:wait()
    end
  end))

  it("lets in sockets of ours, with PLAIN and with CURVE", with(function(ctx)
    peers.need_pyzmq()
    local public_path = assert(zmq.create_certificates(dir(), "ours"))
    local key, secret = zmq.load_certificate(public_path .. "_secret")
    local script = [[
from zmq.auth.thread import ThreadAuthenticator
auth = ThreadAuthenticator(ctx); auth.start()
auth.configure_plain(domain="*", passwords={"joe": "p"})
auth.configure_curve(domain="*", location=args[1])
s = ctx.socket(zmq.REP); s.linger = 1000
if args[0] == "plain":
    s.plain_server = True
else:
    s.curve_server = True; s.curve_secretkey = args[3].encode()
s.bind("ipc://" + args[2])
assert s.poll(30000)
s.send(s.recv()); s.close(); auth.stop()
]]
    for _, mechanism in ipairs { "plain", "curve" } do
      local path = dir() .. "/" .. mechanism
      local peer = peers.beside(script, mechanism, dir(), path, SECRET)
      local good = mechanism == "plain" and { plain_username = "joe", plain_password = "p" }
        or curve_client(key, secret)
      local bad = mechanism == "plain" and { plain_username = "joe", plain_password = "q" }
        or curve_client(zmq.curve_keypair())
      local wrong = ctx:socket("REQ", bad)
      assert(wrong:connect("ipc://" .. path))
      assert(wrong:send "not me")
      local s = ctx:socket("REQ", good)
      assert(s:connect("ipc://" .. path))
      assert(s:send "hello")
      assert.are.equal("hello", (s:recv(30)))
      fails("EAGAIN", wrong:recv(0))
      peer:wait()
      s:close(0)
      wrong:close(0)
    end
  end))
end)
