-- The wrong calls of a function, in a fixed order. A slot is what stands in one
-- place: { text = } (see build.lua), { entry = } (see values.lua), or { options = }.

local build = require "spec.calls.build"
local find = require "spec.calls.find"
local kit = require "spec.calls.kit"
local values = require "spec.calls.values"

local M = {}

-- -- Slots --------------------------------------------------------------------

local function text_slots(texts)
  local slots = {}
  for i = 1, #texts do slots[i] = { text = texts[i] } end
  return slots
end

local function show_slot(slot)
  if slot.text then
    return slot.text
  elseif slot.options then
    return ("{ %s = %s }"):format(slot.options, slot.entry[1])
  end
  return slot.entry[1]
end

function M.show(slots)
  local words = {}
  for i, slot in ipairs(slots) do words[i] = show_slot(slot) end
  return table.concat(words, ", ")
end

--- The value of a slot, new; and the wrong one inside, if it holds one.
function M.make(slot)
  if slot.text then
    return build.value(slot.text)
  end
  local value = values.make(slot.entry)
  if slot.options then
    local options = slot.base and build.value(slot.base) or {}
    options[slot.options] = value
    return options, value
  end
  return value, value
end

-- -- Values that are objects ---------------------------------------------------

local function object_entry(class)
  return { "a " .. class, function() return build.object(class) end, class, "table", "userdata" }
end

local some = { "green.Queue", "green.thread", "green.socket", "green.error", "green.address" }

--- All wrong values: the plain ones, and objects of some classes but the given.
local function entries(but)
  local list = {}
  for _, entry in ipairs(values.list) do list[#list + 1] = entry end
  for _, class in ipairs(some) do
    if class ~= but and build.is_known(class) then
      list[#list + 1] = object_entry(class)
    end
  end
  return list
end

-- -- Kinds of cases -----------------------------------------------------------
-- add(slots, wrong, extra): wrong is { name, entry }, extra goes into the case.

local function with(slots, i, slot)
  local copy = {}
  for k = 1, math.max(#slots, i) do copy[k] = slots[k] or { text = "nil" } end
  copy[i] = slot
  return copy
end

local function wrong_selves(f, slots, add)
  for _, entry in ipairs(entries(f.class)) do
    add(with(slots, 1, { entry = entry }), { name = "self", entry = entry })
  end
  add({}, { name = "self", entry = values.list[1] })
end

-- Values that no message may show: it says of what type they are. Options by name, and
-- arguments of modules.
local SECRETS = { ticket_keys = true, key = true, auth = true, proxy = true,
  base_url = true }
local SECRET_ARGUMENTS = {
  digest = { text = true, bytes = true, key = true, a = true, b = true },
  http = { user = true, password = true, token = true },
}

local function is_secret(f, name)
  local module = f.object and f.class:match("%w+$") or f.label:match("^%w+")
  local names = SECRET_ARGUMENTS[module]
  return names and names[name] or false
end

local function wrong_arguments(f, slots, add)
  local first = f.object and 1 or 0
  for i, name in ipairs(f.about.params) do
    local shown = not is_secret(f, name)
    for _, entry in ipairs(entries()) do
      add(with(slots, first + i, { entry = entry }), { name = name, shown = shown, entry = entry })
    end
  end
  if f.about.vararg then
    for _, entry in ipairs(entries()) do
      add(with(slots, first + #f.about.params + 1, { entry = entry }), { entry = entry })
    end
  end
end


local function wrong_options(f, slots, add)
  local at = f.options_at
  if not at then
    return
  end
  local base = slots[at] and slots[at].text
  local function try(name, entry, shown)
    add(with(slots, at, { options = name, entry = entry, base = base }),
      { name = name, shown = shown, entry = entry })
  end
  for _, name in ipairs(f.options) do
    for _, entry in ipairs(entries()) do try(name, entry, not SECRETS[name]) end
  end
  try("no_such_option", { "1", 1 }, false)
end

local function wrong_counts(f, slots, add)
  for n = #slots - 1, f.object and 1 or 0, -1 do
    local fewer = {}
    for i = 1, n do fewer[i] = slots[i] end
    add(fewer, nil, { missing = true })
  end
  local more = with(slots, #slots + 1, { text = "'x'" })
  add(more)
  add(with(more, #more + 1, { text = "{}" }))
end

--- Objects that are at their end, or in another state than a new one.
local function in_states(f, slots, add)
  local texts = {}
  for _, name in ipairs(f.object and kit.ends or {}) do
    if f.methods[name] then
      texts[#texts + 1] = ("ended(%q, O%q)"):format(name, f.class)
    end
  end
  for _, text in ipairs(f.object and kit.states[f.class] or {}) do texts[#texts + 1] = text end
  for _, text in ipairs(texts) do
    add(with(slots, 1, { text = text }), nil, { state = true })
    if #slots > 1 then
      add(with(with(slots, 1, { text = text }), 2, { entry = values.list[2] }), nil,
        { state = true })
    end
  end
end

--- In places from where one cannot wait, and in coroutines.
local function elsewhere(f, slots, add)
  for _, site in ipairs { "sort", "coroutine", "finalizer" } do
    add(slots, nil, { site = site, state = true })
    local at = f.object and 2 or 1
    if #f.about.params > 0 then
      local entry = values.list[21]
      add(with(slots, at, { entry = entry }), { name = f.about.params[1], entry = entry },
        { site = site })
    end
    if f.object then
      add(with(slots, 1, { entry = values.list[2] }), { name = "self", entry = values.list[2] },
        { site = site })
    end
  end
end

--- All cases of f with right arguments base. each(slots, wrong, extra) tries one.
function M.each(f, base, mode, each)
  local slots = text_slots(base)
  if f.object then
    table.insert(slots, 1, { text = ("O%q"):format(f.class) })
    f.methods = {}
    for _, method in ipairs(find.methods(find.classes()[f.class])) do
      f.methods[method.name] = true
    end
    wrong_selves(f, slots, each)
  end
  wrong_arguments(f, slots, each)
  wrong_options(f, slots, each)
  wrong_counts(f, slots, each)
  in_states(f, slots, each)
  if mode ~= "compiled" then
    elsewhere(f, slots, each)
  end
end

return M
