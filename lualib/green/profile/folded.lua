--- Folded stacks: "frame;frame;frame number", a line each. flamegraph.pl, speedscope and others
-- read them. Private to green.profile.
-- @module green.profile.folded

local concat, floor, format, gsub = table.concat, math.floor, string.format, string.gsub
local ipairs, sort = ipairs, table.sort

--- A frame's name: what separates frames, and lines, stands in none.
local function name_of(text)
  return (gsub(gsub(text, ";", ","), "%c", " "))
end

--- The text.
-- @tparam table stacks a list of { value =, frames... }, the outermost frame first
-- @tparam number unit what a number of the text stands for: it is whole, and what is less than
-- half of that is left out
-- @treturn string
return function(stacks, unit)
  local lines = {}
  for _, stack in ipairs(stacks) do
    local names, n = {}, floor(stack.value / unit + 0.5)
    for j, name in ipairs(stack) do
      names[j] = name_of(name)
    end
    if n > 0 then
      lines[#lines + 1] = concat(names, ";") .. " " .. format("%.0f", n) .. "\n"
    end
  end
  sort(lines)
  return concat(lines)
end
