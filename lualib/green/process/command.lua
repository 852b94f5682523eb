--- What a command is: its words, its environment, and where its program may stand. Private
-- to green.process.

local args = require "green.args"
local options = require "green.args.options"

local api = require "green.ffi.child"
local ffi = require "ffi"

local M = {}

local SHELL = "/bin/sh"
local DEFAULT_PATH = "/usr/bin:/bin" -- where the environment has none

--- Texts of C's end at a NUL: what stands behind would be lost without a word.
local function check_text(text, where, name)
  if text:find("\0", 1, true) then
    args.misuse("%s: %s must not contain a NUL", where, name)
  end
  return text
end

-- -- The words ----------------------------------------------------------------

--- Take apart `{ "cmd", "arg", option = ... }`: the list, and the options. name: of which
-- argument ("command").
function M.split(spec, known, where, name)
  args.type(spec, "table", where, name or "command")
  local list, opts = {}, {}
  for key, value in pairs(spec) do
    if type(key) == "number" then
      list[key] = value
    else
      opts[key] = value
    end
  end
  options.check(opts, known, where)
  return list, opts
end

local function word(value, i, where)
  local kind = type(value)
  if kind == "number" then
    value = tostring(value)
  elseif kind ~= "string" then
    args.wrong(where, i == 1 and "command" or ("argument %d"):format(i - 1),
      "a string or a number", value)
  end
  return check_text(value, where, i == 1 and "command" or ("argument %d"):format(i - 1))
end

local function words(list, where)
  args.list(list, where, "command", "words")
  local all = {}
  for i = 1, #list do
    all[i] = word(list[i], i, where)
  end
  if all[1] == nil or all[1] == "" then
    args.misuse("%s: command must begin with a program's name, not %s: there is no command",
      where, all[1] and '""' or args.shown(list))
  end
  return all
end

--- The arguments of the program that runs it. A list never meets a shell; with `shell` true
-- there is one string, and that is the shell's.
function M.words(list, shell, where)
  args.optional(shell, "boolean", where, "shell")
  local all = words(list, where)
  if not shell then
    return all
  elseif #all > 1 then
    args.misuse("%s: with shell = true the command is one string", where)
  end
  return { SHELL, "-c", all[1] }
end

--- A command, a list of words or a string, with the options behind it, as a table that split
-- takes.
function M.table_of(spec, opts, where)
  local is_text = type(spec) == "string"
  if opts == nil and not is_text then
    return spec
  end
  local all = {}
  for key, value in pairs(is_text and { spec } or args.type(spec, "table", where, "command")) do
    all[key] = value
  end
  for key, value in pairs(opts == nil and {} or args.type(opts, "table", where, "opts")) do
    if all[key] ~= nil then
      args.misuse("%s: %s stands in the command's table and behind it", where, args.shown(key))
    end
    all[key] = value
  end
  if is_text and not all.shell then
    args.misuse("%s: command must be a list of words, not %s; a string is one for a shell, with "
      .. "shell = true", where, args.shown(spec))
  end
  return all
end

--- A word as one would type it.
local function quoted(text)
  if text:find("^[%w_@%%+=:,./-]+$") then
    return text
  end
  return "'" .. text:gsub("'", "'\\''"):gsub("%c", "?") .. "'"
end

local SHOWN = 80 -- bytes of a command in a message

--- The command as a text fit to print.
function M.shown(argv)
  local all = {}
  for i, text in ipairs(argv) do
    all[i] = quoted(text)
  end
  local text = table.concat(all, " ")
  return #text > SHOWN and text:sub(1, SHOWN) .. "..." or text
end

-- -- The environment ------------------------------------------------------------

--- Our variables, in their order: name -> value and a list of names.
local function own_variables()
  local values, names, i = {}, {}, 0
  while true do
    local text = api.variable(i)
    if text == nil then
      return values, names
    end
    local name, value = ffi.string(text):match("^(.[^=]*)=(.*)$")
    if name and values[name] == nil then
      values[name], names[#names + 1] = value, name
    end
    i = i + 1
  end
end

local function check_variable(name, value, where, option)
  if type(name) ~= "string" or name == "" or name:find("=", 1, true) then
    args.misuse("%s: %s must have names of variables as keys, not %s", where, option,
      args.shown(name))
  end
  check_text(name, where, option)
  if value == false then
    return nil
  elseif type(value) ~= "string" and type(value) ~= "number" then
    args.wrong(where, ("%s.%s"):format(option, name), "a string, a number or false", value)
  end
  return check_text(tostring(value), where, ("%s.%s"):format(option, name))
end

local function put_all(values, names, given, where, option)
  args.plain(given, where, option)
  for name, value in pairs(given) do
    local text = check_variable(name, value, where, option)
    if values[name] == nil then
      names[#names + 1] = name
    end
    values[name] = text
  end
end

--- The variables of the child, as a list "name=value"; nil: ours. And its PATH.
function M.environment(opts, where)
  if opts.env == nil and opts.extend_env == nil then
    return nil, os.getenv("PATH")
  end
  local values, names = {}, {}
  if opts.env == nil then
    values, names = own_variables()
  else
    put_all(values, names, opts.env, where, "env")
  end
  if opts.extend_env ~= nil then
    put_all(values, names, opts.extend_env, where, "extend_env")
  end
  local list = {}
  for _, name in ipairs(names) do
    list[#list + 1] = values[name] and name .. "=" .. values[name]
  end
  return list, values.PATH
end

--- Where the program may stand: the parts of a PATH that mean the same in every folder.
-- A name with a slash is a path itself.
function M.places(name, path)
  if name:find("/", 1, true) then
    return { name }
  end
  local all = {}
  for part in (path or DEFAULT_PATH):gmatch("[^:]+") do
    if part:sub(1, 1) == "/" then
      all[#all + 1] = part:gsub("/*$", "") .. "/" .. name
    end
  end
  return all
end

M.check_text = check_text

return M
