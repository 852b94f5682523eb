--- Samples in the format of pprof (profile.proto of github.com/google/pprof): protocol buffers,
-- not compressed, which its tools read as well. Private to green.profile.
-- @module green.profile.pprof

local byte_of, concat, floor = string.char, table.concat, math.floor
local find, match = string.find, string.match
local ipairs, tonumber = ipairs, tonumber

-- -- Protocol buffers: varints, and fields that are bytes ---------------------

local function varint(n)
  local bytes = {}
  while n >= 128 do
    bytes[#bytes + 1] = byte_of(n % 128 + 128)
    n = floor(n / 128)
  end
  bytes[#bytes + 1] = byte_of(n)
  return concat(bytes)
end

local function number(field, n)
  return n == 0 and "" or varint(field * 8) .. varint(n)
end

local function bytes(field, text)
  return varint(field * 8 + 2) .. varint(#text) .. text
end

--- A list of numbers, packed.
local function packed(field, list)
  local parts = {}
  for i, n in ipairs(list) do
    parts[i] = varint(n)
  end
  return bytes(field, concat(parts))
end

-- -- The profile --------------------------------------------------------------

--- A table of texts: each has a number, in the order of first use; the first is "".
local function new_strings()
  local list, numbers = { "" }, { [""] = 0 }
  return list, function(text)
    if not numbers[text] then
      list[#list + 1] = text
      numbers[text] = #list - 1
    end
    return numbers[text]
  end
end

local function value_type(of, kind, unit)
  return number(1, of(kind)) .. number(2, of(unit))
end

--- "name file:line" as what pprof knows: name, file, line.
local function parts_of(frame)
  local name, file, line = match(frame, "^(main chunk) (.+):(%d+)$")
  if not name and not find(frame, "^thread ") then
    name, file, line = match(frame, "^(%S+) (.+):(%d+)$")
  end
  return name or frame, file or "", tonumber(line) or 0
end

--- Functions and lines, each once: those that are new are written.
local function new_locations(out, of)
  local functions, locations, n_functions, n = {}, {}, 0, 0
  local function function_of(name, file)
    local key = name .. "\n" .. file
    if not functions[key] then
      n_functions = n_functions + 1
      functions[key] = n_functions
      out[#out + 1] = bytes(5, number(1, n_functions) .. number(2, of(name)) .. number(3, of(name))
        .. number(4, of(file)))
    end
    return functions[key]
  end
  return function(frame)
    if not locations[frame] then
      n = n + 1
      locations[frame] = n
      local name, file, line = parts_of(frame)
      local of_line = number(1, function_of(name, file)) .. number(2, line)
      out[#out + 1] = bytes(4, number(1, n) .. bytes(4, of_line))
    end
    return locations[frame]
  end
end

--- The profile as bytes.
-- @tparam table stacks a list of { count =, value =, frames... }, the outermost frame first
-- @tparam table about `kind` and `unit` of the values ("cpu", "nanoseconds"); `period` of the
-- samples, in that unit; `began`: seconds since 1970; `seconds`: how long it took
-- @treturn string
return function(stacks, about)
  local strings, of = new_strings()
  local out = {}
  local location = new_locations(out, of)
  out[#out + 1] = bytes(1, value_type(of, "samples", "count"))
  out[#out + 1] = bytes(1, value_type(of, about.kind, about.unit))
  for _, stack in ipairs(stacks) do
    local ids = {}
    for i = #stack, 1, -1 do -- the leaf first
      ids[#ids + 1] = location(stack[i])
    end
    out[#out + 1] = bytes(2, packed(1, ids) .. packed(2, { stack.count, floor(stack.value) }))
  end
  out[#out + 1] = number(9, floor(about.began * 1e6) * 1000)
    .. number(10, floor(about.seconds * 1e9))
    .. bytes(11, value_type(of, about.kind, about.unit)) .. number(12, floor(about.period))
  for _, text in ipairs(strings) do
    out[#out + 1] = bytes(6, text)
  end
  return concat(out)
end
