-- Finds out by trying what right arguments are, and how an object of each class
-- comes to be. Calls that fail tell which argument they did not like.

local all = require "spec.calls.all"
local build = require "spec.calls.build"
local call = require "spec.calls.call"
local find = require "spec.calls.find"
local kit = require "spec.calls.kit"
local raw = require "spec.calls.raw"

local TRIES, ROUNDS = 30, 4
local SECONDS = 30 -- for a call, on a busy machine

local M = {}

-- -- What an argument may be ---------------------------------------------------

local by_name = {
  fn = { "fn()" }, app = { "fn()" }, handler = { "fn()" },
  listener = { "M'server'.listen('127.0.0.1:0')" },
  seconds = { "0.001" }, timeout = { "0.001" },
  name = { "'x'", "'USR1'" }, size = { "1" }, threads = { "{ thread() }" },
  objects = { "{ thread() }" }, thread = { "thread()" }, target = { "'127.0.0.1:0'", "thread()" },
  where = { "'127.0.0.1:0'" }, address = { "'127.0.0.1:0'" }, env = { "O'green.env'" },
  cleanup = { "fn()" }, host = { "'127.0.0.1'" }, service = { "1" },
}

local by_type = {
  ["function"] = { "fn()" }, number = { "1", "0.001" }, string = { "'x'" }, table = { "{}" },
  boolean = { "true" }, thread = { "thread()" },
}

local anything = { "nil", "fn()", "1", "'x'", "{}", "'127.0.0.1:0'", "'unix:x'", "true",
  "thread()", "{ thread() }" }

local function append(list, seen, more)
  for _, text in ipairs(more or {}) do
    if not seen[text] then
      seen[text], list[#list + 1] = true, text
    end
  end
end

--- Is the class called like the argument? A name of a letter or two is in many classes'
-- names and says nothing.
local function is_like(name, class)
  local last = class:match("%w+$"):lower()
  return name:lower():find(last, 1, true) or #name > 2 and last:find(name:lower(), 1, true)
end

--- Objects whose class is called like the argument go before the others.
local function objects_for(name)
  local near, far = {}, {}
  for class in pairs(find.classes()) do
    if build.is_known(class) then
      local list = is_like(name, class) and near or far
      list[#list + 1] = ("O%q"):format(class)
    end
  end
  table.sort(near)
  table.sort(far)
  return near, far
end

local function candidates(name, about)
  name = name or ""
  local list, seen = {}, {}
  local kind = about.types[name]
  local near, far = objects_for(name)
  if kind and kind.optional or name == "opts" or name == "options" then
    append(list, seen, { "nil" })
  end
  append(list, seen, by_name[name])
  append(list, seen, near)
  append(list, seen, by_type[kind and kind.kind or ""])
  append(list, seen, anything)
  append(list, seen, far)
  return list
end

-- -- Trying -------------------------------------------------------------------

local function value_list(texts)
  local args = { n = #texts }
  for i, text in ipairs(texts) do
    args[i] = build.value(text)
  end
  return args
end

--- Call f with those texts, self before. Results of pcall; or nil, how.
local function try(f, texts)
  return call.apart(function()
    local args = value_list(texts)
    if f.object then
      table.insert(args, 1, (build.object(f.class)))
      args.n = args.n + 1
    end
    args.fn = f.text and build.value(f.text) or f.fn
    return args
  end, function(args)
    return call.sites.plain(args.fn, args)
  end)
end

--- Which argument does the message complain of?
local function blamed(message, params)
  local said = tostring(message):match(":%d+: (.*)$") or tostring(message)
  said = said:match("^[^:]*:(.*)$") or said
  for i, name in ipairs(params) do
    if name and (" " .. said .. " "):find("[^%w_]" .. name .. "[^%w_]") then
      return i
    end
  end
end

local function source(f, texts)
  local list = table.concat(texts, ", ")
  if f.object then
    return ("O%q:%s(%s)"):format(f.class, f.name, list)
  end
  return ("%s(%s)"):format(f.source, list)
end

--- Remember how objects came to be that stand in these results.
local function harvest(r, text)
  local function note(value, how)
    find.learn(value)
    local class = find.class_of(value)
    if class and not build.is_known(class) then
      build.recipes[class] = how
      return true
    end
  end
  for i = 2, r.n do
    note(r[i], ("pick(%d, %s)"):format(i - 1, text))
    if type(r[i]) == "table" and not find.class_of(r[i]) then
      for key, value in pairs(r[i]) do
        if type(key) == "string" or type(key) == "number" then
          note(value, ("pick(%d, %s)[%s]"):format(i - 1, text,
            type(key) == "number" and tostring(key) or ("%q"):format(key)))
        end
      end
    end
  end
end

--- The next texts: of the argument that was blamed, or all combinations in turn.
local function advance(lists, at, i)
  if i then
    at[i] = at[i] % #lists[i] + 1
    return
  end
  for k in ipairs(lists) do
    at[k] = at[k] % #lists[k] + 1
    if at[k] > 1 then
      return
    end
  end
end

--- How did it go: "well" (or it waits), "so so" (it gave nil, err), "badly".
local function quality(r, how)
  if how == "waited" then
    return "well"
  elseif not r or not r[1] then
    return "badly"
  end
  return r[2] == nil and find.class_of(r[3]) == "green.error" and "so so" or "well"
end

--- One try with these texts: how it went, and which argument was blamed.
local function attempt(f, texts)
  local list = table.concat(texts, ", ")
  raw.begin(0, ("plan %s(%s)"):format(f.label, list), SECONDS)
  local r, how = try(f, texts)
  build.clean()
  if r and r[1] then
    harvest(r, source(f, texts))
  end
  return quality(r, how), r and not r[1] and blamed(r[2], f.about.params)
end

--- Try until a call goes well. Its texts, and `good`: it did, more or less.
local function search(f)
  local lists, at, best = {}, {}, nil
  for i, name in ipairs(f.about.params) do
    lists[i], at[i] = candidates(name, f.about), 1
  end
  for _ = 1, #lists > 0 and TRIES or 1 do
    local texts = {}
    for i in ipairs(lists) do texts[i] = lists[i][at[i]] end
    local went, i = attempt(f, texts)
    texts.good = went ~= "badly"
    if went == "well" then
      return texts
    elseif not best or texts.good and not best.good then
      best = texts
    end
    advance(lists, at, i)
  end
  return best
end

--- The texts that the kit gives, or those that are found.
local function right_arguments(f)
  local fixed = kit.args[f.label]
  if not fixed then
    return search(f)
  end
  return { good = attempt(f, fixed) ~= "badly", unpack(fixed) }
end

-- -- The plan -----------------------------------------------------------------

--- Make the plan: right arguments by label. Texts of objects are in build.recipes.
-- skipped: label -> true, what ended the process before.
function M.explore(skipped)
  local baselines = {}
  for _, module in ipairs(find.modules()) do
    for _, f in ipairs(find.functions(module)) do find.learn(f.fn) end
  end
  for class in pairs(kit.recipes) do
    call.apart(function() find.learn(build.object(class)) end, type)
    build.clean()
  end
  local known, before = 0, -1
  for _ = 1, ROUNDS do
    if known == before then
      break
    end
    before, known = known, 0
    for _, f in ipairs(all.functions()) do
      local base = baselines[f.label]
      if not skipped[f.label] and not (base and base.good)
        and not (f.object and not build.is_known(f.class)) then
        baselines[f.label] = right_arguments(f)
      end
    end
    for _ in pairs(build.recipes) do known = known + 1 end
  end
  return baselines
end

return M
