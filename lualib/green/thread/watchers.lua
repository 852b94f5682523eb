--- Lists of functions to be called when something happens, in the order they were added.
--
-- Any of them may be taken back at any time, also while they are told, and by a
-- finalizer: nobody is skipped or told twice. Adding and taking back cost the same
-- however many there are.
-- @module green.thread.watchers

local M = {}

function M.new()
  return { first = false, last = false, n = 0, age = 0, nodes = {} }
end

--- Add a function; nothing for one that is there.
function M.add(watchers, fn)
  if watchers.nodes[fn] then
    return
  end
  local node = { fn = fn, age = watchers.age + 1, before = false, after = false, out = false }
  watchers.nodes[fn] = node
  local last = watchers.last -- a finalizer may have taken back the one before
  node.before = last
  if last then
    last.after = node
  else
    watchers.first = node
  end
  watchers.last, watchers.n, watchers.age = node, watchers.n + 1, node.age
end

--- Take a function back, if it is there. Its node still leads on to the next: one
-- that is telling them may stand on it.
function M.remove(watchers, fn)
  local node = watchers.nodes[fn]
  if not node then
    return
  end
  local before, after = node.before, node.after
  watchers.nodes[fn] = nil
  if before then
    before.after = after
  else
    watchers.first = after
  end
  if after then
    after.before = before
  else
    watchers.last = before
  end
  node.out = true
  watchers.n = watchers.n - 1
end

--- Call those who are there now.
function M.tell(watchers)
  local node, youngest = watchers.first, watchers.age
  while node and node.age <= youngest do
    if not node.out then
      node.fn()
    end
    node = node.after
  end
end

return M
