--- Messages that go out on one socket in the order in which they were put in, whoever does
-- that: a send may let other green threads run.
-- @module green.zmq.broker.outbox

local thread = require "green.thread"

local error, xpcall = error, xpcall

local M = {}

--- @param socket of green.zmq, whose sends do not wait for receivers (PUB, XPUB)
function M.new(socket)
  return { socket = socket, first = 1, last = 0, is_busy = false }
end

local function send_all(self)
  while self.first <= self.last do
    local frames = self[self.first]
    self[self.first], self.first = nil, self.first + 1
    self.socket:send_multipart(frames)
  end
end

--- Put messages in, and send what there is, unless another thread is at it. Parks.
-- @tparam table list of tables of frames
function M.push(self, list)
  for i = 1, #list do
    self.last = self.last + 1
    self[self.last] = list[i]
  end
  if self.is_busy then
    return
  end
  self.is_busy = true
  local ok, err = xpcall(send_all, thread.note_traceback, self)
  self.is_busy = false
  if not ok then
    error(err, 0)
  end
end

return M
