-- A client's session at a backdoor, lines and frames.

local backdoor = require "green.backdoor"
local frame = require "green.backdoor.frame"
local green = require "green"
local kit = require "spec.oom.kit"
local socket = require "green.socket"

-- What a work has opened is closed, whatever it came to.
local open = {}

local function close_all()
  for i = 1, 2 do
    if open[i] then
      open[i]:close()
      open[i] = nil
    end
  end
end

--- A client who sends a text, ends, and reads all that is said.
local function talk(text)
  open[1], open[2] = socket.pair()
  assert(open[1], open[2])
  local session = green.spawn(backdoor.backdoor, open[1], { answer = { 42 } })
  open[2]:write(text)
  open[2]:shutdown("write")
  session:wait()
  open[1]:close()
  assert(open[2]:read_all(nil, { timeout = 1 }))
end

-- What is said then may be anything: a line that cannot be compiled for want of memory looks like
-- one that is not complete.
kit.run("a session of lines", function()
  talk "answer\nprint(5)\nfor i = 1, 2 do\nprint(i)\nend\n"
end, nil, close_all)

kit.run("a session of frames", function()
  talk(frame.HELLO .. "\n" .. frame.pack("complete", "ans") .. frame.pack("line", "answer")
    .. frame.pack("kill", ""))
end, nil, close_all)
