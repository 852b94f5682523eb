-- What HTTP test suites expect of a server, to point yours at:
--   any path   GET, HEAD, OPTIONS: 200 "OK"; other methods: 200 and the body sent
--   /echo      the request's headers as received, one "Name: value" a line
--   /cookie    the request's cookies, one "name=value" a line
--
--   greenlua examples/conformance.lua PORT
local wsgi = require "green.wsgi"

local text = { ["Content-Type"] = "text/plain" }
local plain = { GET = true, HEAD = true, OPTIONS = true }
local options = { ["Content-Type"] = "text/plain",
  ["Allow"] = "GET, HEAD, OPTIONS, POST, PUT, DELETE, PATCH" }

local function echo(env)
  local lines = {}
  for i, header in ipairs(env.headers_raw) do
    lines[i] = header[1] .. ": " .. header[2] .. "\n"
  end
  return 200, text, table.concat(lines)
end

local function cookies(env)
  local lines = {}
  for _, header in ipairs(env.headers_raw) do
    if header[1]:lower() == "cookie" then
      for pair in header[2]:gmatch("[^;]+") do
        local name, value = pair:match("^%s*(.-)%s*=%s*(.-)%s*$")
        lines[#lines + 1] = name and name .. "=" .. value .. "\n"
      end
    end
  end
  return 200, text, table.concat(lines)
end

local function app(env)
  if env.PATH_INFO == "/echo" then
    return echo(env)
  elseif env.PATH_INFO == "/cookie" then
    return cookies(env)
  elseif plain[env.REQUEST_METHOD] then
    return 200, env.REQUEST_METHOD == "OPTIONS" and options or text, "OK"
  end
  local body, err = env.input:read()
  if err then
    return err:is("ETOOBIG") and 413 or 400, text, tostring(err) .. "\n"
  end
  return 200, text, body or ""
end

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app, { log = io.stdout }))
