-- All there is to call: every exported function, every method, every function in
-- what is handed to users.

local build = require "spec.calls.build"
local call = require "spec.calls.call"
local find = require "spec.calls.find"
local kit = require "spec.calls.kit"

local M = {}

--- The functions in tables that are handed to users: made anew for each call.
local function held_functions(all)
  for holder, text in pairs(kit.holders) do
    local names = {}
    call.apart(function()
      for name, value in pairs(build.value(text)) do
        if type(name) == "string" and type(value) == "function" then
          names[#names + 1] = { name = name, fn = value }
        end
      end
    end, type)
    build.clean()
    table.sort(names, function(a, b) return a.name < b.name end)
    for _, one in ipairs(names) do
      all[#all + 1] = { label = ("%s[%q]"):format(holder, one.name), fn = one.fn,
        name = one.name:match("[%w_]+$"), text = ("%s[%q]"):format(text, one.name),
        source = ("%s[%q]"):format(text, one.name), about = find.describe(one.fn),
        subject = "holder " .. holder }
    end
  end
end

--- f.aliases: the names under which the same function can be had.
local function note_aliases(all)
  local names = {}
  for _, f in ipairs(all) do
    local inner = type(f.fn) == "function" and find.unwrap(f.fn) or f.fn
    names[inner] = names[inner] or f.aliases or {}
    names[inner][f.name] = true
    f.aliases = names[inner]
  end
end

--- The exported functions, each under its own module.
local function exported(all)
  local seen = {}
  for _, module in ipairs(find.modules()) do
    for _, f in ipairs(find.functions(module)) do
      if seen[f.fn] then
        seen[f.fn].aliases[f.name] = true
      else
        seen[f.fn], f.aliases = f, {}
        local within = module == "init" and "green" or module
        f.source = ("M%q%s"):format(module, f.label:sub(#within + 1))
        f.about = find.describe(f.fn)
        f.subject = "module " .. module
        all[#all + 1] = f
      end
    end
  end
end

local function methods(all)
  local classes = {}
  for class in pairs(find.classes()) do classes[#classes + 1] = class end
  table.sort(classes)
  for _, class in ipairs(classes) do
    for _, method in ipairs(find.methods(find.classes()[class])) do
      all[#all + 1] = { label = class .. ":" .. method.name, name = method.name, fn = method.fn,
        class = class, object = true, about = find.describe(method.fn, true),
        subject = "class " .. class }
    end
  end
end

--- Every function and method that can be tried by now:
--
--   * label, name, fn; subject: "module queue", "class green.Queue", "holder env"
--   * class, object: of methods
--   * source: a text that stands for it; text: one that makes it anew for each call
--   * about: see find.describe; aliases: all its names
function M.functions()
  local all = {}
  exported(all)
  methods(all)
  held_functions(all)
  note_aliases(all)
  return all
end

return M
