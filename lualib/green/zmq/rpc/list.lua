--- Lists whose members know their places: any of them leaves at once. A member is in one list at
-- most. Private to green.zmq.rpc.
-- @module green.zmq.rpc.list

local M = {}

--- An empty one. `first`, `n`.
function M.new()
  return { first = nil, last = nil, n = 0 }
end

local function link(list, item, before, behind)
  item._list, item._before, item._behind = list, before, behind
  if before then
    before._behind = item
  else
    list.first = item
  end
  if behind then
    behind._before = item
  else
    list.last = item
  end
  list.n = list.n + 1
end

--- Add at the end.
function M.push(list, item)
  link(list, item, list.last, nil)
end

--- Add in front.
function M.push_front(list, item)
  link(list, item, nil, list.first)
end

--- Take out of the list it is in. Does nothing where it is in none.
function M.remove(item)
  local list, before, behind = item._list, item._before, item._behind
  if not list then
    return
  end
  if before then
    before._behind = behind
  else
    list.first = behind
  end
  if behind then
    behind._before = before
  else
    list.last = before
  end
  item._list, item._before, item._behind = nil, nil, nil
  list.n = list.n - 1
end

return M
