--- The links of one green thread, in the order they were made. Private to
-- green.thread.
--
-- Adding and taking back cost the same however many there are: a link is found by
-- its function and its first argument.
-- @module green.thread.links

local M = {}

local NONE = {} -- stands for a first argument that cannot be a key

local function key_of(args)
  local first = args[1]
  if first == nil or first ~= first then
    return NONE
  end
  return first
end

function M.new()
  return { first = nil, last = nil, n = 0, by_fn = {} }
end

--- Add a link.
function M.add(links, fn, args)
  local key, last = key_of(args), links.last
  local same = links.by_fn[fn] or { n = 0, by_arg = {} }
  local link = { fn = fn, args = args, older = last, newer = nil, twin = same.by_arg[key] }
  links.by_fn[fn] = same
  same.by_arg[key], same.n = link, same.n + 1
  if last then
    last.newer = link
  else
    links.first = link
  end
  links.last, links.n = link, links.n + 1
end

local function same_args(a, b)
  if a.n ~= b.n then
    return false
  end
  for i = 1, a.n do
    if not rawequal(a[i], b[i]) then
      return false
    end
  end
  return true
end

--- The link with these arguments among those of the same first one, out of their
-- row; nil: none.
local function take_twin(same, key, args)
  local link, before = same.by_arg[key], nil
  while link and not same_args(link.args, args) do
    link, before = link.twin, link
  end
  if not link then
    return nil
  elseif before then
    before.twin = link.twin
  else
    same.by_arg[key] = link.twin
  end
  same.n = same.n - 1
  return link
end

--- Take a link back. Whether there was one.
function M.remove(links, fn, args)
  local same = links.by_fn[fn]
  local link = same and take_twin(same, key_of(args), args)
  if not link then
    return false
  end
  if same.n == 0 then
    links.by_fn[fn] = nil
  end
  local older, newer = link.older, link.newer
  if older then
    older.newer = newer
  else
    links.first = newer
  end
  if newer then
    newer.older = older
  else
    links.last = older
  end
  links.n = links.n - 1
  return true
end

return M
