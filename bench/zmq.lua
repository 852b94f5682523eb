-- ZeroMQ from green threads, the acts of floor_zmq.c: zmq.lua ACT ENDPOINT COUNT SIZE
--
-- inproc: zmq.lua inproc COUNT SIZE, two runtimes in two threads of this process; COUNT messages
-- are received as strings, as many more into memory.
--
-- A text that is sent is one of 1,024, or of as many as make a megabyte; made before, as a
-- program has them. A power of two: the next one is found without a division, which the C
-- program does not do either. The first eight bytes are -1: floor_zmq compares no number then.
local ffi = require "ffi"
local green = require "green"
local zmq = require "green.zmq"

local band = require("bit").band

ffi.cdef "int clock_gettime(int clock, long *time);"

local PROCESS, THREAD = 2, 3

local function clock(id)
  local t = ffi.new("long[2]")
  ffi.C.clock_gettime(id, t)
  return tonumber(t[0]) * 1e9 + tonumber(t[1])
end

local act, endpoint = arg[1], arg[2]
local count, size = tonumber(arg[#arg - 1]), tonumber(arg[#arg])

local function new_texts(length)
  local texts = {}
  for i = 1, math.max(2, math.min(1024, 2 ^ 20 / length)) do
    texts[i] = ("\255"):rep(8) .. ("%08d"):format(i):rep(length / 8 - 1)
  end
  return texts
end

local ends = {}

function ends.push(s, n, texts)
  local most = #texts - 1
  for i = 1, n do assert(s:send(texts[band(i, most) + 1])) end
end

function ends.pull(s, n)
  for _ = 1, n do assert(#s:recv() == size) end
end

function ends.pull_into(s, n)
  local buffer = ffi.new("char[?]", size)
  for _ = 1, n do assert(s:recv_into(buffer, size) == size) end
end

function ends.req(s, n, texts)
  local most = #texts - 1
  for i = 1, n do
    local text = texts[band(i, most) + 1]
    assert(s:send(text))
    assert(s:recv() == text)
  end
end

function ends.rep(s, n)
  for _ = 1, n do assert(s:send((s:recv()))) end
end

--- libzmq throws away what is in the kernel when PUSH is closed while PULL's line is full. So it
-- stays until PULL, which has everything, has removed the endpoint's file.
local function let_go()
  local path = endpoint:match "^ipc://(.*)"
  if act == "pull" and path then
    os.remove(path)
  end
  while act == "push" and path and os.rename(path, path) do green.sleep(0.002) end
end

local function one_end()
  local ctx = zmq.Context {}
  local s = ctx:socket(act:upper())
  local binds = act == "pull" or act == "rep"
  assert(s[binds and "bind" or "connect"](s, endpoint))
  local texts, work = new_texts(size), ends[act]
  work(s, count / 10, texts)
  local cpu, own = clock(PROCESS), clock(THREAD)
  work(s, count, texts)
  own = clock(THREAD) - own
  let_go()
  s:close(30)
  ctx:term()
  print(("%s_ns=%.1f %s_own_ns=%.1f"):format(act, (clock(PROCESS) - cpu) / count, act,
    own / count))
end

local function echo()
  local s = zmq.socket(zmq.ROUTER)
  assert(s:bind(endpoint))
  while true do
    s:send_multipart(s:recv_multipart())
  end
end

-- What the other native thread does, in a green thread of a runtime of its own.
local function push_there(n, texts)
  local green_there, there = require "green", require "green.zmq"
  green_there.spawn(function()
    local s = there.socket(there.PUSH)
    assert(s:connect("inproc://bench"))
    local most = #texts - 1
    for i = 1, n do assert(s:send(texts[band(i, most) + 1])) end
    s:close()
  end):wait()
end

local function inproc()
  local tpool = require "green.tpool"
  local s = zmq.socket(zmq.PULL)
  assert(s:bind("inproc://bench"))
  local texts = new_texts(size)
  local other = green.spawn(tpool.execute, push_there, 2 * count + count / 10, texts)
  ends.pull(s, count / 10)
  local begun = clock(PROCESS)
  ends.pull(s, count)
  local middle = clock(PROCESS)
  ends.pull_into(s, count)
  local cpu, into = middle - begun, clock(PROCESS) - middle
  print(("cpu_ns=%.1f into_ns=%.1f"):format(cpu / count, into / count))
  other:wait()
  s:close()
end

if act == "inproc" then
  inproc()
elseif act == "echo" then
  echo()
else
  one_end()
end
