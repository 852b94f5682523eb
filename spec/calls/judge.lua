-- Is this error one that tells its user what was wrong?

local find = require "spec.calls.find"
local values = require "spec.calls.values"

local M = {}

--- Metamethods that only a careless message runs.
local careless = { tostring = true, concat = true, len = true, eq = true }

local inner = { "lualib/green/", "attempt to ", "cannot convert", "bad argument #", "stack overflow",
  "invalid value %(", "invalid option", "wrong number of arguments", "internal error",
  "number has no integer" }

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

--- A table of options goes by either name.
local function names_wrong(said, name)
  return name == nil or has_word(said, name)
    or (name == "opts" or name == "options") and (has_word(said, "options")
      or has_word(said, "opts"))
end

local function judge_wrong(said, wrong)
  if not names_wrong(said, wrong.name) then
    return ("does not name the argument (%s)"):format(wrong.name)
  elseif wrong.shown ~= false
    and not values.is_shown(said:match("not (.*)$") or said, wrong.value, wrong.entry) then
    return "does not show the value"
  end
end

--- What is said of a message of ours, behind its place.
local function judge_words(said, call)
  local wrong = call.wrong -- { name, value, entry }
  if said:find("cannot wait", 1, true) then
    return nil
  elseif not has_word(said, call.name) then
    return "does not name the function"
  elseif said == call.base_said or call.state then
    return nil -- what right arguments raise: a matter of state
  elseif wrong and (call.good or wrong.name == "self") then
    return judge_wrong(said, wrong)
  elseif next(call.about.words) and not names_one(said, call.about.words) then
    return "does not name an argument"
  elseif call.args.n > 0 and not shows_one(said, call)
    and not (wrong and values.is_shown(said, wrong.value, wrong.entry)) then
    return "does not show a value"
  end
end

local function judge_text(text, place, call)
  local hostile = text:match("^" .. values.HOSTILE .. "(%w+)$")
  if hostile then
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

--- nil when it is right; else what is wrong. call: name, args, about, wrong, good,
-- base_said, state.
function M.judge(err, place, call)
  if type(err) == "string" then
    return judge_text(err, place, call)
  elseif find.class_of(err) or type(err) == "table" and rawget(err, "is_timeout") then
    return nil
  elseif call.wrong and rawequal(err, call.wrong.value) then
    return nil -- it was given to be raised
  end
  return "is a " .. type(err)
end

--- The message without its place.
function M.said(err, place)
  if type(err) == "string" and err:sub(1, #place) == place then
    return err:sub(#place + 1)
  end
end

return M
