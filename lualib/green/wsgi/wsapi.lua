--- What WSAPI's launchers do for applications, and what its other servers do
-- before an application is called: for servers with `wsapi = true`.
-- @module green.wsgi.wsapi

local core = require "green.core"
local env_module = require "green.wsgi.env"

local CONN = env_module.CONN

-- -- Files --------------------------------------------------------------------

--- Prepare to run an application's file: what stands beside it can be required,
-- and Orbit is told where that is. The working directory stays.
-- @tparam string file its path
-- @treturn string its folder
local function enter(file)
  local folder = file:match("^(.*)/[^/]*$") or "."
  local pattern = folder .. "/?.lua;"
  if package.path:sub(1, #pattern) ~= pattern then
    package.path = pattern .. package.path
  end
  local found, shared = pcall(require, "wsapi") -- no part of ours, and need not be here
  if found and type(shared) == "table" then
    shared.app_path = folder
  end
  return folder
end

-- -- Requests -----------------------------------------------------------------

--- RFC 3986, 5.2.4. WSAPI grew up behind servers that do it: applications add
-- PATH_INFO to the name of a folder and open that.
local function without_dots(path)
  local kept = {}
  for segment in path:gmatch("/([^/]*)") do
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  if path:find("/%.%.?$") then
    kept[#kept + 1] = ""
  end
  return "/" .. table.concat(kept, "/")
end

local function refuse(err)
  local status = err:is "ETOOBIG" and 413 or err:is "ETIMEDOUT" and 408 or 400
  return status, { ["Content-Type"] = "text/plain" }, tostring(err) .. "\n"
end

--- WSAPI applications read CONTENT_LENGTH bytes: a chunked body is read for them.
-- Parks.
-- @return true; or nil, err as input:read
local function give_length(env)
  local is_chunked = select(5, core.conn_info(rawget(env, CONN)))
  if is_chunked then
    local ok, err = env.input:slurp()
    if not ok then
      return nil, err
    end
    env.CONTENT_LENGTH = tostring(env.input.length)
  end
  return true
end

-- -- Answers ------------------------------------------------------------------

--- The headers of an answer without a body. They may be a table that the application
-- keeps: ours is another one.
local function without_length(headers)
  local copy = {}
  for name, value in pairs(headers) do
    copy[name] = value
  end
  copy["Content-Length"] = 0
  return copy
end

--- wsapi.response:redirect() throws away what was written, but not its length.
local function mend_redirect(status, headers, body)
  local first = body()
  if first == nil then
    return status, without_length(headers), nil
  end
  return status, headers, function()
    local text = first
    first = nil
    if text == nil then
      text = body()
    end
    return text
  end
end

local function mend(status, headers, body)
  if type(body) == "function" and type(headers) == "table" and headers.Location
    and headers["Content-Length"] then
    return mend_redirect(status, headers, body)
  end
  return status, headers, body
end

--- The handler for a WSAPI application.
-- @tparam function app
local function adapt(app)
  return function(env)
    local path = env.PATH_INFO
    if path:find("/.", 1, true) then
      env.PATH_INFO = without_dots(path)
    end
    local ok, err = give_length(env)
    if not ok then
      return refuse(err)
    end
    return mend(app(env))
  end
end

return { enter = enter, adapt = adapt }
