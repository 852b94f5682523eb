-- What a function lets be known while it runs: the options it takes.

local build = require "spec.calls.build"
local call = require "spec.calls.call"
local cases = require "spec.calls.cases"
local find = require "spec.calls.find"
local kit = require "spec.calls.kit"
local options = require "green.args.options"

local M = {}

local noticed

local function names_of(known)
  local names = {}
  for key, value in pairs(known) do
    names[#names + 1] = type(key) == "number" and value or key
  end
  table.sort(names)
  return names
end

--- Listen to who checks options, and which are known. A tail call: levels stay.
local function listen()
  local check = options.check
  options.check = function(given, known, ...)
    noticed = noticed or names_of(known)
    return check(given, known, ...)
  end
  return function()
    options.check = check
  end
end

--- The place of f's option table, and the names: f.options_at, f.options.
function M.options(f, base)
  for i, name in ipairs(f.about.params) do
    if name == "opts" or name == "options" or name == "size_or_opts" then
      local slots = {}
      for k = 1, math.max(#base, i) do slots[k] = { text = base[k] or "nil" } end
      slots[i] = { text = "{}" }
      if f.object then table.insert(slots, 1, { text = ("O%q"):format(f.class) }) end
      local stop
      call.apart(function()
        local args = { n = #slots }
        for k, slot in ipairs(slots) do args[k] = cases.make(slot) end
        args.fn = f.text and build.value(f.text) or f.fn
        noticed, stop = nil, listen()
        return args
      end, function(args)
        return call.sites.plain(args.fn, args)
      end)
      if stop then stop() end
      build.clean()
      f.options_at, f.options = i + (f.object and 1 or 0), noticed or {}
      for _, word in ipairs(f.options) do f.about.words[word] = true end
    end
  end
end

--- Know all classes: those that are sealed, and those that the plan has found.
function M.learn()
  for _, module in ipairs(find.modules()) do find.functions(module) end
  for _, recipes in ipairs { kit.recipes, build.recipes } do
    for class in pairs(recipes) do
      if not find.classes()[class] then
        call.apart(function() find.learn(build.object(class)) end, type)
        build.clean()
      end
    end
  end
end

return M
