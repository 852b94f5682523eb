-- What the specs of WSAPI applications share: what is installed, folders, servers,
-- and the reference's answers.

local assert = require "luassert"
local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"

-- -- What is installed --------------------------------------------------------

local function is_there(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

--- Why a need is not met; nil if it is. It is a path, a command ("$name"), or a
-- module.
local function lacks(need)
  if need:find("^/") then
    return not is_there(need) and need .. " is not there"
  elseif need:find("^%$") then
    local name = need:sub(2)
    return os.execute("command -v " .. name .. " >/dev/null 2>&1") ~= 0
      and name .. " is not installed"
  end
  return not package.searchpath(need, package.path) and not package.searchpath(need, package.cpath)
    and ("Lua module %s is not installed"):format(need)
end

local PACKAGE = {
  ["$wsapi.cgi"] = "lua-wsapi", ["$lua5.1"] = "lua5.1", cgilua = "lua-cgi", lfs = "lua-filesystem",
  orbit = "lua-orbit", rings = "lua-rings", wsapi = "lua-wsapi",
  ["luasql.sqlite3"] = "lua-sql-sqlite3",
}

--- An `it` with needs, from busted's `it` and `pending`; where a need is not met the
-- case is skipped and says why.
local function its(it, pending)
  return function(needs, title, fn)
    it(title, function()
      for need in needs:gmatch("%S+") do
        local why = lacks(need)
        if why then
          pending(why .. (PACKAGE[need] and " (Debian: " .. PACKAGE[need] .. ")" or ""))
        end
      end
      fn()
    end)
  end
end

-- -- Folders and servers ------------------------------------------------------

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- Run body(folder) with a new folder that has these files.
local function with_files(files, body)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. path) == 0)
  for name, text in pairs(files) do
    write(path .. "/" .. name, text)
  end
  local ok, err = xpcall(body, debug.traceback, path)
  os.execute("rm -rf " .. path)
  if not ok then
    error(err, 0)
  end
end

--- As kit.with for a WSAPI application. What is the process's is put back: the
-- working directory, which WSAPI's launchers change, package.path, and the modules
-- that applications are.
local function serve(app, opts, body)
  local found, lfs = pcall(require, "lfs")
  local where, path = found and lfs.currentdir(), package.path
  local options = { wsapi = true }
  for name, value in pairs(opts) do
    options[name] = value
  end
  local ok, err = pcall(kit.with, app, options, body)
  package.path = path
  for _, name in ipairs { "hello", "probe", "songs", "spec_app", "spec_part", "waits" } do
    package.loaded[name], _G[name] = nil, nil
  end
  if found then
    lfs.chdir(where)
  end
  if not ok then
    error(err, 0)
  end
end

local function body_of(...)
  return (select(3, ...))
end

local function logged(log)
  testing.settle()
  return table.concat(log, "\n")
end

-- -- The reference ------------------------------------------------------------

--- Status, headers, body of wsapi.cgi for the request.
local function ask_cgi(file, request)
  local target, body = request[2], request.body or ""
  local env = {
    GATEWAY_INTERFACE = "CGI/1.1", SERVER_PROTOCOL = "HTTP/1.1", REMOTE_ADDR = "127.0.0.1",
    REQUEST_METHOD = request[1], SCRIPT_NAME = "", SCRIPT_FILENAME = file,
    PATH_INFO = target:match("^[^?]*"), QUERY_STRING = target:match("%?(.*)$") or "",
    CONTENT_LENGTH = request.body and tostring(#body) or "",
  }
  for _, line in ipairs(request.lines or {}) do
    local name, value = line:match("^(.-): (.*)$")
    name = name:upper():gsub("-", "_")
    env[name == "CONTENT_TYPE" and name or "HTTP_" .. name] = value
  end
  local run = program.run { "wsapi.cgi", env = env, input = body }
  local head, rest = run.out:match("^(.-)\r\n\r\n(.*)$")
  assert(head, run.out .. run.err)
  local headers = {}
  for name, value in ("\r\n" .. head):gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do
    headers[name:lower()] = value
  end
  return tonumber(headers.status:match("^%d+")), headers, rest
end

--- What there is to compare of an answer. Pages for failures are each server's.
local function gist(status, headers, body)
  local text = "status " .. status
  if status == 404 or status == 500 then
    return text
  end
  for _, name in ipairs { "content-type", "location", "set-cookie", "x-list" } do
    text = text .. "\n" .. name .. ": " .. (headers[name] or "-")
  end
  return text .. "\n\n" .. body
end

--- Every request has the same answer from both.
local function compare(file, requests)
  local answers = {}
  for i, request in ipairs(requests) do
    answers[i] = gist(ask_cgi(file, request))
  end
  serve(file, {}, function(client)
    for i, request in ipairs(requests) do
      assert.equal(answers[i], gist(client:get(request[2], request.lines, request.body,
        request[1])))
    end
  end)
end

-- -- Programs -----------------------------------------------------------------

--- Status, headers, body for one request; lines are further headers.
local function ask(target, path, lines, body)
  local conn = assert(green.connect(target))
  conn:settimeout(8)
  lines = { "Host: x", "Connection: close", unpack(lines or {}) }
  lines[#lines + 1] = body and "Content-Length: " .. #body or nil
  assert(conn:write(("%s %s HTTP/1.1\r\n%s\r\n\r\n%s"):format(body and "POST" or "GET", path,
    table.concat(lines, "\r\n"), body or "")))
  local answer = conn:read_all() or ""
  conn:close()
  return kit.parse(answer)
end

--- Run body(get) while greenlua, started in a folder with these words, serves.
local function with_program(folder, words, body)
  local here = require("lfs").currentdir()
  local function from_here(path)
    return path:find("^/") and path or here .. "/" .. path
  end
  local lib = os.getenv "GREENLUA_LIB"
  local argv = { "sh", "-c", 'cd "$0" && exec "$@"', folder, from_here(program.greenlua),
    env = { GREENLUA_LIB = lib and from_here(lib) } }
  for _, word in ipairs(words) do
    argv[#argv + 1] = (word:gsub("^examples/", here .. "/examples/"))
  end
  local run = program.start(argv)
  run:expect("serving on http://127.0.0.1:", words.from)
  run:expect("\n", words.from)
  local target = run[words.from or "out"]:match("127%.0%.0%.1:%d+")
  local ok, err = pcall(body, function(...)
    return ask(target, ...)
  end)
  run:kill(program.TERM)
  run:wait()
  if not ok then
    error(err, 0)
  end
end

return {
  DOC = "/usr/share/doc",
  FORM = "Content-Type: application/x-www-form-urlencoded",
  its = its, write = write, with_files = with_files, serve = serve, body_of = body_of,
  logged = logged, compare = compare, with_program = with_program,
}
