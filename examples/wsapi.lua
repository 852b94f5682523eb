-- Serves an existing WSAPI or Orbit application as it is: a file, a module's name, or
-- all that a folder has (an absolute path with "/" at its end: .lua and .ws files and
-- Orbit's .op pages, each in a Lua state of its own, by the launchers of the wsapi
-- package). Without one, the application below, which knows nothing of greenlua.
--
--   greenlua examples/wsapi.lua [PORT [FILE | MODULE | FOLDER/]]
local wsgi = require "green.wsgi"

local sample = {}

function sample.run(wsapi_env)
  local headers = { ["Content-type"] = "text/html" }
  local function page()
    coroutine.yield("<html><body><p>Hello from " .. wsapi_env.SERVER_SOFTWARE .. "</p>")
    coroutine.yield("<p>Your path is '" .. wsapi_env.PATH_INFO .. "'</p>")
    coroutine.yield("<p>Your query is '" .. wsapi_env.QUERY_STRING .. "'</p>")
    coroutine.yield("</body></html>\n")
  end
  return 200, headers, coroutine.wrap(page)
end

--- What the launchers of the wsapi package make of a request: they look for the
-- file in DOCUMENT_ROOT.
local function launcher()
  local common = require "wsapi.common"
  local scripts = common.make_loader()
  local pages = common.make_isolated_launcher { modname = "orbit.pages" }
  return function(wsapi_env)
    local launch = wsapi_env.PATH_INFO:find("%.op$") and pages or scripts
    return launch(wsapi_env)
  end
end

local app, environ = arg[2] or sample, {}
if arg[2] and arg[2]:find("^/.*/$") then
  app, environ = launcher(), { DOCUMENT_ROOT = arg[2] }
end
assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app,
  { wsapi = true, environ = environ, log = io.stdout }))
