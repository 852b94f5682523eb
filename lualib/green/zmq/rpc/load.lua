--- The workers of a service that have room, by how many requests they have: the one with the
-- fewest first, of several the one that has waited longest. Private to green.zmq.rpc.
-- @module green.zmq.rpc.load

local lists = require "green.zmq.rpc.list"

-- Scripts may put their own in their places.
local min = math.min

local M = {}

--- Nobody.
function M.new()
  return { [0] = lists.new(), least = 0, most = 0 }
end

--- A worker with `running` requests takes more.
function M.add(load, worker)
  local running = worker.running
  for i = load.most + 1, running do
    load[i] = lists.new()
    load.most = i
  end
  load.least = min(load.least, running)
  lists.push(load[running], worker)
end

--- It takes no more, for now.
M.remove = lists.remove

--- The one with the fewest requests; nil: nobody has room. It stays where it is.
function M.first(load)
  for i = load.least, load.most do
    local worker = load[i].first
    if worker then
      load.least = i
      return worker
    end
  end
  load.least = load.most
end

return M
