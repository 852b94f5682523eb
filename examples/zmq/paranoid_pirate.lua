-- A queue that knows which workers live, workers that know whether the queue does, and clients that
-- ask again: any of them may die and come back.
--
--     greenlua examples/zmq/paranoid_pirate.lua                           all in one process
--     greenlua examples/zmq/paranoid_pirate.lua queue tcp://127.0.0.1:5555 tcp://127.0.0.1:5556
--     greenlua examples/zmq/paranoid_pirate.lua worker tcp://127.0.0.1:5556 ann
--     greenlua examples/zmq/paranoid_pirate.lua client tcp://127.0.0.1:5555 100
--
-- A worker says READY, once; then each end says HERE every BEAT seconds, and takes the other for
-- dead after SILENCE. A request goes to the worker that has been idle for the longest time.

local green = require "green"
local zmq = require "green.zmq"

local BEAT, SILENCE = 0.2, 0.8 -- seconds
local PATIENCE, TRIES = 1, 10 -- of a client; seconds, and for each request

-- -- The queue ---------------------------------------------------------------

--- A worker that has nothing to do.
local function ready(self, name)
  local worker = { name = name, due = green.now() + SILENCE }
  self.workers[name] = worker
  self.idle:put(worker)
end

--- What comes from a worker: answers, READY and HERE.
local function from_worker(self, name, message)
  local worker = self.workers[name]
  if message[1] == "READY" then
    ready(self, name)
  elseif message[1] ~= "HERE" then
    self.front:send_multipart(message) -- begins with the client's name
    ready(self, name)
  elseif worker then
    worker.due = green.now() + SILENCE
  else
    self.back:send_multipart(name, "WHO") -- it knows the queue that was here before
  end
end

local function beat(self)
  while true do
    green.sleep(BEAT)
    for name, worker in pairs(self.workers) do
      if worker.due < green.now() then
        self.workers[name] = nil
        print "queue: a worker is gone"
      else
        self.back:send_multipart(name, "HERE")
      end
    end
  end
end

local function queue(front, back)
  local self = { workers = {}, idle = green.Queue(),
    front = zmq.socket(zmq.ROUTER), back = zmq.socket(zmq.ROUTER) }
  assert(self.front:bind(front))
  assert(self.back:bind(back))
  print(("clients at %s, workers at %s"):format(self.front.last_endpoint, self.back.last_endpoint))
  green.spawn(beat, self)
  green.spawn(function()
    for message in self.back:messages() do
      from_worker(self, table.remove(message, 1), message)
    end
  end)
  for message in self.front:messages() do -- no more are read than there are workers
    local worker
    repeat
      worker = self.idle:get()
    until self.workers[worker.name] == worker
    self.back:send_multipart(worker.name, unpack(message))
  end
end

-- -- Workers -----------------------------------------------------------------

--- Do what is asked for as long as the queue lives. A message is the client's name, what its socket
-- has put in front, and the request, the last part; the answer goes back in its place.
local function serve(s, work)
  local busy = 0
  local message = { "WHO" }
  while message do
    if #message > 1 then
      busy = busy + 1
      green.spawn(function(task)
        task[#task] = work(task[#task], s)
        s:send_multipart(task)
        busy = busy - 1
      end, message)
    elseif message[1] == "WHO" and busy == 0 then
      s:send "READY"
    end
    message = s:recv_multipart(SILENCE)
  end
end

local function worker(endpoint, name, work)
  local pause = BEAT
  while true do
    local s = zmq.socket(zmq.DEALER)
    assert(s:connect(endpoint))
    local beats = green.spawn(function()
      repeat green.sleep(BEAT) until not s:send "HERE"
    end)
    serve(s, work or function(text)
      green.sleep(0.02)
      return ("%s, by %s"):format(text:upper(), name)
    end)
    beats:kill()
    s:close(0)
    print(("worker %s connects again"):format(name))
    green.sleep(pause) -- longer each time, so that a queue that comes back is not run over
    pause = math.min(2 * pause, 5)
  end
end

-- -- Clients -----------------------------------------------------------------

-- A relaxed REQ may ask again before it has an answer; correlated, it knows which one is late.
local function client(endpoint, count)
  local s = zmq.socket(zmq.REQ, { req_relaxed = true, req_correlate = true })
  assert(s:connect(endpoint))
  for n = 1, tonumber(count or 10) do
    local tries, answer = 0
    repeat
      tries = tries + 1
      assert(tries <= TRIES, "the queue seems to be gone")
      answer = s:send("task " .. n, PATIENCE) and s:recv(PATIENCE)
    until answer
    print(answer)
  end
  s:close()
end

local roles = { queue = queue, worker = worker, client = client }
if arg[1] then
  roles[arg[1]](unpack(arg, 2))
  return
end
local front, back = "inproc://tasks", "inproc://workers"
green.spawn(queue, front, back)
green.spawn(worker, back, "ann")
local died
green.spawn(worker, back, "bob", function(text, s)
  if text == "task 4" and not died then
    died = true
    print "bob dies"
    s:close(0)
  end
  return text:upper() .. ", by bob"
end)
client(front)
