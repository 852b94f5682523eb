--- What handlers of HTTP servers raise: as a text for logs, and as an answer.
-- @module green.wsgi.raised

local authors = require "green.wsgi.author"
local core = require "green.core"
local mistakes = require "green.wsgi.mistakes"
local report = require "green.thread.report"

-- Scripts may put their own in their places.
local ipairs, next, pcall, rawequal, rawget, tostring, type = ipairs, next, pcall, rawequal, rawget,
  tostring, type
local concat, format, gsub, sort = table.concat, string.format, string.gsub, table.sort
local getinfo = debug.getinfo
local clean, text = mistakes.clean, mistakes.text

local MOST = 8 -- fields shown of a table
local LIMIT = "green.handler_timeout" -- where an env keeps its handler's Timeout

local function field(key, value)
  local shown_value = type(value) == "table" and "table" or clean(text(value))
  return type(key) == "number" and shown_value or clean(text(key)) .. " = " .. shown_value
end

--- "{500, out of tea, code = 7}"
local function fields(err)
  local out, others = {}, {}
  while #out < MOST and rawget(err, #out + 1) ~= nil do
    out[#out + 1] = field(#out + 1, rawget(err, #out + 1))
  end
  local dots = rawget(err, MOST + 1) ~= nil
  for key, value in next, err do
    if type(key) ~= "number" then
      others[#others + 1] = field(key, value)
    end
  end
  sort(others)
  for _, other in ipairs(others) do
    if #out < MOST then
      out[#out + 1] = other
    else
      dots = true
    end
  end
  return "{" .. concat(out, ", ") .. (dots and ", ..." or "") .. "}"
end

--- An error of whatever type as a text. Never raises.
local function text_of(err)
  if type(err) ~= "table" then
    return text(err)
  end
  local mt = core.class_of(err)
  if mt and rawget(mt, "__tostring") then
    local ok, result = pcall(tostring, err)
    if ok and type(result) == "string" then
      return result
    end
  end
  return fields(err)
end

--- " (handler at app.lua:8)", or "" for one that is not made of Lua.
local function place_of(handler)
  local info = handler and getinfo(handler, "S")
  if not info or info.linedefined < 0 then
    return ""
  end
  return format(" (handler at %s:%d)", info.short_src, info.linedefined)
end

--- What a handler has raised, or what is wrong with its answer, as a text for logs.
-- Its further lines are indented: they cannot pass for entries of their own.
-- @param err
-- @tparam ?table server whose answer it is
-- @tparam ?table env of the request
local function failure(err, server, env)
  if mistakes.is(err) then
    return err.message .. place_of(server and authors.author(server, env))
  end
  local told = type(err) == "string" and report.hinted(err) or text_of(err)
  if err ~= nil and env and rawequal(err, rawget(env, LIMIT)) then
    told = "handler_timeout: " .. told
  end
  return (gsub(told, "\n(%S)", "\n  %1"))
end

--- WSAPI: { 404, message } is a page, not a failure. Its text; nil: it is a failure.
local function not_found(err)
  if type(err) == "table" and rawget(err, 1) == 404 then
    return text(rawget(err, 2) or "Not Found") .. "\n"
  end
end

return { failure = failure, not_found = not_found }
