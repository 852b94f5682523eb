-- ZeroMQ: contexts, sockets, options, messages of one part and of several, waits.

local green = require "green"
local kit = require "spec.oom.kit"
local zmq = require "green.zmq"

-- What a work has opened is closed, whatever it came to.
local open = {}
local n = 0

local function keep(s, err)
  if not s then error(err, 0) end
  open[#open + 1] = s
  return s
end

local function close_all()
  for i, s in pairs(open) do
    s:close(0)
    open[i] = nil
  end
end

local function pair(a, b, opts)
  n = n + 1
  local at = "inproc://oom-" .. n
  local one = keep(zmq.socket(a, opts))
  assert(one:bind(at))
  local two = keep(zmq.socket(b))
  assert(two:connect(at))
  return one, two
end

--- A new pair works: nothing is left of who waited, nor of half messages.
local function works()
  local pull, push = pair("PULL", "PUSH")
  assert(push:send "a" and pull:recv(5) == "a")
  local t = green.spawn(pull.recv_multipart, pull, 5)
  green.sleep(0)
  assert(push:send_multipart { "x", "", "y" })
  local parts = t:wait(5)
  assert(#parts == 3 and parts[3] == "y")
  close_all()
end

local function run(name, work)
  kit.run("zmq: " .. name, work, works, close_all)
end

run("a context of one's own, and its end", function()
  local ctx = assert(zmq.Context { io_threads = 1 })
  open[#open + 1] = { close = function() ctx:term(5) end }
  local s = keep(ctx:socket "PULL")
  assert(s:bind "inproc://oom")
  assert(ctx:term(5))
  assert(s.closed)
end)

run("sockets with options", function()
  local s = keep(zmq.socket("DEALER", { routing_id = "me", sndhwm = 5, linger = 0 }))
  assert(s:get "sndhwm" == 5 and s:get "routing_id" == "me")
  assert(s:set("rcvtimeo", 0.01))
  assert(tostring(s):find "DEALER")
  assert(not s:bind "nonsense://x")
  s:close()
  assert(not s:send "x")
end)

run("parts and messages", function()
  local pull, push = pair("PULL", "PUSH")
  assert(push:send("a", { more = true }))
  assert(push:send("", { more = true }))
  assert(push:send "c")
  local a, more = pull:recv(5)
  assert(a == "a" and more)
  local b, c = pull:recv(5), pull:recv(5)
  assert(b == "" and c == "c")
  assert(push:send_multipart("d", "e"))
  assert(pull:recv_multipart(5)[2] == "e")
end)

-- They are copied here: the allocator is the host's.
run("long parts", function()
  local pull, push = pair("PULL", "PUSH")
  local text, other = ("x"):rep(40000), ("y"):rep(200000)
  assert(push:send(text))
  assert(push:send_multipart { "a", text, other, text })
  collectgarbage()
  assert(pull:recv(5) == text)
  local parts = assert(pull:recv_multipart(5))
  assert(parts[2] == text and parts[3] == other and parts[4] == text)
end)

run("messages with what is known of their sender, and monitors", function()
  local pull, push = keep(zmq.socket("PULL", { linger = 0 })), keep(zmq.socket("PUSH",
    { linger = 0 }))
  local seen = assert(pull:monitor { "listening", "accepted" })
  assert(pull:bind "tcp://127.0.0.1:*")
  assert(seen:recv(5).name == "listening")
  assert(push:connect(pull.last_endpoint))
  assert(push:send_multipart("a", "b"))
  local parts, metadata = pull:recv_message { timeout = 5, metadata = { "X" } }
  assert(parts[2] == "b" and metadata["Peer-Address"] == "127.0.0.1")
  assert(seen:recv(5).name == "accepted")
  seen:close()
end)

run("a half message, sent and received, of threads that end", function()
  local pull, push = pair("PULL", "PUSH")
  green.spawn(function() push:send("lost", { more = true }) end):wait()
  assert(push:send_multipart { "1", "2", "3" })
  local t = green.spawn(function() return (pull:recv(5)) end)
  local first = t:wait()
  assert(first == "1")
  assert(push:send "next")
  assert(pull:recv_multipart(5)[1] == "next")
end)

run("waits that end by a message, a timeout, a kill and a close", function()
  local pull, push = pair("PULL", "PUSH")
  local t = green.spawn(pull.recv, pull, 5)
  green.sleep(0)
  assert(push:send "m")
  assert(t:wait(5) == "m")
  local text, err = pull:recv(0.0001)
  assert(not text and err:is "ETIMEDOUT")
  local killed = green.spawn(pull.recv, pull)
  green.sleep(0)
  killed:kill()
  local late = green.spawn(pull.recv, pull)
  green.sleep(0)
  pull:close()
  local none, why = late:wait(5)
  assert(not none and why.code == "ECLOSED")
end)

run("asking and answering", function()
  local rep, req = pair("REP", "REQ")
  local t = green.spawn(function()
    local q = assert(rep:recv(5))
    assert(rep:send(q .. "!"))
  end)
  assert(req:send "hello")
  assert(req:recv(5) == "hello!")
  t:wait()
  local ok, err = rep:send "out of turn"
  assert(not ok and err.code == "EFSM")
end)

run("subscribing", function()
  local pub, sub = pair("XPUB", "SUB")
  assert(sub:subscribe "t")
  assert(pub:recv(5) == "\1t")
  assert(pub:send "topic")
  assert(sub:messages(5)()[1] == "topic")
  assert(sub:unsubscribe "t")
end)

kit.finish()
