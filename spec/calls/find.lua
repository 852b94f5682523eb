-- What there is to call: modules, their functions, classes, parameters.

local kit = require "spec.calls.kit"
local lfs = require "lfs"

local M = { root = "" } -- where lualib stands, with a slash

-- -- Modules ------------------------------------------------------------------

--- Names of all public modules, sorted; but green itself ("init") comes last, as
-- most of what it has is another's.
function M.modules()
  local names = { unpack(kit.deeper) }
  for file in lfs.dir(M.root .. "lualib/green") do
    local name = file:match("^([%w_]+)%.lua$")
    if name and name ~= "init" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  names[#names + 1] = "init"
  return names
end

function M.require(name)
  return require(name == "init" and "green" or "green." .. name)
end

-- -- Classes ------------------------------------------------------------------

local ours = {} -- metatable -> class name
local named = {} -- class name -> metatable

local function note(name, mt)
  if not ours[mt] then
    ours[mt], named[name] = name, mt
  end
end

--- All classes made so far: name -> metatable.
function M.classes()
  local ok, class = pcall(require, "green.args.class")
  for name, mt in pairs(ok and class.all or {}) do
    if not kit.own[name] then
      note(name, mt)
    end
  end
  return named
end

--- The name of a value's class, or nil; and its metatable.
function M.class_of(value)
  local kind = type(value)
  if kind ~= "table" and kind ~= "userdata" then
    return nil
  end
  local mt = debug.getmetatable(value)
  if type(mt) ~= "table" then
    return nil
  end
  M.classes()
  return ours[mt], mt
end

--- The public methods of a class: sorted array of { name, fn }.
function M.methods(mt)
  local found = {}
  local from = mt
  local seen = {}
  while type(from) == "table" do
    local index = rawget(from, "__index")
    if type(index) ~= "table" or seen[index] then
      break
    end
    seen[index] = true
    for name, fn in pairs(index) do
      if type(name) == "string" and type(fn) == "function" and not name:find("^_")
        and not found[name] then
        found[name], found[#found + 1] = fn, name
      end
    end
    from = debug.getmetatable(index)
  end
  table.sort(found)
  local list = {}
  for i, name in ipairs(found) do
    list[i] = { name = name, fn = found[name] }
  end
  return list
end

-- -- What a function says of itself --------------------------------------------

-- Whose functions stand before others: checks of self, and places of green.fs, which are an
-- argument of those behind them.
local function is_before(source)
  return source:find("green/args/[%w_/]*%.lua$") or source:find("green/fs/place%.lua$")
end

--- The function behind a wrapper that checks its self.
local function unwrap(fn)
  for _ = 1, 4 do
    if not is_before(debug.getinfo(fn, "S").source) then
      return fn
    end
    local inner
    for i = 1, 60 do
      local name, value = debug.getupvalue(fn, i)
      if not name then
        break
      end
      local source = type(value) == "function" and debug.getinfo(value, "S").source or ""
      local is_behind = name == "fn" or not inner
      if is_behind and source:find("^@.*lualib/green/") and (name == "fn" or not is_before(source))
      then
        inner = value
      end
    end
    fn = inner or fn
  end
  return fn
end
M.unwrap = unwrap

local texts = {}

local function lines_of(path)
  if texts[path] == nil then
    local lines, file = {}, io.open(M.root .. path)
    for line in file and file:lines() or function() end do
      lines[#lines + 1] = line
    end
    texts[path] = lines
    if file then file:close() end
  end
  return texts[path]
end

--- Does the module's page, or green's, tell of that export? What no page tells of is
-- for the library's own modules: its messages have no reader but us.
-- @tparam string label "module.name"; a method's always counts
function M.is_public(label)
  local module, name = label:match("^([%w_]+)%.([%w_]+)")
  if not module or label:find(":", 1, true) then
    return true
  end
  for _, page in ipairs { module, "green" } do
    local text = table.concat(lines_of("docs/modules/" .. page .. ".md"), "\n")
    if text:find("[`.:]" .. name .. "%f[^%w_]") then
      return true
    end
  end
  return false
end

--- The comment above a definition.
local function doc_of(path, line)
  local lines, doc = lines_of(path), {}
  for at = line - 1, 1, -1 do
    if not lines[at] or not lines[at]:find("^%s*%-%-") then
      break
    end
    table.insert(doc, 1, (lines[at]:gsub("^%s*%-+ ?", "")))
  end
  return table.concat(doc, "\n")
end

local function read_types(doc)
  local types = {}
  for optional, kind, name in doc:gmatch("@tparam(%S*)%s+(%S+)%s+([%w_]+)") do
    types[name] = { kind = kind:gsub("^%?", ""), optional = optional ~= "" or kind:find("^%?") }
  end
  for optional, names in doc:gmatch("@param(%S*)%s+([%w_, ]+)") do
    for name in names:gmatch("[%w_]+") do
      types[name] = types[name] or { kind = "any", optional = optional ~= "" }
    end
  end
  return types
end

--- file, params (names, in order, without self for a method), vararg, types
-- (name -> { kind, optional }), words (all that may be called an argument).
function M.describe(fn, is_method)
  fn = unwrap(fn)
  local info = debug.getinfo(fn, "Su")
  local path = info.source:match("^@(.*)$")
  local about = { file = path or "C", params = {}, vararg = info.isvararg, words = {} }
  about.line = info.linedefined
  local first = info.nparams > 0 and debug.getlocal(fn, 1)
  for i = (is_method or first == "place") and 2 or 1, info.nparams do
    table.insert(about.params, debug.getlocal(fn, i) or "?")
  end
  if not path then -- a function in C says nothing of itself
    about.params, about.vararg = { false, false }, false
  end
  local doc = path and doc_of(path, info.linedefined) or ""
  about.types = read_types(doc)
  for name in pairs(about.types) do about.words[name] = true end
  for _, name in ipairs(about.params) do about.words[name or "fn"] = true end
  for name in doc:gmatch("`([%a_]+)`") do about.words[name] = true end
  if about.words.opts or about.words.options then -- one thing by either name
    about.words.opts, about.words.options = true, true
  end
  return about
end

-- -- Functions ----------------------------------------------------------------

--- Functions that are some class's methods are tried there.
local function methods_of_all()
  local all = {}
  for _, mt in pairs(M.classes()) do
    for _, method in ipairs(M.methods(mt)) do
      all[unwrap(method.fn)] = true
    end
  end
  return all
end

local function walk(value, path, seen, found)
  if kit.foreign[path] then
    return
  end
  local is_callable = type(value) == "function"
    or type(value) == "table" and not ours[value]
      and type((debug.getmetatable(value) or {}).__call) == "function"
  if is_callable then
    if not seen[value] then
      seen[value] = true
      found[#found + 1] = { label = path, fn = value }
    end
  elseif type(value) == "table" and not seen[value] and not ours[value] then
    seen[value] = true
    local names = {}
    for name in pairs(value) do
      if type(name) == "string" and not name:find("^_") and not kit.parts[name] then
        names[#names + 1] = name
      end
    end
    table.sort(names)
    for _, name in ipairs(names) do
      walk(value[name], path .. "." .. name, seen, found)
    end
  end
end

--- Names that a module loads when they are first named: it keeps them in a table
-- of the function that does it.
local function wake_lazy(module)
  local mt = type(module) == "table" and debug.getmetatable(module)
  local index = type(mt) == "table" and rawget(mt, "__index")
  for i = 1, type(index) == "function" and 20 or 0 do
    local _, value = debug.getupvalue(index, i)
    for name in pairs(type(value) == "table" and value or {}) do
      local _ = type(name) == "string" and module[name]
    end
  end
end

--- The exported functions of a module: { label, fn }.
function M.functions(module)
  local found, kept, methods = {}, {}, methods_of_all()
  wake_lazy(M.require(module))
  walk(M.require(module), module == "init" and "green" or module, {}, found)
  for _, f in ipairs(found) do
    if type(f.fn) ~= "function" or not methods[unwrap(f.fn)] then
      f.name = f.label:match("[%w_]+$")
      kept[#kept + 1] = f
    end
  end
  return kept
end

--- Note the class of what a user has got in hand, though nobody has sealed it.
function M.learn(value)
  local kind = type(value)
  local mt = (kind == "table" or kind == "userdata") and debug.getmetatable(value)
  local name = type(mt) == "table" and rawget(mt, "__name")
  if type(name) == "string" and name:find("^green%.") then
    M.classes()
    note(name, mt)
  end
end

--- Is it a class whose public methods do not check their self?
function M.is_unsealed(class)
  local mt = M.classes()[class]
  local ok, sealed = pcall(require, "green.args.class")
  return #M.methods(mt) > 0 and not (ok and sealed.all[class] == mt)
end

return M
