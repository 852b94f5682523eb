-- Tutorial, step 5: a web server.
--
--   greenlua examples/tutorial/5_web.lua [PORT]       then: curl 127.0.0.1:8080/slow

local green = require "green"
local wsgi = require "green.wsgi"

local TEXT = { ["Content-Type"] = "text/plain" }
local pages = {}

pages["/"] = function()
  return 200, TEXT, "hello\n"
end

pages["/slow"] = function()
  green.sleep(0.2) -- the other requests go on
  return 200, TEXT, "sorry to keep you waiting\n"
end

pages["/echo"] = function(env)
  return 200, TEXT, env.input:read()
end

local listener = assert(green.listen("127.0.0.1", arg[1] or 8080))
print(("serving on http://%s:%d"):format(listener:sockname()))

wsgi.server(listener, function(env)
  local page = pages[env.PATH_INFO]
  if not page then
    return 404, TEXT, "no such page\n"
  end
  return page(env)
end)
