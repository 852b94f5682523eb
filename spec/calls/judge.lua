-- Is this error one that tells its user what was wrong?

local find = require "spec.calls.find"
local kit = require "spec.calls.kit"
local values = require "spec.calls.values"

local M = {}

--- Metamethods that only a careless message runs.
local careless = { tostring = true, concat = true, len = true, eq = true }

local inner = { "lualib/green/", "attempt to ", "cannot convert", "bad argument #",
  "stack overflow", "invalid value %(", "invalid option", "wrong number of arguments",
  "is not callable", "table index is", "cannot change a protected" }

local function has_word(text, word)
  return (" " .. text .. " "):find("[^%w_]" .. word:gsub("%p", "%%%0") .. "[^%w_]") ~= nil
end

local function names_one(text, words)
  for word in pairs(words) do
    if has_word(text, word) then
      return true
    end
  end
  return false
end

local function shows_one(text, call)
  local shown = text:match("not (.*)$") or text
  if call.missing and shown:find("nil", 1, true) then
    return true
  end
  for i = 1, call.args.n do
    if values.is_shown(shown, call.args[i]) then
      return true
    end
  end
  return false
end

--- Does it say which argument? A table of options goes by either name, size_or_pool
-- by each of its parts; "unknown family 'x'" says enough.
local function names_wrong(said, name)
  if not name or has_word(said, name) or said:find("unknown %w+") then
    return true
  elseif name == "opts" or name == "options" then
    return has_word(said, "options") or has_word(said, "opts")
  end
  for part in name:gmatch("[^_]+") do
    if name:find("_or_", 1, true) and part ~= "or" and has_word(said, part) then
      return true
    end
  end
  return false
end

local function judge_wrong(said, wrong)
  local is_options = wrong.name == "opts" or wrong.name == "options"
  if is_options and type(wrong.value) == "table" then
    return nil -- an option that is missing, by its own name
  elseif not names_wrong(said, wrong.name) then
    return ("does not name the argument (%s)"):format(wrong.name)
  elseif wrong.shown ~= false
    and not values.is_shown(said:match("not (.*)$") or said, wrong.value, wrong.entry) then
    return "does not show the value"
  end
end

--- What is said of a message of ours, behind its place.
local function judge_words(said, call)
  local wrong = call.wrong -- { name, value, entry }
  if said:find("cannot wait", 1, true) or said:find("sent already", 1, true)
    or said:find("compared with the others", 1, true) then
    return nil
  elseif not names_one(said, call.f.aliases) then
    return "does not name the function"
  elseif M.gist(said) == call.base_said or call.state then
    return nil -- what right arguments raise: a matter of state
  elseif said:find("unknown option", 1, true) or said:find(", but it has ", 1, true) then
    return nil -- what is in the table is wrong
  elseif wrong and (call.good or wrong.name == "self") then
    return judge_wrong(said, wrong)
  elseif next(call.about.words) and not call.about.vararg
    and not said:find("unknown %w+") and not names_one(said, call.about.words) then
    return "does not name an argument"
  elseif call.args.n > 0 and not shows_one(said, call)
    and not (wrong and values.is_shown(said, wrong.value, wrong.entry)) then
    return "does not show a value"
  end
end

local function is_result(text, call)
  local pattern = kit.results[call.f.label]
  return pattern and text:find(pattern)
end

local function judge_text(text, place, call)
  local hostile = text:match("^" .. values.HOSTILE .. "(%w+)$")
  if is_result(text, call) or not find.is_public(call.f.label or "") then
    return nil
  elseif hostile then
    return careless[hostile] and "ran the value's own __" .. hostile or nil
  end
  for _, pattern in ipairs(inner) do
    if text:find(pattern) then
      return "raised inside"
    end
  end
  if text:sub(1, #place) ~= place then
    return "is not the caller's line"
  end
  return judge_words(text:sub(#place + 1), call)
end

--- nil when it is right; else what is wrong.
-- @param err what was raised
-- @tparam string place how a message of ours must begin
-- @tparam table call `f`; `args`; `about` (see find.describe); `wrong`: the argument
-- at fault, { name, value, entry }; `good`: all others are right; `base_said`: what
-- right arguments raise; `missing`: there are too few; `state`: it may be no mistake
function M.judge(err, place, call)
  if call.wrong and err ~= nil and rawequal(err, call.wrong.value) then
    return nil -- it was given to be raised
  elseif type(err) == "string" then
    return judge_text(err, place, call)
  elseif find.class_of(err) or type(err) == "table" and rawget(err, "is_timeout") then
    return nil
  end
  return "is a " .. type(err)
end

--- What is the same in a message whenever it is raised.
function M.gist(said)
  return (said:gsub("0x%x+", "0x"))
end

--- The gist of a message without its place.
function M.said(err, place)
  if type(err) == "string" and err:sub(1, #place) == place then
    return M.gist(err:sub(#place + 1))
  end
end

return M
