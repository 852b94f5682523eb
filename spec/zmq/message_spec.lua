-- What is known of who has sent a message: s:recv_message.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local peers = require "spec.support.zmq_peers"
local testing = require "green.testing"
local zmq = require "green.zmq"
local zmtp = require "spec.support.zmtp"

local _, it = testing.busted()
local fails, with = kit.fails, kit.with

local KEY, SECRET = zmq.curve_keypair() -- the servers'

--- fn(ctx, auth) with an authenticator that is stopped behind it.
local function with_auth(fn)
  return with(function(ctx)
    local auth = assert(zmq.auth(ctx))
    local ok, err = pcall(fn, ctx, auth)
    auth:stop()
    if not ok then
      error(err, 0)
    end
  end)
end

--- A bound server and a client of it that has sent "hello", "you".
local function hello(ctx, server_opts, client_opts, kinds)
  kinds = kinds or { "PULL", "PUSH" }
  local server = assert(ctx:socket(kinds[1], server_opts))
  assert(server:bind "tcp://127.0.0.1:*")
  local client = assert(ctx:socket(kinds[2], client_opts))
  assert(client:connect(server.last_endpoint))
  assert(client:send_multipart("hello", "you"))
  return server, client
end

describe("s:recv_message", function()
  it("gives the whole message, and who has sent it: NULL", with_auth(function(ctx, auth)
    local server = hello(ctx, { zap_domain = "d" })
    local parts, metadata = server:recv_message(20)
    assert.are.same({ "hello", "you" }, parts)
    assert.are.same({ ["User-Id"] = "", ["Peer-Address"] = "127.0.0.1", ["Socket-Type"] = "PUSH" },
      metadata)
    auth:configure_callback("named", function() return "a guest" end)
    local named = hello(ctx, { zap_domain = "named" })
    assert.are.equal("a guest", select(2, named:recv_message { timeout = 20 })["User-Id"])
  end))

  it("knows the user by name: PLAIN", with_auth(function(ctx, auth)
    auth:configure_plain("*", { joe = "p", ann = "q" })
    local server, joe = hello(ctx, { plain_server = true },
      { plain_username = "joe", plain_password = "p", routing_id = "joe-1" },
      { "ROUTER", "DEALER" })
    local ann = assert(ctx:socket("DEALER", { plain_username = "ann", plain_password = "q" }))
    assert(ann:connect(server.last_endpoint))
    local parts, metadata = server:recv_message(20)
    assert.are.same({ "joe-1", "hello", "you" }, parts)
    assert.are.same({ ["User-Id"] = "joe", ["Peer-Address"] = "127.0.0.1",
      ["Socket-Type"] = "DEALER" }, metadata)
    assert(ann:send "x")
    assert.are.equal("ann", select(2, server:recv_message(20))["User-Id"])
    assert(joe:send(("long"):rep(10000)))
    parts, metadata = server:recv_message(20)
    assert.are.equal(40000, #parts[2])
    assert.are.equal("joe", metadata["User-Id"])
  end))

  it("knows the user by key, or by the name of the key: CURVE", with_auth(function(ctx, auth)
    local joe, joes = zmq.curve_keypair()
    assert(auth:configure_curve("*", { joe }))
    local client = { curve_serverkey = KEY, curve_publickey = joe, curve_secretkey = joes }
    local server_opts = { curve_server = true, curve_secretkey = SECRET }
    local server = hello(ctx, server_opts, client)
    assert.are.equal(joe, select(2, server:recv_message(20))["User-Id"])
    assert(auth:configure_curve("*", { [joe] = "joe" }))
    server = hello(ctx, server_opts, client)
    assert.are.equal("joe", select(2, server:recv_message(20))["User-Id"])
  end))

  it("gives what an authenticator's callback says, and what a peer says",
    with_auth(function(ctx, auth)
      auth:configure_callback("*", function(request)
        green.sleep(0)
        return request.user, { Role = "admin of " .. request.domain, Empty = "" }
      end)
      local server, client = hello(ctx, { plain_server = true, zap_domain = "d" },
        { plain_username = "joe", plain_password = "p", metadata = "X-Team:red" })
      local names = { "Role", "Empty", "X-Team", "X-Nothing" }
      local _, metadata = server:recv_message { timeout = 20, metadata = names }
      assert.are.same({ ["User-Id"] = "joe", ["Peer-Address"] = "127.0.0.1",
        ["Socket-Type"] = "PUSH", Role = "admin of d", Empty = "", ["X-Team"] = "red" }, metadata)
      assert(client:send "more")
      _, metadata = server:recv_message(20)
      assert.is_nil(metadata.Role)
    end))

  it("refuses whoever a callback says metadata of that are none", with_auth(function(ctx, auth)
    local answers = { { ["a name"] = "x" }, { [""] = "x" }, { [("n"):rep(256)] = "x" }, { A = 1 },
      { A = "x\0y" }, { "x" } }
    local told, at = {}, 0
    local before = green.on_error(function(err)
      told[#told + 1] = tostring(err)
    end)
    auth:configure_callback("*", function()
      at = at + 1
      return true, answers[at]
    end)
    local server = assert(ctx:socket("PULL", { zap_domain = "d" }))
    local seen = assert(server:monitor { "handshake_failed_auth", "handshake_failed_no_detail" })
    assert(server:bind "tcp://127.0.0.1:*")
    for i = 1, #answers do
      local client = assert(ctx:socket("PUSH", { linger = 0, reconnect_ivl = -1 }))
      assert(client:connect(server.last_endpoint))
      assert.are.equal("the authenticator said 500", assert(seen:recv(20)).reason, i)
      client:close(0)
    end
    green.on_error(before)
    assert.are.equal(#answers, #told)
    for _, text in ipairs(told) do
      assert.matches("configure_callback: metadata must be texts", text)
    end
    seen:close()
  end))

  it("does not take a peer's word for a user's name", with(function(ctx)
    local server = assert(ctx:socket "PULL") -- no authenticator is asked
    assert(server:bind "tcp://127.0.0.1:*")
    local conn = zmtp.connect(server.last_endpoint)
    assert(conn:write(zmtp.greeting() .. zmtp.frame("\5READY\11Socket-Type\0\0\0\4PUSH"
      .. "\7User-Id\0\0\0\5admin\4Role\0\0\0\4king", 4)))
    local heard = ""
    repeat
      heard = heard .. assert(conn:read_some())
    until heard:find("READY", 65, true)
    assert(conn:write(zmtp.frame "hello"))
    local parts, metadata = assert(server:recv_message { timeout = 20, metadata = { "Role" } })
    assert.are.equal("hello", parts[1])
    assert.is_nil(metadata["User-Id"])
    assert.are.equal("king", metadata.Role) -- what a peer says is a peer's word
    conn:close()
  end))

  it("knows nothing by inproc", with(function(ctx)
    local a, b = kit.pair(ctx, "PAIR", "PAIR")
    assert(b:send "x")
    local parts, metadata = a:recv_message(20)
    assert.are.same({ { "x" }, {} }, { parts, metadata })
  end))

  it("fails and parks as recv_multipart: later, timeout, kill, close", with(function(ctx)
    local a, b = kit.pair(ctx, "PULL", "PUSH")
    fails("EAGAIN", a:recv_message(0))
    assert.are.equal("recv_message", select(2, a:recv_message(0.01)).op)
    fails("ETIMEDOUT", a:recv_message { timeout = 0.01 })
    local later = green.spawn(a.recv_message, a)
    testing.settle()
    assert(b:send_multipart("1", "2"))
    assert.are.same({ "1", "2" }, (later:wait()))
    local killed = green.spawn(a.recv_message, a)
    killed:kill()
    killed = green.spawn(a.recv_message, a)
    testing.settle()
    killed:kill()
    a._max_parts = 2
    assert(b:send_multipart("1", "2", "3"))
    fails("EMSGSIZE", a:recv_message(20))
    assert(b:send_multipart("4", "5"))
    assert.are.equal("4", (a:recv(20)))
    assert.error_matches(function() a:recv_message() end, "has begun a message by recv")
    assert.are.equal("5", (a:recv(20)))
    local closed = green.spawn(a.recv_message, a)
    testing.settle()
    a:close()
    fails("ECLOSED", closed:wait())
    fails("ECLOSED", a:recv_message())
    fails("EOPNOTSUPP", b:recv_message(0))
    assert.error_matches(function() b:recv_message { metadata = "x" } end, "a list of names")
    assert.error_matches(function() b:recv_message { metadata = { 1 } } end, "must be a string")
    assert.error_matches(function() b:recv_message { metadata = { "a\0b" } } end, "zero byte")
    assert.error_matches(function() b:recv_message { timeuot = 1 } end, "did you mean 'timeout'")
  end))

  it("says of pyzmq's messages what pyzmq says of ours", with_auth(function(ctx, auth)
    peers.need_pyzmq()
    auth:configure_plain("*", { joe = "p" })
    local server = assert(ctx:socket("REP", { plain_server = true }))
    assert(server:bind "tcp://127.0.0.1:*")
    local said = peers.beside([[
s = ctx.socket(zmq.REQ); s.plain_username, s.plain_password = b'joe', b'p'
s.connect(args[0]); s.send(b'x')
assert s.poll(20000)
frame = s.recv(copy=False)
say(frame.bytes.decode(), frame.get('Socket-Type'), frame.get('Peer-Address'))
]], server.last_endpoint)
    local parts, metadata = server:recv_message(20)
    assert.are.same({ { "x" }, "joe", "REQ", "127.0.0.1" }, { parts, metadata["User-Id"],
      metadata["Socket-Type"], metadata["Peer-Address"] })
    assert(server:send "y")
    assert.are.equal("y REP 127.0.0.1", said:wait())
  end))
end)
