--- Samples as a tree: each frame knows what it and those above it stand for. Private to
-- green.profile.
-- @module green.profile.tree

local ipairs, pairs, sort = ipairs, pairs, table.sort

local M = {}

local function new(name)
  return { name = name, total = 0, self = 0, count = 0, children = {}, by_name = {} }
end

local function child_of(node, name)
  local child = node.by_name[name]
  if not child then
    child = new(name)
    node.by_name[name] = child
    node.children[#node.children + 1] = child
  end
  return child
end

local function add(node, stack)
  node.total = node.total + stack.value
  node.count = node.count + stack.count
end

local function by_name(a, b)
  return a.name < b.name
end

--- Sort the children of all nodes. A loop, for stacks may be deep.
local function sort_all(root)
  local row, depth = { root }, 0
  while row[1] do
    local above = {}
    for _, node in ipairs(row) do
      sort(node.children, by_name)
      for _, child in ipairs(node.children) do
        above[#above + 1] = child
      end
    end
    row, depth = above, depth + 1
  end
  return depth
end

--- The tree of stacks.
-- @tparam table stacks a list of { count =, value =, frames... }, each with the outermost frame
-- first
-- @treturn table the root: `name`, `total` and `self` (what samples stand for that end there),
-- `count`, `children`, sorted by name
-- @treturn number how many rows of frames there are
function M.of(stacks)
  local root = new("all")
  for _, stack in ipairs(stacks) do
    local node = root
    add(node, stack)
    for _, name in ipairs(stack) do
      node = child_of(node, name)
      add(node, stack)
    end
    node.self = node.self + stack.value
  end
  return root, sort_all(root)
end

local function larger(a, b)
  if a.self ~= b.self then
    return a.self > b.self
  elseif a.total ~= b.total then
    return a.total > b.total
  end
  return a.name < b.name
end

--- What each frame stands for itself, and all stacks that it is in, each once.
-- @treturn table a list of { name =, self =, total = }, the largest first
function M.flat(stacks)
  local all, list = {}, {}
  for _, stack in ipairs(stacks) do
    local seen = {}
    for i, name in ipairs(stack) do
      local one = all[name] or { name = name, self = 0, total = 0 }
      all[name] = one
      one.total = one.total + (seen[name] and 0 or stack.value)
      one.self = one.self + (i == #stack and stack.value or 0)
      seen[name] = true
    end
  end
  for _, one in pairs(all) do
    list[#list + 1] = one
  end
  sort(list, larger)
  return list
end

return M
