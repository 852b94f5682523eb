--- Some of the green threads, for the status page.
-- @module green.status.threads

local core = require "green.core"
local debugging = require "green.debug"
local json = require "green.args.json"

-- Scripts may put their own in their places.
local gsub, sub, tostring = string.gsub, string.sub, tostring

local MOST_TEXT = 200 -- bytes

local M = {}

local function short(text)
  text = tostring(text)
  return #text > MOST_TEXT and sub(text, 1, MOST_TEXT) .. "..." or text
end

--- What an object prints may name its peer.
local function without_objects(text)
  return (gsub(text, "%b{}", ""))
end

--- "read on tcp 10.0.0.1:5432", or what of it may be told.
local function words_of(wait, opts)
  local on = wait.on and " on " .. wait.on or ""
  local what = wait.what and tostring(wait.what) or ""
  if not opts.peers then
    on, what = wait.fd and " on a descriptor" or "", without_objects(what)
  end
  return short(wait.fd and wait.kind .. on or what ~= "" and what or tostring(wait.kind))
end

--- Of a record of green.debug's.
local function of_record(record, opts)
  local wait = record.wait
  return {
    name = record.name and short(record.name) or record.id and "#" .. record.id or nil,
    state = record.state,
    site = record.spawned_at and short(record.spawned_at) or nil,
    waits = wait and words_of(wait, opts) or nil,
    waited = wait and wait.waited or nil,
    at = wait and wait.at and short(wait.at) or nil,
    traceback = opts.tracebacks and record.traceback or nil,
  }
end

--- So many of them, at most. Parks, where they are many.
-- @tparam table opts `threads`: how many; `peers`, `tracebacks`: whether to tell of them
-- @return a list of tables; and whether there are more
function M.list(opts)
  local list = json.list {}
  if opts.threads == 0 then
    return list, core.stats().threads > 0
  end
  for record in debugging.each_thread { traceback = opts.tracebacks } do
    if #list >= opts.threads then
      return list, true
    end
    list[#list + 1] = of_record(record, opts)
  end
  return list, false
end

return M
