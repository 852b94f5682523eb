-- graph.lua: which unit needs which, why, and the circles in that.
local graph = {}
graph.__index = graph

function graph.new()
  return setmetatable({ edges = {} }, graph)
end

--- from needs to: why says by what. The first reason stays.
function graph:add(from, to, why)
  if from == to then return end
  self.edges[from] = self.edges[from] or {}
  self.edges[from][to] = self.edges[from][to] or why
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The shortest way from one unit back to itself: a list of units, or nil.
function graph:way_back(start)
  local came_from, line, i = {}, { start }, 1
  while line[i] do
    for _, to in ipairs(sorted(self.edges[line[i]] or {})) do
      if to == start then
        local way, at = {}, line[i]
        while at do
          table.insert(way, 1, at)
          at = came_from[at]
        end
        return way
      elseif not came_from[to] then
        came_from[to] = line[i]
        line[#line + 1] = to
      end
    end
    i = i + 1
  end
end

--- Texts, one a circle: the shortest through each unit, none told twice.
function graph:circles()
  local told, texts = {}, {}
  for _, start in ipairs(sorted(self.edges)) do
    local way = not told[start] and self:way_back(start)
    if way then
      local parts = {}
      for k, unit in ipairs(way) do
        told[unit] = true
        parts[k] = ("%s (%s)"):format(unit, self.edges[unit][way[k + 1] or way[1]])
      end
      texts[#texts + 1] = ("circle: %s -> %s"):format(table.concat(parts, " -> "), way[1])
    end
  end
  return texts
end

return graph
