--- The fields that requests are sent with: how users write them, and which go before which.
-- Private to green.http.
--
-- A set of fields has `n` names and values in its list part, one behind the other, and
-- `has`: the names in lower case; a name that is there without a value is left out of what
-- stands behind it.
-- @module green.http.fields

local args = require "green.args"
local core = require "green.core"
local is_token = require("green.http.token").is

-- Scripts may put their own in their places.
local ipairs, pairs, tostring, type = ipairs, pairs, tostring, type
local find, lower, sort = string.find, string.lower, table.sort

local M = {}

-- What the library says itself, since it must be true.
local ours = { ["proxy-authorization"] = true, ["transfer-encoding"] = true,
  ["keep-alive"] = true, ["proxy-connection"] = true, te = true, trailer = true }

local function check_name(name, where)
  if not is_token(name) then
    args.wrong(where, "the name of a header", "a token of RFC 9110", name)
  elseif ours[lower(name)] then
    args.misuse("%s: the header %s is the library's own", where, name)
  end
end

--- A value as text. It is not shown in messages: it may be a secret.
local function text_of(name, value, where)
  local kind = type(value)
  if kind == "number" then
    value = tostring(value)
  elseif kind ~= "string" then
    args.misuse("%s: the header %s must be a string, a number or a list of them, not a %s", where,
      name, kind)
  end
  if find(value, "[%z\r\n]") then
    args.misuse("%s: the header %s must not have CR, LF or NUL in its value", where, name)
  end
  return value:match("^[ \t]*(.-)[ \t]*$")
end

local function add_text(set, name, value, where)
  set[set.n + 1], set[set.n + 2] = name, text_of(name, value, where)
  set.n = set.n + 2
end

local function add(set, name, value, where)
  check_name(name, where)
  set.has[lower(name)] = true
  if type(value) == "table" and lower(name) == "host" then
    args.misuse("%s: there is one header Host, not a list", where)
  elseif type(value) == "table" then
    for _, one in ipairs(args.list(value, where, "the header " .. name, "strings")) do
      add_text(set, name, one, where)
    end
  elseif value ~= false then
    add_text(set, name, value, where)
  end
end

function M.new()
  return { n = 0, has = {} }
end

--- What a user has written: a table of names and values (a string, a number, a list of
-- them; false: left out), or a list of { name, value } in the order in which they are sent.
-- Raises misuse. Does not park.
function M.read(given, where)
  local set = M.new()
  if given == nil then
    return set
  end
  if type(given) ~= "table" or core.class_of(given) then
    args.wrong(where, "headers", "a table", given)
  end
  for i, pair in ipairs(given) do
    if type(pair) ~= "table" then
      args.wrong(where, "headers[" .. i .. "]", "a pair { name, value }", pair)
    end
    add(set, pair[1], pair[2], where)
  end
  local names = {}
  for name in pairs(given) do
    if type(name) == "string" then
      names[#names + 1] = name
    elseif type(name) ~= "number" or given[name] == nil or name > #given then
      args.wrong(where, "headers", "a table of names and values, or a list of pairs", given)
    end
  end
  sort(names)
  for _, name in ipairs(names) do
    add(set, name, given[name], where)
  end
  return set
end

--- Both, what the second says going before.
function M.merge(first, second)
  local set = M.new()
  for i = 1, first.n, 2 do
    if not second.has[lower(first[i])] then
      set[set.n + 1], set[set.n + 2] = first[i], first[i + 1]
      set.n = set.n + 2
    end
  end
  for name in pairs(first.has) do
    set.has[name] = true
  end
  for i = 1, second.n do
    set[set.n + i] = second[i]
  end
  set.n = set.n + second.n
  for name in pairs(second.has) do
    set.has[name] = true
  end
  return set
end

--- The same without those names (lower case -> true).
function M.without(set, names)
  local out = M.new()
  for i = 1, set.n, 2 do
    local name = lower(set[i])
    if not names[name] then
      out[out.n + 1], out[out.n + 2] = set[i], set[i + 1]
      out.n = out.n + 2
      out.has[name] = true
    end
  end
  return out
end

--- Add one that the library makes. It is checked as those of users are.
function M.put(set, name, value, where)
  add(set, name, value, where)
end

--- Tell the server that trailers are wanted (RFC 9110, 10.1.4). Where the caller has a
-- Connection of his own it stays as it is.
function M.want_trailers(set)
  if not set.has.te and not set.has.connection then
    set[set.n + 1], set[set.n + 2], set[set.n + 3], set[set.n + 4] = "TE", "trailers",
      "Connection", "TE"
    set.n = set.n + 4
    set.has.te, set.has.connection = true, true
  end
end

--- The first value of a name in lower case, or nil.
function M.get(set, name)
  for i = 1, set.n, 2 do
    if lower(set[i]) == name then
      return set[i + 1]
    end
  end
end

--- The lines, each with its end.
function M.text(set)
  local out, k = {}, 0
  for i = 1, set.n, 2 do
    out[k + 1], out[k + 2], out[k + 3], out[k + 4] = set[i], ": ", set[i + 1], "\r\n"
    k = k + 4
  end
  return table.concat(out)
end

return M
