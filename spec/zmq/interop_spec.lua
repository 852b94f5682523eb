-- green.zmq beside libzmq in C (peer.c) and python3-zmq (peer.py): every pattern both ways, and
-- messages of all shapes.

local green = require "green"
local kit = require "spec.support.zmq_kit"
local process = require "green.process"
local program = require "spec.support.program"
local testing = require "green.testing"
local zmq = require "green.zmq"

local _, it = testing.busted()

local PYTHON = "/usr/bin/python3"
local peers = {
  C = { program.build .. "/spec/zmq/peer" },
  ["python3-zmq"] = { PYTHON, "spec/zmq/peer.py" },
}
local missing = {}
if not io.open(peers.C[1]) then
  missing.C = "peer.c was not built: there is no zmq.h (libzmq3-dev)"
end
if os.execute(PYTHON .. " -c 'import zmq' 2>/dev/null") ~= 0 then
  missing["python3-zmq"] = "there is no python3-zmq"
end

--- The keys of ZeroMQ's manual.
local keys = {
  server = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
  server_secret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
  client = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
  client_secret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
}

-- -- Messages -----------------------------------------------------------------

local function bytes()
  local list = {}
  for i = 0, 255 do list[i + 1] = string.char(i) end
  return table.concat(list)
end

local function times(n, text)
  local list = {}
  for i = 1, n do list[i] = text end
  return list
end

--- The peers know the same.
local messages = { { "hello" }, { "" }, { "", "" }, { "a", "", "b" }, { bytes() },
  { ("x"):rep(2 ^ 20) }, times(100, "part") }

local function same(want, got, err)
  assert.is_table(got, tostring(err))
  assert.equal(#want, #got)
  for i = 1, #want do
    assert.is_true(want[i] == got[i], "part " .. i)
  end
end

local acts = {}

function acts.send(s)
  for _, message in ipairs(messages) do
    assert(s:send_multipart(message, 20))
  end
end

function acts.take(s)
  for _, message in ipairs(messages) do
    same(message, s:recv_multipart(20))
  end
end

function acts.ask(s)
  for _, message in ipairs(messages) do
    assert(s:send_multipart(message, 20))
    same(message, s:recv_multipart(20))
  end
end

function acts.echo(s)
  for _ = 1, #messages do
    assert(s:send_multipart(assert(s:recv_multipart(20)), 20))
  end
end

function acts.feed(s)
  assert(s:recv_multipart(20)) -- the subscription
  acts.send(s)
end

-- -- Beside a peer ------------------------------------------------------------

--- Start a peer. Its output's stream, and the child.
local function start(name, words)
  local command = { stdout = "pipe", stderr = "stdout" }
  for _, list in ipairs { peers[name], words } do
    for _, word in ipairs(list) do command[#command + 1] = word end
  end
  local child = assert(process.spawn(command))
  return child.stdout, child
end

local function finish(out, child)
  local last = {}
  green.timeout(20, function()
    for line in out:lines() do last[#last + 1] = line end
  end)
  local text = table.concat(last, "\n")
  assert.equal("ok", last[#last], text)
  assert(child:wait())
  out:close()
end

--- Our act beside the peer's, where it connects and where it binds.
local function beside(ctx, name, case, transport, peer_binds)
  local ours = assert(ctx:socket(case.ours, case.opts))
  if case.topic then assert(ours:subscribe(case.topic)) end
  local auth = case.guarded and zmq.auth(ctx)
  if auth then auth:configure_plain("*", { me = "secret" }) end
  local endpoint = kit.endpoint(transport)
  if not peer_binds then
    assert(ours:bind(endpoint))
    endpoint = ours.last_endpoint
  end
  local words = { case.theirs, peer_binds and "bind" or "connect", endpoint, case.their_act,
    case.their_act == "echo" and tostring(#messages) or "1" }
  for _, option in ipairs(case.their_opts or {}) do words[#words + 1] = option end
  local out, child = start(name, words)
  if peer_binds then
    assert(ours:connect(assert(out:read_line())))
  end
  acts[case.act](ours)
  finish(out, child)
  if auth then auth:stop() end
end

local plain = { plain_username = "me", plain_password = "secret" }
local plain_text = { "plain_username=me", "plain_password=secret" }
local curve = { curve_publickey = keys.client, curve_secretkey = keys.client_secret,
  curve_serverkey = keys.server }
local curve_text = { "curve_publickey=" .. keys.client, "curve_secretkey=" .. keys.client_secret,
  "curve_serverkey=" .. keys.server }

local cases = {
  { "REQ, asking their REP", ours = "REQ", act = "ask", theirs = "REP", their_act = "echo" },
  { "REP, answering their REQ", ours = "REP", act = "echo", theirs = "REQ", their_act = "ask" },
  { "DEALER, asking their ROUTER", ours = "DEALER", act = "ask", theirs = "ROUTER",
    their_act = "echo" },
  { "ROUTER, answering their DEALER", ours = "ROUTER", act = "echo", theirs = "DEALER",
    their_act = "ask" },
  { "PUSH to their PULL", ours = "PUSH", act = "send", theirs = "PULL", their_act = "take" },
  { "PULL from their PUSH", ours = "PULL", act = "take", theirs = "PUSH", their_act = "send" },
  { "XPUB to their SUB", ours = "XPUB", act = "feed", theirs = "SUB", their_act = "take",
    their_opts = { "subscribe=" } },
  { "SUB of their XPUB", ours = "SUB", act = "take", topic = "", theirs = "XPUB",
    their_act = "feed" },
  { "PAIR and PAIR", ours = "PAIR", act = "ask", theirs = "PAIR", their_act = "echo" },
  { "DEALER by PLAIN, as a client", ours = "DEALER", act = "ask", theirs = "ROUTER",
    their_act = "echo", opts = plain, their_opts = { "plain_server=1" } },
  { "ROUTER by PLAIN, as the server", ours = "ROUTER", act = "echo", theirs = "DEALER",
    their_act = "ask", opts = { plain_server = true }, their_opts = plain_text, guarded = true },
  { "DEALER by CURVE, as a client", ours = "DEALER", act = "ask", theirs = "ROUTER",
    their_act = "echo", opts = curve,
    their_opts = { "curve_server=1", "curve_secretkey=" .. keys.server_secret }, curve = true },
  { "ROUTER by CURVE, as the server", ours = "ROUTER", act = "echo", theirs = "DEALER",
    their_act = "ask", opts = { curve_server = true, curve_secretkey = keys.server_secret },
    their_opts = curve_text, curve = true },
}

for _, name in ipairs { "C", "python3-zmq" } do
  describe("beside " .. name, function()
    for _, case in ipairs(cases) do
      for transport, peer_binds in pairs { tcp = true, ipc = false } do
        it(("%s, by %s, %s"):format(case[1], transport,
          peer_binds and "they bind" or "we bind"), function()
          if missing[name] then
            return pending(missing[name])
          elseif case.curve and not zmq.has "curve" then
            return pending "this libzmq has no CURVE"
          elseif case.guarded and not zmq.auth then
            return pending "a PLAIN server needs zmq.auth"
          end
          kit.with(function(ctx)
            beside(ctx, name, case, transport, peer_binds)
          end)()
        end)
      end
    end
  end)
end

describe("STREAM", function()
  it("talks to a plain TCP client", kit.with(function(ctx)
    local s = assert(ctx:socket "STREAM")
    assert(s:bind "tcp://127.0.0.1:*")
    local client = assert(green.connect("127.0.0.1", s.last_endpoint:match ":(%d+)$"))
    local id = assert(s:recv_multipart(20))[1] -- the news that it is there
    assert(client:write "GET / HTTP/1.0\r\n\r\n")
    same({ id, "GET / HTTP/1.0\r\n\r\n" }, s:recv_multipart(20))
    assert(s:send_multipart({ id, "HTTP/1.0 200 OK\r\n\r\nhello" }, 20))
    assert.equal("HTTP/1.0 200 OK", client:read_line())
    client:close()
    same({ id, "" }, s:recv_multipart(20)) -- the news that it is gone
  end))

  it("talks to a plain TCP server", kit.with(function(ctx)
    local listener = assert(green.listen("127.0.0.1", 0))
    local _, port = listener:sockname()
    local s = assert(ctx:socket "STREAM")
    assert(s:connect("tcp://127.0.0.1:" .. port))
    local conn = assert(listener:accept())
    local id = assert(s:recv_multipart(20))[1]
    assert(s:send_multipart({ id, "ping\n" }, 20))
    assert.equal("ping", (conn:read_line()))
    assert(conn:write "pong")
    same({ id, "pong" }, s:recv_multipart(20))
    conn:close()
    same({ id, "" }, s:recv_multipart(20)) -- the news that it is gone
    listener:close()
  end))
end)
