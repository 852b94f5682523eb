-- Serves a WSAPI application: a file, a module's name, or the one below, which is
-- as WSAPI applications are written and knows nothing of greenlua.
--
--   greenlua examples/wsapi.lua [PORT [FILE-OR-MODULE]]
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

local server, err = wsgi.new("127.0.0.1:" .. (arg[1] or 8080), arg[2] or sample,
  { wsapi = true })
if not server then
  io.stderr:write("greenlua: ", tostring(err), "\n")
  os.exit(1)
end
print("serving on " .. server.url)
server:serve_forever()
